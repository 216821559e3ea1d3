"""The client that says "no failed request" can say the opposite, and leaves a node that is announced alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from groundplane.kube.kubeconfig import Access, render_kubeconfig
from groundplane_lab.shell import wait_until
from support.pki import Pki, server_tls
from support.steady_client import Record, SteadyClient

PORT, HEALTH, API = 31081, 10256, 31443
ADDRESSES = {"a": "127.18.21.11", "b": "127.18.21.12"}


class _Node:
    """Two ports of a node that answer as they are told; a Node of the API that is told as well."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.serves = self.healthy = True
        self.cordoned = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, body = self.server.answer(self.path)  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _serving(address: str, port: int, answer: object, tls: object = None) -> Iterator[None]:
    with ThreadingHTTPServer((address, port), _Handler) as server:
        server.answer = answer  # type: ignore[attr-defined]
        server.daemon_threads = True
        server.block_on_close = False
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[dict[str, _Node]]:
    made = {name: _Node(name) for name in ADDRESSES}
    pki = Pki()

    def api(_: str) -> tuple[int, bytes]:
        ready = [{"type": "Ready", "status": "True"}]
        items = [
            {"metadata": {"name": n.name}, "spec": {"unschedulable": n.cordoned}, "status": {"conditions": ready}}
            for n in made.values()
        ]
        return 200, json.dumps({"items": items}).encode()

    certificate, key = pki.issue("client")
    access = Access(f"https://127.0.0.1:{API}", ca=pki.ca, certificate=certificate, key=key)
    (tmp_path / "kubeconfig").write_bytes(render_kubeconfig(access, name="steady"))
    with ExitStack() as stack:
        stack.enter_context(_serving("127.0.0.1", API, api, server_tls(pki, tmp_path, address="127.0.0.1")))
        for name, node in made.items():
            served = lambda _, node=node: (200 if node.serves else 503, node.name.encode())  # noqa: E731
            health = lambda _, node=node: (200 if node.healthy else 503, b"")  # noqa: E731
            stack.enter_context(_serving(ADDRESSES[name], PORT, served))
            stack.enter_context(_serving(ADDRESSES[name], HEALTH, health))
        yield made


def _client(tmp_path: Path) -> SteadyClient:
    return SteadyClient(tmp_path / "kubeconfig", ADDRESSES, port=PORT)


def _until_more(record: Record, more: int = 20) -> None:
    aim = record.count + more
    wait_until("more requests", lambda: record.count >= aim or None, seconds=20)


def test_a_service_that_fails_is_reported(nodes: dict[str, _Node], tmp_path: Path) -> None:
    with _client(tmp_path) as client:
        _until_more(client.balanced)
        nodes["b"].serves = False
        _until_more(client.balanced)
    assert {failure.node for failure in client.balanced.failures} == {"b"}
    assert client.balanced.answered_by == {"a", "b"}
    assert "failed" in client.report()


@pytest.mark.parametrize("way", ["cordon", "health"])
def test_a_node_that_is_announced_gets_no_request_of_users_and_its_failures_are_its_own(
    nodes: dict[str, _Node], tmp_path: Path, way: str
) -> None:
    with _client(tmp_path) as client:
        _until_more(client.by_node["b"], 3)
        nodes["b"].cordoned = way == "cordon"
        nodes["b"].healthy = way != "health"
        wait_until("b to be out of rotation", lambda: client.rotation == ("a",) or None, seconds=20)
        _until_more(client.balanced, 2)
        nodes["b"].serves = False
        _until_more(client.by_node["b"], 5)
        _until_more(client.balanced)
    assert client.balanced.failures == []
    assert client.by_node["b"].failures
    assert client.api_away == 0
