"""What is printed: errors, objects as YAML or JSON, and tables as kubectl prints them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from groundplane.base.errors import GroundplaneError, Refused

_GAP = "   "
# How Kubernetes says that an object is not there.
_MISSING = re.compile(r"\b([a-z]+)\.groundplane\.dev \"[^\"]*\" not found")


def show_error(error: GroundplaneError) -> None:
    """Print what, where and the remedy on standard error; each cause of an invalid object on its own line."""
    click.echo(f"error: {error.message}", err=True)
    for cause in getattr(error, "causes", ()):
        if cause.message not in error.message:
            click.echo(f"  {cause.field}: {cause.message}", err=True)
    remedy = error.remedy or _where_to_look(error)
    if remedy:
        click.echo(f"remedy: {remedy}", err=True)


def _where_to_look(error: GroundplaneError) -> str:
    """Return how to find the right name when an object of ours is not there."""
    from groundplane.kube.errors import NotFound

    missing = _MISSING.search(error.message) if isinstance(error, NotFound) else None
    return f"groundplane get {missing[1]} shows those that are there; -n names another namespace" if missing else ""


def put(text: str, output: Path | None) -> None:
    """Print a text, or write it as a whole file and say so."""
    if output is None:
        click.echo(text, nl=False)
        return
    from groundplane.base.files import write_private

    try:
        write_private(output, text.encode(), mode=0o644)
    except OSError as exc:
        raise Refused(f"cannot write {output}: {exc.strerror}", remedy="choose a directory that you may write") from exc
    click.echo(f"wrote {output}", err=True)


def document(value: Any, form: str) -> str:
    """Return the value as "yaml" or "json" text, ending with a newline. Managed fields are left out."""
    if form == "json":
        import msgspec

        return msgspec.json.format(msgspec.json.encode(_tidy(value)), indent=4).decode() + "\n"
    import yaml

    return yaml.dump(_tidy(value), Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)


def _tidy(value: Any) -> Any:
    """Copy without metadata.managedFields, as kubectl shows objects."""
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("items"), list):
        return {**value, "items": [_tidy(item) for item in value["items"]]}
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or "managedFields" not in metadata:
        return value
    return {**value, "metadata": {key: item for key, item in metadata.items() if key != "managedFields"}}


class Table:
    """Rows in columns. Widths only grow, so that rows printed later still line up with the heading."""

    def __init__(self, headings: Sequence[str]) -> None:
        self._headings = [heading.upper() for heading in headings]
        self._widths = [len(heading) for heading in self._headings]

    def lines(self, rows: Sequence[Sequence[object]], *, heading: bool) -> list[str]:
        """Return the rows as lines, after the heading if wanted."""
        texts = [["<none>" if cell in ("", None) else str(cell) for cell in row] for row in rows]
        for row in texts:
            self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, row, strict=True)]
        every = [self._headings, *texts] if heading else texts
        return [self._line(row) for row in every]

    def _line(self, row: Sequence[str]) -> str:
        return _GAP.join(cell.ljust(width) for cell, width in zip(row, self._widths, strict=True)).rstrip()
