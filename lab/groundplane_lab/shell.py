"""Running programs of the outer host: argument lists only, and a failure that shows what the program said."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from groundplane_lab.errors import LabError

_TAIL = 2000
_Found = TypeVar("_Found")


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a program to its end and return what it printed; raises LabError with its complaint otherwise."""
    done = attempt(argv, stdin=stdin, environment=environment, cwd=cwd)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-_TAIL:]
        raise LabError(f"cannot run {' '.join(argv[:3])}: exit code {done.returncode}: {said}")
    return done.stdout


def attempt(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program and return how it ended, well or not; raises LabError when there is no such program."""
    try:
        return subprocess.run(
            list(argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
        )
    except FileNotFoundError as exc:
        raise LabError(f"cannot run {argv[0]}: it is not installed; `groundplane lab up` installs it") from exc


def docker(*argv: str, stdin: str | None = None) -> str:
    """Run the Docker client of the outer host. The classic builder is enough, and is there without a plug-in."""
    return run(["docker", *argv], stdin=stdin, environment={"DOCKER_BUILDKIT": "0"})


def wait_until(what: str, look: Callable[[], _Found | None], *, seconds: float, pause: float = 0.1) -> _Found:
    """Look again until `look` finds something; raises LabError naming `what` when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() >= deadline:
            raise LabError(f"cannot wait any longer for {what}: not there after {seconds:.0f} s")
        time.sleep(pause)
