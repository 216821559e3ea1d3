"""Admission of Foundations: every entry well formed, and version and runtime fit together."""

from __future__ import annotations

from collections.abc import Iterator

from ..cause import Cause, Verdict, required
from ..foundation import Foundation, OperatingSystem
from . import values
from .contract import World
from .shared import find, metadata_causes, repeated, runnable, runtime_causes, settings_causes
from .unify import unify_causes


def admit_foundation(foundation: Foundation, world: World) -> Verdict:
    """Judge a Foundation that is created or changed."""
    spec = foundation.spec
    verdict = Verdict(metadata_causes(foundation.metadata.name, foundation.metadata.generate_name))
    verdict.extend(_os_causes(spec.operating_system))
    kernel = spec.operating_system.kernel.minimum
    verdict.add(values.kernel_minimum("spec.operatingSystem.kernel.minimum", kernel))
    verdict.extend(settings_causes("spec.operatingSystem.settings", spec.operating_system.settings))
    verdict.extend(runtime_causes("spec.runtime", spec.runtime))
    verdict.add(values.dns_label("spec.kubernetes.distribution", spec.kubernetes.distribution))
    for index, feature in enumerate(spec.network.features):
        verdict.add(values.flag(f"spec.network.features[{index}]", feature))
    _unknown_features(foundation, world, verdict)
    verdict.extend(unify_causes("spec.unify", spec.unify))
    if spec.network.plugin:
        verdict.add(values.dns_label("spec.network.plugin", spec.network.plugin))
    if spec.kubernetes.version:
        _version(foundation, world, verdict)
    return verdict


def _unknown_features(foundation: Foundation, world: World, verdict: Verdict) -> None:
    """A misspelt feature would be wanted for ever, and never decided on."""
    network = foundation.spec.network
    known = world.runtimes.known_features(network.plugin)
    for index, feature in enumerate(network.features):
        if known and feature not in known:
            message = f"no feature of {network.plugin} is called {feature}; there are {', '.join(known)}"
            verdict.warn(f"spec.network.features[{index}]", message)


def _version(foundation: Foundation, world: World, verdict: Verdict) -> None:
    wanted, runtime = foundation.spec.kubernetes, foundation.spec.runtime
    if cause := values.kubernetes_version("spec.kubernetes.version", wanted.version):
        verdict.add(cause)
        return
    field = "version" if runtime.name == "containerd" and runtime.version else "name"
    verdict.add(runnable(f"spec.runtime.{field}", runtime, wanted.version, world.runtimes))
    distribution = find(world.distributions, foundation.metadata.namespace, wanted.distribution)
    if distribution is not None and distribution.release(wanted.version) is None:
        # The release may be added later; a Cluster that uses the Foundation before that is refused.
        message = f"Distribution {distribution.metadata.name} has no release {wanted.version} yet"
        verdict.warn("spec.kubernetes.version", message)


def _os_causes(systems: OperatingSystem) -> Iterator[Cause]:
    for field, entries in (("recommended", systems.recommended), ("allowed", systems.allowed)):
        path = f"spec.operatingSystem.{field}"
        yield from repeated(path, [entry.id for entry in entries], "entry", field="id")
        for index, entry in enumerate(entries):
            if cause := values.os_id(f"{path}[{index}].id", entry.id):
                yield cause
            for number, version in enumerate(entry.versions):
                if not version.strip():
                    rule = "leave the list empty to allow every version"
                    yield required(f"{path}[{index}].versions[{number}]", rule)
