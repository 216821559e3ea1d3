"""When an evicted pod need not be waited for any more: its processes have ended, and nobody waits for its volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from groundplane.base.wire import tagged as message
from groundplane.operations import cri, kubelet_flags
from groundplane.operations.cri import Cri, string
from groundplane.operations.ended_pods import EndedPods, has_ended, noted, running

from .here import Here
from .scopes_here import Nodes, Notes, scope_of

ENDED = {"state": {"terminated": {"exitCode": 0}}}
RUNS = {"state": {"running": {}}}


def pod(
    *states: dict[str, Any], deleted: bool = True, containers: int = 1, volumes: list[Any] | None = None
) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "uid": "u-1", **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {})},
        "spec": {"containers": [{"name": str(n)} for n in range(containers)], "volumes": volumes or []},
        "status": {"phase": "Running", "containerStatuses": list(states)},
    }


@pytest.mark.parametrize(
    ("found", "ended"),
    [
        (pod(ENDED), True),
        (pod(ENDED, ENDED, containers=2), True),
        (pod(ENDED, RUNS, containers=2), False),
        (pod(ENDED, containers=2), False),
        (pod(), False),
        (pod(ENDED, deleted=False), False),
        (pod({"state": {"waiting": {"reason": "CrashLoopBackOff"}}}), False),
        (pod({}), False),
    ],
)
def test_every_container_has_to_have_ended_after_the_eviction(found: dict[str, Any], ended: bool) -> None:
    assert has_ended(found) is ended


@pytest.mark.parametrize(
    ("volume", "ended"),
    [
        ({"emptyDir": {}}, True),
        ({"secret": {"secretName": "x"}}, True),
        ({"projected": {}}, True),
        ({"persistentVolumeClaim": {"claimName": "data"}}, False),
        ({"csi": {"driver": "x"}}, False),
        ({"nfs": {"server": "x"}}, False),
    ],
)
def test_a_volume_that_another_node_may_wait_for_is_waited_for(volume: dict[str, Any], ended: bool) -> None:
    assert has_ended(pod(ENDED, volumes=[{"name": "data", **volume}, {"name": "token", "secret": {}}])) is ended


class Node(Here):
    """A machine on Docker whose containers are of the pods with these uids."""

    def __init__(self, *uids: str) -> None:
        super().__init__({"docker": self.docker})
        self.uids: list[str] | None = list(uids)

    def docker(self, argv: Sequence[str]) -> str:
        if self.uids is None:
            raise LookupError("cannot connect to the Docker daemon")
        assert argv[1] == "ps", argv
        return "".join(f"{uid}\n" for uid in self.uids)

    async def read(self, path: str) -> bytes | None:
        return b'KUBELET_KUBEADM_ARGS="--network-plugin=cni"\n' if path == kubelet_flags.PATH else None


STALE = pod(RUNS)


async def test_the_runtime_knows_before_kubelet_that_a_pod_has_ended_and_that_is_written_down() -> None:
    notes = Notes()
    scope = scope_of(Node("agent"), Nodes({}), notes=notes)
    assert await EndedPods(scope).without([STALE]) == []
    assert noted(scope) == {"u-1"}, "the next look must not evict it again"


@pytest.mark.parametrize(
    "waited_for",
    [
        pod(RUNS, deleted=False),
        pod(),
        pod(RUNS, volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]),
    ],
    ids=["not evicted", "not started", "somebody waits for its volume"],
)
async def test_a_pod_of_which_nothing_runs_is_waited_for_all_the_same(waited_for: dict[str, Any]) -> None:
    scope = scope_of(Node("agent"), Nodes({}))
    assert await EndedPods(scope).without([waited_for]) == [waited_for]
    assert noted(scope) == set()


async def test_a_pod_of_which_something_runs_is_waited_for() -> None:
    assert await running(Node("u-1", "u-1", "u-2")) == {"u-1", "u-2"}
    assert await EndedPods(scope_of(Node("u-1"), Nodes({}))).without([STALE]) == [STALE]


async def test_a_runtime_without_any_pod_is_not_kubelets() -> None:
    assert await EndedPods(scope_of(Node(), Nodes({}))).without([STALE]) == [STALE]


async def test_without_a_runtime_to_ask_the_word_of_kubelet_holds() -> None:
    node = Node()
    node.uids = None
    ended = EndedPods(scope_of(node, Nodes({})))
    assert await ended.without([STALE, pod(ENDED)]) == [STALE]


async def test_of_the_cri_ready_sandboxes_and_running_containers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def sandbox(uid: str, *, ready: bool) -> bytes:
        # A field of a small number: its tag, then the value.
        state = b"" if ready else bytes([3 << 3, 1])
        return message(1, string(1, f"s-{uid}") + message(2, string(1, "web") + string(2, uid)) + state)

    def container(uid: str, state: int) -> bytes:
        label = message(8, string(1, "io.kubernetes.pod.uid") + string(2, uid))
        return message(1, string(1, f"c-{uid}") + bytes([6 << 3, state]) + label)

    said = {
        "RuntimeService/ListPodSandbox": sandbox("u-1", ready=True) + sandbox("u-2", ready=False),
        "RuntimeService/ListContainers": container("u-3", 1) + container("u-4", 2),
    }

    async def call(host: Here, api: str, method: str, body: bytes, *, seconds: float = 30) -> bytes:
        return said[method]

    monkeypatch.setattr(cri, "_call", call)
    assert await Cri(Here(), "v1", "containerd", "1.6").running_pods() == {"u-1", "u-3"}
