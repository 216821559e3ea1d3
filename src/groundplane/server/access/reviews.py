"""Questions about users and rights, asked by creating an object that is answered and never stored.

authentication.k8s.io: SelfSubjectReview, TokenReview. authorization.k8s.io: SubjectAccessReview in its three forms
and SelfSubjectRulesReview.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from groundplane.api.cause import Cause, invalid
from groundplane.base.gotext import quoted

from ..authn.contract import Asking, CredentialsRefused
from ..http import Incoming, answer
from ..status import Json, bad_request
from ..status import invalid as invalid_status
from ..users import User
from .authorizer import Decision, joined
from .rules import Asked, Rule

AUTHENTICATION = "authentication.k8s.io"
AUTHORIZATION = "authorization.k8s.io"
_TOKENS = f"{AUTHENTICATION}/v1"
_RIGHTS = f"{AUTHORIZATION}/v1"


async def _read(incoming: Incoming, api_version: str, kind: str) -> Json:
    """Return the review that was sent; raises 400 when it is another kind, 422 when its metadata is set."""
    body = await incoming.document()
    if not isinstance(body, dict):
        raise bad_request("the object provided is not a JSON object")
    given = (body.get("apiVersion", api_version), body.get("kind", kind))
    if given != (api_version, kind):
        raise bad_request(f"the object provided is {given[1]} in {given[0]}, not {kind} in {api_version}")
    for name in ("metadata", "spec"):
        if not isinstance(body.setdefault(name, {}), dict):
            raise bad_request(f"the object provided is unrecognized: {name} is not an object")
    return body


def _answer(body: Json, api_version: str, kind: str, status: Json) -> Response:
    metadata = {"creationTimestamp": None, **body["metadata"]}
    review: Json = {"kind": kind, "apiVersion": api_version, "metadata": metadata}
    if kind != "SelfSubjectReview":
        review["spec"] = body["spec"]
    return answer({**review, "status": status}, code=201)


def user_info(user: User) -> Json:
    """Return a user as authentication.k8s.io UserInfo."""
    found: Json = {"username": user.name}
    if user.uid:
        found["uid"] = user.uid
    if user.groups:
        found["groups"] = list(user.groups)
    if user.extra:
        found["extra"] = {key: list(values) for key, values in user.extra}
    return found


async def self_subject(incoming: Incoming) -> Response:
    """Say who the caller is (`kubectl auth whoami`)."""
    return await _who(incoming, f"{AUTHENTICATION}/v1")


async def self_subject_beta(incoming: Incoming) -> Response:
    """Say it to kubectl 1.27, which knows no later version."""
    return await _who(incoming, f"{AUTHENTICATION}/v1beta1")


async def _who(incoming: Incoming, api_version: str) -> Response:
    body = await _read(incoming, api_version, "SelfSubjectReview")
    return _answer(body, api_version, "SelfSubjectReview", {"userInfo": user_info(incoming.user)})


async def token(incoming: Incoming) -> Response:
    """Say whose token it is."""
    body = await _read(incoming, _TOKENS, "TokenReview")
    given = body["spec"].get("token")
    if not isinstance(given, str) or not given:
        raise bad_request("token is required for TokenReview in authentication")
    try:
        bearer = (b"authorization", f"Bearer {given}".encode())
        user = await incoming.server.authn.authenticate(Asking("POST", [bearer]))
    except CredentialsRefused:
        user = None
    status: Json = {"user": {}, "error": "invalid bearer token"}
    if user is not None:
        status = {"authenticated": True, "user": user_info(user)}
    return _answer(body, _TOKENS, "TokenReview", status)


class _Resource(msgspec.Struct):
    verb: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


class _Path(msgspec.Struct):
    path: str = ""
    verb: str = ""


class _Spec(msgspec.Struct, rename="camel"):
    resource_attributes: _Resource | None = None
    non_resource_attributes: _Path | None = None
    user: str = ""
    groups: list[str] = []
    uid: str = ""
    extra: dict[str, list[str]] = {}


def _spec(body: Json) -> _Spec:
    try:
        return msgspec.convert({key: value for key, value in body["spec"].items() if value is not None}, type=_Spec)
    except msgspec.ValidationError as error:
        raise bad_request(f"the object provided is unrecognized: spec: {error}") from error


def _asked(spec: _Spec) -> Asked:
    """Return what the spec asks about; `_check` has let it through."""
    if (path := spec.non_resource_attributes) is not None:
        return Asked(path.verb, path=path.path)
    found = spec.resource_attributes or _Resource()
    return Asked(found.verb, found.group, found.resource, found.subresource, found.namespace, found.name)


def _check(kind: str, spec: _Spec, more: list[Cause] | None = None) -> None:
    causes = list(more or ())
    path = spec.non_resource_attributes
    if spec.resource_attributes is not None and path is not None:
        causes.insert(0, _bad_path(path, "cannot be specified in combination with resourceAttributes"))
    elif spec.resource_attributes is None and path is None:
        rule = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        message = f'Invalid value: "null": {rule}'
        causes.insert(0, Cause("spec.resourceAttributes", "FieldValueInvalid", None, message))
    if causes:
        raise invalid_status(AUTHORIZATION, kind, "", causes)


def _bad_path(path: _Path, rule: str) -> Cause:
    shown = f"authorization.NonResourceAttributes{{Path:{quoted(path.path)}, Verb:{quoted(path.verb)}}}"
    return Cause("spec.nonResourceAttributes", "FieldValueInvalid", None, f"Invalid value: {shown}: {rule}")


def _status(decision: Decision) -> Json:
    return {"allowed": decision.allowed, **({"reason": decision.reason} if decision.reason else {})}


async def self_subject_access(incoming: Incoming) -> Response:
    """Say whether the caller may do something (`kubectl auth can-i`)."""
    kind = "SelfSubjectAccessReview"
    body = await _read(incoming, _RIGHTS, kind)
    spec = _spec(body)
    _check(kind, spec)
    return _answer(body, _RIGHTS, kind, _status(_decide(incoming, incoming.user, spec)))


async def subject_access(incoming: Incoming) -> Response:
    """Say whether somebody may do something."""
    kind = "SubjectAccessReview"
    body = await _read(incoming, _RIGHTS, kind)
    return _judged(incoming, kind, body, _spec(body), [])


async def local_subject_access(incoming: Incoming) -> Response:
    """Say whether somebody may do something in this namespace."""
    kind = "LocalSubjectAccessReview"
    body = await _read(incoming, _RIGHTS, kind)
    spec, namespace = _spec(body), incoming.path("namespace")
    asked = spec.resource_attributes.namespace if spec.resource_attributes else namespace
    causes = []
    if asked != namespace:
        causes.append(invalid("spec.resourceAttributes.namespace", asked, "must match metadata.namespace"))
    if spec.non_resource_attributes is not None:
        causes.append(_bad_path(spec.non_resource_attributes, "disallowed on this kind of request"))
    body["metadata"]["namespace"] = namespace
    return _judged(incoming, kind, body, spec, causes)


def _judged(incoming: Incoming, kind: str, body: Json, spec: _Spec, causes: list[Cause]) -> Response:
    if not spec.user and not spec.groups:
        causes.append(invalid("spec.user", "", "at least one of user or group must be specified"))
    _check(kind, spec, causes)
    extra = tuple((key, tuple(values)) for key, values in spec.extra.items())
    user = User(spec.user, tuple(spec.groups), spec.uid, extra)
    return _answer(body, _RIGHTS, kind, _status(_decide(incoming, user, spec)))


def _decide(incoming: Incoming, user: User, spec: _Spec) -> Decision:
    return incoming.server.service.authorizer.decide(user, _asked(spec))


async def self_subject_rules(incoming: Incoming) -> Response:
    """List what the caller may do in a namespace (`kubectl auth can-i --list`)."""
    kind = "SelfSubjectRulesReview"
    body = await _read(incoming, _RIGHTS, kind)
    namespace = body["spec"].get("namespace")
    if not isinstance(namespace, str) or not namespace:
        raise bad_request("no namespace on request")
    rules, dangling = incoming.server.service.authorizer.held(incoming.user, namespace)
    status: Json = {
        "resourceRules": [_shown(rule) for rule in rules if rule.resources],
        "nonResourceRules": [_shown(rule) for rule in rules if rule.non_resource_urls],
        "incomplete": bool(dangling),
    }
    if dangling:
        status["evaluationError"] = joined(error.message for error in dangling)
    return _answer(body, _RIGHTS, kind, status)


def _shown(rule: Rule) -> Any:
    return msgspec.to_builtins(rule)
