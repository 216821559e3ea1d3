"""What an operator types when data is at stake, against real servers: back up, restore, rotate, a full disk."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from tests.support.server_forks import ROOT, Forked, Forks
from tests.support.small_disk import small_disk

from groundplane.client.http import HttpClient
from groundplane.client.informer import BackOff, Informer, ObjectChange

from .conftest import Cli
from .load import CONFIGMAPS, NAMESPACE, connect

_CONFIGMAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
_SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
# Put together here, so that no file of the repository that a test may copy has it.
PLAIN = "-".join(["correct", "horse", "battery", "staple"])


def configmap(name: str, text: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"text": text}}


async def put(http: httpx2.AsyncClient, name: str, text: str) -> httpx2.Response:
    """Server-side apply: creates or changes."""
    return await http.patch(
        f"{_CONFIGMAPS}/{name}",
        params={"fieldManager": "test", "force": "true"},
        headers={"content-type": "application/apply-patch+yaml"},
        json=configmap(name, text),
    )


async def until(told: Callable[[], bool]) -> None:
    """Wait for something that another task brings about."""
    async with asyncio.timeout(60):
        while not told():
            await asyncio.sleep(0.02)


async def test_an_informer_that_knew_a_later_world_sees_the_restored_one_and_goes_on_with_it(
    forks: Forks, home: Path, tmp_path: Path, cli: Cli
) -> None:
    server = forks.start(home)
    port = urlsplit(server.access.server).port
    changes: list[ObjectChange] = []
    async with HttpClient(server.access) as client:
        informer = Informer(client, CONFIGMAPS, namespace=NAMESPACE, changed=changes.append,
                            back_off=BackOff(0.05, 0.2))  # fmt: skip

        def known() -> dict[str, str]:
            return {item["metadata"]["name"]: item["data"]["text"] for item in informer.list()}

        running = asyncio.create_task(informer.run())
        async with connect(server.access) as http:
            for name in "ab":
                assert (await put(http, name, "saved")).status_code == 201
            code, _, err = cli("backup", "--home", home, "--output", tmp_path / "b")
            assert code == 0, err
            assert (await put(http, "a", "lost")).status_code == 200
            assert (await put(http, "c", "lost")).status_code == 201
            assert (await http.delete(f"{_CONFIGMAPS}/b")).status_code == 200
        await until(lambda: known() == {"a": "lost", "c": "lost"})

        code, _, err = cli("restore", "--home", home, "--from", tmp_path / "b", "--replace")
        assert code == 3
        assert f"process {server.pid} is working on it" in err
        forks.kill(server)
        code, out, err = cli("restore", "--home", home, "--from", tmp_path / "b", "--replace")
        assert code == 0, err
        assert "before-restore-" in out
        changes.clear()
        again = forks.start(home, port=port)
        await until(lambda: known() == {"a": "saved", "b": "saved"})
        told = {(change.key.name, change.old is None, change.new is None) for change in changes}
        assert told == {("a", False, False), ("b", True, False), ("c", False, True)}
        # The administrator's token of the backup is as good as before.
        async with connect(server.access) as http:
            assert (await put(http, "d", "after")).status_code == 201
        await until(lambda: known() == {"a": "saved", "b": "saved", "d": "after"})
        running.cancel()
        await asyncio.wait([running])
    forks.kill(again)


async def test_the_keys_are_rotated_under_a_running_server(forks: Forks, home: Path, cli: Cli) -> None:
    server = forks.start(home)
    async with connect(server.access) as http:
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": PLAIN}}
        assert (await http.post(_SECRETS, json=body)).status_code == 201
        code, before, _ = cli("keys", "status", "--home", home)
        assert code == 0
        assert before.count(" seals ") == 1
        assert "everything is sealed under one key" in before
        assert cli("keys", "rotate", "--forget", "--home", home)[0] == 0

        def rotated() -> bool:
            return len((home / "seal.key").read_bytes().splitlines()) == 1

        await until(rotated)
        code, after, _ = cli("keys", "status", "--home", home)
        assert "everything is sealed under one key" in after
        assert after.split()[3] != before.split()[3]
        found = (await http.get(f"{_SECRETS}/s")).json()
        assert base64.b64decode(found["data"]["a"]).decode() == PLAIN
    forks.kill(server)


def test_a_second_rotation_and_a_home_without_keys_are_refused_in_words(tmp_path: Path, cli: Cli) -> None:
    from groundplane.store.keys import KeyFile

    KeyFile(tmp_path / "seal.key").make()
    old = (tmp_path / "seal.key").read_bytes()
    code, _, err = cli("keys", "rotate", "--home", tmp_path)
    assert (code, "give --keep FILE" in err) == (3, True)
    code, _, err = cli("keys", "rotate", "--keep", tmp_path / "seal.key", "--home", tmp_path)
    assert (code, "nothing was rotated" in err) == (3, True)
    assert (tmp_path / "seal.key").read_bytes() == old
    kept = tmp_path / "old.key"
    assert cli("keys", "rotate", "--keep", kept, "--home", tmp_path)[0] == 0
    assert (kept.read_bytes(), kept.stat().st_mode & 0o777) == (old, 0o600)
    code, _, err = cli("keys", "rotate", "--forget", "--home", tmp_path)
    assert (code, "a rotation is under way" in err) == (3, True)
    code, _, err = cli("keys", "rotate", "--forget", "--home", tmp_path / "nowhere")
    assert code == 6
    assert "cannot use the keys in" in err


def test_a_second_process_on_the_same_data_is_refused_in_words(forks: Forks, home: Path) -> None:
    server = forks.start(home)
    second = subprocess.run(
        [sys.executable, "-m", "groundplane.cli.main", "up", "--home", home, "--listen", "127.0.0.1:0"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert second.returncode == 3
    assert second.stderr.splitlines()[-2:] == [
        f"error: cannot open {home}/state.db: process {server.pid} is working on it",
        "remedy: stop that process, or use another data directory",
    ]
    forks.kill(server)


async def test_a_full_disk_refuses_writes_serves_reads_and_recovers_by_itself(tmp_path: Path, forks: Forks) -> None:
    with small_disk(tmp_path / "disk", "24m") as disk:
        server = forks.start(disk.folder / "home")
        async with connect(server.access) as http, HttpClient(server.access) as client:
            saved = (await put(http, "a", "saved")).json()
            revision = saved["metadata"]["resourceVersion"]
            async with client.watch(CONFIGMAPS, namespace=NAMESPACE, resource_version=revision) as events:
                disk.fill()
                refused = await _first_refusal(http)
                assert refused["reason"] == "InternalError"
                assert "database or disk is full" in refused["message"]
                assert "make sure that the disk has room" in refused["message"]
                answer = await http.put(f"{_CONFIGMAPS}/a", json=saved | {"data": {"text": "z" * 500_000}})
                assert answer.status_code == 500
                assert "retry-after" not in answer.headers
                assert (await http.get(f"{_CONFIGMAPS}/a")).json() == saved
                disk.free()
                assert (await put(http, "after", "room")).status_code == 201
                shown = [event.object["metadata"]["name"] async for event in _until_after(events)]
                listed = (await http.get(_CONFIGMAPS)).json()
                assert sorted([*shown, "a"]) == [item["metadata"]["name"] for item in listed["items"]]
        forks.kill(server)


async def _first_refusal(http: httpx2.AsyncClient) -> dict[str, str]:
    """Write until the room that the log still had inside itself is used up."""
    for number in range(100):
        answer = await put(http, f"n{number:03}", "x" * 500_000)
        if not answer.is_success:
            assert answer.status_code == 500
            refusal: dict[str, str] = answer.json()
            return refusal
    raise AssertionError("a full disk took everything")


async def _until_after(events):
    async for event in events:
        if event.type != "BOOKMARK":
            yield event
            if event.object["metadata"]["name"] == "after":
                return


async def test_a_disk_that_turns_read_only_refuses_writes_serves_reads_and_recovers(
    tmp_path: Path, forks: Forks
) -> None:
    with small_disk(tmp_path / "disk", "24m") as disk:
        server = forks.start(disk.folder / "home")
        async with connect(server.access) as http:
            saved = (await put(http, "a", "saved")).json()
            # What is open stays writable; after one failure the database is opened anew.
            disk.fill()
            with disk.read_only():
                refused = await _first_refusal(http)
                while "full" in refused["message"]:
                    refused = await _first_refusal(http)
                assert "ead-only" in refused["message"]
                assert (await http.get(f"{_CONFIGMAPS}/a")).json() == saved
            disk.free()
            assert (await put(http, "b", "x")).status_code == 201
        forks.kill(server)


async def test_the_text_of_a_secret_is_in_no_file_log_or_backup(
    forks: Forks, home: Path, tmp_path: Path, cli: Cli
) -> None:
    _audit_everything(home)
    server = forks.start(home)
    async with connect(server.access) as http:
        await _live_of_secrets(http)
        # Requests do not wait for the audit log.
        audit = home / "logs" / "audit" / "audit.log"
        await until(lambda: audit.exists() and b"/secrets/applied" in audit.read_bytes())
        assert cli("backup", "--home", home, "--output", tmp_path / "b1")[0] == 0
        _no_trace(home, tmp_path, forks.log)
        for name in ("data", "stringdata", "applied"):
            assert (await http.delete(f"{_SECRETS}/{name}")).status_code == 200
    assert cli("backup", "--home", home, "--output", tmp_path / "b2")[0] == 0
    _no_trace(home, tmp_path, forks.log)
    os.kill(server.pid, signal.SIGTERM)
    forks.kill(server)
    _no_trace(home, tmp_path, forks.log)


def _audit_everything(home: Path) -> None:
    """Let the audit log have whole requests and answers of everything."""
    home.mkdir(mode=0o700)
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "RequestResponse"}]}
    (home / "policy.json").write_text(json.dumps(policy))
    (home / "server.yaml").write_text(json.dumps({"audit": {"policyFile": str(home / "policy.json")}}))


async def _live_of_secrets(http: httpx2.AsyncClient) -> None:
    """Write the text in every way there is, refused ways too."""
    encoded = base64.b64encode(PLAIN.encode()).decode()

    def secret(name: str, **fields: object) -> dict[str, object]:
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, **fields}

    codes = [
        await http.post(_SECRETS, json=secret("data", data={"a": encoded})),
        await http.post(_SECRETS, json=secret("stringdata", stringData={"a": PLAIN})),
        await http.put(f"{_SECRETS}/data", json=secret("data", data={"b": encoded})),
        await http.patch(
            f"{_SECRETS}/stringdata",
            headers={"content-type": "application/merge-patch+json"},
            json={"stringData": {"c": PLAIN}},
        ),
        await http.patch(
            f"{_SECRETS}/applied",
            params={"fieldManager": "test"},
            headers={"content-type": "application/apply-patch+yaml"},
            json=secret("applied", stringData={"a": PLAIN}),
        ),
    ]
    assert [answer.status_code for answer in codes] == [201, 201, 200, 200, 201]
    assert base64.b64decode((await http.get(f"{_SECRETS}/applied")).json()["data"]["a"]).decode() == PLAIN
    wrong = [
        await http.post(_SECRETS, json=secret("data", stringData={"a": PLAIN})),
        await http.post(_SECRETS, json=secret("Not A Name", stringData={"a": PLAIN})),
        await http.post(_SECRETS, json=secret("wrong", data={"a": PLAIN + "!"})),
        await http.post(_SECRETS, content=f'{{"kind": "Secret", "stringData": "{PLAIN}'.encode()),
    ]
    assert all(400 <= answer.status_code < 500 for answer in wrong)


def _no_trace(home: Path, *others: Path) -> None:
    files = [path for place in (home, *others) for path in ([place] if place.is_file() else place.rglob("*"))]
    content = {path: path.read_bytes() for path in files if path.is_file()}
    for name, held in (("state.db", b"secrets"), ("audit.log", b"/secrets/applied")):
        assert any(held in found for path, found in content.items() if path.name.startswith(name)), name
    # However base64 falls on the text: at each of its three offsets, without the ends that neighbours change.
    encoded = [base64.b64encode(b"x" * shift + PLAIN.encode())[4:-4] for shift in range(3)]
    for word in (PLAIN.encode(), *encoded):
        assert [path for path, held in content.items() if word in held] == []


@pytest.mark.parametrize("arguments", [[], ["--output", "x", "--verify", "y"], ["--output", "x", "--seal-key", "k"]])
def test_a_backup_is_written_or_checked_not_both(arguments: list[str], cli: Cli) -> None:
    assert cli("backup", *arguments)[0] == 2


def test_a_backup_is_verified_and_a_damaged_one_refused(forks: Forks, home: Path, tmp_path: Path, cli: Cli) -> None:
    server: Forked = forks.start(home)
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("eight or more words would be better\n")
    code, out, _ = cli("backup", "--home", home, "--output", tmp_path / "b", "--passphrase-file", passphrase)
    assert (code, "keys under a passphrase" in out) == (0, True)
    assert cli("backup", "--verify", tmp_path / "b", "--passphrase-file", passphrase)[0] == 0
    passphrase.write_text("another passphrase\n")
    assert cli("backup", "--verify", tmp_path / "b", "--passphrase-file", passphrase)[0] == 6
    passphrase.write_text("short\n")
    assert cli("backup", "--verify", tmp_path / "b", "--passphrase-file", passphrase)[0] == 2
    (tmp_path / "b").write_bytes((tmp_path / "b").read_bytes()[:-1])
    code, _, err = cli("backup", "--verify", tmp_path / "b")
    assert (code, "remedy: use another backup" in err) == (3, True)
    forks.kill(server)
