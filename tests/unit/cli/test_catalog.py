"""`groundplane catalog`: what it shows, reports and takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from groundplane.base import clock
from groundplane.catalog.site import SITE
from groundplane.catalog.sources import lay_over
from groundplane.catalog.tables import TABLES
from groundplane.cli.exits import Exit

from .conftest import Outcome, run_cli

ROWS = """\
kubernetes:
  - minor: "1.38"
    released: "2026-12-16"
    newest_patch: 1.38.0
    source: https://kubernetes.io/releases/1.38/
    date: "2026-12-16"
"""


@pytest.fixture(autouse=True)
def only_shipped() -> Iterator[None]:
    yield
    lay_over({})


def catalog(home: Path, *arguments: str) -> Outcome:
    return run_cli(["catalog", *arguments, "--home", str(home)])


def test_the_tables_are_listed_with_what_they_are_about(tmp_path: Path) -> None:
    outcome = catalog(tmp_path, "show")
    assert outcome.code == Exit.OK
    lines = outcome.out.splitlines()
    assert lines[0].split() == ["TABLE", "ROWS", "NEWEST", "WHAT"]
    assert [line.split()[0] for line in lines[1:]] == list(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_the_rows_of_a_table_are_shown(tmp_path: Path, table: str) -> None:
    shown = catalog(tmp_path, "show", table).out.splitlines()
    rows = yaml.safe_load(catalog(tmp_path, "show", table, "-o", "yaml").out)[table]
    assert len(shown) == len(rows) + 1
    assert json.loads(catalog(tmp_path, "show", table, "-o", "json").out) == {table: rows}
    assert all(row["source"].startswith("https://") for row in rows)


def test_all_tables_come_as_one_document(tmp_path: Path) -> None:
    assert list(yaml.safe_load(catalog(tmp_path, "show", "-o", "yaml").out)) == list(TABLES)


def test_a_table_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    outcome = catalog(tmp_path, "show", "weather")
    assert outcome.code == Exit.USAGE
    assert "kubernetes" in outcome.err


@pytest.mark.parametrize(("day", "due"), [((2020, 1, 1), False), ((2099, 1, 1), True)])
def test_rows_past_their_review_are_reported_and_not_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: tuple[int, int, int], due: bool
) -> None:
    monkeypatch.setattr(clock, "utc_now", lambda: datetime(*day, tzinfo=UTC))
    outcome = catalog(tmp_path, "check")
    assert outcome.code == Exit.OK
    lines = outcome.out.splitlines()
    reviews = next(index for index, line in enumerate(lines) if line.endswith("rows are past their day of review"))
    assert (reviews > 0) is due
    assert not due or "https://kubernetes.io/releases/1.37/" in outcome.out


def test_rows_that_were_not_read_at_their_source_are_reported_from_memory_first(tmp_path: Path) -> None:
    lines = catalog(tmp_path, "check").out.splitlines()
    heading = next(index for index, line in enumerate(lines) if line.startswith("VERIFIED"))
    listed = [tuple(line.split()[:2]) for line in lines[heading + 1 : -1]]
    said = yaml.safe_load(catalog(tmp_path, "show", "-o", "yaml").out)
    unread = [(row["verified"], table) for table, rows in said.items() for row in rows if row["verified"] != "primary"]
    assert listed == sorted(unread, key=lambda entry: entry[0] != "memory")
    counts = [sum(how == wanted for how, _ in unread) for wanted in ("memory", "copy")]
    assert lines[-1].startswith(f"{counts[0]} are written from memory and {counts[1]} were read through a copy")


def test_a_wide_table_tells_how_each_row_was_read_and_where(tmp_path: Path) -> None:
    shown = catalog(tmp_path, "show", "systems", "-o", "wide").out.splitlines()
    assert shown[0].split()[-4:] == ["DATE", "REVIEW", "VERIFIED", "SOURCE"]
    assert any(line.split()[-2] == "memory" and line.split()[-1].startswith("https://") for line in shown)
    assert catalog(tmp_path, "show", "-o", "wide").out.splitlines()[0].split() == [
        *("TABLE", "ROWS", "NEWEST", "MEMORY", "COPY", "WHAT")
    ]


def test_newer_rows_are_installed_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "rows.yaml"
    path.write_text(ROWS)
    home = tmp_path / "home"
    outcome = catalog(home, "update", "--from", str(path))
    assert outcome.code == Exit.OK
    assert f"wrote {home / SITE}: 1 row in 1 table" in outcome.out
    assert "1.38.0" in catalog(home, "show", "kubernetes").out


def test_rows_with_faults_are_refused_with_each_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.yaml"
    path.write_text(ROWS.replace("source", "sauce") + "weather: []\n")
    outcome = catalog(tmp_path, "update", "--from", str(path))
    assert outcome.code == Exit.REFUSED
    assert "2 faults" in outcome.err
    assert "kubernetes[0]: " in outcome.err
    assert "weather: no such table" in outcome.err
    assert not (tmp_path / SITE).exists()
