"""The two servers, each as processes of its own: how they start, when they are ready, what memory and time they use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.real_kube import extract_etcd, start_real_kube

from bench.api_server.wire import Target, ask, connected, until

ROOT = Path(__file__).parents[2]
CRD = ROOT / "deploy/crds/machines.groundplane.dev.yaml"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MACHINES = "/apis/groundplane.dev/v1alpha1/namespaces/default/machines"


@dataclass(frozen=True, slots=True)
class Started:
    """A server that is ready; `seconds` is from the start of its first process to its first 200 of /readyz."""

    target: Target
    pids: tuple[int, ...]
    seconds: float

    def memory(self) -> float:
        """Return the resident memory of all its processes in MiB."""
        return sum(_resident(pid) for pid in self.pids) / 1024

    def cpu(self) -> float:
        """Return the processor time that its processes have used, in seconds."""
        return sum(_cpu(pid) for pid in self.pids)


Start = Callable[[Path], AbstractContextManager[Started]]


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ready(target: Target) -> bool:
    with connected(target) as connection:
        return ask(connection, target.request("GET", "/readyz")).startswith(b"HTTP/1.1 200")


def _wait(target: Target, path: str) -> None:
    def there() -> bool:
        with connected(target) as connection:
            return ask(connection, target.request("GET", path)).startswith(b"HTTP/1.1 200")

    until(there, seconds=60, what=f"{target.url} serves {path}")


@contextmanager
def ours(folder: Path) -> Iterator[Started]:
    """Run our API server, alone in its process as kube-apiserver is, over SQLite in `folder`."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    # kube-apiserver writes no audit log unless it is given a policy.
    (home / "server.yaml").write_text("audit: {enabled: false}\n")
    command = [sys.executable, "-m", "tests.support.api_server", str(home)]
    begun = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        target = Target(told["url"], Path(told["ca"]).read_bytes(), told["admin"])
        until(lambda: _ready(target), seconds=60, what="our server is ready")
        yield Started(target, (process.pid,), time.monotonic() - begun)
    finally:
        # The server ends with its standard input.
        process.communicate(timeout=60)


@contextmanager
def theirs(folder: Path) -> Iterator[Started]:
    """Run kube-apiserver and etcd, which syncs every write to disk, with their data in `folder`."""
    folder.mkdir(exist_ok=True)
    etcd = folder / "etcd-root/usr/local/bin/etcd"
    if not etcd.exists():
        extract_etcd(folder)
    begun = time.monotonic()
    with start_real_kube(folder, etcd, fsync=True) as kube:
        target = Target(kube.access.server, kube.access.ca or b"", kube.access.token)
        until(lambda: _ready(target), seconds=120, what="kube-apiserver is ready")
        seconds = time.monotonic() - begun
        _wait(target, "/api/v1/namespaces/default")
        yield Started(target, (kube.etcd.pid, kube.server.pid), seconds)


def define(target: Target) -> None:
    """Give kube-apiserver the same definition of Machine that our server has built in."""
    import yaml

    document = json.dumps(yaml.safe_load(CRD.read_text())).encode()
    with connected(target) as connection:
        ask(connection, target.request("POST", _DEFINITIONS, document))
    _wait(target, MACHINES)
