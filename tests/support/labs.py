"""One lab of three machines for all tests that make clusters; switched off between tests, fresh for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from groundplane_lab import Lab, LabSpec, down, fresh_all, power_off, up

SPEC = LabSpec(name="t-cluster", machines=3, subnet="198.18.20.0/24")


@pytest.fixture(scope="session")
def cluster_lab() -> Iterator[Lab]:
    """Three machines that stay for the whole run."""
    yield up(SPEC)
    down(SPEC.name)


@pytest.fixture
def lab(cluster_lab: Lab) -> Iterator[Lab]:
    """Three clean machines. Afterwards they are off, so that what ran there does not slow the next test down."""
    fresh = fresh_all(cluster_lab)
    yield fresh
    for machine in fresh.machines:
        power_off(fresh, machine.name)
