"""The facts scripts as text; they only read, and end with a line that says so."""

from __future__ import annotations

import re
from importlib.resources import files


def _bare(text: str) -> str:
    """Leave out what only people read: it would travel to every machine."""
    lines = (line.strip() if not line.startswith("$") else line for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#"))


SURVEY = _bare((files(__package__) / "survey.sh").read_text(encoding="utf-8"))
# Run only before the runtime of a living node is changed, so that the survey stays cheap.
MIGRATION = _bare((files(__package__) / "migration.sh").read_text(encoding="utf-8"))

# What the script picks of a kernel's configuration; what comes packed is picked by the same words.
_pattern = re.search(r"'(\^CONFIG_[^']*)'", SURVEY)
OPTIONS = re.compile(_pattern.group(1) if _pattern else "(?!)", re.ASCII)
