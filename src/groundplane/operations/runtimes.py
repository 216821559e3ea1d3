"""What a step must know of a container runtime: its programs, units and how it lists and loads images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from groundplane.api.foundation import RuntimeName
from groundplane.api.target import ClusterTarget
from groundplane.hosts.contract import Host, ReadHost

from . import systemd
from .errors import StepRefused


@dataclass(frozen=True, slots=True)
class Runtime:
    """`packages` are names to try in order; `unit` is the service that kubelet talks through."""

    name: RuntimeName
    program: str
    unit: str
    config: str
    packages: tuple[str, ...]
    image_root: str


CONTAINERD = Runtime(
    "containerd",
    "containerd",
    "containerd.service",
    "/etc/containerd/config.toml",
    ("containerd", "containerd.io"),
    "/var/lib/containerd",
)
DOCKER = Runtime(
    "docker", "dockerd", "docker.service", "/etc/docker/daemon.json", ("docker.io", "docker-ce"), "/var/lib/docker"
)


def runtime_of(target: ClusterTarget) -> Runtime:
    """Return the target's runtime."""
    return DOCKER if target.runtime.name == "docker" else CONTAINERD


async def installed(host: ReadHost, runtime: Runtime) -> bool:
    """Tell whether the runtime's daemon is on the machine."""
    return (await host.query([runtime.program, "--version"])).ok


async def answers(host: ReadHost, runtime: Runtime) -> bool:
    """Tell whether the runtime's daemon answers on its socket."""
    ask = ["docker", "info", "--format", "{{.ServerVersion}}"] if runtime is DOCKER else ["ctr", "version"]
    return (await host.query(ask, timeout=60)).ok


async def start(host: Host, runtime: Runtime, *, restart: bool = False) -> None:
    """Have the runtime's daemon run; StepRefused, with what it says itself, when it does not."""
    if not (await systemd.bring_up(host, runtime.unit, restart=restart, check=False)).ok:
        raise StepRefused(
            f"cannot start {runtime.name} on host {host.name}: {await systemd.last_words(host, runtime.unit)}",
            remedy=f"see `journalctl -u {runtime.unit}` there",
        )


async def images(host: ReadHost, runtime: Runtime) -> dict[str, str]:
    """Return the runtime's images: reference to the digest that it knows them by."""
    if runtime is DOCKER:
        listed = await host.query(["docker", "image", "ls", "--no-trunc", "--format", "{{json .}}"], timeout=60)
        rows = [json.loads(line) for line in listed.text.splitlines()]
        found = {f"{row['Repository']}:{row['Tag']}": row["ID"] for row in rows}
    else:
        listed = await host.query(["ctr", "-n", "k8s.io", "images", "ls"], timeout=60)
        cells = [line.split() for line in listed.text.splitlines()[1:]]
        found = {row[0]: row[2] for row in cells if len(row) > 2}
    if not listed.ok:
        reason = listed.stderr.decode("utf-8", "replace").strip()
        raise StepRefused(
            f"cannot list the images of {runtime.name} on host {host.name}: {reason}",
            remedy=f"look at `systemctl status {runtime.unit}` there",
        )
    return found


def load_command(runtime: Runtime, path: str) -> list[str]:
    """Return the command that loads a docker-archive tar."""
    if runtime is DOCKER:
        return ["docker", "load", "--quiet", "--input", path]
    return ["ctr", "-n", "k8s.io", "images", "import", path]


async def remove_images(host: Host, runtime: Runtime, references: Sequence[str]) -> None:
    """Remove images by reference; one that is gone already is fine."""
    if not references:
        return
    start = ["docker", "image", "rm"] if runtime is DOCKER else ["ctr", "-n", "k8s.io", "images", "rm", "--sync"]
    await host.run([*start, *references], check=False, timeout=300)
