"""The catalog's tables by name: what `groundplane catalog` shows, and what a site may bring newer rows for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import apis, kernel, kubeadm, lines, network, releases, runtimes, skew, systems
from .sources import Sourced, kept, merged, read, shipped

Tables = Mapping[str, tuple[Sourced, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """One table: the type of its rows, and what it is about, in one line."""

    kind: type[Sourced]
    title: str


TABLES: dict[str, Table] = {
    "kubernetes": Table(releases.KubernetesRelease, "minors of Kubernetes: dates, newest patch"),
    "tke": Table(releases.TkeRelease, "builds of the TKE distribution, and what each fixes"),
    "policies": Table(releases.Policy, "how long which platform supports a minor"),
    "platforms": Table(releases.PlatformRelease, "end of support by platform and minor"),
    "skew": Table(skew.SkewRule, "how far apart versions of components may be"),
    "kubeadm": Table(kubeadm.ConfigAPI, "versions of kubeadm's configuration API"),
    "images": Table(kubeadm.Images, "images that kubeadm uses, by minor"),
    "removed_apis": Table(apis.RemovedAPI, "versions of the API that a minor does not serve any more"),
    "dockershim": Table(runtimes.Dockershim, "when the kubelet lost its Docker runtime"),
    "docker": Table(runtimes.DockerSupport, "Docker versions that Kubernetes was tested with"),
    "containerd": Table(runtimes.ContainerdSupport, "containerd and CRI versions by minor of Kubernetes"),
    "runtime_lines": Table(lines.RuntimeLine, "lines of container runtimes: dates, what they serve"),
    "security_fixes": Table(lines.SecurityFix, "vulnerabilities of runtimes, and where they are fixed"),
    "network_bases": Table(network.NetworkBase, "what network plugins need of the kernel"),
    "network_features": Table(network.NetworkFeature, "what features of network plugins need of the kernel"),
    "kernel_needs": Table(kernel.KernelNeed, "what Kubernetes needs of the kernel"),
    "kernel_options": Table(kernel.KernelOptions, "kernel options that a survey asks about"),
    "systems": Table(systems.System, "operating systems: kernel, end of life"),
}


@kept
def tables() -> dict[str, tuple[Sourced, ...]]:
    """Return all rows by table, the site's in place of the shipped ones."""
    return {name: read(name, table.kind) for name, table in TABLES.items()}


def shipped_with(over: Tables) -> dict[str, tuple[Sourced, ...]]:
    """Return all rows by table, with other rows laid over the shipped ones."""
    return {name: merged(shipped(name, table.kind), over.get(name, ())) for name, table in TABLES.items()}
