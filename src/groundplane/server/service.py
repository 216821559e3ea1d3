"""The heart of the API, without HTTP: what a request is, and how an object becomes one that may be stored.

`verbs` holds one module per verb, each working on a `Service` and a `Call`. HTTP and the in-process client both go
through them, so that nobody gets around admission.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from groundplane.api.cause import Cause
from groundplane.api.schema import unknown_fields
from groundplane.base.clock import Now, rfc3339, utc_now
from groundplane.store.contract import Entry, Key, NotThere, Store

from . import meta, metarules
from .access.accounts import AccountTokens
from .access.authorizer import Authorizer
from .access.rules import Asked
from .admission import Admission
from .fieldset import Path
from .managed import Writer
from .resources import Resource, Resources, load
from .status import Json, StatusError, invalid, not_found
from .strict import MOST_ERRORS
from .users import ADMINISTRATORS, AUTHENTICATED, User

_DATA = ("data", "stringData", "binaryData")

FieldValidation = Literal["Strict", "Warn", "Ignore"]


class Options(msgspec.Struct, frozen=True):
    """Options of a write, as in metav1.CreateOptions, UpdateOptions and PatchOptions."""

    dry_run: bool = False
    field_manager: str = "unknown"
    field_validation: FieldValidation = "Warn"
    force: bool = False


_NO_OPTIONS = Options()


@dataclass(slots=True)
class Call:
    """One request to one resource. `warnings` collects what the answer's Warning headers say.

    `duplicates`: what the body gives twice, in words.
    """

    user: User
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    options: Options = _NO_OPTIONS
    warnings: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)

    @property
    def key(self) -> Key:
        """Where the object is in the store."""
        return Key(self.resource.stored, self.namespace if self.resource.namespaced else "", self.name)

    def asked(self, verb: str) -> Asked:
        """Return what it takes to do something else than what was asked for to the same object."""
        resource = self.resource
        return Asked(verb, resource.group, resource.plural, self.subresource, self.namespace, self.name)

    def missing(self) -> StatusError:
        """Return the error that says that the named object is not there."""
        return not_found(self.resource.group, self.resource.plural, self.name)

    def invalid(self, name: str, causes: list[Any]) -> StatusError:
        """Return the error that lists what is wrong with the object."""
        return invalid(self.resource.group, self.resource.kind, name, causes)


@dataclass(frozen=True, slots=True)
class Service:
    """What verbs work with. A quiet watch gets a bookmark every `bookmark_seconds`, as from kube-apiserver."""

    store: Store
    admission: Admission
    resources: Resources = field(default_factory=load)
    now: Now = utc_now
    bookmark_seconds: float = 60.0
    authorizer: Authorizer = field(init=False)
    accounts: AccountTokens = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "authorizer", Authorizer(self.store))
        object.__setattr__(self, "accounts", AccountTokens(self.store, self.now))

    def timestamp(self) -> str:
        """Return the present time as objects carry it."""
        return rfc3339(self.now())


def decode(value: bytes) -> Json:
    """Return a stored value as a dict of its own."""
    decoded: Json = msgspec.json.decode(value)
    return decoded


def encoder(obj: Json) -> Callable[[int], bytes]:
    """Return the function that gives the object's bytes at a revision."""

    def encode(revision: int) -> bytes:
        stamped = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
        return msgspec.json.encode(stamped)

    return encode


async def fetch(service: Service, call: Call) -> Entry:
    """Return the stored object of the call; raises its 404."""
    try:
        return await service.store.get(call.key)
    except NotThere as error:
        raise call.missing() from error


def writer(service: Service, call: Call, time: str | None = None) -> Writer:
    """Return who writes with this call, when (now, when it is not told) and what this endpoint may set."""
    status_only = call.subresource == "status"
    guarded = call.resource.has_status

    def owns(path: Path) -> bool:
        return not guarded or (path[0] == "f:status") == status_only

    resource, options = call.resource, call.options
    return Writer(options.field_manager, call.subresource, resource.api_version, time or service.timestamp(), owns)


async def prepare(service: Service, call: Call, obj: Json, old: Json | None) -> Json:
    """Prune, default, check and admit an object; return what may be stored. Raises 400 or 422 with every cause."""
    resource = call.resource
    clean, left_out = resource.clean(obj)
    if left_out or call.duplicates:
        _report_unknown(call, obj)
    _drop_empty(clean["metadata"])
    if not resource.custom:
        # Go's maps of texts and bytes have no null; it is the empty value.
        clean.update({name: _texts(clean[name]) for name in _DATA if isinstance(clean.get(name), dict)})
    causes = resource.validate(clean)
    _refuse_undecodable(call, causes)
    if not causes and resource.guard is not None:
        resource.guard(service, call, clean, old)
    if not causes:
        resource.prepare(clean, old)
        causes = metarules.check(clean, old, resource) + resource.check(clean, old)
        _refuse_undecodable(call, causes)
    if not causes and call.subresource != "status":
        verdict = await service.admission.judge(resource, clean, old)
        causes = list(verdict.causes)
        call.warnings.extend(verdict.warnings)
    if causes:
        raise call.invalid(str(clean["metadata"].get("name") or ""), causes)
    return clean


def _refuse_undecodable(call: Call, causes: list[Cause]) -> None:
    """Raise 400 where kube-apiserver does: metadata, and all of a built-in kind, is decoded into typed structures."""
    for cause in causes:
        typed = not call.resource.custom or cause.field.startswith("metadata.")
        if typed and cause.reason == "FieldValueTypeInvalid":
            raise meta.unhandled(call.resource, f"{cause.field}: {cause.message}")


def _drop_empty(metadata: Any) -> None:
    # Kubernetes' own ObjectMeta leaves these out when they are empty, and so do its clients' comparisons; a null in a
    # map of texts is the empty text there.
    for name in ("annotations", "labels", "finalizers", "ownerReferences"):
        if isinstance(metadata, dict) and not metadata.get(name, True):
            del metadata[name]
    for name in ("annotations", "labels"):
        if isinstance(metadata, dict) and isinstance(metadata.get(name), dict) and None in metadata[name].values():
            metadata[name] = _texts(metadata[name])


def _texts(values: Json) -> Json:
    return {key: "" if value is None else value for key, value in values.items()}


def _report_unknown(call: Call, obj: Json) -> None:
    if call.options.field_validation == "Ignore":
        return
    found = [f'unknown field "{path}"' for path in unknown_fields(obj, call.resource.schema)]
    found = [*found, *call.duplicates][:MOST_ERRORS]
    if found and call.options.field_validation == "Strict":
        raise meta.unhandled(call.resource, f"strict decoding error: {', '.join(found)}")
    call.warnings.extend(found)


__all__ = [
    "ADMINISTRATORS", "AUTHENTICATED", "Call", "FieldValidation", "Options", "Service", "User", "decode", "encoder",
    "fetch", "prepare", "writer",
]  # fmt: skip
