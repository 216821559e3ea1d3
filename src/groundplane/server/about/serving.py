"""The catalog, the settings and the parts of the server over the API: always read anew, answered whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid5

import msgspec
from starlette.responses import Response

from groundplane.catalog.sources import Sourced, of_site
from groundplane.catalog.tables import TABLES, tables

from ..http import Handler, Incoming
from ..service import Call
from ..status import Json
from ..unstored import answer_list, answer_one
from .kinds import SETTLED
from .settings import Setting

_IDS = UUID("0f1c2a6e-6c0b-4a57-9e1f-3a4f2f6f5b10")
# What every row has besides what it says.
_ASIDE = frozenset({"source", "date", "review", "verified"})

Make = Callable[[Incoming], Awaitable[dict[str, Json]]]


def listing(make: Make) -> Handler:
    """Return the handler that lists what `make` gives: the specs of objects by name."""

    async def list_all(incoming: Incoming) -> Response:
        call = incoming.call()
        return answer_list(incoming, call, [_shown(call, name, spec) for name, spec in (await make(incoming)).items()])

    return list_all


def getting(make: Make) -> Handler:
    """Return the handler that shows one of what `make` gives."""

    async def get_one(incoming: Incoming) -> Response:
        call = incoming.call()
        spec = (await make(incoming)).get(call.name)
        if spec is None:
            raise call.missing()
        return answer_one(incoming, call, _shown(call, call.name, spec))

    return get_one


def _shown(call: Call, name: str, spec: Json) -> Json:
    resource = call.resource
    metadata = {"name": name, "uid": str(uuid5(_IDS, f"{resource.plural}/{name}"))}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": spec}


async def catalog(incoming: Incoming) -> dict[str, Json]:
    """Return the tables of the catalog."""
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


async def settings(incoming: Incoming) -> dict[str, Json]:
    """Return the settings that hold."""
    return {setting.name: _setting(setting) for setting in incoming.server.settings}


def _setting(setting: Setting) -> Json:
    places = {"variable": setting.variable, "flag": setting.flag, "file": setting.file}
    return {
        "value": setting.value,
        "default": setting.default,
        "differs": setting.differs,
        "origin": setting.origin,
        **{name: place for name, place in places.items() if place},
        **({"secret": True} if setting.secret else {}),
    }


async def checks(incoming: Incoming) -> dict[str, Json]:
    """Return how the parts of the server are now: what /readyz asks, and what the server can do without for a while."""
    server = incoming.server
    found = {part.name: _state("Ready", "") for part in server.parts}
    for check in server.health.of("readyz"):
        failure = await check.failure()
        found[check.name] = _state("Failed" if failure else "Ready", failure)
    for name, trouble in server.troubles():
        if found.get(name, {}).get("state") != "Failed":
            found[name] = _state("Degraded", trouble)
    return found


def _state(state: str, message: str) -> Json:
    return {"state": state, "message": message}
