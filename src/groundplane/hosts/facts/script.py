"""The facts script as text; it only reads, and ends with a line that says so."""

from __future__ import annotations

from importlib.resources import files

SURVEY = (files(__package__) / "survey.sh").read_text(encoding="utf-8")
