"""Requests that are about the server itself: health, version, discovery, OpenAPI."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.responses import PlainTextResponse, Response

from . import discovery, health, negotiation, openapi, openapi_protobuf
from .documents import Document, answer_document, answer_hashed, document
from .http import Incoming, Server, answer
from .metrics import MEDIA_TYPE
from .negotiation import encode
from .resources import Resources
from .status import Json, no_such_path


async def live(incoming: Incoming) -> Response:
    """Whether a restart would help nothing."""
    return await _health(incoming)


async def ready(incoming: Incoming) -> Response:
    """Whether requests should come here; parts that are in trouble and yet no reason against it are told."""
    return await _health(incoming, incoming.server.troubles())


async def _health(incoming: Incoming, troubles: Sequence[tuple[str, str]] = ()) -> Response:
    endpoint = incoming.scope["path"].strip("/").partition("/")[0]
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


def _resources(incoming: Incoming) -> Resources:
    return incoming.server.service.resources


def _static(incoming: Incoming, key: str, make: Callable[[], Json]) -> Document:
    return document(incoming, key, lambda: encode(make()))


async def index(incoming: Incoming) -> Response:
    """The paths below which there is something."""
    listed = [f"/apis/{group}/{version}" for group, version in discovery.group_versions(_resources(incoming))]
    above = {path.rpartition("/")[0] for path in listed}
    health_paths = [f"/{endpoint}" for endpoint in ("healthz", "livez", "readyz")]
    checks = [f"{path}/{check.name}" for path in health_paths for check in incoming.server.health.of(path[1:])]
    fixed = ["/api", "/api/v1", "/apis", "/metrics", "/openapi/v2", "/openapi/v3", "/version"]
    return answer({"paths": sorted([*fixed, *listed, *above, *health_paths, *checks])})


def _aggregated(incoming: Incoming, form: str, *, core: bool) -> Response:
    key = f"discovery/{form}/{core}"
    found = _static(incoming, key, lambda: discovery.aggregated(_resources(incoming), form, core=core))
    media_type = f"application/json;g=apidiscovery.k8s.io;v={form};as=APIGroupDiscoveryList"
    return answer_document(incoming, found, media_type=media_type)


async def api(incoming: Incoming) -> Response:
    form = negotiation.wants_discovery(incoming.accept)
    if form:
        return _aggregated(incoming, form, core=True)
    return answer(discovery.api_versions(incoming.server.address))


async def apis(incoming: Incoming) -> Response:
    form = negotiation.wants_discovery(incoming.accept)
    if form:
        return _aggregated(incoming, form, core=False)
    return answer(discovery.groups(_resources(incoming)))


def _or_nothing(found: Json | None) -> Response:
    """Answer; that there is no such group is said in the plain words of kube-apiserver."""
    return PlainTextResponse("404 page not found\n", status_code=404) if found is None else answer(found)


async def group(incoming: Incoming) -> Response:
    negotiation.require_json(incoming.accept)
    return _or_nothing(discovery.one_group(_resources(incoming), incoming.path("group")))


async def group_version(incoming: Incoming) -> Response:
    negotiation.require_json(incoming.accept)
    group, version = incoming.path("group"), incoming.path("version")
    found = discovery.resource_list(_resources(incoming), group, version)
    if found is None and (not group or discovery.one_group(_resources(incoming), group)):
        raise no_such_path()
    return _or_nothing(found)


async def openapi_v3_index(incoming: Incoming) -> Response:
    negotiation.require_json(incoming.accept)
    return answer_document(incoming, _static(incoming, "openapi/v3", lambda: openapi.v3_index(_resources(incoming))))


async def openapi_v3(incoming: Incoming) -> Response:
    negotiation.require_json(incoming.accept)
    group, version = incoming.path("group"), incoming.path("version")
    resources = _resources(incoming)
    if (group, version) not in resources.groups():
        raise no_such_path()
    found = _static(incoming, f"openapi/v3/{group}/{version}", lambda: openapi.v3(resources, group, version) or {})
    return answer_hashed(incoming, found, hashed=openapi.digest(found.content))


async def openapi_v2(incoming: Incoming) -> Response:
    if openapi_protobuf.wanted(incoming.accept):
        found = document(
            incoming, "openapi/v2/protobuf", lambda: openapi_protobuf.encode(openapi.v2(_resources(incoming)))
        )
        return answer_document(incoming, found, media_type=openapi_protobuf.MEDIA_TYPE)
    negotiation.require_json(incoming.accept)
    return answer_document(incoming, _static(incoming, "openapi/v2", lambda: openapi.v2(_resources(incoming))))
