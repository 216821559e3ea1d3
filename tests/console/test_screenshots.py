"""Pictures of every page in both languages for the docs: `GROUNDPLANE_SCREENSHOTS=1`, then looked at by a person."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from .conftest import Site, Visitor
from .test_pages import PAGES, shop

__all__ = ["shop"]

FOLDER = Path(__file__).parents[2] / "docs" / "console"
MORE = {
    "add-machines": "/machines/new",
    "create-cluster": "/clusters/new",
    "import-cluster": "/clusters/import",
    "users": "/accounts/users",
    "tokens": "/accounts/tokens",
    "new-token": "/accounts/tokens/new",
    "audit": "/audit",
}


LOADING = {"en": "Loading…", "zh": "加载中…"}


@pytest.mark.skipif("GROUNDPLANE_SCREENSHOTS" not in os.environ, reason="pictures are made when they are asked for")
@pytest.mark.parametrize(("language", "locale"), [("en", "en-GB"), ("zh", "zh-CN")])
def test_pictures(visitor: Visitor, shop: Site, language: str, locale: str) -> None:
    folder = FOLDER / language
    folder.mkdir(parents=True, exist_ok=True)
    visit = visitor(shop, locale=locale, timezone_id="Asia/Shanghai")
    visit.open()
    visit.page.locator("form").wait_for()
    visit.page.screenshot(path=folder / "sign-in.png")
    visit.sign_in()
    for name, path in {**PAGES, **MORE}.items():
        visit.open(path)
        visit.page.locator("main h1").wait_for()
        # What is loaded when a page is looked at, such as its YAML, has come.
        expect(visit.page.get_by_text(LOADING[language])).to_have_count(0)
        visit.page.screenshot(path=folder / f"{name}.png")
    assert visit.said_badly() == []
