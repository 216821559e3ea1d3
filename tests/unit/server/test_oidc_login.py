"""Signing in at a real issuer over https: who gets a session, what never does, and what is said of it."""

from __future__ import annotations

import io
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from joserfc import jwk
from tests.support.issuer import Issuer as RealIssuer
from tests.support.issuer import issuing

from groundplane.base.files import FileOpenToOthers
from groundplane.base.logs import configure_logging
from groundplane.base.sizes import MIB
from groundplane.server.app import build
from groundplane.server.audit.log import AuditLog, RotatingFile, Rotation
from groundplane.server.audit.middleware import Audit
from groundplane.server.audit.policy import load_policy
from groundplane.server.authn.backoff import SOURCE
from groundplane.server.authn.bearer import Bearer
from groundplane.server.authn.chain import Chain
from groundplane.server.authn.code_flow import code_flow
from groundplane.server.authn.flows import FLOW_COOKIE, FLOW_SECONDS, Flows, SignInFailed, local_place
from groundplane.server.authn.oidc import Issuer, Oidc, OidcRefused, oidc
from groundplane.server.authn.passwords import PasswordCheck, Users
from groundplane.server.authn.sessions import COOKIE, Holders, Lifetimes, Sessions
from groundplane.server.config import OidcConfig
from groundplane.server.login import Logins

from .conftest import GROUP, Running, Start

CALLBACK = "https://gp/login/oidc/callback"
DEEP = "/console/machines?q=a%20b"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("issuer")


@pytest.fixture(scope="module")
def key() -> jwk.Key:
    return jwk.RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


@pytest.fixture
def issuer(folder: Path, key: jwk.Key) -> Iterator[RealIssuer]:
    with issuing(folder) as running:
        running.published.append(key)
        running.door.redirect_url = CALLBACK
        yield running


@dataclass
class Visit:
    """A browser before Groundplane and the issuer; `log` and `audit` are what the server wrote."""

    http: httpx2.AsyncClient
    issuer: RealIssuer
    running: Running
    log: io.StringIO
    audit: Path
    moment: list[float]
    fresh: Callable[[], httpx2.AsyncClient]

    async def begin(self, to: str = DEEP) -> httpx2.Response:
        return await self.http.get("/login/oidc", params={"to": to})

    async def decide(self, begun: httpx2.Response, decision: str = "allow") -> str:
        """Sign in at the issuer; returns where the browser is led then."""
        async with httpx2.AsyncClient(verify=ssl.create_default_context(cafile=str(self.issuer.ca))) as there:
            page = await there.get(begun.headers["location"])
            assert page.status_code == 200, begun.headers["location"]
            asked = dict(parse_qsl(urlsplit(begun.headers["location"]).query))
            form = {**asked, "user": "ada", "decision": decision}
            done = await there.post(f"{self.issuer.url}/authorize", data=form)
        location: str = done.headers["location"]
        assert location.startswith(f"{CALLBACK}?")
        return location

    async def sign_in(self, decision: str = "allow", to: str = DEEP) -> httpx2.Response:
        return await self.http.get(await self.decide(await self.begin(to), decision))


Open = Callable[..., AbstractAsyncContextManager[Visit]]


