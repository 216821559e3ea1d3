"""The docs know every step, condition, reason, event, setting and command, and nothing that is not there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from groundplane.api.assessment import DIMENSIONS
from groundplane.api.registry import KINDS
from groundplane.base.settings import SETTINGS_HELP
from groundplane.cli.fleet.choose import KEYS
from groundplane.cli.fleet.exports import COLUMNS
from groundplane.controllers.cluster.trouble import REASONS
from groundplane.operations import ACTIONS
from groundplane.server.config import ServerConfig

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
CONTROLLERS = "\n".join(path.read_text() for path in sorted((ROOT / "src/groundplane/controllers").rglob("*.py")))
STEPS = {key for steps in ACTIONS.values() for key in steps}
CONDITIONS = (DOCS / "conditions.md").read_text()


@pytest.mark.parametrize("step", sorted(STEPS))
def test_every_step_is_in_the_docs(step: str) -> None:
    assert f"| `{step}` |" in (DOCS / "steps.md").read_text()


def test_the_docs_know_no_step_that_is_not_there() -> None:
    told = set(re.findall(r"^\| `([a-z-]+)` \|", (DOCS / "steps.md").read_text(), re.MULTILINE))
    assert told == STEPS


def test_every_condition_and_reason_that_controllers_set_is_in_the_docs() -> None:
    found = re.findall(r'\.set\(\s*"(\w+)",\s*"\w+",\s*"(\w+)"', CONTROLLERS)
    found += [("Ready", reason) for reason in re.findall(r'_verdict\("\w+", "(\w+)"', CONTROLLERS)]
    found += re.findall(r'_blocked\("(\w+)", "(\w+)"', CONTROLLERS)
    assert len(found) > 15
    missing = {word for pair in found for word in pair if f"`{word}`" not in CONDITIONS}
    assert not missing


def test_every_condition_that_controllers_set_is_one_that_its_kinds_have() -> None:
    known = {condition.type for info in KINDS for condition in info.conditions}
    found = set(re.findall(r'(?:\.set|_blocked)\(\s*"(\w+)",', CONTROLLERS))
    assert {"Unified", "SpecValid"} <= found <= known


def test_every_reason_that_keeps_an_imported_cluster_from_its_survey_is_in_the_docs() -> None:
    assert not {reason for reason in REASONS if f"`{reason}`" not in CONDITIONS}


def test_the_role_in_the_docs_allows_reads_and_nothing_else() -> None:
    text = (DOCS / "import.md").read_text().partition("kind: ClusterRole")[2].partition("```")[0]
    verbs = {verb for found in re.findall(r"verbs: \[([^\]]*)\]", text) for verb in found.split(", ")}
    assert verbs == {"get", "list"}


def test_every_event_reason_is_in_the_docs() -> None:
    found = set(re.findall(r'(?:normal|warning)\(\s*"\w+",[^,]+,\s*"(\w+)"', CONTROLLERS))
    assert {"HostKeyPinned", "MachinesUnreachable"} <= found
    assert not {reason for reason in found if f"`{reason}`" not in CONDITIONS}


@pytest.mark.parametrize("setting", sorted(SETTINGS_HELP))
def test_every_setting_is_in_the_docs_with_its_meaning(setting: str) -> None:
    assert f"`{setting}`" in (DOCS / "settings.md").read_text()
    assert SETTINGS_HELP[setting].partition(",")[0] in (DOCS / "settings.md").read_text()


def test_every_environment_variable_of_ours_that_the_code_reads_is_a_documented_setting() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    used = set(re.findall(r'environ(?:ment)?(?:\.get\(|\[)"(GROUNDPLANE_[A-Z_]+)"', code))
    assert used
    assert used <= set(SETTINGS_HELP)


def _fields(kind: type, before: str = "") -> Iterator[str]:
    for one in msgspec.structs.fields(kind):
        inner = next((part for part in (one.type, *get_args(one.type)) if hasattr(part, "__struct_fields__")), None)
        name = f"{before}{one.encode_name}"
        yield from _fields(inner, f"{name}.") if inner else (name,)


def test_the_documented_fields_of_the_settings_file_are_those_that_exist() -> None:
    section = (DOCS / "settings.md").read_text().partition("## The settings file of the API server")[2]
    told = re.findall(r"^\| `([a-z]+\.[a-zA-Z]+)` \|", section, re.MULTILINE)
    assert sorted(told) == sorted(_fields(ServerConfig))


@pytest.mark.parametrize("info", KINDS, ids=lambda info: info.kind)
def test_every_kind_has_a_page(info) -> None:
    assert (DOCS / "kinds" / f"{info.singular}.md").is_file()


@pytest.mark.parametrize("page", ["README.md", "README.zh.md", "CONTRIBUTING.md", *DOCS.rglob("*.md")], ids=str)
def test_every_link_to_a_file_of_the_repository_leads_somewhere(page: str | Path) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_documented_columns_of_the_fleets_exports_are_those_that_exist() -> None:
    section = (DOCS / "fleet.md").read_text().partition("## Columns of the exports")[2]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    assert tuple(name for row in rows for name in re.findall(r"`(\w+)`", row)) == COLUMNS


def test_every_dimension_and_every_filter_of_the_fleet_is_in_the_docs() -> None:
    told = (DOCS / "fleet.md").read_text()
    assert all(f"| `{dimension}` |" in told for dimension in DIMENSIONS)
    filters = told.partition("## Filters")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([a-z]+)", filters.partition("| filter")[2])) >= set(KEYS)
