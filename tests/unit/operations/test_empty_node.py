"""When an evicted pod need not be waited for any more: its processes have ended, and nobody waits for its volumes."""

from __future__ import annotations

from typing import Any

import pytest

from groundplane.operations.steps.empty_node import has_ended

ENDED = {"state": {"terminated": {"exitCode": 0}}}
RUNS = {"state": {"running": {}}}


def pod(
    *states: dict[str, Any], deleted: bool = True, containers: int = 1, volumes: list[Any] | None = None
) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {})},
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
