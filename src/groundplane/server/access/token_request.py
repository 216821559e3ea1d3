"""TokenRequest: POST to the `token` subresource of a ServiceAccount (`kubectl create token`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from starlette.responses import Response

from groundplane.api.cause import invalid
from groundplane.base.clock import rfc3339

from ..http import Incoming, answer
from ..service import decode, fetch
from ..status import Json, bad_request, no_such_path
from ..status import invalid as invalid_status
from .accounts import AUDIENCE

_GROUP = "authentication.k8s.io"
_HOUR = 3600
_SHORTEST = 600
_LONGEST = 1 << 32


class _Spec(msgspec.Struct, rename="camel"):
    audiences: list[str] | None = None
    expiration_seconds: int | None = None
    bound_object_ref: dict[str, Any] | None = None


async def request_token(incoming: Incoming) -> Response:
    """Issue a token of a ServiceAccount; it ends with the account at the latest."""
    call = incoming.call()
    if not call.resource.has_token:
        raise no_such_path()
    spec, body = await _read(incoming)
    account = decode((await fetch(incoming.server.service, call)).value)
    seconds = _HOUR if spec.expiration_seconds is None else spec.expiration_seconds
    check_seconds(_GROUP, "TokenRequest", seconds)
    if spec.bound_object_ref is not None:
        bound = f"{spec.bound_object_ref.get('apiVersion', '')}, Kind={spec.bound_object_ref.get('kind', '')}"
        raise bad_request(f"cannot bind token for object of type {bound}")
    audiences = tuple(spec.audiences or (AUDIENCE,))
    status: Json = {"token": "", "expirationTimestamp": None}
    if not call.options.dry_run:
        accounts = incoming.server.service.accounts
        token, end = await accounts.issue(call.key, account["metadata"]["uid"], timedelta(seconds=seconds), audiences)
        status = {"token": token, "expirationTimestamp": rfc3339(end)}
    metadata = {**body["metadata"], "name": call.name, "namespace": call.namespace}
    metadata["creationTimestamp"] = incoming.server.service.timestamp()
    shown = {"audiences": list(audiences), "expirationSeconds": seconds, "boundObjectRef": None}
    head = {"kind": "TokenRequest", "apiVersion": f"{_GROUP}/v1", "metadata": metadata}
    return answer({**head, "spec": shown, "status": status}, code=201)


async def _read(incoming: Incoming) -> tuple[_Spec, Json]:
    body = await incoming.document()
    if not isinstance(body, dict) or body.get("kind", "TokenRequest") != "TokenRequest":
        raise bad_request("the object provided is not a TokenRequest")
    if not isinstance(body.setdefault("metadata", {}), dict):
        raise bad_request("the object provided is unrecognized: metadata is not an object")
    given = body["metadata"].get("name")
    if given and given != incoming.path("name"):
        raise bad_request("the name of the object does not match the name on the URL")
    try:
        return msgspec.convert(body.get("spec") or {}, type=_Spec), body
    except msgspec.ValidationError as error:
        raise bad_request(f"the object provided is unrecognized: spec: {error}") from error


def check_seconds(group: str, kind: str, seconds: int) -> None:
    """Raise 422 for a life that is shorter or longer than one that a token can have."""
    path = "spec.expirationSeconds"
    causes = []
    if seconds < _SHORTEST:
        causes.append(invalid(path, seconds, "may not specify a duration less than 10 minutes"))
    if seconds > _LONGEST:
        causes.append(invalid(path, seconds, "may not specify a duration larger than 2^32 seconds"))
    if causes:
        raise invalid_status(group, kind, "", causes)
