"""The machine image's key, and what a bare host is told to install: no Docker needed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from groundplane_lab.image import RECIPE, base_key, image_key
from groundplane_lab.model import LabSpec
from groundplane_lab.prerequisites import missing_packages


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RECIPE, tmp_path / "machine"))


def test_the_key_of_the_machine_image_depends_on_the_recipe_alone(recipe: Path) -> None:
    assert image_key(recipe) == image_key(RECIPE)


@pytest.mark.parametrize("file", sorted(str(p.relative_to(RECIPE)) for p in RECIPE.rglob("*") if p.is_file()))
def test_every_file_of_the_recipe_changes_the_key(recipe: Path, file: str) -> None:
    with (recipe / file).open("a") as handle:
        handle.write("\n# another\n")
    assert image_key(recipe) != image_key(RECIPE)


def test_another_package_changes_the_base_and_another_script_does_not(recipe: Path) -> None:
    with (recipe / "setup.sh").open("a") as handle:
        handle.write("true\n")
    assert base_key(recipe) == base_key(RECIPE)
    with (recipe / "packages.txt").open("a") as handle:
        handle.write("cowsay\n")
    assert base_key(recipe) != base_key(RECIPE)


def test_a_bare_host_is_told_each_missing_package_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = missing_packages()
    assert {"docker.io", "mmdebstrap", "xz-utils", "iptables", "openssh-client"} <= set(missing)
    assert all(missing.values())


def test_machines_are_named_after_their_lab_and_start_at_eleven() -> None:
    spec = LabSpec(name="demo", machines=2, subnet="198.18.7.0/24")
    assert spec.hosts() == [("demo-1", "198.18.7.11"), ("demo-2", "198.18.7.12")]
