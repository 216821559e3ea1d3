"""Tables (meta.k8s.io/v1): what `kubectl get` prints. Cells are computed here, so every client shows the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from groundplane.api.registry import PrinterColumn
from groundplane.base.clock import parse_rfc3339

from .status import Json

Cell = Callable[[Json, datetime], Any]

_STEP = re.compile(r'\.([A-Za-z0-9_-]+)|\[\?\(@\.([A-Za-z0-9]+)=="([^"]*)"\)\]|\[(\*|\d+)\]')
_NAME_HELP = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
    "client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: how it is called and how a cell is made from an object and the present time.

    `path` is the one place where `cell` looks; "" when there are others.
    """

    name: str
    type: str
    cell: Cell
    priority: int = 0
    description: str = ""
    format: str = ""
    path: str = ""

    def definition(self) -> Json:
        """Return the TableColumnDefinition."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


NAME = Column(
    "Name",
    "string",
    lambda obj, _: obj["metadata"]["name"],
    description=_NAME_HELP,
    format="name",
    path=".metadata.name",
)
AGE = Column(
    "Age",
    "string",
    lambda obj, now: age(obj["metadata"].get("creationTimestamp"), now),
    path=".metadata.creationTimestamp",
)


def from_printer(column: PrinterColumn) -> Column:
    """Make a column of a kind's printer column, as kube-apiserver does for CRDs."""
    find = compile_path(column.path)

    def cell(obj: Json, now: datetime) -> Any:
        found = find(obj)
        if not found:
            return None
        if column.type == "date":
            return age(found[0], now)
        if column.type == "string":
            return ",".join(str(value) for value in found)
        return found[0]

    description = f"Custom resource definition column (in JSONPath format): {column.path}"
    return Column(column.name, column.type, cell, column.priority, description, path=column.path)


def compile_path(path: str) -> Callable[[Json], list[Any]]:
    """Compile the part of Kubernetes' JSONPath that printer columns use: fields, [n], [*] and [?(@.a=="b")]."""
    found = steps(path)

    def find(obj: Json) -> list[Any]:
        values: list[Any] = [obj]
        for step in found:
            values = [one for value in values for one in _follow(value, step)]
        return values

    return find


def steps(path: str) -> list[re.Match[str]]:
    """Return the steps of a path: each matched a field, the key and value that choose entries, or an index."""
    found = list(_STEP.finditer(path))
    if "".join(step.group(0) for step in found) != path:
        raise ValueError(f"cannot read JSON path {path!r}")
    return found


def _follow(value: Any, step: re.Match[str]) -> list[Any]:
    field, key, wanted, index = step.groups()
    if field is not None:
        return [value[field]] if isinstance(value, dict) and field in value else []
    if not isinstance(value, list):
        return []
    if key is not None:
        return [item for item in value if isinstance(item, dict) and item.get(key) == wanted]
    return value if index == "*" else value[int(index) : int(index) + 1]


def age(timestamp: Any, now: datetime) -> str:
    """Return the time since `timestamp` as kubectl writes it, "<unknown>" when there is none."""
    if not timestamp:
        return "<unknown>"
    try:
        seconds = int((now - parse_rfc3339(str(timestamp))).total_seconds())
    except ValueError:
        return "<invalid>"
    return duration(seconds)


def duration(seconds: int) -> str:
    """Write a duration with two units at most (apimachinery/pkg/util/duration.HumanDuration)."""
    if seconds < -1:
        return "<invalid>"
    for limit, unit, name, below, below_name in _UNITS:
        if seconds < limit:
            whole, rest = divmod(max(seconds, 0), unit)
            rest //= below or unit
            return f"{whole}{name}{rest}{below_name}" if below and rest else f"{whole}{name}"
    whole = seconds // _YEAR
    return f"{whole}y"


_YEAR = 365 * 86400
# Up to this many seconds: in this unit, with the rest in the smaller one (0: leave the rest out).
_UNITS = (
    (120, 1, "s", 0, ""),
    (600, 60, "m", 1, "s"),
    (3 * 3600, 60, "m", 0, ""),
    (8 * 3600, 3600, "h", 60, "m"),
    (48 * 3600, 3600, "h", 0, ""),
    (8 * 86400, 86400, "d", 3600, "h"),
    (2 * _YEAR, 86400, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", 86400, "d"),
)


def partial(obj: Json) -> Json:
    """Return the PartialObjectMetadata of an object."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def table(
    columns: Iterable[Column], objects: Iterable[Json], *, meta: Json, now: datetime, include: str = "Metadata"
) -> Json:
    """Return the Table of `objects`; `include` is None, Metadata or Object (the request's includeObject)."""
    chosen = list(columns)
    rows = []
    for obj in objects:
        row: Json = {"cells": [column.cell(obj, now) for column in chosen], "object": None}
        if include != "None":
            row["object"] = obj if include == "Object" else partial(obj)
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": [column.definition() for column in chosen],
        "rows": rows,
    }
