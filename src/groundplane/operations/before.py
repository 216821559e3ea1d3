"""How files and units were before a change of a living node, kept on the machine until the way back is given up.

The ledger remembers how a machine was before Groundplane; this remembers how a node was before one change of it, by the
name of the change. The first copy of a path stays: a run that was cut off must not take its own half for the original.
A step that begins on a whole node drops what an earlier Operation has left here, and says so in its journal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from shlex import quote

from groundplane.hosts.contract import Host, ReadHost

from . import systemd
from .places import STATE

HOME = f"{STATE}/before"

_SAVE = """set -eu
umask 077
mkdir -p {folder}
[ -e {entry} ] && exit 0
if [ -e {path} ]; then
    cp -a {path} {copy}.new
    sync {copy}.new 2>/dev/null || sync
    mv -T {copy}.new {copy}
    was=there
else
    was=absent
fi
printf '%s\\n' {start}"$was"{end} > {entry}.new
sync {entry}.new 2>/dev/null || sync
mv {entry}.new {entry}
"""

_DROP = """set -eu
[ -d {folder} ] || exit 0
cd {folder}
rm -f {files}
sync . 2>/dev/null || sync
"""

_PUT_BACK = """set -eu
if [ {was} = there ]; then
    mkdir -p {parent}
    cp -a {copy} {new}
    sync {new} 2>/dev/null || sync
    mv -T {new} {path}
else
    rm -f {path}
fi
"""


async def save(host: Host, change: str, path: str) -> None:
    """Keep a copy of `path` as it is now, or that it is not there, unless there is one of this change already."""
    start, end = json.dumps({"path": path, "was": "@"}).split("@")
    await host.script(
        _SAVE.format(
            folder=quote(_folder(change)),
            entry=quote(_entry(change, path)),
            path=quote(path),
            copy=quote(_copy(change, path)),
            start=quote(start),
            end=quote(end),
        )
    )


async def saved(host: ReadHost, change: str) -> dict[str, str]:
    """Return what is kept of a change: path to "there" or "absent"."""
    found = await host.query(["grep", "-rhs", "--include=*.json", '"was"', _folder(change)])
    entries = [json.loads(line) for line in found.text.splitlines() if line.strip()]
    return {entry["path"]: entry["was"] for entry in entries}


async def copy_of(host: ReadHost, change: str, path: str) -> bytes | None:
    """Return the kept content of `path`, or None when it was not there or is not kept."""
    return await host.read(_copy(change, path))


async def put_back(host: Host, change: str, *, below: str = "/") -> list[str]:
    """Bring every kept path below a folder back as it was; the copies stay. Returns the paths."""
    paths = {path: was for path, was in (await saved(host, change)).items() if path.startswith(below)}
    for path, was in paths.items():
        parent, _, name = path.rpartition("/")
        # A dot file: of any other in /etc/kubernetes/manifests kubelet would make a second pod.
        words = {"path": path, "copy": _copy(change, path), "new": f"{parent}/.{name}.groundplane-back"}
        quoted = {key: quote(word) for key, word in words.items()}
        await host.script(_PUT_BACK.format(was=was, parent=quote(parent or "/"), **quoted))
    return sorted(paths)


async def drop(host: Host, change: str, paths: Iterable[str]) -> None:
    """Give up the copies of these paths: what is there now is what an Operation that begins now has to keep."""
    # The entry goes before its copy: an entry without a copy could not be put back.
    files = [name for path in paths for name in (_entry(change, path), _copy(change, path))]
    await host.script(_DROP.format(folder=quote(_folder(change)), files=" ".join(map(quote, files))))


async def note_units(host: Host, change: str, names: list[str]) -> None:
    """Write down how units are now, unless that is on record already."""
    if await units(host, change):
        return
    looked = await systemd.look_at(host, names)
    content = {one.name: {"known": one.known, "active": one.active, "enabled": one.enabled} for one in looked}
    await host.run(["mkdir", "-p", "-m", "700", _folder(change)])
    await host.write(f"{_folder(change)}/units", json.dumps(content).encode() + b"\n", mode=0o600)


async def drop_units(host: Host, change: str) -> None:
    """Give up how the units were."""
    await host.run(["rm", "-f", f"{_folder(change)}/units"])


async def units(host: ReadHost, change: str) -> list[systemd.Unit]:
    """Return how the units were."""
    content = await host.read(f"{_folder(change)}/units")
    if content is None:
        return []
    return [
        systemd.Unit(name, known=state["known"], active=state["active"], enabled=state["enabled"])
        for name, state in json.loads(content).items()
    ]


async def exists(host: ReadHost, change: str) -> bool:
    """Tell whether anything is kept of the change."""
    return await host.stat(_folder(change)) is not None


async def forget(host: Host, change: str) -> None:
    """Give up the way back."""
    await host.run(["rm", "-rf", _folder(change)])


def _folder(change: str) -> str:
    return f"{HOME}/{change}"


def _entry(change: str, path: str) -> str:
    return f"{_copy(change, path)}.json"


def _copy(change: str, path: str) -> str:
    return f"{_folder(change)}/{hashlib.sha256(path.encode()).hexdigest()[:32]}"
