"""Reads of a machine what `carry` carries over from Docker, and tells which of its files are to be written."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

from groundplane.hosts.contract import ReadHost
from groundplane.hosts.facts.daemon import started_as

from .carry import KUBELET_CREDENTIALS, ROOT_CREDENTIALS, Beside, Carried, carried
from .runtimes import CONTAINERD, DOCKER

CERTS_OF_DOCKER = "/etc/docker/certs.d"


async def carried_from(host: ReadHost, *, version: tuple[int, ...], systemd_cgroup: bool) -> Carried:
    """Return what of the machine's Docker goes to containerd `version`. Reads only; also while no Docker runs."""
    fragments = await host.query(["systemctl", "show", "docker.service", "--property=DropInPaths"])
    dropins = [await host.read(path) for path in fragments.text.partition("=")[2].split()]
    credentials = {path: await host.read(path) for path in (ROOT_CREDENTIALS, KUBELET_CREDENTIALS)}
    return carried(
        await host.read(DOCKER.config),
        certs=await _certificates(host),
        proxy_dropins=[content for content in dropins if content is not None],
        version=version,
        beside=Beside(
            options=await _options(host),
            credentials={path: content for path, content in credentials.items() if content is not None},
            config=await host.read(CONTAINERD.config),
            systemd_cgroup=systemd_cgroup,
        ),
    )


async def lacking(
    host: ReadHost, files: Mapping[str, tuple[bytes, int]], *, ours: Collection[str]
) -> dict[str, tuple[bytes, int]]:
    """Return the files that are to be written: those that are not there, and those of `ours` that are different.

    A file that somebody else put there knows better than what can be read off Docker.
    """
    wanted = {}
    for path, (content, mode) in files.items():
        now = await host.digest(path)
        if now is None or (path in ours and now != hashlib.sha256(content).hexdigest()):
            wanted[path] = (content, mode)
    return wanted


async def _certificates(host: ReadHost) -> dict[str, bytes]:
    found = await host.query(["find", "-L", CERTS_OF_DOCKER, "-mindepth", "2", "-maxdepth", "2", "-type", "f"])
    contents = {path: await host.read(path) for path in found.text.splitlines()}
    return {
        path.removeprefix(f"{CERTS_OF_DOCKER}/"): content for path, content in contents.items() if content is not None
    }


async def _options(host: ReadHost) -> list[str]:
    """Return dockerd's command line: of the one that runs, else of the unit, which would be started with it."""
    names = ("MainPID", "ExecStart", "Environment")
    shown = await host.query(["systemctl", "show", "docker.service", *(f"--property={name}" for name in names)])
    unit = dict(line.split("=", 1) for line in shown.text.splitlines() if "=" in line)
    pid = unit.get("MainPID", "")
    line = await host.read(f"/proc/{pid}/cmdline") if pid.isdigit() and pid != "0" else None
    if line:
        return line.decode("utf-8", "replace").split("\0")
    return started_as(unit.get("ExecStart", ""), unit.get("Environment", ""))
