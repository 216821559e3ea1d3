"""A site's rows: laid over the shipped ones when they hold, refused whole with every fault named when they do not."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from groundplane.catalog import kernel, load_site, releases, runtimes
from groundplane.catalog.site import SITE, SiteRefused, install, parse_site
from groundplane.catalog.sources import lay_over
from groundplane.catalog.systems import System
from groundplane.catalog.tables import TABLES, tables

NEWER = """\
kubernetes:
  - minor: "1.38"
    released: "2026-12-16"
    newest_patch: 1.38.0
    source: https://kubernetes.io/releases/1.38/
    date: "2026-12-16"
  - minor: "1.37"
    released: "2026-08-26"
    maintenance: "2027-09-28"
    end_of_life: "2027-11-28"
    newest_patch: 1.37.3
    source: https://kubernetes.io/releases/1.37/
    date: "2026-12-16"
"""


@pytest.fixture(autouse=True)
def only_shipped() -> Iterator[None]:
    yield
    lay_over({})


def faults(text: str) -> dict[str, str]:
    with pytest.raises(SiteRefused) as refused:
        parse_site(text, "rows.yaml")
    assert "rows.yaml" in refused.value.message
    return {cause.field: cause.message for cause in refused.value.causes}


def test_rows_of_a_site_are_used_after_they_were_loaded(tmp_path: Path) -> None:
    before = releases.support("v1.37.0", "native")
    assert releases.support("v1.38.0", "native") is None
    rows = install(NEWER, "rows.yaml", tmp_path)
    assert {name: len(found) for name, found in rows.items()} == {"kubernetes": 2}
    assert releases.support("v1.37.0", "native") == before
    load_site(tmp_path)
    after, added = releases.support("v1.37.0", "native"), releases.support("v1.38.0", "native")
    assert after is not None
    assert added is not None
    assert (after.ends, added.ends) == ("2027-11-28", "")
    assert releases.kubernetes_releases()[1, 36].newest_patch == tables()["kubernetes"][20].newest_patch  # type: ignore[attr-defined]


def test_a_home_without_rows_has_the_shipped_ones(tmp_path: Path) -> None:
    install(NEWER, "rows.yaml", tmp_path)
    load_site(tmp_path)
    load_site(tmp_path / "other")
    assert releases.support("v1.38.0", "native") is None


def test_installed_rows_are_for_their_owner_and_replace_those_before(tmp_path: Path) -> None:
    install(NEWER, "rows.yaml", tmp_path)
    install("{}", "none.yaml", tmp_path)
    assert stat.S_IMODE((tmp_path / SITE).stat().st_mode) == 0o600
    load_site(tmp_path)
    assert releases.support("v1.38.0", "native") is None


def test_every_cache_of_a_table_is_forgotten() -> None:
    option = kernel.KernelOptions(needed_by="site", options=["SITE"], source="https://x.y", date="2026-12-01")
    assert "CONFIG_SITE" not in kernel.surveyed_options()
    lay_over({"kernel_options": [option]})
    assert "CONFIG_SITE" in kernel.surveyed_options()


def test_a_shipped_row_of_a_later_day_is_not_held_back() -> None:
    old = System(id="talos", name="Talos of old", family="talos", kernel="6.1", source="https://x.y", date="2020-01-01")
    lay_over({"systems": [old]})
    names = {row.name for row in tables()["systems"] if isinstance(row, System)}
    assert "Talos of old" not in names
    assert "Talos Linux" in names


def test_rows_laid_under_a_wrong_table_are_not_taken() -> None:
    option = kernel.KernelOptions(needed_by="site", options=["SITE"], source="https://x.y", date="2026-12-01")
    lay_over({"kubernetes": [option]})
    assert len(runtimes.docker_table()) == 2
    assert option not in tables()["kubernetes"]


def test_every_fault_is_named_at_once() -> None:
    found = faults(
        """\
kubernetes:
  - {minor: "1.38", released: "2026-12-16", newest_patch: 1.38.0, date: "2026-12-16"}
  - {minor: "1.39", released: soon, newest_patch: 1.39.0, source: "https://x.y", date: "2026-12-16"}
  - {minor: "1.40", relesed: "2026-12-16", newest_patch: "1", source: "https://x.y", date: "2026-12-16"}
  - nothing
tke: none
weather: []
"""
    )
    assert set(found) == {*(f"kubernetes[{number}]" for number in range(4)), "tke", "weather"}
    assert "source" in found["kubernetes[0]"]
    assert "released" in found["kubernetes[1]"]
    assert "relesed" in found["kubernetes[2]"]
    assert all(name in found["weather"] for name in TABLES)


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("[", "file", "not YAML"),
        ("- kubernetes", "file", "not a mapping"),
        ("", "file", "not a mapping"),
        ("{1: []}", "1", "no such table"),
        ("{kubernetes: [{1: 2}]}", "kubernetes[0]", "Expected"),
        (NEWER.replace('date: "2026-12-16"', "date: 2026-12-16"), "kubernetes[0]", "Expected `str`, got `date`"),
        (NEWER.replace('"1.38"', "1.38"), "kubernetes[0]", "Expected `str`, got `float`"),
        (NEWER.replace("1.38.0", "1.30.0"), "contradiction", "is of another minor"),
        (NEWER.replace("2027-11-28", "2026-09-28"), "contradiction", "is before maintenance"),
        (NEWER.replace('"1.37"', '"1.38"').replace("1.37.3", "1.38.1"), "kubernetes[1]", "1.38 is there twice"),
        (NEWER.replace('date: "2026-12-16"', 'date: "2026-01-01"'), "kubernetes[1]", "before that of the shipped row"),
    ],
)
def test_rows_that_do_not_hold_are_refused(text: str, field: str, said: str) -> None:
    assert said in faults(text)[field]


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / SITE).write_bytes(b"\xff\xfe\x00rows")
    with pytest.raises(SiteRefused):
        load_site(tmp_path)


def test_a_file_with_faults_stops_the_start_and_says_which(tmp_path: Path) -> None:
    path = tmp_path / SITE
    path.write_text("weather: []")
    with pytest.raises(SiteRefused) as refused:
        load_site(tmp_path)
    assert refused.value.remedy == f"correct or remove {path}"


@pytest.mark.parametrize(
    ("review", "due"), [("", date(2025, 3, 1)), ("2024-06-01", date(2024, 6, 1)), ("settled", None)]
)
def test_a_row_is_due_a_year_after_its_day_unless_it_says(review: str, due: date | None) -> None:
    row = kernel.KernelOptions(needed_by="x", options=[], source="https://x.y", date="2024-03-01", review=review)
    assert row.due() == due


@pytest.mark.parametrize("text", ["[" * 200_000, "systems: [{date: 2026-02-30}]", "systems: [{date: !!int x}]"])
def test_a_file_that_no_reader_can_build_is_refused_and_ends_nothing(text: str) -> None:
    with pytest.raises(SiteRefused) as caught:
        parse_site(text, "mine.yaml")
    assert [cause.field for cause in caught.value.causes] == ["file"]
