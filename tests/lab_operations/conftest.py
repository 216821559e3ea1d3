"""A lab of three machines for these tests alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from groundplane_lab import Lab, LabSpec, down, fresh_all, up

_SPEC = LabSpec("steps", machines=3, subnet="198.18.9.0/24")


@pytest.fixture(scope="session")
def _lab() -> Iterator[Lab]:
    lab = up(_SPEC)
    yield lab
    down(_SPEC.name)


@pytest.fixture
def lab(_lab: Lab) -> Lab:
    """Three clean machines."""
    return fresh_all(_lab)
