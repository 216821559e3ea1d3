"""What a Foundation, or the Cluster in its place, wants in each dimension, in a few words. Pure."""

from __future__ import annotations

from groundplane.api.assessment import Dimension
from groundplane.api.cluster import Cluster
from groundplane.api.foundation import Foundation, FoundationSpec, HostSettings, OSEntry


def wanted(dimension: Dimension, cluster: Cluster, foundation: Foundation | None) -> str:
    """Return what is wanted; empty when nothing is, or when the Foundation is not known."""
    if foundation is None:
        return ""
    spec = foundation.spec
    kubernetes, runtime = cluster.spec.kubernetes, cluster.spec.runtime or spec.runtime
    texts: dict[Dimension, str] = {
        "OperatingSystem": _systems(spec),
        "Kernel": f">= {spec.operating_system.kernel.minimum}" if spec.operating_system.kernel.minimum else "",
        "Settings": _settings(cluster.spec.settings or spec.operating_system.settings),
        "Distribution": kubernetes.distribution or spec.kubernetes.distribution,
        "Version": kubernetes.version or spec.kubernetes.version,
        "Runtime": f"{runtime.name} {runtime.version}".strip(),
        "Network": ", ".join(part for part in (spec.network.plugin, *spec.network.features) if part),
    }
    return texts[dimension]


def _systems(spec: FoundationSpec) -> str:
    return ", ".join(_system(entry) for entry in (*spec.operating_system.recommended, *spec.operating_system.allowed))


def _system(entry: OSEntry) -> str:
    return f"{entry.id} {'|'.join(entry.versions)}".strip()


def _settings(settings: HostSettings) -> str:
    parts = [
        f"swap {settings.swap.lower()}",
        f"time service {settings.time_sync.lower()}",
        f"{len(settings.modules)} modules",
        f"{len(settings.sysctls)} kernel parameters",
    ]
    return ", ".join([*parts, "crash dumps required"] if settings.kdump == "Required" else parts)
