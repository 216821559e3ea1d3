"""The lab: machines that behave like hosts, and a real Kubernetes for them, for tests and demos.

    lab = up(LabSpec(name="demo"))          machines with systemd and sshd, ready to be logged in to
    folder = ensure_artifacts()             kubeadm, kubelet, kubectl, the images, and distribution.yaml
    ensure_stamped()                        the same, stamped with later versions: the distribution `tke`
    power_off(lab, "demo-2")                what can happen to a host, happens
    down("demo")                            and nothing of it is left

Not for production: the machines share this host's kernel, and the lab needs root.

What a Cluster's spec must say because it runs on lab machines (`lab/plain.sh` shows all of it at work):

- kubeadm preflight: ignore `SystemVerification` (no perf_event and hugetlb cgroups) and, on containerd,
  `FileExisting-crictl`. `kubeadm init` must skip the phase `preflight` whole: its image check cannot be ignored and
  ends without crictl on containerd, and without a CoreDNS image on Docker. Skip the phase `addon/coredns`, too.
- kube-proxy: `conntrack: {maxPerCore: 0, min: 0}`; a container may not set the kernel's limits.
- containerd: keep `restrict_oom_score_adj = true`, which the machine's config has; the machine lacks CAP_SYS_RESOURCE.
- cgroup driver: `systemd` works, for containerd and for Docker.
- nothing is downloaded: there is no route to the internet and no name server, so every image must be delivered.
- the workload image `groundplane.dev/lab/echo:1` answers GET / on port 8080 with its pod's name.
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
    shift_clock,
    start,
    stop,
    up,
)
from groundplane_lab.model import PASSWORD, Lab, LabMachine, LabSpec, load
from groundplane_lab.prerequisites import ensure_prerequisites
from groundplane_lab.stamped import ensure_stamped

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
    "ensure_stamped",
    "execute",
    "fresh",
    "fresh_all",
    "load",
    "power_off",
    "reconnect",
    "restart",
    "shift_clock",
    "start",
    "stop",
    "up",
]
