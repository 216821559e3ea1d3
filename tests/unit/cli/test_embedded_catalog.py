"""The engine starts with the site's catalog rows, or says what is wrong with them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from groundplane.base.settings import read_settings
from groundplane.catalog.site import SITE, SiteRefused
from groundplane.cli.embedded import embedded


def test_a_site_file_that_does_not_hold_stops_the_start_before_anything_is_opened(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / SITE).write_text("weather: []")

    async def start() -> None:
        async with embedded(read_settings({"GROUNDPLANE_HOME": str(home)})):
            raise AssertionError("started")

    before = os.umask(0o022)
    try:
        with pytest.raises(SiteRefused, match=r"catalog\.yaml"):
            asyncio.run(start())
    finally:
        os.umask(before)
    assert not (home / "state.db").exists()
