"""Debian's Chromium, driven as a person would use it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser for the length of the block."""
    executable = shutil.which("chromium")
    assert executable is not None, "scripts/setup.sh lab installs chromium"
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not work for root, as whom the tests run.
        opened = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()
