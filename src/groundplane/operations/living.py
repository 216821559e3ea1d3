"""How a living node is set up, read from the node itself: what runs is right, whoever set it up."""

from __future__ import annotations

from typing import Any

import yaml

from groundplane.api.foundation import RuntimeName
from groundplane.hosts.contract import ReadHost

from . import kubelet_flags
from .artifact_set import sandbox_image_of
from .errors import StepRefused
from .places import CNI_BIN
from .scope import ReadScope

KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"
CRICTL = "/etc/crictl.yaml"
# From v1.32 on kubeadm may keep the runtime's socket here instead of in the Node's annotation (KEP-4656).
INSTANCE_CONFIG = "/var/lib/kubelet/instance-config.yaml"
SOCKET_ANNOTATION = "kubeadm.alpha.kubernetes.io/cri-socket"


async def kubelet_config(host: ReadHost) -> dict[str, Any]:
    """Return kubelet's configuration file as a document; empty when there is none."""
    content = await host.read(KUBELET_CONFIG)
    try:
        value = yaml.safe_load(content) if content else {}
    except yaml.YAMLError as error:
        raise StepRefused(f"cannot read {KUBELET_CONFIG} on host {host.name}: it is not YAML") from error
    return value if isinstance(value, dict) else {}


async def flags(host: ReadHost) -> dict[str, str]:
    """Return the flags that kubeadm gave kubelet."""
    return kubelet_flags.parsed(await host.read(kubelet_flags.PATH))


async def cgroup_driver(host: ReadHost) -> str:
    """Return kubelet's cgroup driver: its flag, else its configuration, else kubelet's own default."""
    given = (await flags(host)).get("cgroup-driver")
    return given or str((await kubelet_config(host)).get("cgroupDriver") or "cgroupfs")


async def sandbox_image(scope: ReadScope) -> str:
    """Return the pause image that pods of this node run on: the release's, else the one that kubelet was told."""
    released = sandbox_image_of(scope.target)
    return released or (await flags(scope.host)).get("pod-infra-container-image", "")


async def cni_folders(host: ReadHost) -> str:
    """Return the folders of CNI plugins, as CNI_PATH has them."""
    return (await flags(host)).get("cni-bin-dir", CNI_BIN).replace(",", ":")


async def runtime_of(host: ReadHost) -> RuntimeName | None:
    """Return the runtime that kubelet's files mean."""
    found = await flags(host)
    endpoint = str((await kubelet_config(host)).get("containerRuntimeEndpoint") or "")
    if endpoint and "container-runtime-endpoint" not in found:
        found = {**found, "container-runtime-endpoint": endpoint}
    return kubelet_flags.runtime_of(found)
