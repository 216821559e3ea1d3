"""`groundplane catalog show|check|update`: what Groundplane knows of versions, from where, and how old it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from groundplane.catalog.sources import Sourced

_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)
_HOME = click.Path(file_okay=False, path_type=Path)
_home = click.option("--home", type=_HOME, help="Directory of the engine; the default is GROUNDPLANE_HOME.")
# Where a row is from is shown by `check`, wide and in yaml and json; in a narrow table it would leave no room for what
# the row says.
_ASIDE = ("source", "date", "review", "verified")
# The weakest first.
_UNREAD = {"memory": "are written from memory", "copy": "were read through a copy of their source"}


@click.group()
def catalog() -> None:
    """What Groundplane knows of versions, kernels and systems, with sources."""


@catalog.command()
@click.argument("table", required=False, default="")
@click.option(
    "-o", "--output", type=click.Choice(["table", "wide", "json", "yaml"]), default="table", help="Form of the rows."
)
@_home
def show(*, table: str, output: str, home: Path | None) -> None:
    """Show the tables, or the rows of one."""
    from .show import Table, document

    rows = _rows(home)
    if table and table not in rows:
        raise click.BadParameter(f"{table!r} is not one of {', '.join(rows)}", param_hint="TABLE")
    if output in ("json", "yaml"):
        chosen = {table: rows[table]} if table else rows
        click.echo(document({name: [_plain(row) for row in found] for name, found in chosen.items()}, output), nl=False)
        return
    wide = output == "wide"
    headings, cells = _columns(rows[table], wide=wide) if table else _overview(rows, wide=wide)
    for line in Table(headings).lines(cells, heading=True):
        click.echo(line)


@catalog.command()
@_home
def check(*, home: Path | None) -> None:
    """List the rows past their day of review, and those not read at their source. A report: the exit code is 0."""
    from groundplane.base.clock import utc_now

    from .show import Table

    today = utc_now().date()
    rows = [(name, row, row.due()) for name, found in _rows(home).items() for row in found]
    due = sorted(
        ((day, name, row) for name, row, day in rows if day is not None and day <= today),
        key=lambda entry: (entry[0], entry[1], entry[2].identity()),
    )
    cells = [
        (name, " ".join(row.identity()), day.isoformat(), row.date, f"{(today - day).days}d", row.source)
        for day, name, row in due
    ]
    if cells:
        for line in Table(("table", "row", "review", "as of", "over by", "source")).lines(cells, heading=True):
            click.echo(line)
    click.echo(f"{len(due)} of {len(rows)} rows are past their day of review")
    _unread([(name, row) for name, row, _ in rows])


def _unread(rows: Sequence[tuple[str, Sourced]]) -> None:
    """List the rows that were not read at their primary source, those from memory first."""
    from .show import Table

    found = [(how, name, row) for how in _UNREAD for name, row in rows if row.verified == how]
    cells = [(how, name, " ".join(row.identity()), row.date, row.source) for how, name, row in found]
    if cells:
        click.echo()
        for line in Table(("verified", "table", "row", "as of", "source")).lines(cells, heading=True):
            click.echo(line)
    counts = " and ".join(f"{sum(how == other for other, _, _ in found)} {text}" for how, text in _UNREAD.items())
    click.echo(f"{counts}, of {len(rows)} rows")


@catalog.command()
@click.option("--from", "path", type=_FILE, required=True, help="YAML file: table names with lists of rows.")
@_home
def update(*, path: Path, home: Path | None) -> None:
    """Put newer rows of this site in place of the shipped ones."""
    from groundplane.base.words import counted
    from groundplane.catalog.site import SITE, install, read_file

    target = _home_of(home)
    found = install(read_file(path), str(path), target)
    count = sum(map(len, found.values()))
    rows = f"{counted(count, 'row')} in {counted(len(found), 'table')}"
    click.echo(f"wrote {target / SITE}: {rows}; Groundplane reads it when it starts: restart it")


def _home_of(home: Path | None) -> Path:
    from groundplane.base.settings import read_settings

    return home.absolute() if home else read_settings().home


def _rows(home: Path | None) -> dict[str, tuple[Sourced, ...]]:
    from groundplane.catalog import load_site
    from groundplane.catalog.tables import tables

    load_site(_home_of(home))
    return tables()


def _plain(row: Sourced) -> dict[str, Any]:
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(row)
    return {name: plain[name] for name in (*(key for key in plain if key not in _ASIDE), *_ASIDE)}


def _overview(rows: dict[str, tuple[Sourced, ...]], *, wide: bool) -> tuple[list[str], list[Sequence[str]]]:
    from groundplane.catalog.tables import TABLES

    cells: list[Sequence[str]] = [
        (
            name,
            str(len(found)),
            max((row.date for row in found), default=""),
            *([str(sum(row.verified == how for row in found)) for how in _UNREAD] if wide else []),
            TABLES[name].title,
        )
        for name, found in rows.items()
    ]
    return ["table", "rows", "newest", *(_UNREAD if wide else ()), "what"], cells


def _columns(rows: tuple[Sourced, ...], *, wide: bool) -> tuple[list[str], list[Sequence[str]]]:
    names = [name for name in rows[0].__struct_fields__ if name not in _ASIDE]
    names += ["date", "review", "verified", "source"] if wide else ["date"]
    return names, [[_cell(getattr(row, name)) for name in names] for row in rows]


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
