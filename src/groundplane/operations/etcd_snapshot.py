"""A snapshot of etcd, taken over its HTTP gateway and read back by a second etcd before anybody relies on it.

The stream of a snapshot is the store's file and, behind it, the file's sha256. The store without it is laid into a
scratch folder in the file system of the running member's container, where a second etcd, with the same certificates
and on loopback, opens it as a cluster of its own. What that one tells has to be what the running member tells of the
same revision.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from shlex import join, quote

from groundplane.hosts.contract import Host
from groundplane.hosts.errors import CommandFailed

from . import etcd_store, room
from .errors import StepRefused
from .kubeadm.upgrade import flags_of
from .places import SNAPSHOTS
from .scope import Scope
from .waiting import wait_until

_UNIT = "groundplane-etcd-scratch.service"
_SCRATCH = "/groundplane-etcd-scratch"
_CLIENTS, _PEERS = 22379, 22380
_KEPT = 3
_DATABASE = "member/snap/db"

_TAKE = """set -eu
umask 077
mkdir -p {folder}
rm -f {folder}/*.new
{ask} | sed -n 's/.*"blob":"\\([^"]*\\)".*/\\1/p' | while IFS= read -r part; do
    printf '%s' "$part" | base64 -d
done > {path}.new
size=$(stat -c %s {path}.new)
[ "$size" -gt 32 ]
said=$(tail -c 32 {path}.new | od -An -v -tx1 | tr -d ' \\n')
[ "$(head -c $((size - 32)) {path}.new | sha256sum | cut -c1-64)" = "$said" ]
sync {path}.new 2>/dev/null || sync
mv {path}.new {path}
"""
_LAY_OUT = """set -eu
umask 077
rm -rf {scratch}
mkdir -p {scratch}/member/snap
size=$(stat -c %s {path})
head -c $((size - 32)) {path} > {scratch}/{database}
"""


async def take(scope: Scope, host: Host, name: str) -> str:
    """Take a snapshot, read it back, keep it and the two before it; return its path."""
    flags = flags_of(await host.read(etcd_store.MANIFEST))
    process = await etcd_store.pid(host)
    store = await host.stat(f"{flags.get('data-dir', '/var/lib/etcd')}/{_DATABASE}")
    size = store.size if store is not None else 0
    await host.run(["mkdir", "-p", "-m", "700", SNAPSHOTS])
    for folder in (SNAPSHOTS, f"/proc/{process}/root/"):
        await room.require(host, folder, size * 2, "save etcd")
    path, live = f"{SNAPSHOTS}/{name}.db", await etcd_store.member(host)
    ask = join(live.curl("/v3/maintenance/snapshot", "{}", seconds=3600))
    try:
        await host.script(_TAKE.format(folder=SNAPSHOTS, path=quote(path), ask=ask), timeout=3600)
    except CommandFailed as error:
        raise StepRefused(
            f"cannot save etcd of host {host.name}: the snapshot did not arrive whole: {error.message}",
            remedy="look at the container etcd there; curl, base64 and sha256sum are needed on the machine",
        ) from error
    await _read_back(scope, host, path, process, live)
    await _keep_last(host)
    return path


async def _read_back(scope: Scope, host: Host, path: str, process: str, live: etcd_store.Member) -> None:
    scratch = f"/proc/{process}/root{_SCRATCH}"
    try:
        await host.script(_LAY_OUT.format(scratch=quote(scratch), path=quote(path), database=_DATABASE), timeout=600)
        await _start(host, process)
        copy = replace(live, url=f"https://127.0.0.1:{_CLIENTS}")
        await wait_until(
            lambda: _silent(host, copy),
            what="the snapshot opened by etcd",
            seconds=120,
            clock=scope.clock,
            interval=0.2,
        )
        revision, count = await etcd_store.keys(host, copy)
        _, wanted = await etcd_store.keys(host, live, revision=revision)
        if count != wanted or count == 0:
            raise StepRefused(
                f"cannot trust the snapshot of etcd on host {host.name}: it has {count} keys at revision {revision},"
                f" and the running etcd {wanted}",
                remedy="look at the disk of etcd there",
            )
        scope.log(f"snapshot {path} read back: revision {revision}, {count} keys, as the running etcd")
    finally:
        await asyncio.shield(_clear(host, scratch))


async def _start(host: Host, process: str) -> None:
    """Start a second etcd in the container's file system, with the running one's certificates."""
    flags = flags_of(await host.read(etcd_store.MANIFEST))
    own = {name: value for name, value in flags.items() if name.endswith(("-file", "-cert-auth"))}
    own |= {
        "name": "scratch",
        "data-dir": _SCRATCH,
        "listen-client-urls": f"https://127.0.0.1:{_CLIENTS}",
        "advertise-client-urls": f"https://127.0.0.1:{_CLIENTS}",
        "listen-peer-urls": f"https://127.0.0.1:{_PEERS}",
        "initial-advertise-peer-urls": f"https://127.0.0.1:{_PEERS}",
        "initial-cluster": f"scratch=https://127.0.0.1:{_PEERS}",
    }
    argv = ["etcd", *(f"--{name}={value}" for name, value in own.items())]
    inside = ["nsenter", "--target", process, "--mount", "--root", "--wd"]
    await host.run(["systemctl", "stop", _UNIT], check=False)
    await host.run(["systemctl", "reset-failed", _UNIT], check=False)
    path = "--setenv=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    await host.run(["systemd-run", "--quiet", f"--unit={_UNIT}", path, "--", *inside, *argv])


async def _silent(host: Host, copy: etcd_store.Member) -> str:
    asked = await host.run(copy.curl("/version"), check=False, timeout=40)
    return "" if asked.ok else "it does not answer"


async def _clear(host: Host, scratch: str) -> None:
    await host.run(["systemctl", "stop", _UNIT], check=False, timeout=60)
    await host.run(["systemctl", "reset-failed", _UNIT], check=False)
    await host.run(["rm", "-rf", scratch], check=False)


async def _keep_last(host: Host) -> None:
    listed = (await host.run(["ls", "-1t", SNAPSHOTS])).text.splitlines()
    snapshots = [name for name in listed if name.endswith(".db")]
    if old := [f"{SNAPSHOTS}/{name}" for name in snapshots[_KEPT:]]:
        await host.run(["rm", "-f", *old])
