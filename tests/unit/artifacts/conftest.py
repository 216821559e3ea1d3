"""A real HTTP server with faults on order, a cache in a temporary folder, and artifacts to move."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from groundplane.api.distribution import Artifact
from groundplane.artifacts import Cache, Depot, Retry


def artifact_of(content: bytes, name: str = "kubelet", path: str = "bin/kubelet") -> Artifact:
    return Artifact(name=name, type="Binary", path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


@dataclass
class WebSource:
    """Files by path; `faults` are used up one a request: a status, or "cut:N" to hang up after N bytes."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[int | str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    ranges: bool = True


def _handler(source: WebSource) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            source.requests.append(f"{self.path} {wanted}".strip())
            fault = source.faults.pop(0) if source.faults else 0
            content = source.files.get(self.path.lstrip("/"))
            if isinstance(fault, int) and fault:
                return self.send_error(fault)
            if content is None:
                return self.send_error(404)
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and source.ranges else 0
            if start and start >= len(content):
                return self.send_error(416)
            return self._send(content, start, fault)

        def _send(self, content: bytes, start: int, fault: int | str) -> None:
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = start + int(fault.removeprefix("cut:")) if isinstance(fault, str) else len(content)
            self.wfile.write(content[start:end])
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Tests print nothing."""

    return Handler


@pytest.fixture
def web() -> Iterator[WebSource]:
    source = WebSource()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(source))
    thread = threading.Thread(target=server.serve_forever, name="web-source", kwargs={"poll_interval": 0.01})
    thread.start()
    source.url = f"http://127.0.0.1:{server.server_port}"
    yield source
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def depot(cache: Cache) -> Depot:
    return Depot(cache, retry=Retry(attempts=3, first=0.001))
