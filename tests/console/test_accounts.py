"""Users, tokens and the audit log in the console: made, told once, taken away, and seen by nobody who may not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Locator, expect

from .conftest import RBAC, Site, Visit, Visitor, served
from .fleet import HOSTILE
from .test_pages import violations

API = "/apis/access.groundplane.dev/v1alpha1"
PASSWORD = "correct horse battery"
OTHER = "staple in the stable"
# Of a name: neither spaces nor slashes.
STRANGE = "<img-src=x-onerror=document.title='hacked'>&\"é"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("office")) as site:
        yield site


def add_user(site: Site, name: str, *groups: str) -> None:
    spec = {"groups": list(groups), "password": PASSWORD}
    body = {"apiVersion": "access.groundplane.dev/v1alpha1", "kind": "User", "metadata": {"name": name}, "spec": spec}
    done = site.http.post(f"{API}/users", json=body)
    assert done.status_code == 201, done.text


def add_token(site: Site, user: str, *groups: str) -> str:
    """Return a new token."""
    spec = {"user": user, "groups": list(groups)}
    body = {"apiVersion": "access.groundplane.dev/v1alpha1", "kind": "Token", "spec": spec}
    done = site.http.post(f"{API}/tokens", json=body)
    assert done.status_code == 201, done.text
    token: str = done.json()["status"]["token"]
    return token


def names(site: Site, plural: str) -> set[str]:
    items = site.http.get(f"{API}/{plural}").json()["items"]
    return {item["spec"].get("user", item["metadata"]["name"]) for item in items}


def signs_in(site: Site, **credentials: str) -> int:
    with httpx2.Client(base_url=site.url, verify=False, headers={"x-groundplane-csrf": "1"}) as http:
        return http.post("/login", json=credentials).status_code


def row(visit: Visit, text: str) -> Locator:
    return visit.page.get_by_role("row").filter(has_text=text)


def test_a_user_is_added_by_form_and_what_is_wrong_is_told_before(visitor: Visitor, office: Site) -> None:
    visit = visitor(office)
    visit.sign_in()
    visit.page.get_by_role("link", name="Users and tokens").click()
    visit.page.get_by_role("link", name="Users", exact=True).click()
    expect(visit.page.get_by_text("Nobody signs in by password yet.")).to_be_visible()
    visit.page.get_by_role("link", name="Add user").click()
    visit.page.get_by_label("Name", exact=True).fill("ada lovelace")
    named = visit.page.locator(".labelled", has=visit.page.get_by_label("Name", exact=True))
    expect(named.locator(".field-wrong")).to_contain_text("no space")
    visit.page.get_by_label("Name", exact=True).fill("ada")
    expect(named.locator(".field-wrong")).to_have_count(0)
    visit.page.get_by_label("Groups").fill("team-a\nteam-b\n")
    visit.page.get_by_label("Password", exact=True).fill(PASSWORD)
    visit.page.get_by_label("Password, once more").fill("another one")
    add = visit.page.get_by_role("button", name="Add user")
    expect(visit.page.get_by_text("The two passwords differ.")).to_be_visible()
    expect(add).to_be_disabled()
    visit.page.get_by_label("Password, once more").fill(PASSWORD)
    add.click()
    expect(row(visit, "ada")).to_contain_text("team-a, team-b")
    assert signs_in(office, user="ada", password=PASSWORD) == 200
    assert office.http.delete(f"{API}/users/ada").status_code == 200
    assert visit.said_badly() == []


def test_a_user_gets_another_password_and_is_removed_after_a_question(visitor: Visitor, office: Site) -> None:
    add_user(office, "ada")
    visit = visitor(office)
    visit.sign_in(path="/accounts/users")
    visit.page.get_by_role("button", name="Password… ada").click()
    dialog = visit.page.get_by_role("dialog")
    dialog.get_by_label("Password", exact=True).fill(OTHER)
    dialog.get_by_label("Password, once more").fill(PASSWORD)
    dialog.get_by_role("button", name="Set the password").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The two passwords differ.")
    dialog.get_by_label("Password, once more").fill(OTHER)
    dialog.get_by_role("button", name="Set the password").click()
    expect(dialog).to_have_count(0)
    assert signs_in(office, user="ada", password=PASSWORD) == 401
    assert signs_in(office, user="ada", password=OTHER) == 200

    visit.page.get_by_role("button", name="Remove… ada").click()
    expect(dialog).to_contain_text("ada cannot sign in any more")
    dialog.get_by_role("button", name="Back").click()
    assert names(office, "users") == {"ada"}
    visit.page.get_by_role("button", name="Remove… ada").click()
    dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(visit.page.get_by_text("Nobody signs in by password yet.")).to_be_visible()
    assert names(office, "users") == set()
    assert visit.said_badly() == []


def test_a_token_is_shown_once_works_and_is_revoked(visitor: Visitor, office: Site) -> None:
    visit = visitor(office)
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    visit.sign_in(path="/accounts/tokens")
    visit.page.get_by_role("link", name="Create token").click()
    visit.page.get_by_label("User", exact=True).fill("pipeline")
    visit.page.get_by_label("Groups").fill("system:masters")
    visit.page.get_by_label("Good for").select_option("7 days")
    visit.page.get_by_role("button", name="Create", exact=True).click()
    expect(visit.page.get_by_text("it is not kept, and will not be shown again")).to_be_visible()
    token = visit.page.get_by_role("region", name="Token", exact=True).inner_text().strip()
    assert violations(visit.page) == []
    visit.page.get_by_role("button", name="Copy").click()
    expect(visit.page.get_by_role("button", name="Copied")).to_be_visible()
    assert visit.page.evaluate("navigator.clipboard.readText()") == token
    assert signs_in(office, token=token) == 200
    kept = visit.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie")
    assert token not in kept
    assert token not in " ".join(asked)

    visit.page.get_by_role("link", name="To the tokens").click()
    expect(row(visit, "pipeline")).to_contain_text("system:masters")
    assert token not in visit.page.content()
    visit.page.go_back()
    expect(visit.page.get_by_role("button", name="Create", exact=True)).to_be_visible()
    assert token not in visit.page.content(), "going back shows an empty form"
    visit.page.goto(f"{office.url}/console/accounts/tokens")
    visit.page.get_by_role("button", name="Revoke… pipeline").click()
    dialog = visit.page.get_by_role("dialog")
    expect(dialog).to_contain_text("refused from the next request on")
    dialog.get_by_role("button", name="Revoke", exact=True).click()
    expect(row(visit, "pipeline")).to_have_count(0)
    assert signs_in(office, token=token) == 401
    assert visit.said_badly() == []


def test_who_would_take_away_what_is_their_own_is_told(visitor: Visitor, office: Site) -> None:
    visit = visitor(office)
    visit.sign_in(path="/accounts/tokens")
    visit.page.get_by_role("button", name="Revoke… admin").click()
    dialog = visit.page.get_by_role("dialog")
    expect(dialog).to_contain_text("it may be the one that you are signed in with")
    dialog.get_by_role("button", name="Back").click()
    visit.page.get_by_role("button", name="Revoke… nobody").click()
    expect(dialog).not_to_contain_text("it may be the one that you are signed in with")


def test_what_somebody_may_not_give_is_refused_with_the_reason(visitor: Visitor, office: Site) -> None:
    rules = [{"apiGroups": ["access.groundplane.dev"], "resources": ["tokens", "users"], "verbs": ["list", "create"]}]
    bind(office, "keeper", rules)
    visit = visitor(office)
    visit.sign_in(add_token(office, "keeper"), path="/accounts/tokens")
    expect(visit.page.get_by_role("button", name="Revoke… admin")).to_have_count(0)
    visit.page.get_by_role("link", name="Create token").click()
    visit.page.get_by_label("User", exact=True).fill("keeper")
    visit.page.get_by_label("Groups").fill("system:masters")
    visit.page.get_by_role("button", name="Create", exact=True).click()
    expect(visit.page.get_by_role("alert")).to_contain_text('only who is in the group "system:masters" may give it')
    visit.page.get_by_label("Groups").fill("team-a")
    visit.page.get_by_role("button", name="Create", exact=True).click()
    expect(visit.page.get_by_role("alert")).to_contain_text('"keeper" cannot be given by who could not act as it')


def bind(site: Site, name: str, rules: list[dict[str, Any]]) -> None:
    """Give a user rules in the whole cluster."""
    head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}}
    done = site.http.post(f"{RBAC}/clusterroles", json={**head, "kind": "ClusterRole", "rules": rules})
    assert done.status_code == 201, done.text
    site.grant(name, user=name, name=name)


def test_the_audit_log_is_read_newest_first_chosen_and_opened(visitor: Visitor, office: Site) -> None:
    token = add_token(office, "curious")
    with httpx2.Client(base_url=office.url, verify=False, headers={"authorization": f"Bearer {token}"}) as http:
        for _ in range(3):
            assert http.get("/api/v1/namespaces/default/secrets").status_code == 403
        assert http.get("/api/v1/namespaces/default/secrets/s", headers={"user-agent": HOSTILE}).status_code == 403
    wait_for_event(office, "event.user.username=curious,event.verb=get")
    visit = visitor(office)
    visit.sign_in()
    visit.page.get_by_role("link", name="Audit").click()
    visit.page.get_by_role("textbox", name="User", exact=True).fill("curious")
    visit.page.get_by_label("Since").select_option("an hour ago")
    visit.page.get_by_role("button", name="Show", exact=True).click()
    expect(visit.page.get_by_text("4 in all")).to_be_visible()
    expect(visit.page.get_by_text("That is the whole log.")).to_be_visible()
    first = visit.page.get_by_role("row").nth(1)
    expect(first).to_contain_text("default/s")
    expect(first).to_contain_text("403")
    visit.page.get_by_role("combobox", name="Verb").select_option("get")
    visit.page.get_by_role("button", name="Show", exact=True).click()
    expect(visit.page.get_by_text("1 in all")).to_be_visible()
    visit.page.get_by_role("button", name="Show the event of").click()
    dialog = visit.page.get_by_role("dialog")
    expect(dialog.get_by_role("region", name="Event")).to_contain_text("username: curious")
    expect(dialog.get_by_role("region", name="Event")).to_contain_text(HOSTILE.partition(" ")[0])
    assert violations(visit.page) == []
    dialog.get_by_role("button", name="Close").click()
    visit.page.get_by_role("spinbutton", name="Code").fill("299")
    visit.page.get_by_role("button", name="Show", exact=True).click()
    expect(visit.page.get_by_text("No event is as asked for.")).to_be_visible()
    assert visit.page.title() == "Audit · Groundplane"
    assert visit.said_badly() == []


def wait_for_event(site: Site, selector: str) -> None:
    """Return when the event is written: lines wait in a queue for a moment."""
    for _ in range(200):
        found = site.http.get(f"{API}/auditevents", params={"fieldSelector": selector, "limit": 1}).json()
        if found["items"]:
            return
    raise AssertionError(f"no event for {selector}")


def test_older_events_are_looked_for_when_they_are_asked_for(visitor: Visitor, office: Site) -> None:
    token = add_token(office, "busy")
    with httpx2.Client(base_url=office.url, verify=False, headers={"authorization": f"Bearer {token}"}) as http:
        for number in range(130):
            assert http.get(f"/api/v1/namespaces/default/secrets/{number}").status_code == 403
    wait_for_event(office, "event.user.username=busy,event.objectRef.name=129")
    visit = visitor(office)
    visit.sign_in(path="/audit")
    visit.page.get_by_role("textbox", name="User", exact=True).fill("busy")
    visit.page.get_by_role("button", name="Show", exact=True).click()
    expect(visit.page.get_by_text("100 in all")).to_be_visible()
    expect(visit.page.get_by_text("The log goes on further back.")).to_be_visible()
    visit.page.get_by_role("button", name="Look further back").click()
    expect(visit.page.get_by_text("130 in all")).to_be_visible()
    expect(visit.page.get_by_role("row").nth(1)).to_contain_text("default/129")


def test_names_with_markup_are_text_and_can_be_acted_on(visitor: Visitor, office: Site) -> None:
    add_user(office, STRANGE, STRANGE, HOSTILE)
    add_token(office, HOSTILE, HOSTILE)
    visit = visitor(office)
    visit.sign_in(path="/accounts/users")
    expect(row(visit, STRANGE)).to_contain_text(HOSTILE)
    visit.page.get_by_role("button", name=f"Remove… {STRANGE}").click()
    dialog = visit.page.get_by_role("dialog")
    expect(dialog).to_contain_text(STRANGE)
    dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(row(visit, STRANGE)).to_have_count(0)
    assert names(office, "users") == set()
    visit.page.get_by_role("link", name="Tokens", exact=True).click()
    visit.page.get_by_role("button", name=f"Revoke… {HOSTILE}").click()
    expect(dialog).to_contain_text(HOSTILE)
    dialog.get_by_role("button", name="Revoke", exact=True).click()
    expect(row(visit, HOSTILE)).to_have_count(0)
    assert visit.page.title() == "Users and tokens · Groundplane"
    assert visit.page.locator("main img").count() == 0
    assert visit.said_badly() == []


@pytest.mark.parametrize("where", ["", "default"])
def test_who_may_not_sees_no_such_page_and_the_api_refuses_it_too(visitor: Visitor, office: Site, where: str) -> None:
    # All rights in one namespace are none to what is in no namespace.
    user, role = ("tenant", "cluster-admin") if where else ("viewer", "view")
    office.grant(role, user=user, namespace=where, name=f"{user}-{role}")
    token = add_token(office, user)
    visit = visitor(office)
    visit.sign_in(token, path="/clusters")
    expect(visit.page.get_by_role("heading", name="Clusters")).to_be_visible()
    expect(visit.page.get_by_role("link", name="Machines")).to_be_visible()
    for name in ("Users and tokens", "Audit"):
        expect(visit.page.get_by_role("link", name=name)).to_have_count(0)
    for path in ("/accounts/users", "/accounts/tokens", "/audit"):
        visit.open(path)
        expect(visit.page.get_by_text("It takes the rights of an administrator.")).to_be_visible()
        expect(visit.page.get_by_role("table")).to_have_count(0)
    with httpx2.Client(base_url=office.url, verify=False, headers={"authorization": f"Bearer {token}"}) as http:
        for plural in ("users", "tokens", "auditevents"):
            assert http.get(f"{API}/{plural}").status_code == 403
        assert http.post(f"{API}/tokens", json={}).status_code == 403


def test_who_may_read_the_audit_log_alone_sees_that_page_alone(visitor: Visitor, office: Site) -> None:
    bind(
        office, "auditor", [{"apiGroups": ["access.groundplane.dev"], "resources": ["auditevents"], "verbs": ["list"]}]
    )
    visit = visitor(office)
    visit.sign_in(add_token(office, "auditor"))
    visit.page.get_by_role("link", name="Audit").click()
    expect(visit.page.get_by_role("table")).to_be_visible()
    expect(visit.page.get_by_role("link", name="Users and tokens")).to_have_count(0)


def test_who_may_look_after_tokens_alone_is_led_to_them(visitor: Visitor, office: Site) -> None:
    bind(office, "minter", [{"apiGroups": ["access.groundplane.dev"], "resources": ["tokens"], "verbs": ["list"]}])
    visit = visitor(office)
    visit.sign_in(add_token(office, "minter"))
    visit.page.get_by_role("link", name="Users and tokens").click()
    expect(row(visit, "minter")).to_be_visible()
    expect(visit.page.get_by_role("link", name="Users", exact=True)).to_have_count(0)
    expect(visit.page.get_by_role("link", name="Create token")).to_have_count(0)
    expect(visit.page.get_by_role("link", name="Audit")).to_have_count(0)


PAGES = ("/accounts/users", "/accounts/users/new", "/accounts/tokens", "/accounts/tokens/new", "/audit")


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_of_the_pages(visitor: Visitor, office: Site, language: str, scheme: str) -> None:
    with_user = f"axe-{language}-{scheme}"
    add_user(office, with_user)
    visit = visitor(office, locale=language, color_scheme=scheme)
    visit.sign_in()
    found = {}
    for path in PAGES:
        visit.open(path)
        visit.page.locator("main :is(table, .panel)").first.wait_for()
        found[path] = violations(visit.page)
    visit.open("/accounts/users")
    visit.page.get_by_role("button", name=with_user).first.click()
    visit.page.get_by_role("dialog").wait_for()
    found["dialog"] = violations(visit.page)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}
    assert office.http.delete(f"{API}/users/{with_user}").status_code == 200
    assert visit.said_badly() == []


def test_a_phone_can_show_them(visitor: Visitor, office: Site) -> None:
    visit = visitor(office, viewport={"width": 390, "height": 844})
    visit.sign_in()
    for path in PAGES:
        visit.open(path)
        visit.page.locator("main :is(table, .panel, .notice-title)").first.wait_for()
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_what_is_typed_into_the_forms_and_told_by_them_is_not_in_the_audit_log(visitor: Visitor, office: Site) -> None:
    visit = visitor(office)
    visit.sign_in(path="/accounts/users/new")
    visit.page.get_by_label("Name", exact=True).fill("grace")
    for label in ("Password", "Password, once more"):
        visit.page.get_by_label(label, exact=True).fill("a secret of grace")
    visit.page.get_by_role("button", name="Add user").click()
    expect(row(visit, "grace")).to_be_visible()
    visit.open("/accounts/tokens/new")
    visit.page.get_by_label("User", exact=True).fill("grace")
    visit.page.get_by_role("button", name="Create", exact=True).click()
    token = visit.page.get_by_role("region", name="Token", exact=True).inner_text().strip()
    assert office.http.delete(f"{API}/users/grace").status_code == 200
    wait_for_event(office, "event.objectRef.resource=users,event.verb=delete,event.objectRef.name=grace")
    text = json.dumps(whole_log(office))
    assert '"name": "grace"' in text
    for secret in ("a secret of grace", token, office.admin):
        assert secret not in text


def whole_log(site: Site) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    after = ""
    while True:
        part = site.http.get(f"{API}/auditevents", params={"limit": 1000, "continue": after}).json()
        items += part["items"]
        after = part["metadata"].get("continue", "")
        if not after:
            return items
