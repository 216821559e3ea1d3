"""The process's own log: one line an event on standard error, with its time, and plain tracebacks.

Tracebacks never show the values of local variables: those are requests, tokens and Secrets, and rendering them holds
up the event loop for as long as it takes.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

_RICH = sys.modules.get("rich")
# Where rich can be imported, structlog imports it to draw tracebacks, which are plain here: half of what a process
# that logs would have to import before its first line.
sys.modules["rich"] = None  # type: ignore[assignment]
try:
    import structlog
finally:
    del sys.modules["rich"]
    if _RICH is not None:
        sys.modules["rich"] = _RICH

get_logger = structlog.get_logger


class Lossy:
    """A stream that loses what its disk or its reader does not take: a full disk must not stop whoever logs that."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


def configure_logging(stream: TextIO | None = None) -> None:
    """Set up logging for the process; called once, by whoever owns the process."""
    target = Lossy(stream or sys.stderr)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, target)),
    )
