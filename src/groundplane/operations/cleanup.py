"""Clearing kubeadm's and kubelet's traces off a machine that carries our mark.

`kubeadm reset` is asked only to take a member out of etcd. As a whole it does at once too much (all of /var/lib/cni,
whoever filled it) and too little (containers without crictl, iptables chains, busy mounts). Nothing of another's is
touched: only containers of Kubernetes, only chains called KUBE-*, only our interface, routes and files. A mount that
cannot be undone keeps its files: the data behind it may be a volume's.
"""

from __future__ import annotations

from shlex import quote

from groundplane.hosts.contract import Host

from .errors import StepRefused
from .jobs import Job, run_job
from .nodes import machine_of
from .places import ADMIN_CONF, CNI_CONF, KUBERNETES, NETWORK_SCRIPT, NETWORK_UNIT, RUN
from .scope import Scope

_STOP = """
systemctl stop kubelet.service 2>/dev/null || true
for unit in kubeadm-init kubeadm-join network; do
    systemctl stop "groundplane-$unit" 2>/dev/null || true
done
"""

_CONTAINERD = """
if systemctl is-active --quiet containerd && command -v ctr >/dev/null; then
    gone=
    for id in $(ctr -n k8s.io tasks ls -q); do
        ctr -n k8s.io tasks kill -s SIGKILL "$id" >/dev/null 2>&1 || true
    done
    for id in $(ctr -n k8s.io tasks ls -q); do ctr -n k8s.io tasks rm -f "$id" >/dev/null 2>&1 || true; done
    for id in $(ctr -n k8s.io containers ls -q); do
        ctr -n k8s.io containers rm "$id" >/dev/null 2>&1 || true
        gone=1
    done
    # containerd's CRI part keeps its own list of pods; it reads it anew when it starts.
    if [ -n "$gone" ]; then systemctl restart containerd; fi
fi
"""

_DOCKER = """
if systemctl is-active --quiet docker && command -v docker >/dev/null; then
    ids=$(docker ps -aq --filter name=^/k8s_)
    if [ -n "$ids" ]; then docker rm -f -v $ids >/dev/null; fi
fi
"""

_MOUNTS = """
for below in /var/lib/kubelet/ /run/netns/cni- /var/run/netns/cni-; do
    awk -v below="$below" 'index($2, below) == 1 {print $2}' /proc/mounts | sort -r | while read -r mount; do
        umount "$(printf '%b' "$mount")" 2>/dev/null || umount -l "$(printf '%b' "$mount")" || true
    done
done
find /run/netns -maxdepth 1 -name 'cni-*' -exec rm -f {} + 2>/dev/null || true
"""

_FILES = """
rm -rf {kubernetes}/manifests {kubernetes}/pki {kubernetes}/tmp
rm -f {kubernetes}/admin.conf {kubernetes}/super-admin.conf {kubernetes}/kubelet.conf \
    {kubernetes}/bootstrap-kubelet.conf {kubernetes}/controller-manager.conf {kubernetes}/scheduler.conf
rmdir {kubernetes} 2>/dev/null || true
systemctl stop kubepods.slice 2>/dev/null || true
for folder in /var/lib/kubelet /var/lib/etcd /var/log/pods /var/log/containers; do
    if [ -d "$folder" ]; then
        find "$folder" -mindepth 1 -maxdepth 1 -exec rm -rf --one-file-system {{}} +
    fi
done
rmdir /var/log/pods /var/log/containers 2>/dev/null || true
rm -rf /var/run/kubernetes /var/lib/dockershim
rm -rf {run}/jobs {run}/kubeadm-init.yaml {run}/kubeadm-join.yaml
rm -rf /var/lib/cni/networks/groundplane
for kind in results cache/results; do
    # kubelet and containerd name their loopback network so.
    rm -rf /var/lib/cni/$kind/groundplane-* /var/lib/cni/$kind/cni-loopback-*
done
"""

_NETWORK = """
if [ -x {script} ]; then {script} down; fi
if [ -e {conf} ]; then ip link delete cni0 2>/dev/null || true; fi
ip link delete kube-ipvs0 2>/dev/null || true
"""

# Rules that jump into KUBE-* chains go, then the chains; the rest of the tables is not rewritten.
_CHAINS = """
for family in iptables ip6tables; do
    command -v $family-save >/dev/null || continue
    for table in $($family-save 2>/dev/null | sed -n 's/^\\*//p'); do
        saved=$($family-save -t "$table" 2>/dev/null)
        printf '%s\\n' "$saved" | grep -q '^:KUBE-' || continue
        {{
            echo "*$table"
            printf '%s\\n' "$saved" | sed -n '/^-A KUBE-/d; s/^-A \\(.* -j KUBE-.*\\)$/-D \\1/p'
            printf '%s\\n' "$saved" | sed -n 's/^:\\(KUBE-[^ ]*\\) .*/-F \\1/p'
            printf '%s\\n' "$saved" | sed -n 's/^:\\(KUBE-[^ ]*\\) .*/-X \\1/p'
            echo COMMIT
        }} | $family-restore --noflush
    done
done
"""


async def wipe(scope: Scope, host: Host) -> None:
    """Clear the machine of kubeadm, kubelet, their containers, files and chains, and of our pod network's state."""
    await _leave_etcd(scope, host)
    words = {"kubernetes": quote(KUBERNETES), "run": RUN, "script": NETWORK_SCRIPT, "conf": CNI_CONF}
    parts = [_STOP, _CONTAINERD, _DOCKER, _MOUNTS, _NETWORK.format(**words), _FILES.format(**words)]
    done = await host.script("set -u\n" + "".join(parts) + _CHAINS.format(), timeout=300, check=False)
    for line in done.stderr.decode("utf-8", "replace").splitlines():
        scope.log(line)
    left = await host.query(["ls", "-A", "/var/lib/kubelet", "/var/lib/etcd"])
    if [line for line in left.text.splitlines() if line and not line.endswith(":")]:
        raise StepRefused(
            f"cannot clear host {host.name}: /var/lib/kubelet or /var/lib/etcd is not empty, a mount there is busy",
            remedy="see `findmnt -R /var/lib/kubelet` on the machine, stop what uses it, then try again",
        )


async def unplug_network(host: Host) -> None:
    """Stop the unit that sets up our pod network at boot."""
    if await host.stat(NETWORK_UNIT) is not None:
        await host.run(["systemctl", "disable", "--now", NETWORK_UNIT.rpartition("/")[2]], check=False)


async def _leave_etcd(scope: Scope, host: Host) -> None:
    """Take a control plane out of etcd, so that the others keep their majority; the last one owes nobody anything."""
    planes = scope.target.control_planes
    if len(planes) < 2 or machine_of(host) not in planes or await host.stat(ADMIN_CONF) is None:
        return
    argv = ["timeout", "60", "kubeadm", "reset", "phase", "remove-etcd-member"]
    try:
        await run_job(scope, host, Job(name="kubeadm-reset", argv=argv, seconds=90))
    except StepRefused as error:
        scope.log(f"etcd was not told that {host.name} leaves, going on: {error.message}")
