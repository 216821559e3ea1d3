"""Evicted pods whose processes have ended, asked of the node's own runtime.

kubelet tells the API late: its objects of ended pods go after seconds, and where its own clearing away came first, as
was seen with v1.20 on Docker, only at its next full round, up to a minute later.
"""

from __future__ import annotations

from typing import Any

from groundplane.hosts.contract import Host

from . import cri, living
from .errors import StepRefused
from .scope import ReadScope, Scope

_DOCKER = (
    "docker",
    "ps",
    "--no-trunc",
    "--filter",
    f"label={cri.POD_UID}",
    "--format",
    f'{{{{.Label "{cri.POD_UID}"}}}}',
)
# Kinds of volumes that are the node's own: no other node is kept from using them.
_OF_THE_NODE = frozenset({"configMap", "downwardAPI", "emptyDir", "hostPath", "projected", "secret"})


class EndedPods:
    """Which pods of this machine need not be waited for any more."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._asks = True

    async def without(self, pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return those of the pods that run, or whose volumes somebody may wait for."""
        left = remaining(self._scope, pods)
        leaving = {str(pod["metadata"]["uid"]) for pod in left if _is_leaving(pod)}
        runs = await self._running() if leaving and self._asks else set()
        # A runtime that runs no pod at all, not even one of a DaemonSet, may not be the one that kubelet uses.
        ended = leaving - runs if runs else set()
        if ended:
            # Written down, for kubelet may go on to say of them that they run.
            await self._scope.journal.put(_key(self._scope), " ".join(sorted(ended | noted(self._scope))))
        return [pod for pod in left if pod["metadata"]["uid"] not in ended]

    async def _running(self) -> set[str]:
        """Return the uids of pods of which something runs; empty when the runtime cannot be asked."""
        try:
            return await running(self._scope.door)
        except StepRefused as error:
            self._asks = False
            self._scope.log(f"pods have ended when kubelet says so: {error.message}")
            return set()


def _key(scope: ReadScope) -> str:
    return f"ended-pods/{scope.name}"


def remaining(scope: ReadScope, pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the pods of this machine that have not ended, by kubelet's word or by what was noted before."""
    gone = noted(scope)
    return [pod for pod in pods if not has_ended(pod) and pod["metadata"]["uid"] not in gone]


def noted(scope: ReadScope) -> set[str]:
    """Return the uids of pods of this machine that were seen to have ended."""
    return set((scope.journal.get(_key(scope)) or "").split())


def has_ended(pod: dict[str, Any]) -> bool:
    """Tell whether an evicted pod runs no more, as its kubelet says, and nobody waits for a volume of its."""
    states = [one.get("state") or {} for one in (pod.get("status") or {}).get("containerStatuses") or []]
    return _is_leaving(pod) and all("terminated" in state for state in states)


async def running(host: Host) -> set[str]:
    """Return the uids of the pods of which a container or the sandbox runs; StepRefused when nobody can tell."""
    runtime = await living.runtime_of(host)
    if runtime is None:
        raise StepRefused(f"kubelet on host {host.name} uses neither Docker nor containerd", remedy="")
    if runtime == "containerd":
        return await (await cri.connect(host)).running_pods()
    listed = await host.run(_DOCKER, check=False)
    if not listed.ok:
        raise StepRefused(
            f"cannot list the containers of Docker on host {host.name}", remedy="see `journalctl -u docker` there"
        )
    return set(listed.text.split())


def _is_leaving(pod: dict[str, Any]) -> bool:
    """Tell whether a pod was evicted that had started, and has only volumes of the node's own."""
    spec = pod["spec"]
    started = (pod.get("status") or {}).get("containerStatuses") or []
    kinds = {key for volume in spec.get("volumes") or [] for key in volume if key != "name"}
    evicted = bool(pod["metadata"].get("deletionTimestamp"))
    return evicted and len(started) == len(spec.get("containers") or []) and kinds <= _OF_THE_NODE
