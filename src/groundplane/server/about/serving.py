"""The catalog, the settings and the parts of the server over the API: always read anew, answered whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID, uuid5

from starlette.responses import Response

from ..http import Handler, Incoming
from ..service import Call
from ..status import Json
from ..unstored import answer_list, answer_one
from .settings import Setting

_IDS = UUID("0f1c2a6e-6c0b-4a57-9e1f-3a4f2f6f5b10")

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
    # It is a good part of what the server would have to import before it is ready.
    from .catalog import all_tables

    return all_tables()


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
