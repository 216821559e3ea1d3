"""`groundplane unify` against a running API server: the dry run, each verb, and following a run to its end."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import yaml

from groundplane.api.foundation import Foundation
from groundplane.api.unify import UnifyCluster, UnifyPhase, UnifyStatus, UnifyWave
from groundplane.client.typed import RESOURCES, from_struct
from support import fleets

from .conftest import Cli, Outcome, Server

NAME = ("--foundation", "production")


class Fleet:
    """A Foundation with clusters that differ from it; `played` is what its controller would write."""

    def __init__(self, server: Server, namespace: str, cli: Cli) -> None:
        self._server, self._namespace, self._cli = server, namespace, cli
        of = {"namespace": namespace}
        clusters = [fleets.cluster(name, number=n, worse=2, **of) for n, name in enumerate(("a", "b", "c"))]
        server.do(lambda client: fleets.put(client, fleets.foundation(**of), *clusters))

    def __call__(self, *arguments: str, stdin: str = "") -> Outcome:
        return self._cli("unify", *NAME, *arguments, stdin=stdin)

    def foundation(self) -> Foundation:
        found = self._server.do(lambda c: c.get(RESOURCES[Foundation], self._namespace, "production"))
        return msgspec.convert(found, Foundation)

    def wish(self) -> dict[str, Any]:
        return dict(msgspec.to_builtins(self.foundation().spec.unify))

    def played(self, phase: UnifyPhase, message: str = "said by the test", **fields: Any) -> None:
        """Write a status of the run, as the controller does."""
        now = self.foundation()
        waves = [
            UnifyWave(
                number=1, canaries=True, clusters=[UnifyCluster(name="a", state="Done", operations=["a-change-x"])]
            ),
            UnifyWave(
                number=2, clusters=[UnifyCluster(name="b", state="Planned", message="2 nodes"), UnifyCluster(name="c")]
            ),
        ]
        unify = UnifyStatus(run=now.spec.unify.run, phase=phase, message=message, waves=waves, **fields)
        document = from_struct(msgspec.structs.replace(now, status=msgspec.structs.replace(now.status, unify=unify)))
        self._server.do(lambda client: client.update_status(RESOURCES[Foundation], document))


@pytest.fixture
def fleet(server: Server, namespace: str, cli: Cli) -> Fleet:
    return Fleet(server, namespace, cli)


def test_without_a_verb_it_shows_the_waves_and_changes_nothing(fleet: Fleet) -> None:
    before = fleet.foundation()
    outcome = fleet("--waves", "1,100%")
    assert outcome.code == 0, outcome.err
    assert "Nothing has been done." in outcome.out
    assert outcome.out.index("Wave 1") < outcome.out.index("Wave 2") < outcome.out.index("to begin: ")
    assert outcome.out.rstrip().endswith("groundplane unify --foundation production --start")
    assert fleet.foundation() == before


def test_the_plan_comes_as_json_and_yaml_too(fleet: Fleet) -> None:
    shown = json.loads(fleet("--waves", "1,100%", "-o", "json").out)
    assert shown["run"] is None
    assert {step["wave"] for step in shown["plan"]["steps"]} == {1, 2}
    assert yaml.safe_load(fleet("--waves", "1,100%", "-o", "yaml").out) == shown


def test_starting_asks_and_no_begins_nothing(fleet: Fleet) -> None:
    outcome = fleet("--start", stdin="n\n")
    assert outcome.code == 7
    assert "Begin with 3 clusters in " in outcome.out
    assert "state" not in fleet.wish()


def test_starting_writes_one_wish_with_a_name_of_its_own(fleet: Fleet) -> None:
    window = "Sat,Sun 22:00 4h Europe/Berlin"
    outcome = fleet("--start", "--waves", "1,100%", "--approval", "per-wave", "--max-clusters", "2", "--window", window,
                    "--window", "12:00 30m", stdin="y\n")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "each wave waits for your approval?" in outcome.out
    wish = fleet.wish()
    assert wish.pop("run").startswith("20")
    assert wish == {
        "state": "Running",
        "approval": "PerWave",
        "waves": [1, "100%"],
        "maxClusters": 2,
        "windows": [
            {"days": ["Sat", "Sun"], "start": "22:00", "duration": "4h", "timeZone": "Europe/Berlin"},
            {"start": "12:00", "duration": "30m", "timeZone": "UTC"},
        ],
    }
    again = fleet("--start", "--yes")
    assert (again.code, "is under way" in again.err) == (3, True)


def test_a_run_is_shown_with_what_happens_next(fleet: Fleet) -> None:
    fleet("--start", "--yes")
    assert "is about to begin" in fleet().out
    fleet.played("AwaitingApproval", "wave 2 waits: type this")
    lines = fleet().out.splitlines()
    assert lines[1] == "wave 2 waits: type this"
    assert "Wave 1: canaries, 1 of 1 cluster settled" in lines
    assert "  ✔ a  Done  (a-change-x)" in lines
    assert "  ? b  Planned: 2 nodes" in lines


def test_pausing_going_on_and_cancelling(fleet: Fleet) -> None:
    assert fleet("--pause").code == 3
    fleet("--start", "--yes")
    fleet.played("Running")
    for flag, state in (("--pause", "Paused"), ("--resume", "Running"), ("--cancel", "Cancelled")):
        assert fleet(flag).code == 0
        assert fleet.wish()["state"] == state
    refused = fleet("--resume")
    assert (refused.code, "is cancelled" in refused.err) == (3, True)
    fleet.played("Cancelled")
    assert fleet("--start", "--yes").code == 0
    assert fleet.wish()["state"] == "Running"


def test_cancelling_with_the_operations_says_so_in_the_wish(fleet: Fleet) -> None:
    fleet("--start", "--yes")
    assert fleet("--cancel", "--operations").code == 0
    assert fleet.wish()["cancelOperations"] is True


def test_waves_are_approved_one_after_another(fleet: Fleet) -> None:
    fleet("--start", "--yes", "--approval", "per-wave")
    fleet.played("AwaitingApproval")
    assert fleet("--approve-wave", "3").code == 3
    assert fleet("--approve-wave", "1").code == 0
    assert fleet.wish()["approvedWave"] == 1
    assert fleet("--approve-wave", "1").code == 3


def test_a_run_that_was_approved_as_a_whole_has_no_waves_to_approve(fleet: Fleet) -> None:
    fleet("--start", "--yes")
    fleet.played("Running")
    refused = fleet("--approve-wave", "1")
    assert (refused.code, "approved as a whole" in refused.err) == (3, True)


@pytest.mark.parametrize(("phase", "code"), [("Succeeded", 0), ("Incomplete", 1), ("Failed", 1), ("Cancelled", 7)])
def test_following_a_run_ends_as_the_run_does(fleet: Fleet, phase: UnifyPhase, code: int) -> None:
    fleet("--start", "--yes")
    fleet.played(phase, "how it ended")
    outcome = fleet("--watch")
    assert outcome.code == code
    assert f"{phase}: how it ended" in outcome.out
    assert "a is Done" in outcome.out


def test_there_is_nothing_to_follow_without_a_run(fleet: Fleet) -> None:
    outcome = fleet("--watch")
    assert (outcome.code, "--start begins one" in outcome.err) == (3, True)


def test_a_foundation_that_is_not_there_is_said(cli: Cli) -> None:
    for arguments in ([], ["--start"], ["--watch"]):
        assert cli("unify", "--foundation", "nowhere", *arguments).code == 4


@pytest.mark.parametrize(
    "arguments",
    [["--start", "--pause"], ["--operations"], ["--pause", "--max-clusters", "1"], ["--start", "--window", "soon"]],
)
def test_flags_that_do_not_go_together_are_a_wrong_command_line(fleet: Fleet, arguments: list[str]) -> None:
    assert fleet(*arguments).code == 2


@pytest.mark.parametrize(
    ("flag", "value", "field"),
    [
        ("--waves", "0", "spec.unify.waves[0]"),
        ("--waves", "1,200%", "spec.unify.waves[1]"),
        ("--window", "25:00 4h", "spec.unify.windows[0].start"),
        ("--window", "22:00 25h", "spec.unify.windows[0].duration"),
        ("--window", "22:00 4h Nowhere/Land", "spec.unify.windows[0].timeZone"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_by_the_api(fleet: Fleet, flag: str, value: str, field: str) -> None:
    outcome = fleet("--start", "--yes", flag, value)
    assert outcome.code == 3
    assert field in outcome.err
    assert "state" not in fleet.wish()
