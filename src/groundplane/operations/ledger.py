"""The ledger: what Groundplane put on a machine, kept on that machine, so that delete removes that and nothing else.

Before a file is created or changed for the first time, an entry is written: `created` when there was none,
`backup` when there was one, which is then kept aside. The first entry of a path is never overwritten: it is the only
record of how the machine was found. One file for each entry, so that steps that run at the same time on one
machine do not disturb each other. Notes are the same for what is not a file (was the runtime running?).
Nothing here is ever secret.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from shlex import quote
from typing import Any, Literal

from groundplane.hosts.contract import Host, ReadHost
from groundplane.hosts.errors import CommandFailed

from . import room
from .places import BACKUP, LEDGER, NOTES, STATE

_RECORD = """set -eu
umask 077
path={path}
entry={entry}
[ -e "$entry" ] && exit 0
trap 'rm -rf {copy}.new "$entry.new"' EXIT
mkdir -p {ledger} {backup}
if [ -e "$path" ] || [ -L "$path" ]; then
    cp -a "$path" {copy}.new
    mv -T {copy}.new {copy}
    was=backup
else
    was=created
fi
printf '%s\\n' {start}"$was"{end} > "$entry.new"
sync "$entry.new" 2>/dev/null || sync
mv "$entry.new" "$entry"
"""

# What an upload that never became whole left beside the path goes, too; see hosts.transfer for its name.
_RESTORE = """set -eu
if [ {was} = backup ]; then
    if [ -e {copy} ] || [ -L {copy} ]; then
        mkdir -p {parent}
        rm -rf {path}
        mv -T {copy} {path}
    fi
else
    rm -rf {path}
fi
rm -f {path}.part.???????? {entry}
"""


# Where less is free, that is why an entry could not be written.
_ENTRY_ROOM = 2**20


@dataclass(frozen=True, slots=True)
class Entry:
    """One path that Groundplane created or changed."""

    path: str
    was: Literal["created", "backup"]


async def record(host: Host, path: str) -> None:
    """Write down how `path` is now, unless it is on record already; to be called before it is touched."""
    start, end = json.dumps({"path": path, "was": "@"}).split("@")
    script = _RECORD.format(
        path=quote(path),
        entry=quote(_entry(path)),
        ledger=LEDGER,
        backup=BACKUP,
        copy=quote(_copy(path)),
        start=quote(start),
        end=quote(end),
    )
    try:
        await host.script(script)
    except CommandFailed:
        there = await host.stat(path)
        needed = max(_ENTRY_ROOM, there.size if there is not None else 0)
        await room.require(host, STATE, needed, f"note how {path} was found")
        raise


async def put(host: Host, path: str, content: bytes, *, mode: int = 0o644) -> None:
    """Record `path` and give it `content`."""
    await record(host, path)
    await host.write(path, content, mode=mode)


async def differs(host: ReadHost, path: str, content: bytes) -> bool:
    """Tell whether the file at `path` has another content, or is not there."""
    return await host.digest(path) != hashlib.sha256(content).hexdigest()


async def entries(host: ReadHost) -> list[Entry]:
    """Return all entries of the machine, the longest path first."""
    found = await host.query(["grep", "-rhs", "--include=*.json", "", LEDGER])
    parsed = [json.loads(line) for line in found.text.splitlines() if line.strip()]
    return sorted((Entry(e["path"], e["was"]) for e in parsed), key=lambda e: (-len(e.path), e.path))


async def restore(host: Host, entry: Entry) -> None:
    """Put the path back as it was found and forget it."""
    parent = entry.path.rpartition("/")[0] or "/"
    await host.script(
        _RESTORE.format(
            was=entry.was,
            path=quote(entry.path),
            copy=quote(_copy(entry.path)),
            parent=quote(parent),
            entry=quote(_entry(entry.path)),
        )
    )


async def note(host: ReadHost, key: str) -> dict[str, Any] | None:
    """Return the note called `key`, or None."""
    content = await host.read(f"{NOTES}/{key}.json")
    return None if content is None else dict(json.loads(content))


async def write_note(host: Host, key: str, value: dict[str, Any]) -> None:
    """Write the note called `key`; back only when it is on the machine's disk."""
    await host.write(f"{NOTES}/{key}.json", json.dumps(value, sort_keys=True).encode() + b"\n", mode=0o600)


async def forget_note(host: Host, key: str) -> None:
    """Remove the note called `key`; fine when there is none."""
    await host.run(["rm", "-f", f"{NOTES}/{key}.json"])


async def note_first(host: Host, key: str, value: dict[str, Any]) -> None:
    """Write the note called `key` unless there is one: the first is how the machine was found."""
    if await note(host, key) is None:
        await write_note(host, key, value)


async def prepare(host: Host) -> None:
    """Make the folders that the ledger lives in."""
    await host.run(["mkdir", "-p", "-m", "700", STATE, LEDGER, BACKUP, NOTES])


def _name(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:32]


def _entry(path: str) -> str:
    return f"{LEDGER}/{_name(path)}.json"


def _copy(path: str) -> str:
    return f"{BACKUP}/{_name(path)}"
