"""Admission of Clusters that Groundplane did not make: what they need, and what has a meaning for machines only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ..assessment import DIMENSIONS
from ..cause import Cause, forbidden, invalid, required
from ..cluster import Addons, Cluster, ClusterNetwork, ClusterSpec, Components, ControlPlane
from . import values
from .shared import repeated

# Fields that say how machines are made into a cluster.
_MACHINES_ONLY: tuple[tuple[str, Any], ...] = (
    ("network", ClusterNetwork()),
    ("control_plane", ControlPlane()),
    ("components", Components()),
    ("addons", Addons()),
)
_NOT_MADE = (
    "Groundplane did not make this cluster, and this stays its owner's; leave it out, or choose provider Machines"
)


def kubeconfig_causes(cluster: Cluster) -> Iterator[Cause | None]:
    """An imported Cluster has a kubeconfig and nothing that is for machines; any other has no kubeconfig of its own."""
    spec = cluster.spec
    path = "spec.kubeconfigRef"
    if spec.provider != "Imported":
        if spec.kubeconfig_ref is not None:
            rule = "only for provider Imported: Groundplane makes the kubeconfig of a cluster that it makes"
            yield forbidden(path, spec.kubeconfig_ref.name, rule)
        return
    if spec.kubeconfig_ref is None:
        yield required(path, "name the Secret with the cluster's kubeconfig; `groundplane import` makes both")
    else:
        yield values.dns_name(f"{path}.name", spec.kubeconfig_ref.name)
    yield from _machine_fields(spec)


def _machine_fields(spec: ClusterSpec) -> Iterator[Cause]:
    names = {field.name: field.encode_name for field in msgspec.structs.fields(ClusterSpec)}
    for name, default in _MACHINES_ONLY:
        if getattr(spec, name) != default:
            yield forbidden(f"spec.{names[name]}", "…", _NOT_MADE)


def exception_causes(spec: ClusterSpec) -> list[Cause]:
    """Each dimension is excepted once, until a day that exists."""
    found = repeated("spec.exceptions", [one.dimension for one in spec.exceptions], "dimension", field="dimension")
    for index, one in enumerate(spec.exceptions):
        if one.dimension not in DIMENSIONS:
            rule = f"is none of {', '.join(DIMENSIONS)}"
            found.append(invalid(f"spec.exceptions[{index}].dimension", one.dimension, rule))
        if one.until and not values.is_date(one.until):
            found.append(invalid(f"spec.exceptions[{index}].until", one.until, "must be a day, such as 2027-01-31"))
    return found
