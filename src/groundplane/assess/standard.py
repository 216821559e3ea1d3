"""What a cluster is held against: its Foundation, what the Cluster sets in its place, and its exceptions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from groundplane.api.assessment import Dimension
from groundplane.api.cluster import Cluster
from groundplane.api.distribution import Distribution
from groundplane.api.foundation import (
    CertificateLimits,
    Foundation,
    FoundationSpec,
    HostSettings,
    OperatingSystem,
    RuntimeChoice,
)


@dataclass(frozen=True, slots=True)
class Standard:
    """The wanted ground. Empty fields want nothing.

    `distribution` is the kind of Kubernetes (the Distribution's vendor). `declared` maps a dimension to the reason
    for which it may differ. `today` (YYYY-MM-DD) decides what is past its end.
    """

    foundation: str
    today: str
    system: OperatingSystem = field(default_factory=OperatingSystem)
    settings: HostSettings | None = None
    distribution: str = ""
    version: str = ""
    runtime: RuntimeChoice | None = None
    plugin: str = ""
    features: tuple[str, ...] = ()
    certificates: CertificateLimits = field(default_factory=CertificateLimits)
    declared: dict[Dimension, str] = field(default_factory=dict)
    base: Standard | None = None
    replaced: dict[Dimension, str] = field(default_factory=dict)


def resolve(cluster: Cluster, foundation: Foundation | None, vendors: dict[str, str], today: str) -> Standard:
    """Return what the cluster is held against. `vendors` maps the names of Distributions to their vendor words.

    Without a Foundation only the limits on risks are there, with their defaults.
    """
    if foundation is None:
        return Standard(foundation="", today=today)
    base = _of_foundation(foundation.metadata.name, foundation.spec, vendors, today)
    declared = {one.dimension: one.reason for one in cluster.spec.exceptions if not one.until or one.until >= today}
    return replace(_overridden(base, cluster, vendors), declared=declared)


def vendors_of(distributions: list[Distribution]) -> dict[str, str]:
    """Return the vendor word of each Distribution by its name."""
    return {one.metadata.name: one.spec.vendor for one in distributions}


def _of_foundation(name: str, spec: FoundationSpec, vendors: dict[str, str], today: str) -> Standard:
    wanted = spec.kubernetes.distribution
    return Standard(
        foundation=name,
        today=today,
        system=spec.operating_system,
        settings=spec.operating_system.settings,
        distribution=vendors.get(wanted, wanted),
        version=spec.kubernetes.version,
        runtime=spec.runtime,
        plugin=spec.network.plugin,
        features=tuple(spec.network.features),
        certificates=spec.security.certificates,
    )


def _overridden(base: Standard, cluster: Cluster, vendors: dict[str, str]) -> Standard:
    """Put the Cluster's own fields in place of the Foundation's, and remember which."""
    spec = cluster.spec
    own, replaced = base, dict[Dimension, str]()
    if spec.kubernetes.distribution:
        own = replace(own, distribution=vendors.get(spec.kubernetes.distribution, spec.kubernetes.distribution))
        replaced["Distribution"] = "spec.kubernetes.distribution"
    if spec.kubernetes.version:
        own, replaced["Version"] = replace(own, version=spec.kubernetes.version), "spec.kubernetes.version"
    if spec.runtime is not None:
        own, replaced["Runtime"] = replace(own, runtime=spec.runtime), "spec.runtime"
    if spec.settings is not None:
        own, replaced["Settings"] = replace(own, settings=spec.settings), "spec.settings"
    return replace(own, base=base, replaced=replaced) if replaced else own
