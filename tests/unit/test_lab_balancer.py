"""The lab's load balancer, a process before real sockets: in turn, past what refuses, and gone when it is stopped."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from groundplane_lab import Lab, balancer
from groundplane_lab.model import state_folder


class _Echo(socketserver.StreamRequestHandler):
    """Answers a line with its server's address before it."""

    def handle(self) -> None:
        self.wfile.write(f"{self.server.server_address[0]} ".encode() + self.rfile.readline())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


@contextmanager
def _backend(address: str) -> Iterator[None]:
    with _Server((address, balancer.PORT), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab of no machines whose network is a corner of loopback."""
    monkeypatch.setenv("GROUNDPLANE_CACHE", str(tmp_path))
    made = Lab("t-balancer", "127.18.19.0/24", (), tmp_path / "key")
    state_folder(made.name).mkdir(parents=True)
    yield made
    balancer.stop(made.name)


def _ask(endpoint: str) -> str:
    host, _, port = endpoint.partition(":")
    with closing(socket.create_connection((host, int(port)), timeout=5)) as connection:
        connection.sendall(b"hello\n")
        return connection.makefile().readline().strip()


def test_connections_go_to_backends_in_turn_and_past_one_that_refuses(lab: Lab) -> None:
    backends = ["127.18.19.11", "127.18.19.12", "127.18.19.13"]
    with _backend(backends[0]), _backend(backends[2]):
        endpoint = balancer.ensure(lab, backends)
        assert endpoint == "127.18.19.1:6443"
        answers = [_ask(endpoint) for _ in range(6)]
    assert set(answers) == {"127.18.19.11 hello", "127.18.19.13 hello"}


def test_it_is_the_same_process_until_its_backends_change_and_is_gone_when_stopped(lab: Lab) -> None:
    def process() -> str:
        return (state_folder(lab.name) / "balancer.json").read_text()

    balancer.ensure(lab, ["127.18.19.11"])
    first = process()
    balancer.ensure(lab, ["127.18.19.11"])
    assert process() == first
    endpoint = balancer.ensure(lab, ["127.18.19.12"])
    assert process() != first
    with _backend("127.18.19.12"):
        assert _ask(endpoint) == "127.18.19.12 hello"
    balancer.stop(lab.name)
    with pytest.raises(ConnectionRefusedError):
        _ask(endpoint)
