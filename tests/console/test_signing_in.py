"""Who gets into the console, how it ends, and what a browser is allowed to do with it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import expect

from .conftest import Site, Visit, Visitor, served


def test_a_browser_is_led_from_the_bare_address_to_the_sign_in_and_by_a_token_to_the_overview(visit: Visit) -> None:
    visit.page.goto(visit.site.url)
    assert visit.page.url == f"{visit.site.url}/console/"
    expect(visit.page.get_by_role("heading", name="Sign in to Groundplane")).to_be_visible()
    visit.sign_in()
    expect(visit.page.get_by_role("heading", name="Overview")).to_be_visible()
    assert visit.said_badly() == []


def test_a_wrong_token_is_told_and_the_right_one_lets_in(visit: Visit) -> None:
    visit.open()
    visit.page.get_by_role("button", name="Token").click()
    visit.page.locator("input[name=token]").fill("wrong")
    visit.page.locator("form button[type=submit]").click()
    expect(visit.page.get_by_role("alert")).to_have_text("the token is unknown or over")
    visit.page.locator("input[name=token]").fill(visit.site.admin)
    visit.page.locator("form button[type=submit]").click()
    expect(visit.page.get_by_role("heading", name="Overview")).to_be_visible()


def test_a_user_signs_in_by_password_and_out_again(visitor: Visitor, tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [str(Path(sys.executable).with_name("groundplane")), "user", "add", "ada", "--group", "system:masters"]
    with served(tmp_path) as site:
        subprocess.run([*command, "--home", str(home)], input="correct horse\n", text=True, check=True)
        visit = visitor(site)
        visit.open()
        visit.page.get_by_label("Name", exact=True).fill("ada")
        visit.page.get_by_label("Password").fill("correct horse")
        visit.page.locator("form button[type=submit]").click()
        expect(visit.page.locator(".top-user")).to_contain_text("ada")
        # The page may know by another answer that the session is over, before the one that takes the cookie away.
        with visit.page.expect_response("**/logout"):
            visit.page.get_by_role("button", name="Sign out").click()
        expect(visit.page.get_by_role("heading", name="Sign in to Groundplane")).to_be_visible()
        assert visit.context.cookies() == []


def test_a_session_that_ends_leads_to_the_sign_in_and_back_to_where_one_was(visitor: Visitor, site: Site) -> None:
    visit = visitor(site)
    visit.sign_in(path="/machines")
    expect(visit.page.get_by_role("heading", name="Machines")).to_be_visible()
    # What was asked with the session has been answered: the rights, on which these two depend.
    for name in ("Users and tokens", "Add machines"):
        expect(visit.page.get_by_role("link", name=name)).to_be_visible()
    visit.context.clear_cookies()
    visit.page.get_by_role("link", name="Clusters").click()
    expect(visit.page.get_by_role("heading", name="Sign in to Groundplane")).to_be_visible()
    visit.page.get_by_role("button", name="Token").click()
    visit.page.locator("input[name=token]").fill(site.admin)
    visit.page.locator("form button[type=submit]").click()
    expect(visit.page.get_by_role("heading", name="Clusters")).to_be_visible()


def test_no_credential_is_where_a_script_or_a_log_could_read_it(visit: Visit) -> None:
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    visit.sign_in()
    expect(visit.page.get_by_role("heading", name="Overview")).to_be_visible()
    kept = visit.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie")
    (cookie,) = visit.context.cookies()
    assert cookie["value"] not in kept
    assert visit.site.admin not in kept
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
    assert not [url for url in asked if visit.site.admin in url or cookie["value"] in url]
    assert all(url.startswith(visit.site.url) for url in asked), "nothing is loaded from elsewhere"


def test_the_page_allows_no_script_and_no_style_but_ours(site: Site) -> None:
    first, second = (httpx2.get(f"{site.url}/console/clusters", verify=False) for _ in range(2))
    policy = first.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    (nonce,) = re.findall(r"'nonce-([\w-]+)'", policy)
    assert nonce in first.text
    assert nonce not in second.text
    assert first.headers["cache-control"] == "no-store"


def test_files_are_kept_by_the_browser_and_packed(site: Site) -> None:
    page = httpx2.get(f"{site.url}/console/", verify=False).text
    (script,) = re.findall(r'src="(/console/assets/[^"]+\.js)"', page)
    answer = httpx2.get(f"{site.url}{script}", verify=False)
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")
    assert httpx2.get(f"{site.url}/console/assets/none.js", verify=False).status_code == 404


@pytest.mark.parametrize("accept", ["application/json", "*/*"])
def test_clients_of_the_api_are_not_led_to_the_console(site: Site, accept: str) -> None:
    answer = site.http.get("/", headers={"accept": accept})
    assert "/apis/groundplane.dev/v1alpha1" in answer.json()["paths"]
