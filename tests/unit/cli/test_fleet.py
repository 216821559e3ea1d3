"""`groundplane fleet` against a running API server: matrix, filters, order, exports."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import msgspec
import pytest

from groundplane.api.assessment import DIMENSIONS, Assessment, Uniformity
from groundplane.cli.fleet import choose, matrix
from groundplane.cli.fleet.exports import COLUMNS
from groundplane.cli.fleet.rows import Row, attention, cells, row
from groundplane.cli.fleet.wire import FleetCluster
from groundplane.client.typed import from_struct
from support import fleets

from .conftest import Cli, Server


def _row(cluster: object) -> Row:
    return row(msgspec.convert(from_struct(cluster), FleetCluster), fleets.NOW)  # type: ignore[type-var]


@pytest.fixture
def fleet(server: Server, namespace: str) -> str:
    """A namespace with six clusters: well, drifting, old, excepted, unreachable, never seen."""
    of = {"namespace": namespace}
    objects = [
        fleets.foundation(**of),
        fleets.cluster("shop", **of),
        fleets.cluster("legacy", number=2, size=6, worse=2, **of),
        fleets.cluster("analytics", number=3, size=5, **of),
        fleets.excepted("lab", **of),
        fleets.unreachable("warehouse", **of),
        fleets.never_seen("new", **of),
    ]
    server.do(lambda client: fleets.put(client, *objects))
    return namespace


def _names(text: str) -> list[str]:
    return [line["name"] for line in csv.DictReader(io.StringIO(text))]


@pytest.mark.usefixtures("fleet")
def test_every_cluster_is_a_row_also_those_that_cannot_be_reached_or_were_never_looked_at(cli: Cli) -> None:
    outcome = cli("fleet")
    assert outcome.code == 0, outcome.err
    lines = {line.split()[0]: line for line in outcome.out.splitlines() if line}
    assert {"analytics", "lab", "legacy", "new", "shop", "warehouse"} <= set(lines)
    assert "Unreachable" in lines["warehouse"]
    assert "v1.20.6-tke.3" in lines["warehouse"]
    assert "never NotSurveyed" in lines["new"]
    assert lines["legacy"].split()[4:11] == ["ok", "2/6", "ok", "ok", "6/6", "ok", "ok"]
    assert lines["lab"].split()[4:6] == ["ok", "exc"]
    assert max(map(len, outcome.out.splitlines())) <= 120


def test_the_foot_says_what_it_adds_up_to_what_comes_first_and_what_to_type(cli: Cli, fleet: str) -> None:
    out = cli("fleet").out
    assert "6 clusters, 28 nodes, uniform 64.2%, 3 distinct stacks, 1 unreachable, 1 not surveyed yet" in out
    assert "drift: Kernel in 1, Version in 1" in out
    assert "findings: 1 high" in out
    assert "  legacy: 1 high finding (EndOfLife); drift in Kernel, Version" in out
    assert f"next: groundplane -n {fleet} explain cluster/legacy " in out


@pytest.mark.usefixtures("fleet")
def test_the_wide_form_says_in_words_what_was_found(cli: Cli) -> None:
    out = cli("fleet", "-o", "wide").out
    assert "2/6 drift (4.14.105)" in out
    assert "exception (4.14.105)" in out
    assert "Unreachable: no answer from https://10.0.0.9:6443" in out


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("drift=Kernel", "legacy"),
        ("drift=runtime,version", "legacy"),
        ("drift", "legacy"),
        ("!drift", "analytics lab new shop warehouse"),
        ("exception=Kernel", "lab"),
        ("platform=eks", "analytics"),
        ("platform!=tke", "analytics legacy new"),
        ("version<1.20", "legacy new"),
        ("version>=v1.20.6", "analytics lab new shop warehouse"),
        ("version>v1.20.6-tke.2", "analytics lab new shop warehouse"),
        ("finding=EndOfLife", "legacy"),
        ("severity=high", "legacy"),
        ("unreachable", "warehouse"),
        ("unassessed", "new"),
        ("uniform<100", "lab legacy new"),
        ("nodes>5", "legacy shop"),
        ("blocked=BandwidthManager", "lab legacy"),
        ("name=*a*", "analytics lab legacy warehouse"),
        ("runtime=docker", "legacy"),
    ],
)
def test_filters(cli: Cli, expression: str, names: str) -> None:
    assert _names(cli("fleet", "-o", "csv", "--filter", expression).out) == names.split()


@pytest.mark.usefixtures("fleet")
def test_filters_hold_together_and_labels_are_chosen_by_the_server(cli: Cli) -> None:
    two = cli("fleet", "-o", "csv", "--filter", "platform=tke", "--filter", "!unreachable").out
    assert _names(two) == ["lab", "shop"]
    assert _names(cli("fleet", "-o", "csv", "-l", "team=a").out) == ["analytics"]
    assert _names(cli("fleet", "-o", "csv", "--foundation", "other").out) == []


@pytest.mark.usefixtures("fleet")
def test_a_version_that_cannot_be_read_is_never_dropped_and_is_told_of(cli: Cli) -> None:
    out = cli("fleet", "--filter", "version<1.19").out
    assert "shown whatever the filter says, for the version cannot be compared: new" in out


@pytest.mark.parametrize(
    ("expression", "remedy"),
    [
        ("colour=red", "choose among"),
        ("drift=Kernl", "kernl is no dimension"),
        ("finding=EndOfLive", "endoflive is no finding"),
        ("severity=hig", "hig is no severity"),
        ("platform", "give it a value"),
        ("platform<eks", "with = or !="),
        ("nodes=many", "with a number"),
        ("!nodes=3", "write nodes!=3"),
        ("version<soon", "write it like"),
        ("", "choose among"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused_with_what_to_write(cli: Cli, expression: str, remedy: str) -> None:
    outcome = cli("fleet", "--filter", expression)
    assert outcome.code == 3
    assert remedy in outcome.err


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("sort", "first"),
    [("name", "analytics"), ("uniform", "new"), ("nodes", "shop"), ("version", "new"), ("findings", "legacy"),
     ("age", "new"), ("drift", "legacy"), ("platform", "analytics")],
)  # fmt: skip
def test_orders_put_first_what_needs_a_person(cli: Cli, sort: str, first: str) -> None:
    forwards = _names(cli("fleet", "-o", "csv", "--sort", sort).out)
    assert forwards[0] == first
    assert _names(cli("fleet", "-o", "csv", "--sort", sort, "--reverse").out)[-1] == first


def test_builds_of_different_vendors_are_sorted_without_being_compared() -> None:
    rows = [_row(fleets.cluster(str(n), number=n)) for n in range(4)]
    found = [each.version for each in choose.arrange(rows, "version", reverse=False)]
    assert found == ["v1.18.20", "v1.20.6-tke.3", "v1.20.15", "v1.23.17-eks-a5565ad"]


@pytest.mark.usefixtures("fleet")
def test_csv_has_the_documented_columns_and_crlf(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "fleet.csv"
    assert cli("fleet", "-o", "csv", "--output", str(path)).out == ""
    raw = path.read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n") == 7
    rows = list(csv.DictReader(io.StringIO(raw.decode())))
    assert tuple(rows[0]) == COLUMNS
    legacy = next(line for line in rows if line["name"] == "legacy")
    assert (legacy["kernelState"], legacy["kernelNodes"], legacy["kernelFound"]) == ("drift", "2", "4.14.105")
    assert (legacy["uniformPercent"], legacy["findingsHigh"], legacy["findings"]) == ("0.0", "1", "EndOfLife")


def test_no_cell_of_a_csv_is_a_formula_to_a_spreadsheet(cli: Cli, server: Server, namespace: str) -> None:
    cluster = fleets.cluster("evil", namespace=namespace)
    hostile = msgspec.structs.replace(cluster.status, version='=HYPERLINK("x")', distribution="@SUM(1)", facts=None)
    world = (fleets.foundation(namespace=namespace), msgspec.structs.replace(cluster, status=hostile))
    server.do(lambda client: fleets.put(client, *world))
    line = next(csv.DictReader(io.StringIO(cli("fleet", "-o", "csv").out)))
    assert line["version"] == '\'=HYPERLINK("x")'
    assert line["distribution"] == "'@SUM(1)"


@pytest.mark.usefixtures("fleet")
def test_json_holds_the_totals_and_drift_and_findings_in_full(cli: Cli) -> None:
    told = json.loads(cli("fleet", "-o", "json").out)
    assert told["totals"]["clusters"] == len(told["clusters"]) == 6
    legacy = next(each for each in told["clusters"] if each["name"] == "legacy")
    assert legacy["drift"][1]["remedy"]["action"] == "UpgradeKernel"
    assert legacy["findings"][0]["type"] == "EndOfLife"


def test_a_namespace_without_clusters_says_so(cli: Cli) -> None:
    assert cli("fleet").out.splitlines() == [
        "there are no clusters in this namespace",
        "next: groundplane import --kubeconfig FILE --all-contexts",
    ]


@pytest.mark.usefixtures("fleet")
def test_get_prints_uniformity_and_drift(cli: Cli) -> None:
    wide = cli("get", "clusters", "-o", "wide").out.splitlines()
    assert {"UNIFORM", "PLATFORM", "STACKS", "DRIFT", "FINDINGS"} <= set(wide[0].split())
    legacy = next(line for line in wide if line.startswith("legacy"))
    assert "Version,Kernel" not in legacy
    assert "Kernel,Version" in legacy
    assert "1 high" in legacy
    assert {"UNIFORM", "STACKS", "DRIFTING"} <= set(cli("get", "foundations").out.splitlines()[0].split())


def test_a_dimension_without_a_share_and_without_drift_was_not_asked_for() -> None:
    assert {cell.state for cell in cells(Assessment()).values()} == {"unasked"}
    assert {cell.state for cell in cells(None).values()} == {"unknown"}
    assert list(cells(None)) == list(DIMENSIONS)


def test_long_names_keep_both_ends_and_lines_their_width() -> None:
    long = _row(fleets.cluster("customer-facing-checkout-production-eu-central-1", number=3, size=3))
    lines = matrix.lines([long], wide=False, everywhere=True)
    assert max(map(len, lines)) <= matrix.WIDTH
    assert "customer-f" in lines[1]
    assert "central-1" in lines[1]


def test_colour_is_laid_over_words() -> None:
    shown = _row(fleets.cluster("legacy", number=2, size=6, worse=2))
    plain = matrix.lines([shown], wide=False, everywhere=False)
    painted = matrix.lines([shown], wide=False, everywhere=False, paint=lambda text, colour: f"<{colour}>{text}</>")
    assert "<red>2/6</>" in painted[1]
    assert "2/6" in plain[1]


@pytest.mark.parametrize(
    ("seconds", "told"), [(None, "never"), (5, "5s"), (300, "5m"), (4 * 3600, "4h"), (3 * 86400, "3d")]
)
def test_ages(seconds: float | None, told: str) -> None:
    assert matrix.age(seconds) == told


@pytest.mark.parametrize(
    ("condition", "reachable", "reason"),
    [
        (("Reachable", "False", "CredentialsExpired"), False, "CredentialsExpired"),
        (("Ready", "False", "Unreachable"), False, "Unreachable"),
        (("Ready", "False", "NodesNotReady"), True, "NodesNotReady"),
        (("MachinesReachable", "False", "Unreachable"), True, "MachinesUnreachable"),
        (("Imported", "False", "ClusterReplaced"), None, "ClusterReplaced"),
        (("Ready", "Unknown", "InProgress"), True, ""),
    ],
)
def test_the_reason_is_that_of_the_condition_that_tells_most(
    condition: tuple[str, str, str], reachable: bool | None, reason: str
) -> None:
    base = fleets.cluster("shop")
    status = msgspec.structs.replace(base.status, conditions=[fleets.condition(*condition)])
    shown = _row(msgspec.structs.replace(base, status=status))
    assert (shown.reachable, shown.reason) == (reachable, reason)


def test_facts_older_than_a_day_are_stale() -> None:
    base = fleets.cluster("shop")
    assert base.status.facts is not None
    old = msgspec.structs.replace(base.status.facts, observed_at="2026-11-26T00:00:00Z")
    shown = _row(msgspec.structs.replace(base, status=msgspec.structs.replace(base.status, facts=old)))
    assert (shown.reachable, shown.reason) == (True, "Stale")


def test_nodes_that_nothing_is_asked_of_are_not_called_not_uniform() -> None:
    judged = fleets.cluster("shop")
    assert judged.status.assessment is not None
    unasked = Assessment(uniformity=Uniformity(nodes=6))
    lone = msgspec.structs.replace(judged, status=msgspec.structs.replace(judged.status, assessment=unasked))
    assert _row(judged).assessed > 0
    assert _row(lone).assessed == 0
    assert _row(lone).share == -1.0


def test_one_cluster_that_cannot_be_reached_is_always_among_those_to_look_at_first() -> None:
    loud = [fleets.cluster(f"loud-{n}", worse=2) for n in range(4)]
    rows = [_row(one) for one in [*loud, fleets.unreachable("silent")]]
    for loud_one in rows[:4]:
        loud_one.counts["High"] = 3
    found = attention(rows, 3)
    assert len(found) == 3
    assert found[-1].name == "silent"
