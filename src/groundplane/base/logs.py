"""The process's own log: one line an event on standard error, with its time, and plain tracebacks.

Tracebacks never show the values of local variables: those are requests, tokens and Secrets, and rendering them holds
up the event loop for as long as it takes.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog


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
