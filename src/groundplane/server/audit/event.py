"""One audit event (audit.k8s.io/v1 Event), field for field as kube-apiserver writes it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from groundplane.base.errors import Refused

from .. import protobuf
from ..protobuf import PROTOBUF
from ..requestinfo import RequestInfo
from ..status import Json
from ..users import User


class UserInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A user; empty for a caller whose credentials were refused."""

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = {}


class ObjectReference(msgspec.Struct, omit_defaults=True, rename="camel"):
    """What a request to a resource is about."""

    resource: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    api_group: str = ""
    api_version: str = ""
    resource_version: str = ""
    subresource: str = ""


class Event(msgspec.Struct, omit_defaults=True, rename="camel"):
    """The event; `kind` and `apiVersion` are always written."""

    kind: str
    api_version: str
    level: str
    audit_id: str = msgspec.field(name="auditID")
    stage: str
    request_uri: str = msgspec.field(name="requestURI")
    verb: str
    user: UserInfo
    impersonated_user: UserInfo | None = None
    source_ips: list[str] = msgspec.field(name="sourceIPs", default_factory=list)
    user_agent: str = ""
    object_ref: ObjectReference | None = None
    response_status: Json | None = None
    request_object: Any = None
    response_object: Any = None
    request_received_timestamp: str = ""
    stage_timestamp: str = ""
    annotations: dict[str, str] = {}


_CLAIMS = (b"x-forwarded-for", b"x-real-ip")
_ENCODER = msgspec.json.Encoder()


def line(event: Event) -> bytes:
    """Return the event as a line of JSON."""
    return _ENCODER.encode(event) + b"\n"


def micro_time(nanoseconds: int) -> str:
    """Return a moment as metav1.MicroTime."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=256)
def user_info(user: User | None) -> UserInfo:
    """Return the user as the event shows it."""
    if user is None:
        return UserInfo()
    extra = dict(getattr(user, "extra", ()))
    return UserInfo(user.name, user.uid, user.groups, extra)


def source_ips(headers: Iterable[tuple[bytes, bytes]], peer: str) -> list[str]:
    """Return where a request comes from. Only the last address is our own finding; those before it are claims."""
    claimed: list[str] = []
    for name, value in headers:
        if name in _CLAIMS:
            claimed += value.decode("latin-1").split(",")
    if not claimed:
        return [peer] if peer else []
    found = [address for one in claimed if (address := _address(one))]
    return [*dict.fromkeys(one for one in found if one != peer), *([peer] if peer else [])]


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return ""


class _Meta(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""


class _Named(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


_NAMED = msgspec.json.Decoder(_Named)


def object_reference(info: RequestInfo, body: bytes) -> ObjectReference | None:
    """Return what the request is about; what the path leaves out is taken from the object that was sent."""
    if not info.resource:
        return None
    found = ObjectReference(
        resource=info.resource,
        namespace=info.namespace,
        name=info.name,
        api_group=info.group,
        api_version=info.version,
        subresource=info.subresource,
    )
    if body:
        try:
            meta = _NAMED.decode(body).metadata
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return found
        found.name = found.name or meta.name
        found.namespace = found.namespace or meta.namespace
        found.uid, found.resource_version = meta.uid, meta.resource_version
    return found


def document(content_type: str, body: bytes) -> Any:
    """Return what a body holds, None when it is nothing that a log line can carry.

    YAML is not read here, for that takes long: whoever has read it leaves it as JSON (`middleware.was_read`).
    """
    try:
        if content_type == PROTOBUF:
            return protobuf.decode(body)
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Refused):
        return None


def response_status(code: int, body: bytes, *, panic: bool) -> Json:
    """Return the answer's status; an error that was answered shows its reason and message."""
    if panic:
        return {"metadata": {}, "status": "Failure", "reason": "InternalError", "code": code}
    if code >= 400 and body:
        given = document("application/json", body)
        if isinstance(given, dict) and given.get("kind") == "Status":
            return {key: value for key, value in given.items() if key not in ("kind", "apiVersion")}
    return {"metadata": {}, "code": code}
