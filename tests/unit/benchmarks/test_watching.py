"""What counts as a node being away: from its cordon until it is schedulable, Ready and on the new runtime."""

from typing import Any

import pytest
from bench.migrate.watching import Seen, Watched


def node(*, runtime: str = "docker", ready: bool = True, cordoned: bool = False) -> dict[str, Any]:
    return {
        "spec": {"unschedulable": True} if cordoned else {},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "nodeInfo": {"containerRuntimeVersion": f"{runtime}://1.6.20"},
        },
    }


def seen(*looks: tuple[float, dict[str, Any]]) -> Seen:
    found = Seen()
    for at, shown in looks:
        found.look(shown, "containerd", at)
    return found


OLD, CORDONED = node(), node(cordoned=True)
MOVED = node(runtime="containerd")


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        pytest.param([(1, OLD), (2, OLD)], Seen(), id="untouched"),
        pytest.param([(1, OLD), (2, CORDONED), (9, CORDONED)], Seen(2), id="cordoned"),
        pytest.param([(2, CORDONED), (9, MOVED), (10, MOVED)], Seen(2, 9, 9), id="verified before its uncordon"),
        pytest.param([(2, CORDONED), (5, OLD), (9, MOVED)], Seen(2, 5, 9), id="uncordoned before its kubelet came up"),
        pytest.param(
            [(2, CORDONED), (5, node(runtime="containerd", ready=False)), (9, MOVED)],
            Seen(2, 5, 9),
            id="uncordoned before it was Ready",
        ),
        pytest.param([(2, CORDONED), (5, MOVED), (7, CORDONED), (9, MOVED)], Seen(2, 9, 9), id="cordoned twice"),
    ],
)
def test_a_node_is_away_until_it_is_of_use(looks: list[tuple[float, dict[str, Any]]], expected: Seen) -> None:
    assert seen(*looks) == expected


def test_times_are_those_of_nodes_that_were_changed() -> None:
    watched = Watched({"a": Seen(2, 5, 9), "b": Seen()})
    assert watched.cordoned() == [3]
    assert watched.away() == [7]
