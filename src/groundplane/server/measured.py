"""Measures every request: how many, how long, with which outcome, how many at this moment."""

from __future__ import annotations

import os
import resource as os_resource
import time
from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from .discovery import version
from .metrics import Counter, Gauge, Histogram, Labels, Registry
from .requestinfo import RequestInfo, info_of
from .service import Service

_REQUEST = ("verb", "group", "version", "resource", "subresource", "scope")
# kube-apiserver's.
_BOUNDS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
)  # fmt: skip
_VERBS = {
    "get": "GET", "list": "LIST", "watch": "WATCH", "create": "POST", "update": "PUT", "patch": "PATCH",
    "delete": "DELETE", "deletecollection": "DELETECOLLECTION", "post": "POST", "put": "PUT", "head": "HEAD",
    "options": "OPTIONS",
}  # fmt: skip
_SUBRESOURCES = ("status", "exec", "log", "proxy")
_STARTED = time.time()


class Measured:
    """The middleware; it stands outside of what turns errors into answers, so that it sees their codes."""

    def __init__(self, app: ASGIApp, service: Service, registry: Registry) -> None:
        self._app = app
        self._known = {(r.group, r.version, r.plural) for r in service.resources.all}
        self._count = Counter(
            "apiserver_request_total", "Requests by what they asked and how they were answered.", (*_REQUEST, "code")
        )
        self._duration = Histogram(
            "apiserver_request_duration_seconds", "Time to the end of the answer, watches and logs left out.",
            _REQUEST, _BOUNDS,
        )  # fmt: skip
        self._now: dict[Labels, float] = {("mutating",): 0.0, ("readOnly",): 0.0}
        self._lasting: dict[Labels, float] = {}
        registry.add(self._count)
        registry.add(self._duration)
        registry.add(Gauge("apiserver_current_inflight_requests", "Requests worked on now, watches and logs left out.",
                           lambda: self._now, ("request_kind",)))  # fmt: skip
        registry.add(Gauge("apiserver_longrunning_requests",
                           "Watches, logs, terminals and what goes through the gateway now.",
                           lambda: self._lasting, _REQUEST))  # fmt: skip
        add_store(registry, service)
        add_process(registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        info = info_of(scope)
        labels = self._labels(info)
        kind = ("mutating" if info.mutating else "readOnly",)
        going, key = (self._lasting, labels) if info.long_running else (self._now, kind)
        going[key] = going.get(key, 0.0) + 1
        started = time.perf_counter()
        try:
            await self._app(scope, receive, send)
        finally:
            going[key] -= 1
            self._count.add((*labels, str(scope.get("groundplane.status", 499))))
            if not info.long_running:
                self._duration.observe(labels, time.perf_counter() - started)

    def _labels(self, info: RequestInfo) -> Labels:
        verb = _VERBS.get(info.verb, "OTHER")
        if (info.group, info.version, info.resource) not in self._known:
            return (verb, "", "", "", "", "")
        scope = "resource" if info.name else "namespace" if info.namespace else "cluster"
        subresource = info.subresource if info.subresource in _SUBRESOURCES else ""
        return (verb, info.group, info.version, info.resource, subresource, scope)


def add_store(registry: Registry, service: Service) -> None:
    """Add what the store tells of itself."""

    def one(read: str) -> Mapping[Labels, float]:
        return {(): getattr(service.store.numbers(), read)}

    def by_resource(read: str) -> Mapping[Labels, float]:
        counts: dict[str, int] = getattr(service.store.numbers(), read)
        return {(resource,): count for resource, count in counts.items()}

    for name, text, attribute in _STORE_GAUGES:
        registry.add(Gauge(name, text, lambda attribute=attribute: one(attribute)))  # type: ignore[misc]
    registry.add(Gauge("apiserver_storage_objects", "Stored objects.", lambda: by_resource("objects"), ("resource",)))
    registry.add(Gauge("groundplane_store_watchers", "Watches of the store, those of this process included.",
                       lambda: by_resource("watchers"), ("resource",)))  # fmt: skip


_STORE_GAUGES = (
    ("groundplane_store_revision", "The newest revision.", "revision"),
    ("groundplane_store_compacted_revision", "The oldest revision that can be looked at.", "compacted"),
    ("groundplane_store_queue_length", "Writes that wait for the disk.", "queued"),
)


def add_process(registry: Registry) -> None:
    """Add what the process costs, and what it is."""
    build = (version()["gitVersion"], version()["compiler"])
    registry.add(Gauge("groundplane_build_info", "1, labelled with the version.", lambda: {build: 1.0},
                       ("version", "compiler")))  # fmt: skip
    registry.add(Gauge("process_start_time_seconds", "Start of the process since the epoch.", lambda: {(): _STARTED}))
    registry.add(Gauge("process_cpu_seconds_total", "Processor time that was used.", lambda: {(): time.process_time()},
                       kind="counter"))  # fmt: skip
    registry.add(Gauge("process_resident_memory_bytes", "Memory that is resident.", lambda: {(): _resident()}))
    registry.add(Gauge("process_open_fds", "Open files.", lambda: {(): float(len(os.listdir("/proc/self/fd")))}))
    limit = float(os_resource.getrlimit(os_resource.RLIMIT_NOFILE)[0])
    registry.add(Gauge("process_max_fds", "How many files may be open.", lambda: {(): limit}))


def _resident() -> float:
    with open("/proc/self/statm", encoding="ascii") as statm:
        return float(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
