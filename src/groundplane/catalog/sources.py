"""Reads the catalog's tables: what Groundplane ships as data files, with a site's newer rows laid over it.

Every row says where it is from and of which day it is, or it is refused. A row of the site takes the place of the
shipped one with the same key, unless the shipped one is of a later day: an upgrade of Groundplane is not held back by
what a site wrote down before. Tables are read once and kept; `lay_over` forgets what was kept, so that it belongs at
the start of a process, before anybody has drawn a conclusion.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib import resources
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import msgspec
import yaml

from groundplane.base.errors import Unexpected

_DAY = r"20[0-9]{2}-[01][0-9]-[0-3][0-9]"
Url = Annotated[str, msgspec.Meta(pattern=r"^https://\S+$")]
Day = Annotated[str, msgspec.Meta(pattern=f"^{_DAY}$")]
OptionalDay = Annotated[str, msgspec.Meta(pattern=f"^({_DAY})?$")]
Line = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+\.[0-9]+$")]
Verified = Literal["primary", "copy", "memory"]
SETTLED = "settled"
REVIEW_AFTER = datetime.timedelta(days=365)


class Sourced(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all rows: `source` is a URL of the primary source, `date` the day (YYYY-MM-DD) of what it says.

    `review` is the day to look again, a year after `date` unless said; "settled" means that it cannot change any more.
    `verified` tells how the row was read: at its primary source, through a copy of it (then `source` is the copy, where
    that has an address), or not at all, but written from memory. The weakest of the row's facts decides.
    """

    source: Url
    date: Day
    review: Annotated[str, msgspec.Meta(pattern=f"^({_DAY}|{SETTLED})?$")] = ""
    verified: Verified = "primary"

    key: ClassVar[tuple[str, ...]] = ()

    def identity(self) -> tuple[str, ...]:
        """Return what tells the row from the others of its table."""
        return tuple(str(getattr(self, name)) for name in self.key)

    def due(self) -> datetime.date | None:
        """Return the day to look again; None when the row is settled."""
        if self.review == SETTLED:
            return None
        day = datetime.date.fromisoformat(self.review or self.date)
        return day if self.review else day + REVIEW_AFTER


Row = TypeVar("Row", bound=Sourced)
Kept = TypeVar("Kept")
_forgetters: list[Callable[[], None]] = []
_over: dict[str, tuple[Sourced, ...]] = {}


def kept(load: Callable[[], Kept]) -> Callable[[], Kept]:
    """Keep what a table's loader returns, until `lay_over`."""
    once = lru_cache(maxsize=1)(load)
    _forgetters.append(once.cache_clear)
    return once


def lay_over(tables: Mapping[str, Iterable[Sourced]]) -> None:
    """Lay a site's rows over the shipped ones, in place of those laid before."""
    _over.clear()
    _over.update({name: tuple(rows) for name, rows in tables.items()})
    for forget in _forgetters:
        forget()


def read(name: str, kind: type[Row]) -> tuple[Row, ...]:
    """Return the rows of a table, the site's in place of the shipped ones with the same key."""
    over = tuple(row for row in _over.get(name, ()) if isinstance(row, kind))
    return merged(shipped(name, kind), over)


def of_site(table: str, row: Sourced) -> bool:
    """Tell whether a row that `read` returned is one that the site brought."""
    return any(row is one for one in _over.get(table, ()))


def merged(rows: Iterable[Row], over: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows with those of `over` in place of namesakes that are not of a later day; new ones come last."""
    whole = {row.identity(): row for row in rows}
    for row in over:
        shipped_row = whole.get(row.identity())
        if shipped_row is None or shipped_row.date <= row.date:
            whole[row.identity()] = row
    return tuple(whole.values())


def shipped(name: str, kind: type[Row]) -> tuple[Row, ...]:
    """Return the rows that Groundplane ships."""
    return parse(name, resources.files(__package__).joinpath("data", f"{name}.yaml").read_text(encoding="utf-8"), kind)


def parse(name: str, text: str, kind: type[Row]) -> tuple[Row, ...]:
    """Return the rows of a data file's text; raises Unexpected naming the file and the row's fault."""
    try:
        return convert(yaml.load(text, yaml.CSafeLoader), tuple[kind, ...])  # type: ignore[valid-type]
    except msgspec.ValidationError as error:
        raise Unexpected(f"cannot read catalog file {name}: {error}") from error


def convert(value: Any, kind: type[Kept]) -> Kept:
    """Return plain data as typed rows; raises msgspec.ValidationError."""
    return msgspec.convert(value, kind)
