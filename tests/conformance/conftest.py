"""Both servers, started once, and the answers of both to every chosen case."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.real_kube import ready_real_kube

from .comparing import Difference, differences
from .dsl import Request
from .sending import Answer, Target, run, send
from .table import CASES, NAMESPACES

ROOT = Path(__file__).parents[2]
# Cases at a time. Both servers, and this, share the same few cores.
_WORKERS = 6


def _trust(ca: bytes) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca.decode())
    # The certificate of the real server is its own authority, without the extensions that strict checks ask for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A real kube-apiserver that has our definitions."""
    folder = tmp_path_factory.mktemp("real")
    with ready_real_kube(folder) as started:
        access, etcd = started.access, started.etcd_url
        target = Target("real", access.server, access.token, _trust(access.ca), lambda: _compact_etcd(etcd))
        _define_kinds(target)
        yield target
        target.close()


def _define_kinds(target: Target) -> None:
    documents = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "deploy/crds").glob("*.yaml"))]
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for document in documents:
        body = json.dumps(document).encode()
        assert send(target, Request("POST", path, body, {"Content-Type": "application/json"})).code == 201
    waiting = threading.Event()
    for document in documents:
        spec = document["spec"]
        served = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        while send(target, Request("GET", served)).code != 200:
            waiting.wait(0.1)


def _compact_etcd(url: str) -> None:
    def call(path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(f"{url}/v3/{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as response:
            found: dict[str, Any] = json.load(response)
            return found

    # "AA==" is the key \0: any key does, for the answer's header has the revision.
    revision = call("kv/range", {"key": "AA=="})["header"]["revision"]
    call("kv/compaction", {"revision": revision, "physical": True})


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The built-in server, a process of its own."""
    folder = tmp_path_factory.mktemp("ours")
    command = [sys.executable, "-W", "error", "-m", "tests.support.api_server", str(folder / "home")]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT
        )
    assert process.stdin is not None
    assert process.stdout is not None
    commands, answers = process.stdin, process.stdout
    line = answers.readline()
    assert line, (folder / "log").read_text()
    started = json.loads(line)

    def compact() -> None:
        commands.write("compact\n")
        commands.flush()
        assert answers.readline() == "compacted\n"

    target = Target("ours", started["url"], started["admin"], _trust(Path(started["ca"]).read_bytes()), compact)
    yield target
    target.close()
    process.communicate(timeout=10)
    assert process.returncode == 0
    log = (folder / "log").read_text()
    assert "Traceback" not in log
    assert "[error" not in log


@pytest.fixture(scope="session")
def found(real: Target, ours: Target, request: pytest.FixtureRequest) -> dict[str, list[Difference]]:
    """What differs in each of the chosen cases."""
    items = (item for item in request.session.items if isinstance(item, pytest.Function))
    chosen = [str(item.callspec.params["name"]) for item in items if hasattr(item, "callspec")
              and "name" in item.callspec.params and item.callspec.params["name"] in CASES]  # fmt: skip
    answers: dict[tuple[str, str], list[Answer]] = {}

    def one(name: str, target: Target) -> None:
        answers[name, target.name] = run(target, CASES[name], NAMESPACES[name])

    with ThreadPoolExecutor(_WORKERS) as pool:
        together = [name for name in chosen if not CASES[name].alone]
        for done in [pool.submit(one, name, target) for name in together for target in (real, ours)]:
            done.result()
    for name in chosen:
        if CASES[name].alone:
            one(name, real)
            one(name, ours)
    return {name: _judge(answers, name) for name in chosen}


def _judge(answers: dict[tuple[str, str], list[Answer]], name: str) -> list[Difference]:
    namespace = NAMESPACES[name]
    return differences(answers[name, "real"], answers[name, "ours"], (namespace, namespace))
