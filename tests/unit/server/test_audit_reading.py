"""The audit log read from its end: newest first, chosen, a bounded part at a time, over files that are turned over."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundplane.server.app import build
from groundplane.server.audit import reading
from groundplane.server.audit.log import AuditLog, RotatingFile, Rotation
from groundplane.server.audit.middleware import Audit
from groundplane.server.audit.policy import load_policy
from groundplane.server.audit.reading import Found, Position, PositionGone, Wanted, newest

from .access import binding, caller, role, rule, user, write
from .conftest import FOUNDATION, GROUP, Running, Start

EVENTS = "/apis/access.groundplane.dev/v1alpha1/auditevents"
OURS = "access.groundplane.dev"
BEGIN = datetime(2026, 11, 20, 10, tzinfo=UTC)


def line(number: int, **more: Any) -> bytes:
    """An event of the `number`th minute."""
    moment = (BEGIN + timedelta(minutes=number)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    event = {"kind": "Event", "auditID": str(number), "stageTimestamp": moment, **more}
    return json.dumps(event).encode() + b"\n"


def wanted(limit: int = 1000, **more: Any) -> Wanted:
    return Wanted(limit, lambda position, event: True, **more)


def ids(found: Found) -> list[int]:
    return [int(event["auditID"]) for _, event in found.events]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the size of every read of a file."""
    sizes: list[int] = []
    real = os.pread

    def pread(handle: int, size: int, at: int) -> bytes:
        sizes.append(size)
        return real(handle, size, at)

    monkeypatch.setattr(os, "pread", pread)
    return sizes


