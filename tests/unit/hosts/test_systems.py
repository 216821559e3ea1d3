"""Operating systems by what they published: family, version and kernel; and os-release files that are broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplane.hosts.facts import parse
from groundplane.hosts.facts.sections import split
from groundplane.hosts.facts.systems import FAMILIES, os_facts

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "data/systems/os-release.yaml").read_text(encoding="utf-8")
)


def printed(release: str, kernel: str) -> bytes:
    lines = "".join(f"/etc/os-release:{line}\n" for line in release.splitlines())
    return f"@@ begin\n@@ files\n{lines}/proc/sys/kernel/osrelease:{kernel}\n\n@@ end\n".encode()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_system_is_known_by_what_it_published(case: dict[str, Any]) -> None:
    kernel = case.get("kernel", "")
    facts = parse(split(printed(case["osRelease"], kernel)), observed_at="", offset_seconds=0.0)
    expected = case["expect"]
    assert (facts.os.id, facts.os.version_id, facts.os.family) == (
        expected["id"],
        expected["version"],
        expected["family"],
    )
    assert facts.os.pretty_name
    assert facts.kernel.release == kernel


def test_every_text_says_where_it_is_from() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES)
    for case in CASES:
        assert case.get("source", "").startswith("https://") or case.get("captured"), case["name"]


def test_every_system_that_is_named_has_a_family() -> None:
    named = "debian ubuntu rhel centos rocky almalinux ol tencentos tlinux opencloudos openeuler kylin uos sles amzn"
    assert all(FAMILIES[name] for name in [*named.split(), "flatcar", "talos", "opensuse-leap"])


def test_a_system_that_nobody_knows_is_of_no_family() -> None:
    assert os_facts(["ID=plan9", "NAME=Debian"], "x86_64").family == ""
    assert os_facts(["ID=plan9", "ID_LIKE='unix debian'"], "x86_64").family == "debian"


def test_kylin_for_desks_is_made_of_debian_packages() -> None:
    assert os_facts(["ID=kylin", "ID_LIKE=debian"], "x86_64").family == "debian"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['ID="debian', 'VERSION_ID="12'], ("debian", "12")),
        (["ID=debian # not a comment here", "ID=ubuntu"], ("ubuntu", "")),
        (["id=debian", "=x", "no assignment", ""], ("", "")),
        (["\udcff\x01ID=debian"], ("", "")),
        (["ID=deb\x1b[31mian"], ("deb[31mian", "")),
        ([f"ID={'x' * 1_000_000}"], ("x" * 256, "")),
        ([], ("", "")),
    ],
    ids=["unclosed", "twice", "lower case", "binary", "escape", "1 MB", "missing"],
)
def test_a_broken_os_release_gives_what_can_be_read(lines: list[str], expected: tuple[str, str]) -> None:
    found = os_facts(lines, "x86_64")
    assert (found.id, found.version_id) == expected
