"""`groundplane survey` against a running API server; the test is the controller that answers."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest

from groundplane.api.meta import ANNOTATION_SURVEY
from groundplane.cli import survey
from groundplane.cli.kinds import CLUSTER, OURS
from support import fleets

from .conftest import Cli, Server
from .test_api import address


@pytest.fixture
def world(server: Server, namespace: str) -> str:
    of = {"namespace": namespace}
    objects = [
        fleets.foundation(**of),
        fleets.cluster("shop", **of),
        fleets.unreachable("warehouse", **of),
        fleets.machine("shop-1", of="shop", address=address(namespace), **of),
    ]
    server.do(lambda client: fleets.put(client, *objects))
    return namespace


def _read(server: Server, namespace: str, name: str, kind: str = "Cluster") -> dict[str, Any]:
    found: dict[str, Any] = server.do(lambda client: client.get(OURS[kind], namespace, name))
    return found


def _mark(item: dict[str, Any]) -> str:
    return str(item["metadata"].get("annotations", {}).get(ANNOTATION_SURVEY, ""))


def test_it_marks_what_was_named_with_a_value_that_is_always_new(cli: Cli, server: Server, world: str) -> None:
    outcome = cli("survey", "cluster/shop", "machine/shop-1")
    assert outcome.out == "cluster/shop is surveyed again\nmachine/shop-1 is surveyed again\n"
    first = _mark(_read(server, world, "shop"))
    assert first
    assert _mark(_read(server, world, "shop-1", "Machine")) == first
    assert not _mark(_read(server, world, "warehouse"))
    cli("survey", "cluster/shop")
    assert _mark(_read(server, world, "shop")) > first


def test_all_means_clusters_and_machines_of_the_namespace(cli: Cli, server: Server, world: str) -> None:
    assert len(cli("survey", "--all").out.splitlines()) == 3
    assert _mark(_read(server, world, "warehouse"))


def _waiting(server: Server, namespace: str, *arguments: str) -> subprocess.Popen[str]:
    command = ["--kubeconfig", str(server.kubeconfig), "-n", namespace, "survey", *arguments]
    return subprocess.Popen(
        [sys.executable, "-m", "groundplane.cli.main", *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _asked(server: Server, namespace: str, name: str) -> dict[str, Any]:
    """Return the object once it is marked, as a controller sees it."""
    deadline = time.monotonic() + 20
    while not _mark(item := _read(server, namespace, name)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return item


def _answer(server: Server, item: dict[str, Any], change: dict[str, Any]) -> None:
    status = {**item["status"], **change, "surveyAnswered": _mark(item)}
    server.do(lambda client: client.update_status(CLUSTER, {**item, "status": status}))


def test_waiting_ends_when_newer_facts_are_there(server: Server, world: str) -> None:
    with _waiting(server, world, "cluster/shop", "--wait") as process:
        item = _asked(server, world, "shop")
        _answer(server, item, {"facts": {**item["status"]["facts"], "observedAt": "2026-11-28T04:00:00Z"}})
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "cluster/shop: surveyed at 2026-11-28T04:00:00Z\n", "")


def test_waiting_ends_with_the_reason_when_it_cannot_be_reached(server: Server, world: str) -> None:
    with _waiting(server, world, "cluster/shop", "--wait") as process:
        item = _asked(server, world, "shop")
        gone = {"type": "Reachable", "status": "False", "reason": "Unreachable", "message": "no route"}
        others = [each for each in item["status"]["conditions"] if each["type"] != "Reachable"]
        _answer(server, item, {"conditions": [{**others[0], **gone}, *others]})
        out, err = process.communicate(timeout=30)
    assert out == "cluster/shop: not surveyed (Unreachable): no route\n"
    assert process.returncode == 5
    assert "cannot survey 1 of 1: cluster/shop" in err
    assert "remedy: groundplane explain cluster/shop" in err


def test_one_that_could_not_be_reached_before_and_still_cannot_is_told_at_once(server: Server, world: str) -> None:
    with _waiting(server, world, "cluster/warehouse", "--wait") as process:
        _answer(server, _asked(server, world, "warehouse"), {})
        out, _ = process.communicate(timeout=30)
    assert out.startswith("cluster/warehouse: not surveyed (Unreachable): no answer from")
    assert process.returncode == 5


def test_the_answer_to_somebody_else_is_not_taken_for_ones_own(server: Server, world: str) -> None:
    with _waiting(server, world, "cluster/shop", "--wait", "--timeout", "3s") as process:
        item = _asked(server, world, "shop")
        newer = {**item["status"]["facts"], "observedAt": "2026-11-28T04:00:00Z"}
        status = {**item["status"], "facts": newer, "surveyAnswered": "another"}
        server.do(lambda client: client.update_status(CLUSTER, {**item, "status": status}))
        process.communicate(timeout=30)
    assert process.returncode == 7


@pytest.mark.usefixtures("world")
def test_when_nobody_answers_the_time_is_up(cli: Cli) -> None:
    outcome = cli("survey", "cluster/shop", "--wait", "--timeout", "1s")
    assert outcome.code == 7


def test_one_that_is_deleted_meanwhile_is_told(server: Server, world: str) -> None:
    with _waiting(server, world, "cluster/shop", "--wait") as process:
        _asked(server, world, "shop")
        server.do(lambda client: client.delete(CLUSTER, world, "shop"))
        out, _ = process.communicate(timeout=30)
    assert out == "cluster/shop: it was deleted\n"
    assert process.returncode == 5


@pytest.mark.parametrize("arguments", [[], ["machine/"], ["node/x"], ["cluster/x", "--all"]])
def test_what_cannot_be_surveyed_is_a_usage_error(cli: Cli, arguments: list[str]) -> None:
    assert cli("survey", *arguments).code == 2


def test_what_is_not_there_is_named(cli: Cli) -> None:
    assert cli("survey", "cluster/none").code == 4
    assert cli("survey", "--all").code == 3


def test_a_name_alone_is_a_clusters(cli: Cli, world: str) -> None:
    assert cli("survey", "shop").out == "cluster/shop is surveyed again\n"
    assert cli("explain", "shop").out.startswith("cluster/shop: ")


def test_the_condition_that_keeps_newer_facts_away_is_told() -> None:
    def obstacle(*conditions: tuple[str, str, str], facts: bool = True) -> str:
        listed = [{"type": kind, "status": status, "reason": reason} for kind, status, reason in conditions]
        status: dict[str, Any] = {
            "conditions": listed,
            "facts": {"observedAt": "2026-11-28T04:00:00Z"} if facts else {},
        }
        found = survey._obstacle({"status": status})
        return found["reason"] if found else ""

    well = ("Reachable", "True", "Surveyed")
    assert obstacle(well, ("Ready", "False", "NodesNotReady")) == ""
    assert obstacle(well, ("Imported", "False", "ClusterReplaced")) == "ClusterReplaced"
    assert obstacle(("MachinesReachable", "True", "Surveyed"), ("Ready", "False", "Unreachable")) == "Unreachable"
    assert obstacle(("Ready", "False", "Problems"), facts=False) == "Problems"
    assert obstacle() == ""
