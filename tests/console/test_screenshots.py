"""Pictures of every page in both languages for the docs: `GROUNDPLANE_SCREENSHOTS=1`, then looked at by a person."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from .behind import Behind
from .conftest import Site, Visit, Visitor
from .test_pages import PAGES, shop
from .test_resources import behind, deployment, node, pod

__all__ = ["behind", "shop"]

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


REAL = "/clusters/default/real"
BEHIND = {
    "node": f"{REAL}/nodes/node-1",
    "resources": f"{REAL}/resources",
    "workload": f"{REAL}/resources/apps/v1/deployments/default/shop",
}
# Folders of the run that takes the pictures are told by the names that they have elsewhere.
USUAL_PLACES = r"""() => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        texts.currentNode.data = texts.currentNode.data
            .replace(/\/tmp\/\S*?\/home(?=\/|$)/g, '/srv/groundplane')
            .replace(/\/root\/\.cache/g, '~/.cache');
    }
}"""
wanted = pytest.mark.skipif(
    "GROUNDPLANE_SCREENSHOTS" not in os.environ, reason="pictures are made when they are asked for"
)
languages = pytest.mark.parametrize(("language", "locale"), [("en", "en-GB"), ("zh", "zh-CN")])


def take(visit: Visit, language: str, pages: dict[str, str]) -> None:
    for name, path in pages.items():
        visit.open(path)
        visit.page.locator("main h1").wait_for()
        # What is loaded when a page is looked at, such as its YAML, has come.
        expect(visit.page.get_by_text(LOADING[language])).to_have_count(0)
        visit.page.evaluate(USUAL_PLACES)
        visit.page.screenshot(path=FOLDER / language / f"{name}.png")
    assert visit.said_badly() == []


@wanted
@languages
def test_pictures(visitor: Visitor, shop: Site, language: str, locale: str) -> None:
    visit = visitor(shop, locale=locale, timezone_id="Asia/Shanghai")
    visit.open()
    visit.page.locator("form").wait_for()
    visit.page.screenshot(path=FOLDER / language / "sign-in.png")
    visit.sign_in()
    take(visit, language, {**PAGES, **MORE})
    visit.open("/foundations/default/production")
    visit.page.locator(".preview summary").click()
    visit.page.locator(".preview ol").first.wait_for()
    visit.page.locator(".preview").scroll_into_view_if_needed()
    visit.page.screenshot(path=FOLDER / language / "unify.png")


@pytest.fixture(scope="module")
def running(behind: Behind) -> Behind:
    node(behind, "node-1", labels={"topology.kubernetes.io/zone": "a"})
    deployment(behind, "shop")
    pod(behind, "shop-7d9c5b9f4-x2x5k", "node-1", "ReplicaSet")
    return behind


@pytest.mark.lab
@wanted
@languages
def test_pictures_of_what_runs_in_a_cluster(visitor: Visitor, running: Behind, language: str, locale: str) -> None:
    visit = visitor(running.site, locale=locale, timezone_id="Asia/Shanghai")
    visit.sign_in()
    take(visit, language, BEHIND)
