"""The lab: machines that behave like hosts, and a real Kubernetes for them, for tests and demos.

    lab = up(LabSpec(name="demo"))          machines with systemd and sshd, ready to be logged in to
    folder = ensure_artifacts()             kubeadm, kubelet, kubectl, the images, and distribution.yaml
    power_off(lab, "demo-2")                what can happen to a host, happens
    down("demo")                            and nothing of it is left

Not for production: the machines share this host's kernel, and the lab needs root.
"""

from groundplane_lab.artifacts import ensure_artifacts
from groundplane_lab.errors import LabError
from groundplane_lab.lab import (
    disconnect,
    down,
    down_all,
    execute,
    fresh,
    fresh_all,
    power_off,
    reconnect,
    restart,
    start,
    stop,
    up,
)
from groundplane_lab.model import PASSWORD, Lab, LabMachine, LabSpec, load
from groundplane_lab.prerequisites import ensure_prerequisites

__all__ = [
    "PASSWORD",
    "Lab",
    "LabError",
    "LabMachine",
    "LabSpec",
    "disconnect",
    "down",
    "down_all",
    "ensure_artifacts",
    "ensure_prerequisites",
    "execute",
    "fresh",
    "fresh_all",
    "load",
    "power_off",
    "reconnect",
    "restart",
    "start",
    "stop",
    "up",
]
