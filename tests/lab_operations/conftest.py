"""Labs for these tests alone: one of three machines, and one of a single machine that is soon made anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from groundplane_lab import Lab, LabSpec, down, fresh_all, up
from groundplane_lab.paths import lab_home, locked

_SPEC = LabSpec("steps", machines=3, subnet="198.18.9.0/24")
_ALONE = LabSpec("faults", machines=1, subnet="198.18.10.0/24")


@pytest.fixture(scope="session")
def _lab() -> Iterator[Lab]:
    lab = up(_SPEC)
    yield lab
    down(_SPEC.name)


@pytest.fixture
def lab(_lab: Lab) -> Iterator[Lab]:
    """Three clean machines.

    All machines share this host's kernel: while their state is compared nobody else may switch swap on, who does so
    holding the same lock.
    """
    with locked(lab_home() / "swap"):
        yield fresh_all(_lab)


@pytest.fixture(scope="session")
def _lab_of_one() -> Iterator[Lab]:
    lab = up(_ALONE)
    yield lab
    down(_ALONE.name)


@pytest.fixture
def alone(_lab_of_one: Lab) -> Lab:
    """A lab of one clean machine."""
    return fresh_all(_lab_of_one)
