"""Reads the catalog's data files. Every entry says where it is from and of which day it is, or it is refused."""

from __future__ import annotations

from importlib import resources
from typing import Annotated, TypeVar

import msgspec
import yaml

from groundplane.base.errors import Unexpected


class Sourced(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all entries: `source` is a URL of the primary source, `date` the day (YYYY-MM-DD) of what it says."""

    source: Annotated[str, msgspec.Meta(pattern="^https://")]
    date: Annotated[str, msgspec.Meta(pattern=r"^20[0-9]{2}-[01][0-9]-[0-3][0-9]$")]


Entry = TypeVar("Entry", bound=Sourced)


def read(name: str, kind: type[Entry]) -> tuple[Entry, ...]:
    """Return the entries of the data file `name`, typed."""
    return parse(name, resources.files(__package__).joinpath("data", f"{name}.yaml").read_text(encoding="utf-8"), kind)


def parse(name: str, text: str, kind: type[Entry]) -> tuple[Entry, ...]:
    """Return the entries of a data file's text; raises Unexpected naming the file and the entry's fault."""
    try:
        return msgspec.convert(yaml.load(text, yaml.CSafeLoader), tuple[kind, ...])  # type: ignore[valid-type]
    except msgspec.ValidationError as error:
        raise Unexpected(f"cannot read catalog file {name}: {error}") from error