@pytest.fixture
def visiting(start: Start, tmp_path: Path, issuer: RealIssuer) -> Open:
    @asynccontextmanager
    async def run(**config: Any) -> AsyncIterator[Visit]:
        settings = OidcConfig(
            issuer_url=issuer.url, client_id="groundplane", ca_file=str(issuer.ca), redirect_url=CALLBACK,
            username_prefix="oidc:", groups_claim="groups", **config,
        )  # fmt: skip
        log, moment, file = io.StringIO(), [1_000_000.0], tmp_path / "audit.log"
        configure_logging(log)
        flow = code_flow(settings, oidc(settings))
        assert flow is not None
        flow.flows = Flows(clock=lambda: moment[0])
        users = Users(tmp_path / "users.json")
        check = PasswordCheck(users)
        audit = Audit(load_policy(None), AuditLog(RotatingFile(file, Rotation(MIB, 1, 1)), on_failure="continue"))
        async with start() as running, audit.log.writing():
            holders = Holders(users, running.tokens, flow.fingerprint)
            sessions = Sessions(tmp_path / "sessions.json", holders, Lifetimes(100, 1000), clock=lambda: moment[0])
            chain = Chain(Bearer(running.tokens), sessions)
            logins = Logins(check, sessions, oidc=flow)
            app = build(replace(running.server, authn=chain, logins=logins, audit=audit))

            def fresh() -> httpx2.AsyncClient:
                return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://gp")

            async with fresh() as http:
                yield Visit(http, issuer, running, log, file, moment, fresh)
        check.close()

    return run


def _led(answer: httpx2.Response) -> tuple[str, str]:
    """Return where the answer leads, and the reason that it gives."""
    assert answer.status_code == 302, answer.text
    to = urlsplit(answer.headers["location"])
    assert (to.scheme, to.netloc) == ("", "")
    query = dict(parse_qsl(to.query))
    reason = query.pop("sign-in", "")
    return f"{to.path}?{urlencode(query)}".rstrip("?"), reason


