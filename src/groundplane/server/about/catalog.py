"""The tables of the catalog as the API shows them."""

from __future__ import annotations

from typing import Any

import msgspec

from groundplane.catalog.sources import Sourced, of_site
from groundplane.catalog.tables import TABLES, tables

from ..status import Json
from .kinds import SETTLED

# What every row has besides what it says.
_ASIDE = frozenset({"source", "date", "review", "verified"})


def all_tables() -> dict[str, Json]:
    """Return the specs of the tables by name, the site's rows in place of the shipped ones."""
    return {name: _table(name, rows) for name, rows in tables().items()}


def _table(name: str, rows: tuple[Sourced, ...]) -> Json:
    kind = TABLES[name].kind
    columns = [field for field in kind.__struct_fields__ if field not in _ASIDE]
    shown = [_row(name, row, columns) for row in rows]
    return {"title": TABLES[name].title, "key": list(kind.key), "columns": columns, "rows": shown}


def _row(table: str, row: Sourced, columns: list[str]) -> Json:
    plain: dict[str, Any] = msgspec.to_builtins(row)
    due = row.due()
    return {
        "values": {name: plain[name] for name in columns if plain[name] not in ("", [], {})},
        "source": row.source,
        "date": row.date,
        "review": SETTLED if due is None else due.isoformat(),
        "verified": row.verified,
        "origin": "Site" if of_site(table, row) else "Shipped",
    }
