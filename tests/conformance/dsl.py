"""The language of the cases: a case is a name and a few requests, written as a table.

Every case has a namespace of its own, written `{ns}` in paths and bodies. `<2.metadata.uid>` in a path, a header or a
body stands for what the answer to the second request said there. Names that a server makes up begin with `gen-`.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import Any

JSON = "application/json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

_GROUP = "/apis/groundplane.dev/v1alpha1"
_SCOPE = "/namespaces/{ns}"
FOUNDATIONS = f"{_GROUP}{_SCOPE}/foundations"
DISTRIBUTIONS = f"{_GROUP}{_SCOPE}/distributions"
CLUSTERS = f"{_GROUP}{_SCOPE}/clusters"
MACHINES = f"{_GROUP}{_SCOPE}/machines"
OPERATIONS = f"{_GROUP}{_SCOPE}/operations"
SECRETS = f"/api/v1{_SCOPE}/secrets"
CONFIGMAPS = f"/api/v1{_SCOPE}/configmaps"
EVENTS = f"/api/v1{_SCOPE}/events"
NAMESPACES = "/api/v1/namespaces"
LEASES = f"/apis/coordination.k8s.io/v1{_SCOPE}/leases"

# How an answer is read: as one document, or as a stream of events up to its end.
DOCUMENT, STREAM = "document", "stream"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `background`: a stream that is opened here and read beside the requests that follow.

    Not `ordered`: the items of the answer come in any order (v1.20 lists from its cache as its hash table has them).
    `until`: the code that it is sent again for (the real server learns of roles with a delay).
    """

    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    answer: str = DOCUMENT
    background: bool = False
    ordered: bool = True
    until: int = 0

    def accept(self, form: str) -> Request:
        """Return the request with an Accept header."""
        return self.header("Accept", form)

    def typed(self, content_type: str) -> Request:
        """Return the request with a Content-Type header."""
        return self.header("Content-Type", content_type)

    def header(self, name: str, value: str) -> Request:
        """Return the request with a header."""
        return replace(self, headers={**self.headers, name: value})

    def by(self, manager: str) -> Request:
        """Return the request as the field manager `manager` sends it."""
        return self.query(f"fieldManager={manager}")

    def unordered(self) -> Request:
        """Return the request, to be answered in any order."""
        return replace(self, ordered=False)

    def query(self, text: str) -> Request:
        """Return the request with more of a query."""
        return replace(self, path=f"{self.path}{'&' if '?' in self.path else '?'}{text}")


@dataclass(frozen=True, slots=True)
class Race:
    """Requests that are sent at once: how many of each code there were is compared, for who wins is open."""

    requests: tuple[Request, ...]


@dataclass(frozen=True, slots=True)
class Compaction:
    """The history of both stores is forgotten up to now."""


Step = Request | Race | Compaction


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `alone`: it changes the whole server and runs after all others."""

    name: str
    steps: tuple[Step, ...]

    @property
    def alone(self) -> bool:
        return any(isinstance(step, Compaction) for step in self.steps)


def case(name: str, *steps: Step) -> Case:
    """Write one line of the table."""
    return Case(name, steps)


def get(path: str) -> Request:
    return Request("GET", path)


def post(path: str, body: Any) -> Request:
    return Request("POST", path, body, {"Content-Type": JSON})


def put(path: str, body: Any) -> Request:
    return Request("PUT", path, body, {"Content-Type": JSON})


def patch(path: str, body: Any, kind: str = MERGE) -> Request:
    return Request("PATCH", path, body, {"Content-Type": kind})


def apply(path: str, body: Any, manager: str = "applier", *, force: bool = False) -> Request:
    request = Request("PATCH", path, body, {"Content-Type": APPLY}).by(manager)
    return request.query("force=true") if force else request


def delete(path: str, options: Any = None) -> Request:
    if options is None:
        return Request("DELETE", path)
    return Request("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", **options}, {"Content-Type": JSON})


def watch(path: str, query: str = "", *, seconds: int = 1) -> Request:
    """Read the events of a watch until the server ends it."""
    end = f"watch=true&timeoutSeconds={seconds}" + (f"&{query}" if query else "")
    return streamed(get(path).query(end).path)


def streamed(path: str) -> Request:
    """Read a GET as a stream."""
    return replace(get(path), answer=STREAM)


def follow(path: str, query: str = "", *, seconds: int = 2) -> Request:
    """Open a watch beside the requests that follow; its events are read until the server ends it."""
    return replace(watch(path, query, seconds=seconds), background=True)


def race(*requests: Request) -> Race:
    return Race(requests)


def foundation(name: str = "f", *, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return _object("groundplane.dev/v1alpha1", "Foundation", name, labels) | {"spec": spec}


def secret(name: str = "s", *, labels: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    return _object("v1", "Secret", name, labels) | fields


def configmap(name: str = "c", *, labels: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    return _object("v1", "ConfigMap", name, labels) | fields


def namespace(name: str, *, labels: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    return _object("v1", "Namespace", name, labels) | fields


def lease(name: str = "l", *, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return _object("coordination.k8s.io/v1", "Lease", name, labels) | {"spec": spec}


def event(name: str = "e", **fields: Any) -> dict[str, Any]:
    about = {"kind": "Foundation", "namespace": "{ns}", "name": "f", "apiVersion": "groundplane.dev/v1alpha1"}
    return (
        _object("v1", "Event", name, None) | {"involvedObject": about, "reason": "Tried", "message": "a try"} | fields
    )


def _object(version: str, kind: str, name: str, labels: dict[str, str] | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name} if name else {}
    if labels is not None:
        metadata["labels"] = labels
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def meta(obj: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the object with more metadata."""
    result = copy.deepcopy(obj)
    result["metadata"].update(fields)
    return result