async def test_who_signs_in_at_the_issuer_has_a_session_with_name_and_groups(visiting: Open) -> None:
    async with visiting() as at:
        at.issuer.door.claims["groups"] = ["system:masters"]
        answer = await at.sign_in()
        assert answer.headers["location"] == DEEP
        cookies = answer.headers.get_list("set-cookie")
        (ours,) = [one for one in cookies if one.startswith(f"{COOKIE}=")]
        assert {part.strip() for part in ours.split(";")[1:]} == {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"}
        session = (await at.http.get("/session")).json()
        assert (session["user"], session["groups"]) == ("oidc:ada", ["system:masters", "system:authenticated"])
        assert (await at.http.get(f"{GROUP}/foundations")).status_code == 200
        assert FLOW_COOKIE not in at.http.cookies, "it is of no use any more"


async def test_the_issuer_is_asked_as_the_standards_want_it(visiting: Open) -> None:
    async with visiting() as at:
        begun, other = await at.begin(), await at.begin()
        assert begun.status_code == 302
        asked = [dict(parse_qsl(urlsplit(one.headers["location"]).query)) for one in (begun, other)]
        assert begun.headers["location"].startswith(f"{at.issuer.url}/authorize?tenant=one&")
        assert asked[0]["scope"] == "openid profile email"
        assert asked[0]["code_challenge_method"] == "S256"
        for name in ("state", "nonce", "code_challenge"):
            assert len(asked[0][name]) >= 43
            assert asked[0][name] != asked[1][name]
        cookie = begun.headers["set-cookie"]
        assert cookie.startswith(f"{FLOW_COOKIE}=")
        assert {part.strip() for part in cookie.split(";")[1:]} == {
            "Max-Age=600", "Path=/", "Secure", "HttpOnly", "SameSite=Lax",
        }  # fmt: skip
        assert asked[0]["state"] not in cookie


@pytest.mark.parametrize("way", ["client_secret_basic", "client_secret_post"])
async def test_a_client_with_a_secret_shows_it_as_the_issuer_takes_it(
    visiting: Open, tmp_path: Path, issuer: RealIssuer, way: str
) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cr%t+/ü:\n")
    file.chmod(0o600)
    issuer.door.secret = "s3cr%t+/ü:"
    issuer.door.says["token_endpoint_auth_methods_supported"] = [way]
    async with visiting(client_secret_file=str(file)) as at:
        assert _led(await at.sign_in()) == (_led_to(DEEP), "")
        (fields,) = issuer.door.fields
        assert ("client_secret" in fields) == (way == "client_secret_post")


def _led_to(to: str) -> str:
    path, _, query = to.partition("?")
    return f"{path}?{urlencode(parse_qsl(query))}".rstrip("?")


async def _in(at: Visit) -> bool:
    return (await at.http.get("/session")).status_code == 200


async def test_an_answer_with_another_state_lets_nobody_in(visiting: Open) -> None:
    async with visiting() as at:
        location = await at.decide(await at.begin())
        state = dict(parse_qsl(urlsplit(location).query))["state"]
        for wrong in ("", "x", "é", state[:-1]):
            answer = await at.http.get(location.replace(state, wrong))
            assert _led(answer) == (_led_to(DEEP), "state")
        assert _led(await at.http.get(f"{location}&state={state}"))[1] == "state", "it is there twice"
        assert not await _in(at)
        assert at.issuer.door.fields == [], "the code was not sent"
        assert _led(await at.http.get(location))[1] == "", "the right one still lets in"


async def test_an_answer_for_another_browser_lets_nobody_in(visiting: Open) -> None:
    async with visiting() as at:
        location = await at.decide(await at.begin())
        async with at.fresh() as victim:
            assert _led(await victim.get(location)) == ("/console/", "expired"), "a browser that began none"
            begun = await victim.get("/login/oidc", params={"to": "/console/clusters"})
            assert begun.status_code == 302
            assert _led(await victim.get(location)) == ("/console/clusters", "state")
            assert (await victim.get("/session")).status_code == 401
        assert at.issuer.door.fields == []


async def test_an_answer_is_good_once(visiting: Open) -> None:
    async with visiting() as at:
        begun = await at.begin()
        cookie = at.http.cookies[FLOW_COOKIE]
        location = await at.decide(begun)
        assert _led(await at.http.get(location))[1] == ""
        async with at.fresh() as thief:
            again = await thief.get(location, headers={"cookie": f"{FLOW_COOKIE}={cookie}"})
            assert _led(again)[1] == "state"
        assert len(at.issuer.door.fields) == 1, "the code was sent once"


async def test_a_code_that_is_used_or_of_another_sign_in_is_not_redeemed(visiting: Open) -> None:
    async with visiting() as at:
        first = dict(parse_qsl(urlsplit(await at.decide(await at.begin())).query))
        second = await at.decide(await at.begin())
        mine = dict(parse_qsl(urlsplit(second).query))
        injected = second.replace(mine["code"], first["code"])
        assert _led(await at.http.get(injected)) == (_led_to(DEEP), "exchange"), "PKCE binds a code to its sign-in"
        assert not await _in(at)


async def test_a_sign_in_ends_after_ten_minutes_and_with_a_cookie_that_was_changed(visiting: Open) -> None:
    async with visiting() as at:
        location = await at.decide(await at.begin())
        at.moment[0] += FLOW_SECONDS + 1
        assert _led(await at.http.get(location)) == ("/console/", "expired")
        await at.begin()
        for value in ("x", "", at.http.cookies[FLOW_COOKIE][:-2] + "xx", '"\x7f"'):
            async with at.fresh() as other:
                answer = await other.get(location, headers={"cookie": f"{FLOW_COOKIE}={value}"})
                assert _led(answer) == ("/console/", "expired")


@pytest.mark.parametrize(
    "to",
    [
        "https://evil", "//evil", "/\\evil", "/consolevil", "/", "", "console/", "/console/../api", "/console/.%2E/api",
        "/console/%2e%2e/api", "/console/..", "/console/\\evil", "/console/a b", "/console/\r\nset-cookie: x",
        "/console/é", "/console/#x", "/console/" + "x" * 2000, "javascript:alert(1)", "/console@evil",
    ],
)  # fmt: skip
async def test_a_sign_in_leads_nowhere_but_into_the_console(visiting: Open, to: str) -> None:
    async with visiting() as at:
        answer = await at.begin(to)
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
        assert FLOW_COOKIE not in at.http.cookies


@pytest.mark.parametrize("to", ["/console", "/console/", "/console?x=1", "/console/a/b?q=..&r=\\", "/console/a..b"])
def test_an_address_in_the_console_is_kept(to: str) -> None:
    assert local_place(to) == to


@pytest.mark.parametrize(
    ("says", "answer", "reason"),
    [
        ({}, {"error": "access_denied"}, "denied"),
        ({}, {"error": "server_error", "error_description": "x"}, "issuer"),
        ({}, {}, "issuer"),
        ({}, {"code": "x", "iss": "https://evil"}, "issuer"),
        ({"authorization_response_iss_parameter_supported": True}, {"code": "x"}, "issuer"),
        ({}, {"code": "x"}, "exchange"),
    ],
    ids=str,
)
async def test_what_the_issuer_answers_instead_of_a_good_code_is_told_by_a_word(
    visiting: Open, says: dict[str, Any], answer: dict[str, str], reason: str
) -> None:
    async with visiting() as at:
        at.issuer.door.says.update(says)
        asked = dict(parse_qsl(urlsplit((await at.begin()).headers["location"]).query))
        done = await at.http.get("/login/oidc/callback", params={**answer, "state": asked["state"]})
        assert _led(done) == (_led_to(DEEP), reason)
        assert not await _in(at)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"}, {"nonce": None}, {"nonce": 7}, {"aud": "other"}, {"exp": 1}, {"iss": "https://other"},
        {"aud": ["groundplane", "other"], "azp": "other"}, {"groups": 7},
    ],
    ids=str,
)  # fmt: skip
async def test_an_id_token_that_is_not_for_this_sign_in_lets_nobody_in(visiting: Open, claims: dict[str, Any]) -> None:
    async with visiting() as at:
        at.issuer.door.claims.update(claims)
        assert _led(await at.sign_in()) == (_led_to(DEEP), "token")
        assert not await _in(at)


