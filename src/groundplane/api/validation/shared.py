"""Rules that more than one kind has: host settings, runtime choice, immutability; and finding objects in the world."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from groundplane.base import versions

from ..cause import Cause, Verdict, duplicate, forbidden, invalid
from ..cluster import Cluster
from ..distribution import Distribution
from ..foundation import Foundation, HostSettings, RuntimeChoice
from ..machine import Machine
from ..meta import NameReference, Struct
from . import values
from .contract import Runtimes, World

Kind = TypeVar("Kind", Cluster, Machine, Foundation, Distribution)
DEFAULT_DISTRIBUTION = "native"


def find(candidates: Iterable[Kind], namespace: str, name: str) -> Kind | None:
    """Return the object of that name, or None."""
    return next((c for c in candidates if (c.metadata.namespace, c.metadata.name) == (namespace, name)), None)


def same_object(left: Kind, right: Kind) -> bool:
    """Tell whether two values are one object, seen at different times."""
    return (left.metadata.namespace, left.metadata.name) == (right.metadata.namespace, right.metadata.name)


def key_of(kind: Kind) -> str:
    """Return namespace/name."""
    return f"{kind.metadata.namespace}/{kind.metadata.name}"


def settings_causes(path: str, settings: HostSettings) -> list[Cause]:
    """Kernel modules and parameters are well formed."""
    modules = (values.module(f"{path}.modules[{i}]", name) for i, name in enumerate(settings.modules))
    return [*(cause for cause in modules if cause), *values.sysctls(f"{path}.sysctls", settings.sysctls)]


def runtime_causes(path: str, runtime: RuntimeChoice) -> list[Cause]:
    """The constraint and the handlers are well formed."""
    handlers = (values.module(f"{path}.handlers[{i}]", name) for i, name in enumerate(runtime.handlers))
    return [c for c in (values.constraint(f"{path}.version", runtime.version), *handlers) if c]


def runnable(path: str, runtime: RuntimeChoice, version: str, runtimes: Runtimes) -> Cause | None:
    """The Kubernetes version can run the runtime. Malformed versions are for other rules to report."""
    try:
        if runtime.name == "docker":
            support = runtimes.docker_supported(version)
            return None if support.ok else invalid(path, runtime.name, f"{support.reason}; choose {support.choose}")
        support = runtimes.containerd_satisfiable(version, runtime.version)
    except versions.UnknownVersion:
        return None
    wanted = runtime.version or runtime.name
    return None if support.ok else invalid(path, wanted, f"{support.reason}; choose {support.choose}")


def frozen(path: str, before: Any, after: Any, why: str) -> Cause | None:
    """The field must not change."""
    if before == after:
        return None
    return forbidden(path, _plain(after), f"is immutable, was {_words(before)}: {why}")


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value) if isinstance(value, Struct) else value


def _words(value: Any) -> str:
    if isinstance(value, NameReference):
        return f'"{value.name}"'
    if isinstance(value, Struct):
        return "different"
    return f'"{value}"' if value else "empty"


def repeated(path: str, names: Sequence[str], what: str, *, field: str = "") -> list[Cause]:
    """No two entries of a list have the same name; `field` is the part of the entry that holds it."""
    first: dict[str, int] = {}
    causes = []
    for index, name in enumerate(names):
        if name in first:
            at = f"{path}[{index}]" + (f".{field}" if field else "")
            causes.append(duplicate(at, name, f"{what} {path}[{first[name]}] has it already"))
        first.setdefault(name, index)
    return causes


def metadata_causes(name: str, generated: str) -> list[Cause]:
    """The object's name is a DNS label; one that the server will complete is not looked at."""
    cause = values.dns_label("metadata.name", name) if name or not generated else None
    return [cause] if cause else []


@dataclass(frozen=True, slots=True)
class Setting:
    """A Cluster's choice, and the field that made it: the Cluster's own, or its reference to the Foundation."""

    value: Any
    path: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What a Cluster wants once its Foundation has filled the gaps."""

    distribution: Setting
    version: Setting
    runtime: Setting


def choices(cluster: Cluster, foundation: Foundation | None) -> Choices:
    """Return the Cluster's choices; those that nobody made are the defaults of the kinds, and no version."""
    spec, base = cluster.spec, foundation.spec if foundation else None
    reference = "spec.foundationRef.name"
    own = spec.kubernetes
    named = base.kubernetes.distribution if base else DEFAULT_DISTRIBUTION
    filled = base.kubernetes.version if base else ""
    runtime = base.runtime if base else RuntimeChoice()
    return Choices(
        distribution=_first(own.distribution, "spec.kubernetes.distribution", named, reference if base else ""),
        version=_first(own.version, "spec.kubernetes.version", filled, reference if base else ""),
        runtime=_first(spec.runtime, "spec.runtime", runtime, reference if base else ""),
    )


def _first(own: Any, path: str, other: Any, reference: str) -> Setting:
    return Setting(own, path) if own else Setting(other, reference or path)


def release_cause(chosen: Choices, distribution: Distribution) -> Cause | None:
    """The Distribution has the release."""
    version = chosen.version.value
    if not version or distribution.release(version) is not None:
        return None
    known = ", ".join(release.version for release in distribution.spec.releases) or "none"
    rule = f"Distribution {distribution.metadata.name} has no such release; choose one of: {known}"
    return invalid(chosen.version.path, version, rule)


def runtime_cause(chosen: Choices, runtimes: Runtimes) -> Cause | None:
    """The wanted version can run the wanted runtime."""
    runtime: RuntimeChoice = chosen.runtime.value
    path = chosen.runtime.path
    if path == "spec.runtime":
        path += ".version" if runtime.name == "containerd" and runtime.version else ".name"
    return runnable(path, runtime, chosen.version.value, runtimes) if chosen.version.value else None


def named(verdict: Verdict, world: World, cluster: Cluster) -> Foundation | None:
    """Return the Cluster's Foundation when it is there; a malformed reference is a cause."""
    reference = cluster.spec.foundation_ref
    if reference is None:
        return None
    verdict.add(values.dns_label("spec.foundationRef.name", reference.name))
    return find(world.foundations, cluster.metadata.namespace, reference.name)


def with_index(path: str, items: Mapping[str, str]) -> Iterable[tuple[str, str, str]]:
    """Yield path, key and value of each entry of a map."""
    for key, value in items.items():
        yield f"{path}[{key}]", key, value
