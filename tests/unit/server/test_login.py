"""Password users and their sessions: who gets in, for how long, and who has to wait."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import argon2
import httpx2
import pytest

from groundplane.server.app import build
from groundplane.server.authn import passwords
from groundplane.server.authn.backoff import NAME, SOURCE, Backoff, Patience, source_of
from groundplane.server.authn.bearer import Bearer
from groundplane.server.authn.chain import Chain
from groundplane.server.authn.passwords import PasswordCheck, TooBusy, UserProblem, Users
from groundplane.server.authn.sessions import COOKIE, Holders, Lifetimes, Sessions
from groundplane.server.login import Logins

from .conftest import FOUNDATION, GROUP, Running, Start

PASSWORD = "correct horse"
CSRF = {"x-groundplane-csrf": "1"}
FOUNDATIONS = f"{GROUP}/foundations"


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real argon2id at its least cost; tests/kubectl logs in at the real one."""
    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", hasher)
    monkeypatch.setattr(passwords, "_NOBODY", hasher.hash("nobody's password"))


@dataclass
class Console:
    """A browser before a server with one user, ada; `moment` is the sessions' clock."""

    http: httpx2.AsyncClient
    users: Users
    moment: list[float]
    running: Running

    async def login(self, password: str = PASSWORD, user: str = "ada") -> httpx2.Response:
        return await self.http.post("/login", json={"user": user, "password": password}, headers=CSRF)


Open = Callable[[], AbstractAsyncContextManager[Console]]


@pytest.fixture
def console(start: Start, tmp_path: Path) -> Open:
    @asynccontextmanager
    async def run() -> AsyncIterator[Console]:
        users, moment = Users(tmp_path / "users.json"), [1_000_000.0]
        if users.find("ada") is None:
            users.add("ada", ("system:masters",), PASSWORD)
        check = PasswordCheck(users)
        async with start() as running:
            holders = Holders(users, running.tokens)
            sessions = Sessions(tmp_path / "sessions.json", holders, Lifetimes(100, 1000), clock=lambda: moment[0])
            chain = Chain(Bearer(running.tokens), sessions)
            names, sources = (Backoff(patience, clock=lambda: 0.0) for patience in (NAME, SOURCE))
            server = replace(running.server, authn=chain, logins=Logins(check, sessions, names, sources))
            transport = httpx2.ASGITransport(build(server))
            async with httpx2.AsyncClient(transport=transport, base_url="https://gp") as http:
                yield Console(http, users, moment, running)
        check.close()

    return run


