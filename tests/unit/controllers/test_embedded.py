"""The embedded engine as a process: one per home, its secrets kept, its end quick and its work resumed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplane.base.clock import utc_now

from .site import site as machines_of
from .world import World, cluster, distribution, foundation, secret

START_SECONDS = 60
GROUNDPLANE = str(Path(sys.executable).with_name("groundplane"))
KUBECTL = str(Path(sys.executable).with_name("kubectl"))


class Engine:
    """`groundplane up` in the foreground, on a port of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = 0
        self.process: subprocess.Popen[str] | None = None

    def command(self, port: int) -> list[str]:
        return [GROUNDPLANE, "up", "--home", str(self.home), "--listen", f"127.0.0.1:{port}"]

    def start(self) -> str:
        """Start it and return what it said when it was ready."""
        self.port = self.port or free_port()
        self.process = subprocess.Popen(
            self.command(self.port), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment()
        )
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if line.startswith("next:"):
                break
        assert "next:" in said, said
        return said

    def stop(self) -> float:
        """End it politely and return the seconds that took."""
        assert self.process is not None
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0
        took = time.monotonic() - started
        self.close()
        return took

    def close(self) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        command = [KUBECTL, "--kubeconfig", str(self.home / "admin.kubeconfig"), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("GROUNDPLANE_")}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path / "home")
    yield made
    made.close()


def refused(command: list[str]) -> str:
    """Run a command that must fail, and return what it says."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def test_one_process_has_the_home_the_token_is_printed_once_and_the_kubeconfig_follows_the_address(
    engine: Engine,
) -> None:
    first = engine.start()
    token = next(line.rpartition(" ")[2] for line in first.splitlines() if "administrator token" in line)
    took = engine.stop()
    assert took < 5
    engine.port = free_port()
    second = engine.start()
    assert "administrator token" not in second
    # The running one is not disturbed by another that is refused.
    assert str(engine.home) in refused(engine.command(free_port()))
    assert engine.kubectl("get", "--raw", "/readyz")
    engine.stop()
    holders = [p.name for p in engine.home.rglob("*") if p.is_file() and token.encode() in p.read_bytes()]
    assert holders == ["admin.kubeconfig"]
    loose = [p.name for p in [engine.home, *engine.home.rglob("*")] if p.stat().st_mode & 0o077]
    # A process number is no secret, and the home itself lets nobody in.
    assert set(loose) <= {"groundplane.pid"}


def revision(engine: Engine) -> str:
    """Return the store's newest revision as /metrics has it."""
    lines = engine.kubectl("get", "--raw", "/metrics").splitlines()
    return next(line.rpartition(" ")[2] for line in lines if line.startswith("groundplane_store_revision "))


async def test_an_engine_is_ready_when_it_says_so_and_writes_nothing_while_nobody_asks_for_anything(
    engine: Engine,
) -> None:
    await asyncio.to_thread(engine.start)
    said = (await asyncio.to_thread(engine.kubectl, "get", "--raw", "/readyz?verbose")).splitlines()
    names = ("ping", "collector", "controllers", "certificates", "store", "shutdown", "audit")
    assert said == [*(f"[+]{name} ok" for name in names), "readyz check passed"]
    assert 'workqueue_depth{name="machine"} 0' in await asyncio.to_thread(engine.kubectl, "get", "--raw", "/metrics")
    # What is written at the start comes to an end.
    await follow(engine, lambda engine: revision(engine) == revision(engine))


def test_a_home_that_others_can_read_is_refused_with_the_remedy(engine: Engine) -> None:
    engine.home.mkdir(mode=0o755)
    engine.home.chmod(0o755)
    said = refused(engine.command(free_port()))
    assert f"chmod 700 {engine.home}" in said
    assert [path.name for path in engine.home.iterdir() if path.name.endswith((".key", ".db"))] == []


def operation(engine: Engine) -> dict[str, object]:
    items = json.loads(engine.kubectl("get", "operations", "-o", "json"))["items"]
    assert len(items) <= 1, [item["metadata"]["name"] for item in items]
    return items[0] if items else {}


def waits(engine: Engine) -> bool:
    """Whether the Operation's first step waits for its machine."""
    status = operation(engine).get("status", {})
    assert isinstance(status, dict)
    return status.get("phase") == "Running" and "waiting: " in status.get("progress", "")


async def follow(engine: Engine, look: object) -> None:
    """Look until it is so; each look is a call of kubectl."""
    assert callable(look)
    async with asyncio.timeout(40):
        while not await asyncio.to_thread(look, engine):
            await asyncio.sleep(0.1)


def attempts(engine: Engine) -> int:
    status = operation(engine).get("status", {})
    assert isinstance(status, dict)
    return max((step.get("attempts", 0) for step in status.get("steps", [])), default=0)


async def test_a_polite_end_is_quick_while_an_operation_runs_and_a_watch_is_open_and_the_operation_goes_on(
    engine: Engine,
) -> None:
    async with machines_of(utc_now) as site:
        host = await site.add("shop-1", "198.18.9.11")
        host.cut_reads = True
        machine = World.machine(_Place(site), host, "shop", "ControlPlane")  # type: ignore[arg-type]
        objects = [secret(), distribution(), foundation(), machine, cluster()]
        await asyncio.to_thread(engine.start)
        document = "\n---\n".join(json.dumps(one) for one in objects)
        await asyncio.to_thread(lambda: engine.kubectl("apply", "-f", "-", stdin=document))
        await follow(engine, waits)
        before = attempts(engine)
        with watching(engine):
            assert await asyncio.to_thread(engine.stop) < 5
        await asyncio.to_thread(engine.start)
        await follow(engine, lambda engine: attempts(engine) > before and waits(engine))
        host.cut_reads = False
        await follow(engine, lambda engine: operation(engine)["status"]["phase"] == "Failed")  # type: ignore[index]
        assert await asyncio.to_thread(engine.stop) < 5


class _Place:
    """What World.machine needs to know."""

    def __init__(self, site: object) -> None:
        self.site = site


@contextlib.contextmanager
def watching(engine: Engine) -> Iterator[None]:
    """A kubectl that watches; it has begun when it has shown what is there."""
    command = [KUBECTL, "--kubeconfig", str(engine.home / "admin.kubeconfig"), "get", "operations", "-w", "-o", "name"]
    watch = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert watch.stdout is not None
        assert watch.stdout.readline().startswith("operation")
        yield
    finally:
        watch.kill()
        watch.communicate()
