"""Foundation: the ground that clusters are to stand on."""

from __future__ import annotations

from typing import Literal

import msgspec

from .meta import Condition, ObjectMeta, Struct

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

    id: str
    versions: list[str] = []


class Kernel(Struct, frozen=True):
    minimum: str = ""


class HostSettings(Struct, frozen=True):
    """What a host must be set to. `sysctls` values are compared as text, white space folded."""

    swap: Literal["Disabled", "Ignored"] = "Disabled"
    time_sync: Literal["Required", "Ignored"] = "Required"
    modules: list[str] = msgspec.field(default_factory=lambda: list(_MODULES))
    sysctls: dict[str, str] = msgspec.field(default_factory=lambda: dict(_SYSCTLS))


class OperatingSystem(Struct, frozen=True):
    recommended: list[OSEntry] = []
    allowed: list[OSEntry] = []
    kernel: Kernel = Kernel()
    settings: HostSettings = HostSettings()


class KubernetesChoice(Struct, frozen=True):
    """`distribution` names a Distribution of the same namespace; `version` one of its releases."""

    distribution: str = "native"
    version: str = ""


class RuntimeChoice(Struct, frozen=True):
    """`version` is a constraint such as ">=1.6.0"; empty means whatever the Kubernetes version supports."""

    name: RuntimeName = "containerd"
    version: str = ""
    handlers: list[str] = msgspec.field(default_factory=lambda: ["runc"])


class FoundationNetwork(Struct, frozen=True):
    plugin: str = ""
    features: list[str] = []


class FoundationSpec(Struct, frozen=True):
    operating_system: OperatingSystem = OperatingSystem()
    kubernetes: KubernetesChoice = KubernetesChoice()
    runtime: RuntimeChoice = RuntimeChoice()
    network: FoundationNetwork = FoundationNetwork()


class FoundationStatus(Struct, frozen=True):
    observed_generation: int = 0
    clusters: int = 0
    conditions: list[Condition] = []


class Foundation(Struct, frozen=True):
    """The target that one or more clusters are brought to."""

    api_version: str = "groundplane.dev/v1alpha1"
    kind: str = "Foundation"
    metadata: ObjectMeta = ObjectMeta()
    spec: FoundationSpec = FoundationSpec()
    status: FoundationStatus = FoundationStatus()
