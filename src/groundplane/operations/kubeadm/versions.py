"""What changes in kubeadm's input from one Kubernetes version to the next.

Sources: kubeadm's own API packages. v1beta2 from 1.15, v1beta3 from 1.22, v1beta4 from 1.31
(https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/); CRI sockets carry a scheme from 1.24
(https://github.com/kubernetes/kubeadm/issues/2426); dockershim is gone from 1.24.
"""

from __future__ import annotations

import re
from typing import Literal

from groundplane.api.foundation import RuntimeName

from ..errors import StepRefused

Format = Literal["v1beta2", "v1beta3", "v1beta4"]

_MINOR = re.compile(r"v?1\.(\d+)\b")


def minor_of(version: str) -> int:
    """Return 20 for "v1.20.2" and for "v1.20.6-tke.3"."""
    found = _MINOR.match(version)
    if found is None:
        raise StepRefused(f"cannot read Kubernetes version {version!r}: it does not start with v1.N")
    return int(found.group(1))


def format_of(version: str) -> Format:
    """Return the newest kubeadm configuration format that this version reads."""
    minor = minor_of(version)
    if minor < 15:
        raise StepRefused(f"cannot configure kubeadm {version}: versions before v1.15 are not supported")
    if minor < 22:
        return "v1beta2"
    return "v1beta3" if minor < 31 else "v1beta4"


def cri_socket(runtime: RuntimeName, version: str) -> str:
    """Return the runtime's CRI socket as kubeadm of this version wants to read it."""
    if runtime == "docker":
        if minor_of(version) >= 24:
            raise StepRefused(
                f"cannot run Kubernetes {version} on docker: dockershim was removed in v1.24",
                remedy="choose runtime containerd",
            )
        return "/var/run/dockershim.sock"
    path = "/run/containerd/containerd.sock"
    return path if minor_of(version) < 24 else f"unix://{path}"
