"""Debian's Chromium, driven as a person would use it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Error, Page, Request, sync_playwright

# What Chromium says of every request under way when an address of this host comes or goes, such as a lab's.
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
_ATTEMPTS = 5
# The page of that error may come in the middle of the next attempt.
_CUT = (NETWORK_CHANGED, "chrome-error://")


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


def go(page: Page, url: str) -> None:
    """Open an address, again if another test made a network meanwhile: of the page, or of what it is made of."""
    lost: list[str] = []

    def failed(request: Request) -> None:
        if request.resource_type in ("script", "stylesheet") and NETWORK_CHANGED in (request.failure or ""):
            lost.append(request.url)

    page.on("requestfailed", failed)
    try:
        for attempt in range(1, _ATTEMPTS + 1):
            lost.clear()
            try:
                page.goto(url)
            except Error as error:
                if attempt == _ATTEMPTS or not any(word in error.message for word in _CUT):
                    raise
            else:
                if not lost:
                    return
    finally:
        page.remove_listener("requestfailed", failed)
    raise AssertionError(f"{url} has never come whole: {lost}")
