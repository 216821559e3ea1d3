"""The programs of a control plane, in static pods: kubelet starts one again as soon as it has ended."""

from __future__ import annotations

from groundplane.hosts.contract import Host, ReadHost

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
