"""Requests that are about the server itself: health, version, discovery, OpenAPI."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from . import discovery, health, negotiation, openapi, openapi_protobuf
from .http import Incoming, Server, answer
from .metrics import MEDIA_TYPE
from .status import Json, no_such_path


async def live(incoming: Incoming) -> Response:
    """Whether a restart would help nothing."""
    return await _health(incoming)


async def ready(incoming: Incoming) -> Response:
    """Whether requests should come here; parts that are in trouble and yet no reason against it are told."""
    return await _health(incoming, incoming.server.troubles())


async def _health(incoming: Incoming, troubles: Sequence[tuple[str, str]] = ()) -> Response:
    endpoint = incoming.request.url.path.strip("/").partition("/")[0]
    if name := incoming.path("check"):
        found = await health.answer_one(incoming.server.health, endpoint, name)
        if found is None:
            raise no_such_path()
        return found
    notes = tuple(f"[!]{name} degraded: {trouble}" for name, trouble in troubles)
    excluded = frozenset(incoming.query.getlist("exclude"))
    asked = health.Asked(endpoint, excluded, "verbose" in incoming.query, notes)
    return await health.answer_all(incoming.server.health, asked)


def add_checks(server: Server) -> None:
    """Add the checks of what every server has: its store takes writes, it is not about to end, and it may act."""
    audit = server.audit

    async def store() -> str:
        await server.service.store.probe()
        return ""

    server.health.add("store", store)
    server.health.add("shutdown", lambda: "the server is stopping" if server.stopping.is_set() else "")
    if audit is not None:
        server.health.add("audit", lambda: audit.trouble if audit.log.refusing else "")


async def metrics(incoming: Incoming) -> Response:
    """Everything that is measured, for Prometheus."""
    return Response(incoming.server.metrics.text(), headers={"content-type": MEDIA_TYPE})


async def version(incoming: Incoming) -> Response:
    return answer(discovery.version())


def _aggregated(incoming: Incoming, form: str, *, core: bool) -> Response:
    response = answer(discovery.aggregated(incoming.server.service.resources, form, core=core))
    media_type = f"application/json;g=apidiscovery.k8s.io;v={form};as=APIGroupDiscoveryList"
    response.headers["content-type"] = media_type
    return response


async def api(incoming: Incoming) -> Response:
    form = negotiation.wants_discovery(incoming.accept)
    if form:
        return _aggregated(incoming, form, core=True)
    return answer(discovery.api_versions(incoming.server.address))


async def apis(incoming: Incoming) -> Response:
    form = negotiation.wants_discovery(incoming.accept)
    if form:
        return _aggregated(incoming, form, core=False)
    return answer(discovery.groups(incoming.server.service.resources))


def _or_missing(document: Json | None) -> Response:
    if document is None:
        raise no_such_path()
    return answer(document)


async def group(incoming: Incoming) -> Response:
    return _or_missing(discovery.one_group(incoming.server.service.resources, incoming.path("group")))


async def group_version(incoming: Incoming) -> Response:
    group, version = incoming.path("group"), incoming.path("version")
    return _or_missing(discovery.resource_list(incoming.server.service.resources, group, version))


async def openapi_v3_index(incoming: Incoming) -> Response:
    negotiation.require_json(incoming.accept)
    return answer(openapi.v3_index(incoming.server.service.resources))


async def openapi_v3(incoming: Incoming) -> Response:
    negotiation.require_json(incoming.accept)
    group, version = incoming.path("group"), incoming.path("version")
    return _or_missing(openapi.v3(incoming.server.service.resources, group, version))


async def openapi_v2(incoming: Incoming) -> Response:
    if openapi_protobuf.wanted(incoming.accept):
        encoded = openapi_protobuf.encode(openapi.v2(incoming.server.service.resources))
        return Response(encoded, media_type=openapi_protobuf.MEDIA_TYPE)
    negotiation.require_json(incoming.accept)
    return answer(openapi.v2(incoming.server.service.resources))
