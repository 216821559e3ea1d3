"""Objects for the tests of validation: a small world that is well, to be made ill one field at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import yaml

from groundplane.api.cause import Cause, Verdict
from groundplane.api.cluster import Cluster
from groundplane.api.distribution import Distribution
from groundplane.api.examples import EXAMPLES
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.operation import Operation
from groundplane.api.validation import Runtimes
from groundplane.api.validation.machine import reached_at
from groundplane.catalog import runtimes

KINDS: dict[str, Any] = {
    "Foundation": Foundation,
    "Cluster": Cluster,
    "Machine": Machine,
    "Operation": Operation,
    "Distribution": Distribution,
}
_PARSED = {kind: yaml.safe_load(text) for kind, text in EXAMPLES.items()}


@dataclass(frozen=True)
class World:
    clusters: list[Cluster] = field(default_factory=list)
    machines: list[Machine] = field(default_factory=list)
    foundations: list[Foundation] = field(default_factory=list)
    distributions: list[Distribution] = field(default_factory=list)
    runtimes: Runtimes = runtimes

    def machines_at(self, jump: str, address: str) -> list[Machine]:
        return [machine for machine in self.machines if reached_at(machine) == (jump, address)]

    def having(self, **lists: Any) -> World:
        return replace(self, **lists)


def merged(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """JSON merge patch: None removes."""
    result = dict(base)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            inner = result.get(key)
            result[key] = merged(inner if isinstance(inner, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def example(kind: str, **patch: Any) -> Any:
    """The kind's example from the documents, with a merge patch over it."""
    return msgspec.convert(merged(_PARSED[kind], patch), KINDS[kind])


def machine(name: str, address: str, *, cluster: str = "shop", role: str = "Worker", **patch: Any) -> Machine:
    """A Machine as member of a cluster."""
    spec = merged({"address": address, "role": role, "clusterRef": {"name": cluster}}, patch.pop("spec", {}))
    made: Machine = example("Machine", metadata={"name": name, **patch.pop("metadata", {})}, spec=spec, **patch)
    return made


def paths(verdict: Verdict) -> list[str]:
    return [cause.field for cause in verdict.causes]


def only(verdict: Verdict) -> Cause:
    """The one cause of a verdict."""
    assert len(verdict.causes) == 1, [str(cause) for cause in verdict.causes]
    return verdict.causes[0]
