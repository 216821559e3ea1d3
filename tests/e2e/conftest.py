"""One lab for all end-to-end tests; its machines are made fresh for each test that asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplane_lab import Lab, LabSpec, down, ensure_artifacts, fresh_all, up
from groundplane_lab.engine import Engine

from .world import World

SPEC = LabSpec(name="e2e", machines=3, subnet="198.18.20.0/24")


@pytest.fixture(scope="session")
def artifacts() -> Path:
    return ensure_artifacts()


@pytest.fixture(scope="session")
def e2e_lab() -> Iterator[Lab]:
    yield up(SPEC)
    down(SPEC.name)


@pytest.fixture
def lab(e2e_lab: Lab) -> Lab:
    fresh_all(e2e_lab)
    return up(SPEC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path / "engine" / "home")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def world(lab: Lab, engine: Engine, artifacts: Path, tmp_path: Path) -> World:
    made = World(lab, engine, artifacts, tmp_path)
    made.prepare()
    return made