async def test_a_right_password_opens_a_session_that_scripts_cannot_read(console: Open, tmp_path: Path) -> None:
    async with console() as at:
        answer = await at.login()
        assert (answer.status_code, answer.json()["user"]) == (200, "ada")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        assert {part.strip() for part in cookie.split(";")[1:]} == {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"}
        assert (await at.http.get(FOUNDATIONS)).status_code == 200
        assert (await at.http.get("/session")).json()["user"] == "ada"
        token = answer.cookies[COOKIE]
        for name in ("sessions.json", "users.json"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
            assert token not in (tmp_path / name).read_text()
            assert PASSWORD not in (tmp_path / name).read_text()


async def test_a_token_opens_a_session_that_ends_with_it(console: Open, tmp_path: Path) -> None:
    async with console() as at:
        token = at.running.tokens.issue_token("tom", ("system:masters",), timedelta(hours=1))
        answer = await at.http.post("/login", json={"token": token}, headers=CSRF)
        assert (answer.status_code, answer.json()) == (200, {"user": "tom", "groups": ["system:masters"]})
        assert token not in (tmp_path / "sessions.json").read_text()
        assert token not in answer.headers["set-cookie"]
        assert (await at.http.get(FOUNDATIONS)).status_code == 200
        async with console() as again:
            again.http.cookies = at.http.cookies
            assert (await again.http.get("/session")).json()["user"] == "tom", "sessions survive a restart"
        (found,) = [record for record in at.running.tokens.records() if record.user == "tom"]
        at.running.tokens.revoke(found.id)
        assert (await at.http.get(FOUNDATIONS)).status_code == 401


async def test_who_guesses_tokens_has_to_wait(console: Open) -> None:
    async with console() as at:
        codes = [
            (await at.http.post("/login", json={"token": f"guess {number}"}, headers=CSRF)).status_code
            for number in range(22)
        ]
        assert codes == [401] * 21 + [429]
        assert (await at.http.post("/login", json={"token": "x"})).status_code == 403, "no header: another site's page"


async def test_a_wrong_password_and_an_unknown_user_are_one_answer(console: Open) -> None:
    async with console() as at:
        wrong, unknown = await at.login("wrong password"), await at.login(user="eve")
        assert wrong.status_code == unknown.status_code == 401
        assert wrong.json() == unknown.json()
        assert (await at.http.get(FOUNDATIONS)).status_code == 401


async def test_a_write_with_a_session_needs_the_header_and_our_origin(console: Open) -> None:
    async with console() as at:
        await at.login()
        for headers, code in (
            ({}, 403),
            ({**CSRF, "origin": "https://evil"}, 403),
            ({**CSRF, "origin": "https://gp"}, 201),
        ):
            answer = await at.http.post(FOUNDATIONS, json=FOUNDATION, headers=headers)
            assert (answer.status_code, answer.json()["kind"]) == (code, "Status" if code == 403 else "Foundation")
        # A token is not sent by a browser on its own.
        assert (await at.http.delete(f"{FOUNDATIONS}/f", headers=at.running.bearer)).status_code == 200
        assert (await at.http.post("/login", json={"user": "ada", "password": PASSWORD})).status_code == 403


async def test_logout_ends_the_session_for_the_server_too(console: Open) -> None:
    async with console() as at:
        cookie = (await at.login()).cookies[COOKIE]
        assert (await at.http.post("/logout")).status_code == 403
        assert (await at.http.post("/logout", headers=CSRF)).status_code == 200
        assert COOKIE not in at.http.cookies
        assert (await at.http.get("/session", headers={"cookie": f"{COOKIE}={cookie}"})).status_code == 401


async def test_a_session_ends_when_it_is_idle_and_after_its_life(console: Open) -> None:
    async with console() as at:
        await at.login()
        for _ in range(10):
            assert (await at.http.get("/session")).status_code == 200
            at.moment[0] += 99
        at.moment[0] += 10
        assert (await at.http.get("/session")).status_code == 401, "its life is over"
        await at.login()
        at.moment[0] += 100
        assert (await at.http.get("/session")).status_code == 401, "it was idle"


@pytest.mark.parametrize("change", ["password", "removed"])
async def test_sessions_end_with_the_password_and_the_user(console: Open, change: str) -> None:
    async with console() as at:
        await at.login()
        assert (await at.http.get("/session")).status_code == 200
        if change == "password":
            at.users.change_password("ada", "another one")
        else:
            at.users.remove("ada")
        assert (await at.http.get("/session")).status_code == 401


async def test_sessions_survive_a_restart(console: Open) -> None:
    async with console() as at:
        cookie = (await at.login()).cookies[COOKIE]
    async with console() as again:
        assert (await again.http.get("/session", headers={"cookie": f"{COOKIE}={cookie}"})).status_code == 200


async def test_who_fails_often_has_to_wait_even_with_the_right_password(console: Open) -> None:
    async with console() as at:
        codes = [(await at.login("wrong password")).status_code for _ in range(NAME.free + 1)]
        assert codes == [401] * (NAME.free + 1)
        answer = await at.login()
        assert (answer.status_code, answer.json()["reason"]) == (429, "TooManyRequests")
        assert int(answer.headers["retry-after"]) >= 1


async def test_attempts_at_the_same_moment_do_not_slip_through(console: Open) -> None:
    async with console() as at:
        answers = await asyncio.gather(*(at.login("wrong password") for _ in range(3 * NAME.free)))
        assert sum(answer.status_code == 401 for answer in answers) == NAME.free + 1


@pytest.mark.parametrize(
    ("content", "code"), [(b"{", 400), (b"{}", 400), (b'{"user":"a","password":7}', 400), (b"[]", 400)]
)
async def test_a_malformed_login_is_answered_with_a_status(console: Open, content: bytes, code: int) -> None:
    async with console() as at:
        headers = {**CSRF, "content-type": "application/json"}
        assert (await at.http.post("/login", content=content, headers=headers)).status_code == code
        assert (
            await at.http.post("/login", content=content, headers=CSRF | {"content-type": "text/plain"})
        ).status_code == 415


@pytest.mark.parametrize("cookie", [f"{COOKIE}=x", f"{COOKIE}", "a=b; ; =", f'{COOKIE}="\x7f"'])
async def test_a_cookie_that_is_no_session_is_nobody(console: Open, cookie: str) -> None:
    async with console() as at:
        assert (await at.http.get("/livez", headers={"cookie": cookie})).status_code == 200
        assert (await at.http.get("/session", headers={"cookie": cookie})).status_code == 401


async def test_no_more_passwords_are_checked_at_a_time_than_allowed(tmp_path: Path) -> None:
    check = PasswordCheck(Users(tmp_path / "users.json"), waiting=1)
    asked = [asyncio.ensure_future(check.verify("eve", "x" * 10)) for _ in range(passwords.AT_A_TIME + 3)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, TooBusy) for one in found) == 2
    check.close()


def test_names_and_passwords_are_checked(tmp_path: Path) -> None:
    users = Users(tmp_path / "users.json")
    for name, password in (
        ("", PASSWORD),
        ("system:x", PASSWORD),
        ("a b", PASSWORD),
        ("ada", "short"),
        ("ada", "x" * 2000),
    ):
        with pytest.raises(UserProblem):
            users.add(name, (), password)
    users.add("ada", ("g",), PASSWORD)
    with pytest.raises(UserProblem, match="there is one"):
        users.add("ada", (), PASSWORD)
    with pytest.raises(UserProblem, match="there is none"):
        users.remove("bob")
    assert [(one.name, one.groups) for one in Users(tmp_path / "users.json").list()] == [("ada", ("g",))]
    assert users.list()[0].hash.startswith("$argon2id$")


def test_waits_double_to_their_end_and_are_forgotten() -> None:
    now = [0.0]
    back = Backoff(Patience(free=2, first=1, longest=10), most=3, clock=lambda: now[0])
    waits = []
    for _ in range(8):
        back.charge("a")
        waits.append(back.wait("a"))
    assert waits == [0, 0, 1, 2, 4, 8, 10, 10]
    now[0] += 31
    assert back.wait("a") == 0
    back.charge("a")
    assert back.wait("a") == 0, "it begins anew"
    for number in range(1000):
        back.charge(str(number))
    assert len(back._counts) == 3


def test_a_refund_takes_back_one_charge_only() -> None:
    back = Backoff(Patience(free=1, first=1, longest=10), clock=lambda: 0.0)
    for _ in range(3):
        back.charge("a")
    back.refund("a")
    back.charge("a")
    assert back.wait("a") == 2


@pytest.mark.parametrize(
    ("address", "source"),
    [("10.0.0.1", "10.0.0.1"), ("2001:db8::1", "2001:db8::/64"), ("2001:db8::ffff:1", "2001:db8::/64"), ("", "")],
)
def test_a_source_is_an_address_or_the_network_of_one_customer(address: str, source: str) -> None:
    assert source_of(address) == source
