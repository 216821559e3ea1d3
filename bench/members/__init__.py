"""The whole engine with a fleet: `groundplane up` surveys 1,000 simulated clusters of 10 nodes and shows them.

Everything is real but the clusters: import by Secret and Cluster, survey over HTTP, assessment, sums, status, and the
command line as a process of its own. There is no peer.
"""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tests.support.sshd import free_port

from bench.assess import CLUSTERS, NODES, foundation
from bench.figures import Figure
from groundplane.api.cluster import Cluster
from groundplane.api.foundation import Foundation
from groundplane.client.http import HttpClient
from groundplane.client.typed import RESOURCES, SECRETS, from_struct
from groundplane.kube.kubeconfig import Access, Kubeconfig, render_kubeconfig

ROUNDS = 7
_AT_ONCE = 16
_PATIENCE = 300.0
_GROUNDPLANE = str(Path(sys.executable).with_name("groundplane"))


@contextmanager
def _process(command: list[str], ready: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a command until the block is left; the block begins when it has printed `ready`."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    try:
        while ready not in (line := process.stdout.readline() if process.stdout else ""):
            if not line and process.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


async def _import_all(client: HttpClient, port: int) -> None:
    gate = asyncio.Semaphore(_AT_ONCE)
    await client.create(RESOURCES[Foundation], from_struct(foundation()))

    async def one(number: int) -> None:
        name = f"c{number:04}"
        kubeconfig = render_kubeconfig(Access(f"http://127.0.0.1:{port}/c/{number}", token="a-token"), name=name)
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "groundplane.dev/kubeconfig",
            "metadata": {"name": f"{name}-kubeconfig", "namespace": "default"},
            "data": {"kubeconfig": base64.b64encode(kubeconfig).decode()},
        }
        spec = {
            "provider": "Imported",
            "kubeconfigRef": {"name": f"{name}-kubeconfig"},
            "foundationRef": {"name": "production"},
        }
        cluster = {
            "apiVersion": "groundplane.dev/v1alpha1",
            "kind": "Cluster",
            "metadata": {"name": name, "namespace": "default"},
            "spec": spec,
        }
        async with gate:
            await client.create(SECRETS, secret)
            await client.create(RESOURCES[Cluster], cluster)

    await asyncio.gather(*(one(number) for number in range(CLUSTERS)))


async def _settled(client: HttpClient) -> None:
    """Wait until the Foundation has summed up all nodes."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            found = await client.get(RESOURCES[Foundation], "default", "production")
            if found.get("status", {}).get("uniformity", {}).get("nodes") == CLUSTERS * NODES:
                return
            await asyncio.sleep(0.5)


async def _fill(kubeconfig: Path, port: int) -> float:
    """Import all clusters and return the seconds until the last one is in the sums."""
    begun = time.perf_counter()
    async with HttpClient(Kubeconfig.load([kubeconfig]).access()) as client:
        await _import_all(client, port)
        await _settled(client)
    return time.perf_counter() - begun


def _command(kubeconfig: Path, *arguments: str) -> float:
    """Return the wall-clock seconds of one command line, start of the process included."""
    begun = time.perf_counter()
    done = subprocess.run([_GROUNDPLANE, "--kubeconfig", str(kubeconfig), *arguments], capture_output=True, check=True)
    seconds = time.perf_counter() - begun
    if not done.stdout:
        raise RuntimeError(f"{' '.join(arguments)} printed nothing")
    return seconds


def _resident(process: subprocess.Popen[str]) -> float:
    """Return the resident memory of a process in MiB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def run() -> list[Figure]:
    """Import the fleet, then measure memory and the command, medians of several rounds."""
    with tempfile.TemporaryDirectory() as name:
        home, members, port = Path(name), free_port(), free_port()
        environment = {"GROUNDPLANE_HOME": str(home), "GROUNDPLANE_LISTEN": f"127.0.0.1:{port}"}
        server = [sys.executable, "-m", "bench.members.server", str(members)]
        with (
            _process(server, "ready", {}),
            _process([_GROUNDPLANE, "up"], "next:", environment) as engine,
        ):
            kubeconfig = home / "admin.kubeconfig"
            seconds = asyncio.run(_fill(kubeconfig, members))
            shown = median(_command(kubeconfig, "fleet") for _ in range(ROUNDS))
            exported = median(_command(kubeconfig, "fleet", "-o", "csv") for _ in range(ROUNDS))
            what = f"{CLUSTERS} clusters, {CLUSTERS * NODES} nodes"
            return [
                Figure(f"import and survey {what}", "s", seconds),
                Figure(f"groundplane fleet, {what}", "s", shown, goal=1.0),
                Figure(f"groundplane fleet -o csv, {what}", "s", exported, goal=1.0),
                Figure("memory of the whole engine", "MiB", _resident(engine), goal=300.0),
            ]
