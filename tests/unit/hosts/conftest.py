"""A real sshd for the tests of the door, and access values for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplane.hosts.ssh import HostAccess
from support.sshd import Sshd, running_sshd


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    with running_sshd(tmp_path / "sshd") as server:
        yield server


@pytest.fixture
def access(sshd: Sshd) -> HostAccess:
    return HostAccess(
        name="shop-1", address="127.0.0.1", port=sshd.port, private_keys=(sshd.client_key,), host_key=sshd.host_key
    )
