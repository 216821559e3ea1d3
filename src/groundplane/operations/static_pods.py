"""The programs of a control plane, in static pods: kubelet starts one again as soon as it has ended."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from groundplane.hosts.contract import Host, ReadHost
from groundplane.plan.view import STATIC_PODS

from .kubeadm.upgrade import manifest_path
from .nodes import Object
from .scope import ReadScope

# Only what runs in a pod of this machine's kubelet.
_END = """for pid in $(pgrep -x "{name}"); do
    if grep -q kubepods "/proc/$pid/cgroup" 2>/dev/null; then kill -TERM "$pid" || true; fi
done
"""


async def end(host: Host, name: str) -> None:
    """Ask a program to end, by the name that the kernel has for it, in 15 letters; it is not waited for."""
    await host.script(_END.format(name=name))


async def processes(host: ReadHost, name: str) -> set[str]:
    """Return the ids of the processes of this name, in 15 letters."""
    return set((await host.query(["pgrep", "-x", name])).text.split())


async def not_shown(scope: ReadScope, pods: Iterable[Object], names: Collection[str]) -> list[str]:
    """Return which of the control plane's pods on the machines `names` are not among the pods that the API shows.

    kubelet shows one when it looks at it next, a minute or more after a start at which it could not. A machine is
    asked for its manifest only then: etcd may be elsewhere.
    """
    seen = {pod["metadata"]["name"] for pod in pods}
    planes = [name for name in scope.target.control_planes if name in names]
    hidden = [(name, one) for name in planes for one in STATIC_PODS if f"{one}-{name}" not in seen]
    return [f"{one}-{name}" for name, one in hidden if await scope.hosts[name].stat(manifest_path(one)) is not None]
