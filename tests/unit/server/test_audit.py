"""The audit log: what is recorded of whom, what never is, and what happens when the disk does not take it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec import structs

from groundplane.server.app import build
from groundplane.server.audit.log import AuditLog, RotatingFile, Rotation
from groundplane.server.audit.middleware import Audit
from groundplane.server.audit.policy import Level, PolicyRefused, load_policy
from groundplane.server.requestinfo import RequestInfo, request_info
from groundplane.server.service import User

from .conftest import FOUNDATION, GROUP, SECRET, Running, Start

FOUNDATIONS = f"{GROUP}/foundations"
SECRETS = "/api/v1/namespaces/default/secrets"
ALL = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse}]\n"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Audited:
    """A server with an audit log. `events` ends the log and reads it."""

    running: Running
    http: httpx2.AsyncClient
    log: AuditLog


Audit_ = Callable[..., AbstractAsyncContextManager[Audited]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit" / "audit.log"


@pytest.fixture
def audited(start: Start, tmp_path: Path, file: Path) -> Audit_:
    @asynccontextmanager
    async def run(policy: str = "", **log: Any) -> AsyncIterator[Audited]:
        path = tmp_path / "policy.yaml"
        path.write_text(policy)
        made = AuditLog(RotatingFile(file, Rotation()), **{"on_failure": "continue", **log})
        async with start() as running, made.writing():
            server = replace(running.server, audit=Audit(load_policy(path if policy else None), made))
            transport = httpx2.ASGITransport(build(server))
            async with httpx2.AsyncClient(transport=transport, base_url="https://gp", headers=running.bearer) as http:
                yield Audited(running, http, made)

    return run


def _events(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


async def test_a_request_is_recorded_as_kubernetes_does(audited: Audit_, file: Path) -> None:
    async with audited(ALL) as at:
        answer = await at.http.post(
            FOUNDATIONS,
            json=FOUNDATION,
            headers={"audit-id": "abc", "user-agent": "t/1", "x-forwarded-for": "10.0.0.9"},
        )
        assert answer.headers["audit-id"] == "abc"
    received, complete = _events(file)
    assert received["stage"] == "RequestReceived"
    assert "responseStatus" not in received
    assert {key: complete[key] for key in complete if not key.endswith("Timestamp")} == {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": "abc",
        "stage": "ResponseComplete",
        "requestURI": FOUNDATIONS,
        "verb": "create",
        "user": {"username": "admin", "groups": ["system:masters", "system:authenticated"]},
        "sourceIPs": ["10.0.0.9", "127.0.0.1"],
        "userAgent": "t/1",
        "objectRef": {
            "resource": "foundations",
            "namespace": "default",
            "name": "f",
            "apiGroup": "groundplane.dev",
            "apiVersion": "v1alpha1",
        },
        "responseStatus": {"metadata": {}, "code": 201},
        "requestObject": FOUNDATION,
        "responseObject": answer.json(),
        "annotations": complete["annotations"],
    }
    assert complete["annotations"]["authorization.k8s.io/decision"] == "allow"
    assert complete["requestReceivedTimestamp"] <= complete["stageTimestamp"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_nothing_of_a_secret_is_recorded_whatever_the_policy_says(audited: Audit_, file: Path) -> None:
    text = "never-in-the-log"
    coded = base64.b64encode(text.encode()).decode()
    async with audited(ALL) as at:
        for name, data in (("a", {"data": {"k": coded}}), ("b", {"stringData": {"k": text}})):
            body = {**SECRET, "metadata": {"name": name}, "data": {}, **data}
            assert (await at.http.post(SECRETS, json=body)).status_code == 201
        await at.http.get(f"{SECRETS}/a")
        await at.http.get(SECRETS)
        merge = {"content-type": "application/merge-patch+json"}
        await at.http.patch(f"{SECRETS}/a", content=json.dumps({"stringData": {"z": text}}), headers=merge)
        await at.http.delete(SECRETS)
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": text}}
        await at.http.post("/apis/authentication.k8s.io/v1/tokenreviews", json=review)
        await at.http.post("/login", json={"user": "ada", "password": text})
        bearer = at.running.bearer["authorization"].removeprefix("Bearer ")
    written = file.read_text()
    assert len(_events(file)) >= 16
    assert {event["level"] for event in _events(file)} == {"Metadata"}
    assert not [word for word in (text, coded, bearer) if word in written]


async def test_refused_credentials_are_recorded_without_a_user(audited: Audit_, file: Path) -> None:
    async with audited(ALL) as at:
        answer = await at.http.get(FOUNDATIONS, headers={"authorization": "Bearer wrong"})
        assert answer.status_code == 401
    (event,) = _events(file)
    assert (event["stage"], event["user"]) == ("ResponseStarted", {})
    assert event["responseStatus"]["code"] == 401
    assert event["responseStatus"]["message"] == "Authentication failed, attempted: bearer"
    assert event["auditID"] == answer.headers["audit-id"]


async def test_who_acts_as_another_is_recorded_as_both(audited: Audit_, file: Path) -> None:
    async with audited() as at:
        headers = {"impersonate-user": "bob", "impersonate-group": "team-b"}
        assert (await at.http.get(FOUNDATIONS, headers=headers)).status_code == 403
    (event,) = _events(file)
    assert event["user"]["username"] == "admin"
    assert event["impersonatedUser"]["username"] == "bob"
    assert "team-b" in event["impersonatedUser"]["groups"]


async def test_an_error_is_recorded_with_its_reason(audited: Audit_, file: Path) -> None:
    async with audited() as at:
        await at.http.get(f"{FOUNDATIONS}/none")
        who = at.running.tokens.issue_token("nobody", (), timedelta(hours=1))
        await at.http.get(FOUNDATIONS, headers={"authorization": f"Bearer {who}"})
    missing, refused = _events(file)
    assert missing["responseStatus"]["reason"] == "NotFound"
    assert missing["objectRef"]["name"] == "none"
    assert refused["user"]["username"] == "nobody"
    assert refused["annotations"]["authorization.k8s.io/decision"] == "forbid"
    assert (refused["verb"], refused["responseStatus"]["code"]) == ("list", 403)


async def test_a_watch_is_recorded_when_it_starts_and_when_it_ends(audited: Audit_, file: Path) -> None:
    async with audited() as at:
        await at.http.get(f"{FOUNDATIONS}?watch=true&timeoutSeconds=1")
    assert [(event["verb"], event["stage"]) for event in _events(file)] == [
        ("watch", "ResponseStarted"),
        ("watch", "ResponseComplete"),
    ]


async def test_a_defect_is_recorded_as_panic(audited: Audit_, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with audited() as at:
        monkeypatch.setattr(type(at.running.service.store), "revision", None)
        answer = await at.http.get(f"{FOUNDATIONS}/f")
        assert answer.status_code == 500
    (event,) = _events(file)
    assert (event["stage"], event["responseStatus"]["code"]) == ("Panic", 500)


async def test_health_discovery_and_events_are_not_recorded_by_default(audited: Audit_, file: Path) -> None:
    async with audited() as at:
        for path in ("/livez", "/readyz?verbose", "/version", "/apis", "/api/v1", "/openapi/v3", "/api/v1/events"):
            assert (await at.http.get(path)).status_code == 200
        await at.http.get("/elsewhere")
    assert [event["requestURI"] for event in _events(file)] == ["/elsewhere"]


@pytest.mark.parametrize(
    ("rule", "matching", "other"),
    [
        ("users: [ada]", ("GET", "/x", "ada"), ("GET", "/x", "bob")),
        ("userGroups: [g]", ("GET", "/x", "ada"), ("GET", "/x", "")),
        ("verbs: [list]", ("GET", "/api/v1/secrets", "ada"), ("GET", "/api/v1/secrets/x", "ada")),
        ("nonResourceURLs: [/a*]", ("GET", "/abc", ""), ("GET", "/api/v1/secrets", "")),
        ("namespaces: [n]", ("GET", "/api/v1/namespaces/n/secrets", ""), ("GET", "/api/v1/namespaces/m/secrets", "")),
        ("resources: [{group: g.dev}]", ("GET", "/apis/g.dev/v1/things", ""), ("GET", "/api/v1/things", "")),
        ('resources: [{group: "", resources: [a]}]', ("GET", "/api/v1/a/n", ""), ("GET", "/api/v1/a/n/status", "")),
        (
            'resources: [{group: "", resources: [a/status]}]',
            ("GET", "/api/v1/a/n/status", ""),
            ("GET", "/api/v1/a", ""),
        ),
        ('resources: [{group: "", resources: ["*/log"]}]', ("GET", "/api/v1/a/n/log", ""), ("GET", "/api/v1/a/n", "")),
        ('resources: [{group: "", resources: ["a/*"]}]', ("GET", "/api/v1/a/n/log", ""), ("GET", "/api/v1/b/n", "")),
        (
            'resources: [{group: "", resources: [a], resourceNames: [n]}]',
            ("GET", "/api/v1/a/n", ""),
            ("GET", "/api/v1/a/m", ""),
        ),
    ],
)
def test_a_rule_matches_what_it_says(
    tmp_path: Path, rule: str, matching: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  {rule}\n")
    policy = load_policy(path)
    for (method, url, name), level in ((matching, Level.METADATA), (other, Level.NONE)):
        user = User(name, ("g",)) if name else User("", ())
        assert policy.judge(request_info(method, url), user)[0] == level, url


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rules: [{level: Metadata}]", "no Policy"),
        ("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []", "no rules"),
        ("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: All}]", "Unsupported value"),
        ("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None, omitStages: [X]}]", "omitStages"),
        ("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None, nope: 1}]", "nope"),
        ('apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None, nonResourceURLs: ["/a*b"]}]', "only at its"),
        ("a: [", "flow node"),
    ],
)
def test_a_bad_policy_is_refused_with_the_reason(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(PolicyRefused, match=why):
        load_policy(path)


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/namespaces", b"", RequestInfo("list", "", "", "v1", "", "namespaces")),
        ("GET", "/api/v1/namespaces/n", b"", RequestInfo("get", "", "", "v1", "n", "namespaces", "", "n")),
        ("PUT", "/api/v1/namespaces/n/status", b"",
         RequestInfo("update", "", "", "v1", "n", "namespaces", "status", "n")),
        ("GET", "/api/v1/namespaces/n/secrets", b"watch=1", RequestInfo("watch", "", "", "v1", "n", "secrets")),
        ("GET", "/api/v1/namespaces/n/secrets", b"watch=1&watch=0", RequestInfo("list", "", "", "v1", "n", "secrets")),
        ("DELETE", "/apis/g/v1/things", b"", RequestInfo("deletecollection", "", "g", "v1", "", "things")),
        ("GET", "/apis/g/v1/things", b"fieldSelector=metadata.name%3Dx",
         RequestInfo("list", "", "g", "v1", "", "things", "", "x")),
        ("GET", "/apis/g/v1", b"", RequestInfo("get", "")),
        ("POST", "/login", b"", RequestInfo("post", "")),
    ],
)  # fmt: skip
def test_a_path_says_what_a_request_is_about(method: str, path: str, query: bytes, expected: RequestInfo) -> None:
    assert request_info(method, path, query) == structs.replace(expected, path=path)


def test_the_file_is_turned_over_by_size_and_old_ones_go_by_number_and_age(file: Path) -> None:
    moment = [NOW]
    log = RotatingFile(file, Rotation(bytes=10, days=3, files=2), now=lambda: moment[0])
    for number in range(5):
        moment[0] += timedelta(seconds=1)
        log.write(b"line %d\n" % number)
    old = sorted(path for path in file.parent.iterdir() if path != file)
    assert [path.read_bytes() for path in old] == [b"line 2\n", b"line 3\n"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()} == {0o600}
    os.utime(old[0], (0, 0))
    moment[0] += timedelta(hours=2)
    os.utime(old[1], (moment[0].timestamp(), moment[0].timestamp()))
    log.write(b"x\n")
    assert not old[0].exists()
    log.close()


def test_a_file_that_was_moved_away_is_begun_anew(file: Path) -> None:
    log = RotatingFile(file, Rotation())
    log.write(b"a\n")
    file.rename(file.with_name("moved"))
    log.write(b"b\n")
    assert (file.read_bytes(), file.with_name("moved").read_bytes()) == (b"b\n", b"a\n")
    log.close()


@contextmanager
def _full_disk(at: int) -> Iterator[None]:
    """No file of this process grows beyond `at` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (at, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_a_full_disk_took_of_a_line_is_taken_back(file: Path) -> None:
    log = RotatingFile(file, Rotation())
    log.write(b"whole\n")
    with _full_disk(20), pytest.raises(OSError, match="File too large"):
        log.write(b"half of this line fits\n")
    log.write(b"next\n")
    assert file.read_bytes() == b"whole\nnext\n"
    log.close()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_disk_that_takes_nothing_does_not_stop_the_api_and_is_counted(audited: Audit_, file: Path) -> None:
    async with audited() as at:
        file.parent.write_text("in the way")
        assert (await at.http.get(FOUNDATIONS)).status_code == 200
        await _until(lambda: at.log.lost == 1)
        assert "cannot be written" in at.log.trouble
        ready = await at.http.get("/readyz?verbose")
        assert ready.status_code == 200
        assert "audit" in ready.text
        file.parent.unlink()
        assert (await at.http.get(FOUNDATIONS)).status_code == 200
        await _until(lambda: at.log.written == 1)
        assert at.log.trouble == "1 events of the audit log lost"
    assert len(_events(file)) == 1


async def test_by_setting_nothing_is_done_unrecorded(audited: Audit_, file: Path) -> None:
    async with audited(on_failure="refuse") as at:
        file.parent.write_text("in the way")
        assert (await at.http.get(FOUNDATIONS)).status_code == 200
        await _until(lambda: at.log.refusing)
        answer = await at.http.post(FOUNDATIONS, json=FOUNDATION)
        assert (answer.status_code, answer.json()["reason"]) == (503, "ServiceUnavailable")
        assert (await at.http.get("/livez")).status_code == 200
        file.parent.unlink()
        await _until(lambda: not at.log.refusing)
        assert (await at.http.post(FOUNDATIONS, json=FOUNDATION)).status_code == 201
    recorded = [(event["verb"], event["responseStatus"]["code"]) for event in _events(file)]
    assert recorded == [("list", 200), ("create", 503), ("create", 201)]
    assert at.log.lost == 0


async def test_a_queue_that_is_full_loses_lines_and_counts_them(file: Path) -> None:
    log = AuditLog(RotatingFile(file, Rotation()), queue_bytes=10, on_failure="continue")
    for _ in range(3):
        log.put(b"12345\n")
    assert log.lost == 2
    async with log.writing():
        pass
    assert file.read_bytes() == b"12345\n"
