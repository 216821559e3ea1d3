"""Kubelets report PRETTY_NAME of os-release as osImage: what is read from it is held against ID and VERSION_ID."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplane.assess.reading import System, system_of

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "data/systems/os-release.yaml").read_text(encoding="utf-8")
)
NAMED = (
    "debian ubuntu rhel centos rocky almalinux ol tencentos tlinux opencloudos openeuler kylin uos sles opensuse-leap"
    " amzn flatcar talos"
)


def image_of(case: dict[str, Any]) -> str:
    (line,) = (line for line in case["osRelease"].splitlines() if line.startswith("PRETTY_NAME="))
    return shlex.split(line.partition("=")[2])[0]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_an_os_image_gives_the_id_and_the_version_that_os_release_gives(case: dict[str, Any]) -> None:
    found = system_of(image_of(case))
    assert found.id == case["expect"]["id"]
    assert found.version.lower() == case["expect"]["version"].lower()


def test_every_system_that_is_named_is_read_from_a_published_os_image() -> None:
    assert {system_of(image_of(case)).id for case in CASES} == set(NAMED.split())


@pytest.mark.parametrize("image", ["", "Gentoo", "Debian", "My Debian GNU/Linux 12", "Talos", "Talos ()"])
def test_an_os_image_that_is_not_known_names_no_system(image: str) -> None:
    assert system_of(image) == System("", "")


def test_a_build_of_talos_without_a_release_keeps_the_version_that_it_gives_itself() -> None:
    # https://github.com/siderolabs/talos/pull/873 and https://github.com/siderolabs/talos/pull/395
    assert system_of("Talos (40ae00d-dirty)") == System("talos", "40ae00d-dirty")
    assert system_of("Talos (57b1c82) by Autonomy") == System("talos", "57b1c82")
