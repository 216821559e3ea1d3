"""Signing in at an issuer of another site: the whole way of a real browser, there and back."""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
import yaml
from playwright.sync_api import expect

from support.issuer import Issuer, issuing

from .conftest import Site, Visit, Visitor, served
from .test_pages import violations


@dataclass
class Company:
    """Groundplane at 127.0.0.1, and the issuer at localhost: for a browser these are two sites."""

    site: Site
    issuer: Issuer


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    folder, port = tmp_path_factory.mktemp("company"), _free_port()
    home = folder / "home"
    home.mkdir(mode=0o700)
    with issuing(folder / "issuer", host="localhost") as issuer:
        issuer.key("one")
        issuer.door.secret = secrets.token_urlsafe(16)
        issuer.door.redirect_url = f"https://127.0.0.1:{port}/login/oidc/callback"
        issuer.door.claims["groups"] = ["system:masters"]
        (home / "secret").write_text(issuer.door.secret)
        (home / "secret").chmod(0o600)
        settings = {
            "issuerUrl": issuer.url, "clientId": "groundplane", "caFile": str(issuer.ca), "usernamePrefix": "-",
            "groupsClaim": "groups", "redirectUrl": issuer.door.redirect_url, "displayName": "Example SSO",
            "clientSecretFile": str(home / "secret"),
        }  # fmt: skip
        (home / "server.yaml").write_text(yaml.safe_dump({"oidc": settings}))
        with served(folder, port=port) as site:
            yield Company(site, issuer)


def _at_the_issuer(visit: Visit, issuer: Issuer, decision: str) -> None:
    visit.page.wait_for_url(f"{issuer.url}/authorize?*")
    visit.page.get_by_label("User").fill("ada")
    visit.page.get_by_role("button", name=decision).click()


def test_a_deep_link_leads_to_the_issuer_and_back_to_where_one_wanted_to_be(visitor: Visitor, company: Company) -> None:
    visit = visitor(company.site)
    visit.open("/machines?q=rack%201")
    visit.page.get_by_role("link", name="Sign in with Example SSO").click()
    _at_the_issuer(visit, company.issuer, "Allow")
    expect(visit.page.get_by_role("heading", name="Machines")).to_be_visible()
    expect(visit.page.locator(".top-user")).to_contain_text("ada")
    expect(visit.page).to_have_url(f"{company.site.url}/console/machines?q=rack%201")
    (cookie,) = visit.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["secure"]) == ("__Host-groundplane", True, True)
    assert cookie["sameSite"] == "Strict"
    visit.page.reload()
    expect(visit.page.locator(".top-user")).to_contain_text("ada")
    visit.page.get_by_role("button", name="Sign out").click()
    expect(visit.page.get_by_role("link", name="Sign in with Example SSO")).to_be_visible()
    assert visit.said_badly() == []


@pytest.mark.parametrize(
    ("look", "button", "told"),
    [
        (("en-GB", "light"), "Sign in with Example SSO", "The sign-in was refused there, or cancelled."),
        (("zh-CN", "dark"), "使用 Example SSO 登录", "登录被登录服务拒绝，或已取消。"),
    ],
)
def test_a_refusal_is_told_in_words_and_another_attempt_leads_where_the_first_was_to(
    visitor: Visitor, company: Company, look: tuple[str, str], button: str, told: str
) -> None:
    visit = visitor(company.site, locale=look[0], color_scheme=look[1])
    visit.open("/clusters")
    visit.page.get_by_role("link", name=button).click()
    _at_the_issuer(visit, company.issuer, "Refuse")
    expect(visit.page.get_by_role("alert")).to_contain_text(told)
    expect(visit.page).to_have_url(f"{company.site.url}/console/clusters")
    assert violations(visit.page) == []
    visit.page.get_by_role("link", name=button).click()
    _at_the_issuer(visit, company.issuer, "Allow")
    expect(visit.page.locator(".top-user")).to_contain_text("ada")
    expect(visit.page).to_have_url(f"{company.site.url}/console/clusters")
    assert visit.said_badly() == []


def test_an_answer_for_a_sign_in_of_somebody_else_lets_nobody_in(visitor: Visitor, company: Company) -> None:
    with httpx2.Client(verify=False) as attacker:
        begun = attacker.get(f"{company.site.url}/login/oidc").headers["location"]
        form = {**dict(parse_qsl(urlsplit(begun).query)), "user": "mallory", "decision": "allow"}
        location = attacker.post(f"{company.issuer.url}/authorize", data=form).headers["location"]
    visit = visitor(company.site)
    visit.page.goto(location)
    expect(visit.page.get_by_role("alert")).to_contain_text("begun in another browser")
    expect(visit.page.get_by_role("heading", name="Sign in to Groundplane")).to_be_visible()
    assert visit.context.cookies() == []


def test_a_word_that_is_none_of_ours_says_nothing(visit: Visit) -> None:
    with visit.page.expect_response("**/login"):
        visit.open("/?sign-in=constructor&q=x")
    expect(visit.page).to_have_url(f"{visit.site.url}/console?q=x")
    expect(visit.page.get_by_role("alert")).to_have_count(0)
    expect(visit.page.get_by_role("link", name=re.compile("Sign in with"))).to_have_count(0)
    assert visit.said_badly() == []
