"""One small lab, shared by all tests of this folder; each test leaves its machines as it found them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from groundplane_lab import Lab, LabSpec, down, load, up

SPEC = LabSpec(name="t-lab", machines=2, subnet="198.18.90.0/24")


@pytest.fixture(scope="session")
def _lab_is_up() -> Iterator[None]:
    down(SPEC.name)
    up(SPEC)
    yield
    down(SPEC.name)


@pytest.fixture
def lab(_lab_is_up: None) -> Lab:
    return load(SPEC.name)
