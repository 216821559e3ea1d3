"""The made cluster as the console shows it: it is Ready, its pods are there, one's log is read, and a shell answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import yaml
from playwright.sync_api import Page, expect

from support.browser import NETWORK_CHANGED, chromium, go

from .world import World

PATIENCE = 30_000


@contextmanager
def signed_in(
    world: World, *, locale: str = "en-GB", by: str = "Token", refusals: tuple[int, ...] = (401,)
) -> Iterator[tuple[Page, str]]:
    """Give a page whose user has signed in by token, and the server's address.

    `by` is what the button for tokens says; `refusals` belong to what is done: there is no session at first.
    """
    config = yaml.safe_load(world.engine.kubeconfig.read_text())
    server, token = config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]["token"]
    with chromium() as browser:
        context = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 800}, locale=locale)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        go(page, server)
        page.get_by_role("button", name=by, exact=True).click()
        page.locator("input[name=token]").fill(token)
        page.locator("form button[type=submit]").click()
        yield page, server
        context.close()
    expected = (*(f"status of {code}" for code in refusals), NETWORK_CHANGED)
    assert [line for line in said if not any(word in line for word in expected)] == []


def look(world: World) -> None:
    """Sign in and walk through the cluster as its operator would."""
    with signed_in(world) as (page, server):
        _cluster(page)
        use_shell(page, _pod(page))
        read_log(page, server)


def _cluster(page: Page) -> None:
    page.get_by_role("link", name="Clusters").first.click()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="e2e", exact=True))
    expect(row).to_contain_text("Ready")
    expect(row).to_contain_text("3/3")
    row.get_by_role("link", name="e2e", exact=True).click()
    expect(page.get_by_text("v1.20.2").first).to_be_visible()


def _pod(page: Page) -> str:
    page.get_by_role("link", name="Resources").click()
    link = page.get_by_role("link", name="echo-").first
    name = link.inner_text()
    expect(page.get_by_role("row").filter(has_text=name)).to_contain_text("Running")
    link.click()
    expect(page.get_by_role("region", name="YAML")).to_contain_text("kind: Pod")
    return name


def use_shell(page: Page, host: str, *, tab: str = "Terminal", ended: str = "The shell has ended.") -> None:
    """Type in the terminal of a pod or a machine whose page is open, and leave it."""
    page.get_by_role("link", name=tab, exact=True).click()
    screen = page.locator(".xterm-rows")
    expect(screen).to_contain_text("#", timeout=PATIENCE)
    page.keyboard.type("hostname && echo $((6*7))\n")
    expect(screen).to_contain_text(host)
    expect(screen).to_contain_text("42")
    page.keyboard.type("exit\n")
    expect(page.get_by_text(ended)).to_be_visible()


def read_log(page: Page, server: str, *, tab: str = "Log") -> None:
    """Read the log of the scheduler."""
    go(page, f"{server}/console/clusters/default/e2e/resources/-/v1/pods?q=kube-scheduler")
    page.get_by_role("link", name="kube-scheduler").first.click()
    page.get_by_role("link", name=tab, exact=True).click()
    expect(page.get_by_role("log")).to_contain_text("Serving securely on")
