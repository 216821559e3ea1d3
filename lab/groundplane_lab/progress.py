"""Progress as plain lines, readable in a terminal and in a pipe: one line for each thing done, with its seconds.

Long work also announces its start, so that a silent minute has a name.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[str], None]


def to_stderr(line: str) -> None:
    """Report to standard error, which stays visible when standard output is piped."""
    print(line, file=sys.stderr, flush=True)


def silent(line: str) -> None:
    """Report nothing, for tests and callers with a display of their own."""


@contextmanager
def timed(report: Report, what: str, *, announce: bool = False) -> Iterator[None]:
    """Report `what` and its seconds when the block ends well; `announce` also reports its start."""
    if announce:
        report(f"{what} ...")
    started = time.monotonic()
    yield
    report(f"{what}: {time.monotonic() - started:.1f} s")