async def test_a_token_with_a_forged_signature_lets_nobody_in(visiting: Open) -> None:
    async with visiting() as at:
        forged = at.issuer.key("one", publish=False)
        nonce = {}

        def answers(fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
            return 200, {"id_token": at.issuer.token(forged, nonce=nonce["is"])}

        at.issuer.door.answers = answers
        begun = await at.begin()
        nonce["is"] = dict(parse_qsl(urlsplit(begun.headers["location"]).query))["nonce"]
        assert _led(await at.http.get(await at.decide(begun)))[1] == "token"


@pytest.mark.parametrize(
    ("status", "document", "reason"),
    [
        (500, {}, "unreachable"),
        (429, {}, "unreachable"),
        (200, {}, "exchange"),
        (200, {"id_token": 7}, "exchange"),
        (400, {"error": {}}, "exchange"),
        (302, {}, "exchange"),
        (200, "<html>", "exchange"),
        (200, "[" * 100_000, "exchange"),
        (200, [], "exchange"),
        (200, {"id_token": "x" * 2_000_000}, "exchange"),
        (200, {"id_token": "x"}, "token"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_the_issuer_answers_for_a_code_may_be_anything(
    visiting: Open, status: int, document: Any, reason: str
) -> None:
    async with visiting() as at:
        at.issuer.door.answers = lambda _: (status, document)
        assert _led(await at.sign_in())[1] == reason


@pytest.mark.parametrize(
    "says",
    [
        {"authorization_endpoint": None},
        {"authorization_endpoint": "http://plain/authorize"},
        {"authorization_endpoint": "https://issuer:port/authorize"},
        {"token_endpoint": "file:///etc/passwd"},
        {"code_challenge_methods_supported": ["plain"]},
    ],
    ids=str,
)
async def test_an_issuer_that_cannot_do_it_is_not_used(visiting: Open, says: dict[str, Any]) -> None:
    async with visiting() as at:
        at.issuer.door.says.update(says)
        assert _led(await at.begin()) == (_led_to(DEEP), "issuer")
        assert "login refused" in at.log.getvalue()


async def test_an_issuer_that_is_away_is_told_and_the_page_is_kept(visiting: Open, issuer: RealIssuer) -> None:
    issuer.url = issuer.url.replace(issuer.url.rpartition(":")[2], "9")
    async with visiting() as at:
        assert _led(await at.begin()) == (_led_to(DEEP), "unreachable")
        assert at.log.getvalue().count("issuer cannot be asked") == 1


async def test_an_issuer_that_is_away_for_the_code_is_told_and_costs_nobody_a_wait(visiting: Open) -> None:
    async with visiting() as at:
        at.issuer.door.says["token_endpoint"] = "https://127.0.0.1:9/token"
        for _ in range(SOURCE.free + 3):
            assert _led(await at.sign_in())[1] == "unreachable"


async def test_the_token_endpoint_has_to_be_who_the_issuers_authority_says(
    visiting: Open, tmp_path: Path, issuer: RealIssuer
) -> None:
    with issuing(tmp_path / "other") as other:
        issuer.door.says["token_endpoint"] = f"{other.url}/token"
        async with visiting() as at:
            assert _led(await at.sign_in())[1] == "unreachable"
            assert other.door.fields == [], "the code went nowhere"


async def test_who_fails_often_has_to_wait(visiting: Open) -> None:
    async with visiting() as at:
        reasons = [_led(await at.http.get("/login/oidc/callback?state=x"))[1] for _ in range(SOURCE.free + 2)]
        assert reasons == ["expired"] * (SOURCE.free + 1) + ["wait"]
        assert _led(await at.begin()) == (_led_to(DEEP), "wait")


async def test_no_secret_is_in_a_log_or_an_address(visiting: Open, tmp_path: Path, issuer: RealIssuer) -> None:
    file = tmp_path / "secret"
    file.write_text("very-secret/1")
    file.chmod(0o600)
    issuer.door.secret = "very-secret/1"
    async with visiting(client_secret_file=str(file)) as at:
        good = await at.sign_in()
        location = await at.decide(await at.begin())
        code = dict(parse_qsl(urlsplit(location).query))["code"]
        # An issuer that repeats in its error what it was sent.
        at.issuer.door.codes.clear()
        bad = await at.http.get(location)
        issuer.door.answers = lambda fields: (400, {"error": "very-secret/1", "error_description": "very-secret%2F1"})
        worse = await at.sign_in()
        assert (_led(bad)[1], _led(worse)[1]) == ("exchange", "exchange")
        secrets = [code, "very-secret", *issuer.door.tokens, *at.http.cookies.values()]
        for fields in issuer.door.fields:
            secrets += [fields["code_verifier"], fields["code"]]
    audit = at.audit.read_text()
    assert '"requestURI":"/login/oidc/callback"' in audit
    assert '"groundplane.dev/login":"oidc:ada"' in audit
    said = at.log.getvalue()
    assert said.count("login refused") == 2
    assert "no good" in said, "the issuer's own words are there"
    kept = (tmp_path / "sessions.json").read_text()
    for secret in secrets:
        for text in (audit, said, kept, *(one.headers["location"] for one in (good, bad, worse))):
            assert secret not in text


async def test_a_session_outlives_the_id_token_and_ends_when_it_is_idle(visiting: Open) -> None:
    async with visiting() as at:
        assert _led(await at.sign_in())[1] == ""
        for _ in range(10):
            assert await _in(at)
            at.moment[0] += 99
        at.moment[0] += 10
        assert not await _in(at), "its life is over"


async def test_a_session_survives_a_restart_but_not_other_settings_for_the_issuer(visiting: Open) -> None:
    async with visiting() as at:
        assert _led(await at.sign_in())[1] == ""
        cookie = {"cookie": f"{COOKIE}={at.http.cookies[COOKIE]}"}
    async with visiting() as again:
        assert (await again.http.get("/session", headers=cookie)).json()["user"] == "oidc:ada"
    async with visiting(groups_prefix="oidc:") as other:
        assert (await other.http.get("/session", headers=cookie)).status_code == 401


async def test_the_page_is_told_by_what_one_can_sign_in(visiting: Open) -> None:
    async with visiting(display_name="Example SSO") as at:
        oidc_way = {"name": "Example SSO", "url": "https://gp/login/oidc"}
        assert (await at.http.get("/login")).json() == {"ways": ["password", "token", "oidc"], "oidc": oidc_way}
    async with visiting() as at:
        assert (await at.http.get("/login")).json()["oidc"]["name"] == urlsplit(at.issuer.url).netloc


async def test_without_a_redirect_url_there_is_no_sign_in(start: Start, tmp_path: Path) -> None:
    users = Users(tmp_path / "users.json")
    check = PasswordCheck(users)
    async with start() as running:
        sessions = Sessions(tmp_path / "sessions.json", Holders(users, running.tokens), Lifetimes())
        server = replace(running.server, logins=Logins(check, sessions))
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(build(server)), base_url="https://gp") as http:
            assert (await http.get("/login")).json() == {"ways": ["password", "token"]}
            for path in ("/login/oidc", "/login/oidc/callback?state=x"):
                assert (await http.get(path)).status_code == 404
    check.close()


def test_flows_that_were_used_are_forgotten_when_they_are_over() -> None:
    moment = [0.0]
    flows = Flows(clock=lambda: moment[0])
    for _ in range(3):
        flow, _ = flows.begin("/console/")
        flows.use(flow, flow.state)
    moment[0] += FLOW_SECONDS
    last, _ = flows.begin("/console/")
    flows.use(last, last.state)
    assert list(flows._used) == [last.state]
    with pytest.raises(SignInFailed):
        flows.use(last, last.state)


def _flow(**config: Any) -> None:
    settings = OidcConfig(issuer_url="https://issuer", client_id="groundplane", **config)
    code_flow(settings, Oidc(settings, Issuer("https://issuer", ssl.create_default_context())))


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"client_secret_file": "/etc/secret"}, "oidc.clientSecretFile"),
        ({"scopes": ("openid",)}, "oidc.scopes"),
        ({"display_name": "x"}, "oidc.displayName"),
        ({"redirect_url": "http://gp/login/oidc/callback"}, "oidc.redirectUrl"),
        ({"redirect_url": "https://gp/"}, "oidc.redirectUrl"),
        ({"redirect_url": "https:///login/oidc/callback"}, "oidc.redirectUrl"),
        ({"redirect_url": f"{CALLBACK}?x=1"}, "oidc.redirectUrl"),
        ({"redirect_url": f"{CALLBACK}#x"}, "oidc.redirectUrl"),
        ({"redirect_url": "https://gp:x/login/oidc/callback"}, "oidc.redirectUrl"),
        ({"redirect_url": "https://me@gp/login/oidc/callback"}, "oidc.redirectUrl"),
        ({"redirect_url": CALLBACK, "scopes": ("email",)}, "oidc.scopes"),
        ({"redirect_url": CALLBACK, "scopes": ("openid", "a b")}, "oidc.scopes"),
        ({"redirect_url": CALLBACK, "client_secret_file": "/no/such"}, "oidc.clientSecretFile"),
    ],
    ids=str,
)
def test_settings_that_are_half_there_are_refused_by_name(config: dict[str, Any], what: str) -> None:
    with pytest.raises(OidcRefused, match=what):
        _flow(**config)


@pytest.mark.parametrize(("content", "mode"), [("", 0o600), ("\n", 0o600), (b"\xff", 0o600), ("x", 0o644)], ids=str)
def test_a_secret_that_is_none_or_is_open_to_others_is_refused(tmp_path: Path, content: str | bytes, mode: int) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(mode)
    with pytest.raises((OidcRefused, FileOpenToOthers), match=str(file)):
        _flow(redirect_url=CALLBACK, client_secret_file=str(file))
