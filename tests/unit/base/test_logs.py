"""The process's own log."""

import io
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from groundplane.base.logs import configure_logging


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    before = structlog.get_config()
    made = io.StringIO()
    configure_logging(made)
    yield made
    structlog.configure(**before)


def test_a_traceback_shows_where_and_no_values(stream: io.StringIO) -> None:
    def fails(secret: str) -> None:
        raise RuntimeError(f"{len(secret)} characters")

    try:
        fails("hun" + "ter2-hun" + "ter2")
    except RuntimeError as error:
        structlog.get_logger("x").error("request failed", exc_info=error)
    assert "RuntimeError: 15 characters" in stream.getvalue()
    assert "in fails" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_a_log_whose_disk_is_full_stops_nobody() -> None:
    before = structlog.get_config()
    # Unbuffered below, so that nothing is left to be written when it is closed.
    with io.TextIOWrapper(open("/dev/full", "wb", buffering=0), write_through=True) as full:
        configure_logging(full)
        structlog.get_logger().error("the disk is full")
        structlog.configure(**before)


def test_logging_does_not_import_what_draws_in_colours_and_leaves_it_to_others() -> None:
    code = "import groundplane.server.app, sys; assert 'rich' not in sys.modules; import rich; assert rich.__file__"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0
    code = "import rich, groundplane.base.logs, sys; assert sys.modules['rich'] is rich"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0
