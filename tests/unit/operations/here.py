"""This very machine as a Host, for what is only shell and files: scripts and commands are really run."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from groundplane.hosts.contract import FileStat, Host, Result
from groundplane.hosts.errors import CommandFailed
from groundplane.hosts.reading import is_reading

Answer = Callable[[Sequence[str]], str]


class Here(Host):
    """Runs everything below `root` where it can be told so; `answers` stand in for programs that are not here.

    An answer that raises LookupError is a program that fails.
    """

    name = "here"
    address = "127.0.0.1"

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        self.answers = dict(answers or {})
        self.ran: list[str] = []

    async def query(self, argv: Sequence[str], *, timeout: float = 30) -> Result:
        assert is_reading(argv), argv
        return self._run(argv)

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 120, check: bool = True) -> Result:
        return self._checked(self._run(argv, stdin), check=check)

    async def script(self, text: str, *, timeout: float = 120, check: bool = True) -> Result:
        self.ran.append(text)
        return self._checked(_finished(["/bin/sh", "-s"], text.encode()), check=check)

    async def read(self, path: str) -> bytes | None:
        return Path(path).read_bytes() if Path(path).is_file() else None

    async def stat(self, path: str) -> FileStat | None:
        found = Path(path)
        return FileStat(found.stat().st_mode & 0o7777, found.stat().st_size) if found.exists() else None

    async def digest(self, path: str) -> str | None:
        content = await self.read(path)
        return None if content is None else hashlib.sha256(content).hexdigest()

    async def write(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)
        os.chmod(path, mode)

    def _run(self, argv: Sequence[str], stdin: bytes = b"") -> Result:
        self.ran.append(" ".join(argv))
        answer = self.answers.get(argv[0])
        if answer is None:
            return _finished(argv, stdin)
        try:
            return Result(tuple(argv), 0, answer(argv).encode(), b"")
        except LookupError as error:
            return Result(tuple(argv), 1, b"", str(error).encode())

    def _checked(self, result: Result, *, check: bool) -> Result:
        if check and not result.ok:
            raise CommandFailed(self.name, result.argv, result.status, result.stderr)
        return result


def _finished(argv: Sequence[str], stdin: bytes) -> Result:
    done = subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=30)
    return Result(tuple(argv), done.returncode, done.stdout, done.stderr)
