"""The report's style sheet, from the file beside this one."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def style() -> str:
    """Return the style sheet as it goes into the page."""
    return Path(__file__).with_name("report.css").read_text("utf-8")
