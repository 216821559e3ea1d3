"""Foundation: the ground that clusters are to stand on."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from .assessment import FeatureDecision, StackShare, Uniformity, UniformityPoint
from .meta import Conditions, ObjectMeta, Struct, says
from .unify import Unify, UnifyStatus

RuntimeName = Literal["containerd", "docker"]
NetworkPlugin = Literal["routed", "none", "manifest"]

# Kubernetes' own prerequisites: https://kubernetes.io/docs/setup/production-environment/container-runtimes/
_MODULES = ("overlay", "br_netfilter")
_SYSCTLS = {
    "net.ipv4.ip_forward": "1",
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.bridge.bridge-nf-call-ip6tables": "1",
}


class OSEntry(Struct, frozen=True):
    """An operating system by its os-release ID; an empty `versions` allows every VERSION_ID."""

    id: Annotated[str, says("ID of os-release, such as debian")]
    versions: Annotated[
        list[str], says('allowed values of VERSION_ID, a major one with all its minors ("9" allows "9.4"); empty: all')
    ] = []

    def accepts(self, system: str, version: str) -> bool:
        """Tell whether an operating system, by ID in any case and VERSION_ID, is meant by this entry."""
        if self.id.lower() != system.lower():
            return False
        return not self.versions or any(version == one or version.startswith(f"{one}.") for one in self.versions)


class Kernel(Struct, frozen=True):
    minimum: Annotated[str, says('lowest kernel release, such as "5.4.119"; empty sets no floor')] = ""


class HostSettings(Struct, frozen=True):
    """What a host must be set to. `sysctls` values are compared as text, white space folded."""

    swap: Annotated[
        Literal["Disabled", "Ignored"], says("Disabled turns swap off and keeps it off; Ignored leaves it")
    ] = "Disabled"
    time_sync: Annotated[
        Literal["Required", "Ignored"],
        says(
            "Required has a time service run, and installs the system's usual one where there is none; a clock that is"
            " far off is refused in any case"
        ),
    ] = "Required"
    kdump: Annotated[
        Literal["Required", "Ignored"],
        says(
            "Required has the system's service for crash dumps of the kernel installed and started at boot, and memory"
            " reserved for it from the next boot on"
        ),
    ] = "Ignored"
    modules: Annotated[list[str], says("kernel modules that are loaded now and at boot")] = msgspec.field(
        default_factory=lambda: list(_MODULES)
    )
    sysctls: Annotated[dict[str, str], says("kernel parameters and their values, set now and at boot")] = msgspec.field(
        default_factory=lambda: dict(_SYSCTLS)
    )


class OperatingSystem(Struct, frozen=True):
    recommended: Annotated[list[OSEntry], says("operating systems to move to")] = []
    allowed: Annotated[
        list[OSEntry], says("operating systems that are accepted as well; with both lists empty every one is")
    ] = []
    kernel: Annotated[Kernel, says("kernel floor")] = Kernel()
    settings: Annotated[HostSettings, says("what hosts are set to")] = HostSettings()


class KubernetesChoice(Struct, frozen=True):
    """`distribution` names a Distribution of the same namespace; `version` one of its releases."""

    distribution: Annotated[str, says("name of a Distribution of the same namespace")] = "native"
    version: Annotated[str, says("one of the Distribution's releases, such as v1.20.2")] = ""


class RuntimeChoice(Struct, frozen=True):
    """`version` is a constraint such as ">=1.6.0"; empty means whatever the Kubernetes version supports."""

    name: Annotated[RuntimeName, says("container runtime; docker runs Kubernetes up to 1.23 only")] = "containerd"
    version: Annotated[
        str, says('constraint such as ">=1.6.0" or ">=1.6.0,<2.0.0"; empty takes what the Kubernetes version supports')
    ] = ""
    handlers: Annotated[list[str], says("OCI runtimes that must be there")] = msgspec.field(
        default_factory=lambda: ["runc"]
    )


class FoundationNetwork(Struct, frozen=True):
    plugin: Annotated[str, says("network plugin that clusters are to run, such as cilium; empty sets none")] = ""
    features: Annotated[list[str], says("network features that are wanted, such as KubeProxyReplacement")] = []


class CertificateLimits(Struct, frozen=True):
    """kubeadm signs certificates for 365 days and authorities for ten years."""

    maximum_validity_days: Annotated[
        int, says("longest validity of a certificate that is no authority, in days; 0 sets no limit", low=0)
    ] = 400
    maximum_authority_validity_days: Annotated[
        int, says("longest validity of a certificate authority, in days; 0 sets no limit", low=0)
    ] = 3660
    expiry_warning_days: Annotated[int, says("days before its end from which a certificate is a finding", low=0)] = 30


class SecurityLimits(Struct, frozen=True):
    certificates: Annotated[CertificateLimits, says("how long certificates may live")] = CertificateLimits()


class FoundationSpec(Struct, frozen=True):
    operating_system: Annotated[OperatingSystem, says("operating systems, kernel and host settings")] = (
        OperatingSystem()
    )
    kubernetes: Annotated[KubernetesChoice, says("Kubernetes distribution and version")] = KubernetesChoice()
    runtime: Annotated[RuntimeChoice, says("container runtime")] = RuntimeChoice()
    network: Annotated[FoundationNetwork, says("network plugin and features")] = FoundationNetwork()
    security: Annotated[SecurityLimits, says("limits on what counts as a risk")] = SecurityLimits()
    unify: Annotated[Unify, says("bringing all clusters to this Foundation, in waves")] = Unify()


class FoundationStatus(Struct, frozen=True):
    observed_generation: Annotated[int, says("generation of the spec that this status is about")] = 0
    clusters: Annotated[int, says("how many Clusters refer to this Foundation")] = 0
    drifting: Annotated[int, says("how many of them differ from it, exceptions not counted")] = 0
    unassessed: Annotated[int, says("how many of them no facts are known of")] = 0
    uniformity: Annotated[Uniformity, says("shares over all of them")] = Uniformity()
    stacks: Annotated[list[StackShare], says("distinct stacks, largest first; at most 50")] = []
    features: Annotated[
        list[FeatureDecision], says("decisions on wanted network features over all clusters", key="feature")
    ] = []
    history: Annotated[list[UniformityPoint], says("uniformity over time, oldest first; at most 400 points")] = []
    unify: Annotated[UnifyStatus | None, says("the run of `spec.unify`, or the last one")] = None
    conditions: Conditions = []


class Foundation(Struct, frozen=True):
    """The target that one or more clusters are brought to."""

    api_version: Annotated[str, says("group and version of the kind")] = "groundplane.dev/v1alpha1"
    kind: Annotated[str, says("the kind: Foundation")] = "Foundation"
    metadata: Annotated[ObjectMeta, says("standard object metadata")] = ObjectMeta()
    spec: Annotated[FoundationSpec, says("the target")] = FoundationSpec()
    status: Annotated[FoundationStatus, says("what was observed; written by Groundplane")] = FoundationStatus()
