"""The engine as a process: one per home, started in the background, stopped by its pid file.

The running engine holds a lock on its pid file for as long as it lives; a pid file that nobody locks is stale, so
a number that another program has got since is never signalled. A background engine tells over a pipe that it is
ready, so the first administrator token is in no file and no process list.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from groundplane.base.errors import Denied, GroundplaneError, Refused, Unavailable, Unexpected

from .exits import Exit, Stopped
from .ready import Ready

_LOG_SHOWN = 15


def pid_file(home: Path) -> Path:
    """Return the pid file of the engine of this home."""
    return home / "groundplane.pid"


def log_file(home: Path) -> Path:
    """Return the log file of a background engine of this home."""
    return home / "logs" / "groundplane.log"


@contextmanager
def only_engine(home: Path) -> Iterator[None]:
    """Be the one engine of this home for the length of the block; Refused when there is another."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = pid_file(home)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise Refused(
                f"cannot start Groundplane in {home}: process {running(home)} already runs there",
                remedy="stop it with `groundplane down`, or choose another --home",
            ) from exc
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
        # Emptied, not removed: whoever opened it meanwhile has to meet the same lock.
        file.truncate(0)


def running(home: Path) -> int:
    """Return the engine's process id, 0 when none runs."""
    try:
        with pid_file(home).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0)
    except FileNotFoundError:
        return 0
    return 0


def start(home: Path, flags: Sequence[str], *, patience: float) -> Ready:
    """Start an engine in the background and return once it says that it is ready; `flags` are those of `up`."""
    log = log_file(home)
    for folder in (home, log.parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "groundplane.cli.main", "up", *flags]
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        log_start = output.tell()
        process = subprocess.Popen(
            [*command, "--ready-fd", str(writing)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(writing,),
            start_new_session=True,
        )
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = _await_end(pipe.fileno(), process, log, patience)
    if not told:
        raise _did_not_start(process.wait(), log, log_start)
    # It lives on without us; told here, so that Python does not warn of a child left behind.
    process.returncode = 0
    return msgspec.json.decode(told, type=Ready, dec_hook=_path)


def stop(home: Path, *, patience: float) -> int:
    """Stop the engine of this home and wait until it is gone; returns its process id, 0 when none ran."""
    pid = running(home)
    if not pid:
        return 0
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return 0
    try:
        # Asked again with the handle open: now the number cannot pass to another program unnoticed.
        if running(home) != pid:
            return 0
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        if not select.select([handle], [], [], patience)[0]:
            raise Stopped(
                f"cannot stop Groundplane in {home}: process {pid} still runs after {patience:.0f} s",
                remedy=f"look into {log_file(home)}; stopping goes on by itself",
            )
    finally:
        os.close(handle)
    return pid


def announce(descriptor: int, ready: Ready) -> None:
    """Tell the starter over its pipe; a starter that has gone meanwhile is no reason to stop."""
    try:
        with os.fdopen(descriptor, "wb") as pipe:
            pipe.write(msgspec.json.encode(ready, enc_hook=str))
    except BrokenPipeError:
        return


def _path(kind: type, value: object) -> Path:
    """JSON has no paths: the one in Ready travels as text."""
    return Path(str(value))


def _await_end(pipe: int, process: subprocess.Popen[bytes], log: Path, patience: float) -> bytes:
    """The pipe closes when the engine has told that it is ready, or has died: no waiting by the clock."""
    told = b""
    while True:
        if not select.select([pipe], [], [], patience)[0]:
            raise Unavailable(
                f"cannot tell that Groundplane is up: process {process.pid} said nothing for {patience:.0f} s",
                remedy=f"look into {log}; stop it with `groundplane down`",
            )
        block = os.read(pipe, 1 << 16)
        if not block:
            return told
        told += block


def _did_not_start(status: int, log: Path, log_start: int) -> GroundplaneError:
    """Return the error of the engine as our own, with what it wrote in this run."""
    kinds: dict[int, type[GroundplaneError]] = {
        Exit.REFUSED: Refused,
        Exit.UNAVAILABLE: Unavailable,
        Exit.DENIED: Denied,
    }
    with log.open("rb") as file:
        file.seek(log_start)
        written = file.read().decode("utf-8", "replace").splitlines()
    last = "".join(f"\n  {line}" for line in written[-_LOG_SHOWN:])
    return kinds.get(status, Unexpected)(f"cannot start Groundplane: it ended with status {status} and said:{last}")
