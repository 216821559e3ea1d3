"""Brings one local file to a machine, whole or not at all, going on where an earlier try was cut.

The bytes go through a command's standard input and not through SFTP: that is the one way that works for root and
for sudo users alike. What has arrived is kept as PATH.part.DIGEST; the machine itself compares the sha256 before
it renames. A part that turns out wrong is removed and sent once more from its beginning. What arrived is not synced:
after a power cut the digest tells what has to be sent again.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from groundplane.base.errors import Refused, Unexpected

from . import shell
from .access import HostAccess
from .channels import CHUNK, Channels, Process, ended
from .contract import Result
from .errors import CommandFailed, HostFull, HostUnreachable

_LOOK_SECONDS = 120
# Slower than this and the upload is given up; the part stays, and the next try goes on from there.
_SLOWEST_BYTES_A_SECOND = 64 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """A local file, with its size when the transfer began and the sha256 that the machine is to find."""

    path: Path
    size: int
    digest: str

    @staticmethod
    async def of(path: str, sha256: str = "") -> Source:
        """Look at the file, and hash it beside the event loop when the caller does not know its sha256."""
        return await asyncio.to_thread(_measure, Path(path), sha256)


def _measure(path: Path, sha256: str) -> Source:
    try:
        with path.open("rb") as file:
            digest = sha256 or hashlib.file_digest(file, "sha256").hexdigest()
            return Source(path, os.fstat(file.fileno()).st_size, digest)
    except OSError as exc:
        raise Refused(f"cannot read {path} to send it: {(exc.strerror or str(exc)).lower()}") from exc


class Transfer:
    """One upload of `source` to `path`."""

    def __init__(self, channels: Channels, source: Source, path: str, mode: int) -> None:
        self._channels = channels
        self._access = channels.link.access
        self._source = source
        self._part = f"{path}.part.{source.digest[:8]}"
        self._arguments = (path, self._part, source.digest, f"{mode:o}")
        self._doing = f"upload {path}"

    async def run(self) -> None:
        """Send what is missing; raises HostUnreachable when cut, after which another run goes on."""
        for _ in range(2):
            have = await self._look()
            if have is None:
                return
            if have > self._source.size:
                await self._drop_part()
                have = 0
            result = await self._send(have)
            if result.status not in (shell.CORRUPT, shell.NOT_THERE_YET):
                check_file(result, self._access, self._doing)
                return
        raise HostUnreachable(
            f"cannot {self._doing} on {self._access.place}: what arrived is not what was sent",
            remedy="check the machine's disk and memory, and that nobody else writes there",
        )

    async def _look(self) -> int | None:
        argv = shell.sh(shell.UPLOAD_LOOK, *self._arguments)
        result = await self._channels.run(argv, stdin=b"", timeout=_LOOK_SECONDS, writes=True)
        check_file(result, self._access, self._doing)
        return None if result.text == "whole" else int(result.text)

    async def _drop_part(self) -> None:
        result = await self._channels.run(["rm", "-f", "--", self._part], stdin=b"", timeout=_LOOK_SECONDS, writes=True)
        check_file(result, self._access, self._doing)

    async def _send(self, offset: int) -> Result:
        argv = shell.sh(shell.UPLOAD_SEND, *self._arguments, str(offset), str(self._source.size))
        timeout = _LOOK_SECONDS + (self._source.size - offset) / _SLOWEST_BYTES_A_SECOND
        async with self._channels.process(argv, timeout=timeout, writes=True) as process:
            await self._pour(process, offset)
            stdout, stderr = await process.communicate()
            status = ended(process, self._access, argv)
        return Result(tuple(argv), status, stdout or b"", stderr or b"")

    async def _pour(self, process: Process, offset: int) -> None:
        file = await asyncio.to_thread(self._source.path.open, "rb")
        try:
            file.seek(offset)
            while chunk := await asyncio.to_thread(file.read, CHUNK):
                process.stdin.write(chunk)
                await process.stdin.drain()
            process.stdin.write_eof()
        except BrokenPipeError:
            # The machine stopped reading; the exit status that follows says why.
            return
        finally:
            file.close()


def check_file(result: Result, access: HostAccess, doing: str) -> None:
    """Raise what the status of one of our file scripts means, when it is not success."""
    place = access.place
    if result.ok:
        return
    if result.status == shell.NOT_A_FILE:
        raise Refused(f"cannot {doing} on {place}: there is a directory of that name")
    if result.status == shell.CUT_SHORT:
        raise HostUnreachable(f"cannot {doing} on {place}: the content did not arrive whole")
    if result.status == shell.BUSY:
        raise HostUnreachable(
            f"cannot {doing} on {place}: an earlier upload of it still holds the file",
            remedy="it ends with its connection; look there for a process that has the file open",
        )
    if result.status == shell.NO_ROOM:
        free, needed, folder = result.text.split(" ", 2)
        raise HostFull(place, doing, folder, free=int(free), needed=int(needed))
    if result.status == shell.SUDO_ATE_NOTHING:
        raise Unexpected(f"cannot {doing} on {place}: sudo did not ask for the password that it asked for before")
    raise CommandFailed(place, result.argv, result.status, result.stderr)
