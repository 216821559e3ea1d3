"""Watchers that stop reading, on real sockets before the real process: memory stays bounded, and they are cut."""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import yaml

from support.running import running_server

WATCHERS = 10
OBJECT = 200_000
WRITES = 60


def _watch(address: tuple[str, int], trust: ssl.SSLContext, token: str) -> ssl.SSLSocket:
    """Open a watch whose side keeps next to nothing, and read no further than its head."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.settimeout(30)
    plain.connect(address)
    made = trust.wrap_socket(plain, server_hostname="127.0.0.1")
    head = f"GET /api/v1/configmaps?watch=true HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
    made.sendall(head.encode())
    assert made.recv(4096).startswith(b"HTTP/1.1 200 ")
    return made


def _metric(http: httpx2.Client, name: str) -> float:
    """Return the sum of a metric over its labels."""
    found = re.findall(rf"^{name}(?:{{.*}})? ([\d.e+]+)$", http.get("/metrics").text, re.MULTILINE)
    return sum(map(float, found))


def _resident(http: httpx2.Client) -> float:
    return _metric(http, "process_resident_memory_bytes")


def _write(http: httpx2.Client, name: str) -> float:
    """Change one object many times; return how much memory the server has taken for it."""
    before = _resident(http)
    url = "/api/v1/namespaces/default/configmaps"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    assert http.post(url, json=body).status_code == 201
    for number in range(WRITES):
        patch = json.dumps({"data": {"k": f"{number}" + "x" * OBJECT}})
        headers = {"content-type": "application/merge-patch+json"}
        assert http.patch(f"{url}/{name}", content=patch, headers=headers).status_code == 200
    return _resident(http) - before


def test_watchers_that_stop_reading_cost_no_memory_and_are_cut(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / "server.yaml").write_text("limits: {slowReaderTimeout: 2}")
    with running_server(tmp_path) as kubeconfig:
        config = yaml.safe_load(kubeconfig.read_text())
        url, token = config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]["token"]
        trust = ssl.create_default_context(cafile=tmp_path / "home" / "ca.crt")
        parts = urlsplit(url)
        bearer = {"authorization": f"Bearer {token}"}
        with httpx2.Client(base_url=url, verify=trust, headers=bearer, timeout=30) as http:
            alone = _write(http, "alone")
            stuck = [_watch((str(parts.hostname), int(parts.port or 0)), trust, token) for _ in range(WATCHERS)]
            watched = _write(http, "watched")
            # Everything that was written, once for each of them, would be 120 MB.
            assert watched - alone < WATCHERS * 2_000_000, (watched, alone)
            end = time.monotonic() + 60
            while _metric(http, "apiserver_longrunning_requests"):
                assert time.monotonic() < end
                time.sleep(0.05)
            for one in stuck:
                size = 0
                try:
                    while block := one.recv(1 << 20):
                        size += len(block)
                except OSError:
                    pass
                assert size < WRITES * OBJECT / 2
                one.close()
