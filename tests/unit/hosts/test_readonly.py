"""The read-only view has nothing to write with, neither in its type nor in its object."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundplane.hosts.errors import WriteRefused
from groundplane.hosts.readonly import ReadOnly
from groundplane.hosts.ssh import HostAccess, HostPool


async def test_it_reads_what_the_host_reads(access: HostAccess, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    async with HostPool() as pool:
        host = ReadOnly(pool.connect(access))
        assert (host.name, host.address) == ("shop-1", "127.0.0.1")
        assert await host.read(str(tmp_path / "file")) == b"content"
        assert (await host.query(["cat", str(tmp_path / "file")])).text == "content"
        found = await host.stat(str(tmp_path / "file"))
        assert found is not None
        assert found.size == 7
        assert await host.digest(str(tmp_path / "file")) is not None
        assert (await host.survey()).stdout.rstrip().endswith(b"@@ end")


async def test_it_has_no_way_to_write(access: HostAccess) -> None:
    async with HostPool() as pool:
        host = ReadOnly(pool.connect(access))
        assert not [name for name in ("run", "script", "write", "upload") if hasattr(host, name)]
        with pytest.raises(WriteRefused, match="reboot"):
            await host.query(["reboot"])
