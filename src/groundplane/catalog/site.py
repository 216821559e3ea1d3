"""Newer rows that a site brings: one YAML file in the home, of the tables' own shapes, checked as the shipped ones are.

A file is taken whole or refused whole, with every fault named; what is refused changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from groundplane.base.documents import too_deep
from groundplane.base.errors import Refused, one_line
from groundplane.base.files import write_private
from groundplane.base.words import counted

from .checking import contradictions
from .sources import Sourced, convert, lay_over, shipped
from .tables import TABLES, Tables, shipped_with

# Beside the settings in the home, and in its backups.
SITE = Path("catalog.yaml")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a site's file: where it is, and what it is."""

    field: str
    message: str


class SiteRefused(Refused):
    """A site's rows cannot be used; `causes` names every fault."""

    def __init__(self, origin: str, causes: tuple[Fault, ...]) -> None:
        count = counted(len(causes), "fault")
        super().__init__(f"cannot use the catalog rows of {origin}: {count}", remedy=f"correct or remove {origin}")
        self.causes = causes


def parse_site(text: str, origin: str) -> dict[str, tuple[Sourced, ...]]:
    """Return the rows of a site's file by table; raises SiteRefused naming every fault."""
    body = _loaded(text, origin)
    faults: list[Fault] = []
    rows = _typed(body, faults)
    if not faults:
        faults += _useless(rows)
        faults += [Fault("contradiction", found) for found in contradictions(shipped_with(rows))]
    if faults:
        raise SiteRefused(origin, tuple(faults))
    return rows


def _loaded(text: str, origin: str) -> Any:
    try:
        if too_deep(text):
            raise SiteRefused(origin, (Fault("file", "nested too deep"),))
        return yaml.load(text, yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise SiteRefused(origin, (Fault("file", f"not YAML: {one_line(error)}"),)) from error


def _typed(body: Any, faults: list[Fault]) -> dict[str, tuple[Sourced, ...]]:
    if not isinstance(body, dict):
        faults.append(Fault("file", "not a mapping of table names to lists of rows"))
        return {}
    found: dict[str, tuple[Sourced, ...]] = {}
    for name, rows in body.items():
        if name not in TABLES:
            faults.append(Fault(str(name), f"no such table; there are {', '.join(sorted(TABLES))}"))
        elif not isinstance(rows, list):
            faults.append(Fault(name, "not a list of rows"))
        else:
            found[name] = tuple(_typed_rows(name, rows, faults))
    return found


def _typed_rows(name: str, rows: list[Any], faults: list[Fault]) -> Iterator[Sourced]:
    for number, row in enumerate(rows):
        try:
            yield convert(row, TABLES[name].kind)
        except msgspec.ValidationError as error:
            faults.append(Fault(f"{name}[{number}]", str(error)))


def _useless(rows: Tables) -> Iterator[Fault]:
    """Rows that would change nothing: there twice, or older than the shipped one."""
    for name, ours in rows.items():
        days = {row.identity(): row.date for row in shipped(name, TABLES[name].kind)}
        seen: set[tuple[str, ...]] = set()
        for number, row in enumerate(ours):
            if row.identity() in seen:
                yield Fault(f"{name}[{number}]", f"{' '.join(row.identity())} is there twice")
            elif days.get(row.identity(), "") > row.date:
                message = f"its date {row.date} is before that of the shipped row, {days[row.identity()]}"
                yield Fault(f"{name}[{number}]", message)
            seen.add(row.identity())


def read_file(path: Path) -> str:
    """Return a file's text; bytes that are no text become signs that the check then stumbles on."""
    return path.read_text("utf-8", errors="replace")


def load_site(home: Path) -> None:
    """Lay the home's rows over the shipped ones, none when it has no file; raises SiteRefused.

    For the start of a process, before the catalog is asked.
    """
    path = home / SITE
    lay_over(parse_site(read_file(path), str(path)) if path.exists() else {})


def install(text: str, origin: str, home: Path) -> dict[str, tuple[Sourced, ...]]:
    """Check a site's rows and put them into the home in place of those there; raises SiteRefused."""
    rows = parse_site(text, origin)
    write_private(home / SITE, text.encode())
    return rows