def pages(path: Path, limit: int) -> list[int]:
    """Read all in pages."""
    seen: list[int] = []
    before: Position | None = None
    while True:
        found = newest(path, wanted(limit), before)
        assert len(found.events) <= limit
        seen += ids(found)
        if found.after is None:
            return seen
        before = found.after


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 200), max_size=12), st.integers(1, 300), st.integers(1, 5), st.integers(0, 4))
def test_every_line_is_read_once_and_the_newest_first_wherever_blocks_pages_and_files_end(
    tmp_path: Path, sizes: list[int], block: int, limit: int, turned: int
) -> None:
    path = tmp_path / "audit.log"
    for old in tmp_path.iterdir():
        old.unlink()
    lines = [line(number, pad="é" * size) for number, size in enumerate(sizes)]
    # The first files are empty when there are few lines: a file can be.
    for file in range(turned):
        part = lines[file * len(lines) // (turned + 1) : (file + 1) * len(lines) // (turned + 1)]
        path.with_name(f"audit-2026-01-0{file + 1}T00-00-00.000000.log").write_bytes(b"".join(part))
    path.write_bytes(b"".join(lines[turned * len(lines) // (turned + 1) :]) + b'{"not": "whole')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_BLOCK", block)
        assert pages(path, limit) == list(reversed(range(len(lines))))


def test_without_a_log_there_are_no_events(path: Path, tmp_path: Path) -> None:
    assert newest(path, wanted()) == Found()
    assert newest(tmp_path / "none" / "audit.log", wanted()) == Found()


def test_a_page_goes_on_where_it_was_when_the_file_is_turned_over_meanwhile(path: Path) -> None:
    file = RotatingFile(path, Rotation(bytes=400))
    for number in range(4):
        file.write(line(number))
    first = newest(path, wanted(2))
    assert ids(first) == [3, 2]
    for number in range(4, 12):
        file.write(line(number))
    file.close()
    assert len(list(path.parent.iterdir())) > 2
    rest = newest(path, wanted(), first.after)
    assert (ids(rest), rest.after) == ([1, 0], None)
    assert pages(path, 3) == list(reversed(range(12)))


def test_a_file_that_is_turned_over_twice_while_it_is_read_is_read_once_and_nothing_newer_after_it(path: Path) -> None:
    file = RotatingFile(path, Rotation(bytes=300))
    for number in range(4):
        file.write(line(number))
    before = len(list(path.parent.iterdir()))
    assert before > 1

    def meanwhile(position: Position, event: dict[str, Any]) -> bool:
        if event["auditID"] == "3":
            for number in range(4, 10):
                file.write(line(number))
        return True

    assert ids(newest(path, Wanted(1000, meanwhile))) == [3, 2, 1, 0]
    assert len(list(path.parent.iterdir())) > before + 1
    file.close()


def test_what_is_not_kept_any_more_is_told_and_not_taken_for_the_end(path: Path) -> None:
    path.write_bytes(line(0) + line(1))
    found = newest(path, wanted(1))
    path.rename(path.with_name("elsewhere"))
    path.write_bytes(line(2))
    with pytest.raises(PositionGone):
        newest(path, wanted(1), found.after)


def test_one_call_reads_a_bounded_part_and_says_where_to_go_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"".join(line(number, pad="x" * 1000) for number in range(100)))
    read = counted(monkeypatch)
    monkeypatch.setattr(reading, "_BLOCK", 4096)
    monkeypatch.setattr(reading, "MOST_READ", 20_000)
    never = Wanted(10, lambda position, event: event["auditID"] == "3")
    found = newest(path, never)
    assert (found.events, found.after is not None) == ([], True)
    assert sum(read) < 40_000
    calls = 1
    while not found.events:
        found, calls = newest(path, never, found.after), calls + 1
    assert (ids(found), calls) == ([3], 6)


def test_one_call_keeps_a_bounded_part_of_what_it_reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"".join(line(number, pad="x" * 1000) for number in range(20)))
    monkeypatch.setattr(reading, "MOST_KEPT", 5000)
    assert ids(newest(path, wanted())) == [19, 18, 17, 16, 15]
    assert pages(path, 100) == list(reversed(range(20)))


def test_lines_that_are_no_events_are_counted_and_an_endless_one_is_not_held(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = (
        b"nonsense\n",
        b"[1]\n",
        b'"text"\n',
        b'{"kind": "Event"}\n',
        b'{"stageTimestamp": 1}\n',
        b"\xff\n",
        b"\n",
    )
    other = line(7, kind="Other")
    path.write_bytes(b"".join([line(0), *strange, other, b"x" * 5000 + b"\n", line(1)]))
    monkeypatch.setattr(reading, "_BLOCK", 64)
    monkeypatch.setattr(reading, "_MOST_OF_LINE", 1000)
    found = newest(path, wanted())
    assert (ids(found), found.unread) == ([1, 0], 8)


def test_events_of_a_time_are_chosen_and_what_is_older_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"".join(line(number) for number in range(600)))
    since, until = BEGIN + timedelta(minutes=590), BEGIN + timedelta(minutes=592)
    monkeypatch.setattr(reading, "_BLOCK", 1024)
    read = counted(monkeypatch)
    found = newest(path, wanted(since=since, until=until))
    assert (ids(found), found.after) == ([592, 591, 590], None)
    assert sum(read) < 4096 < path.stat().st_size
    # A clock that was set back a little hides nothing.
    path.write_bytes(path.read_bytes() + line(585) + line(600))
    assert ids(newest(path, wanted(since=since))) == [600, *range(599, 589, -1)]


@pytest.mark.parametrize("text", ["", "-", "1", "1-", "-1", "a-b", "1-2-3", "²-1"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a position"):
        Position.parse(text)


@dataclass
class Audited:
    running: Running
    http: httpx2.AsyncClient
    log: AuditLog
    path: Path

    async def events(self, query: str = "", http: httpx2.AsyncClient | None = None) -> list[dict[str, Any]]:
        answer = await (http or self.http).get(f"{EVENTS}?{query}")
        assert answer.status_code == 200, answer.text
        return [item["event"] for item in answer.json()["items"]]


Open = Callable[[], AbstractAsyncContextManager[Audited]]


@pytest.fixture
def audited(start: Start, path: Path) -> Open:
    """Give a server whose log holds six requests of two users; what it writes itself goes elsewhere."""

    @asynccontextmanager
    async def run() -> AsyncIterator[Audited]:
        log = AuditLog(RotatingFile(path, Rotation()), on_failure="continue")
        async with start() as running:
            running.server = replace(running.server, audit=Audit(load_policy(None), log))
            transport = httpx2.ASGITransport(build(running.server))
            async with httpx2.AsyncClient(transport=transport, base_url="https://gp", headers=running.bearer) as http:
                async with log.writing(), caller(running, "jane") as jane:
                    await http.post(f"{GROUP}/foundations", json=FOUNDATION)
                    await http.post(f"{GROUP}/foundations", json=FOUNDATION)
                    await http.get(f"{GROUP}/foundations/f")
                    await http.delete(f"{GROUP}/foundations/f")
                    await jane.get("/api/v1/namespaces/default/secrets")
                    await jane.get(f"{GROUP}/machines", headers={"audit-id": "<b>'\",=\\"})
                yield Audited(running, http, log, path)

    return run


async def test_the_newest_events_come_first_and_are_chosen_by_field(audited: Open) -> None:
    async with audited() as at:
        everything = await at.events()
        told = [(event["user"]["username"], event["verb"], event["responseStatus"]["code"]) for event in everything]
        assert told == [
            ("jane", "list", 403), ("jane", "list", 403), ("admin", "delete", 200), ("admin", "get", 200),
            ("admin", "create", 409), ("admin", "create", 201),
        ]  # fmt: skip
        assert everything[-1]["requestObject"] == FOUNDATION
        for selector, count in (
            ("event.user.username=jane", 2),
            ("event.user.username!=jane", 4),
            ("event.verb=create", 2),
            ("event.objectRef.resource=secrets,event.user.username=jane", 1),
            ("event.responseStatus.code=409", 1),
            ("event.objectRef.name=f,event.verb=get", 1),
            ("event.auditID=<b>'\"\\,\\=\\\\", 1),
            ("event.user.username=nobody", 0),
        ):
            assert len(await at.events(str(httpx2.QueryParams(fieldSelector=selector)))) == count, selector
        assert await at.events("untilTime=2026-01-01T00:00:00Z") == []
        assert len(await at.events("sinceTime=2026-01-01T00:00:00Z")) == 6


async def test_pages_follow_one_another(audited: Open) -> None:
    async with audited() as at:
        seen, token = [], ""
        while True:
            answer = (await at.http.get(EVENTS, params={"limit": 4, "continue": token})).json()
            seen.append([item["event"]["verb"] for item in answer["items"]])
            token = answer["metadata"].get("continue", "")
            if not token:
                break
        assert seen == [["list", "list", "delete", "get"], ["create", "create"]]
        names = [item["metadata"]["name"] for item in (await at.http.get(EVENTS)).json()["items"]]
        assert len(set(names)) == 6


async def test_the_log_is_read_by_who_has_the_right_to_it_and_nobody_else(audited: Open) -> None:
    async with audited() as at, caller(at.running, "jane") as jane, caller(at.running, "vic") as vic:
        await write(at.running.http, "ClusterRoleBinding", binding("vic", "admin", user("vic")))
        await write(at.running.http, "ClusterRole", role("auditor", rule("list", "auditevents", OURS)))
        await write(at.running.http, "ClusterRoleBinding", binding("jane", "auditor", user("jane")))
        assert len(await at.events(http=jane)) == 6
        assert (await vic.get(EVENTS)).status_code == 403
        assert (await jane.get(f"/apis/{OURS}/v1alpha1/users")).status_code == 403


async def test_kubectl_prints_them_as_a_table(audited: Open) -> None:
    async with audited() as at:
        accept = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        table = (await at.http.get(f"{EVENTS}?limit=1", headers=accept)).json()
        assert [column["name"] for column in table["columnDefinitions"]] == [
            "Time", "User", "Verb", "Resource", "Namespace", "Object", "Code",
        ]  # fmt: skip
        assert table["rows"][0]["cells"][1:] == ["jane", "list", "machines", "default", "", "403"]
        assert table["metadata"]["continue"]


@pytest.mark.parametrize(
    ("query", "code", "text"),
    [
        ("continue=nonsense", 400, "it was not made by this server"),
        ("continue=1-1", 410, "is not kept any more"),
        ("sinceTime=yesterday", 400, "sinceTime: Invalid value"),
        ("untilTime=2026-01-01T00:00:00", 400, "untilTime: Invalid value"),
        ("limit=x", 400, "strconv.ParseInt"),
        ("fieldSelector=event.user%3Dx", 400, "field label not supported: event.user"),
    ],
)
async def test_what_cannot_be_answered_is_said(audited: Open, query: str, code: int, text: str) -> None:
    async with audited() as at:
        answer = await at.http.get(f"{EVENTS}?{query}")
        assert (answer.status_code, text in answer.json()["message"]) == (code, True), answer.text


async def test_lines_of_others_are_told_by_a_warning_and_a_log_that_is_off_by_404(audited: Open) -> None:
    async with audited() as at:
        with at.path.open("ab") as file:
            file.write(b"somebody else was here\n")
        answer = await at.http.get(EVENTS)
        assert answer.headers["warning"] == '299 - "lines of the audit log that are no events: 1"'
        assert len(answer.json()["items"]) == 6
    async with audited() as at:
        at.running.server = replace(at.running.server, audit=None)
        async with at.running.anonymous() as http:
            http.headers.update(at.running.bearer)
            refused = await http.get(EVENTS)
        assert (refused.status_code, "audit.enabled" in refused.json()["message"]) == (404, True)
