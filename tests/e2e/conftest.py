"""A Groundplane and a lab for each end-to-end test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplane_lab import Lab, ensure_artifacts
from groundplane_lab.engine import Engine
from support.labs import cluster_lab, lab

from .world import World

__all__ = ["cluster_lab", "lab"]


@pytest.fixture(scope="session")
def artifacts() -> Path:
    return ensure_artifacts()


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
