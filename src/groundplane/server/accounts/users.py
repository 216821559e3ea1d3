"""Password users over the API: the file that `groundplane user` changes too, so neither is ahead of the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec
from starlette.responses import Response

from groundplane.api.cause import Cause

from ..authn.passwords import Account, NoSuchUser, TooBusy, UserChanged, UserExists, password_problem
from ..http import Incoming, answer
from ..login import Logins, logins_of
from ..service import Call
from ..status import Json, StatusError, already_exists, bad_request, conflict, invalid
from ..unstored import answer_list, answer_one
from .giving import require_to_give
from .shown import BODIES, answer_gone, is_to_go, last_used, shown, wanted

T = TypeVar("T")

_CHANGE = "PasswordChange"


class _Password(msgspec.Struct, forbid_unknown_fields=True):
    password: str


class _Change(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The body of a change; who sends it may leave out what it is."""

    spec: _Password
    api_version: str = ""
    kind: str = _CHANGE
    metadata: Json = {}


async def list_users(incoming: Incoming) -> Response:
    """List all password users."""
    call, logins = incoming.call(), logins_of(incoming)
    used = logins.sessions.last_used()
    objects = (_shown(call, account, used.get(account.name)) for account in logins.sessions.holders.users.list())
    return answer_list(incoming, call, objects)


async def get_user(incoming: Incoming) -> Response:
    """Show one password user."""
    call, logins = incoming.call(), logins_of(incoming)
    return answer_one(incoming, call, _shown_now(logins, call, _find(logins, call)))


async def create_user(incoming: Incoming) -> Response:
    """Add a user with a password."""
    call, logins = incoming.call(), logins_of(incoming)
    obj = await wanted(incoming, call)
    name, spec = obj["metadata"]["name"], obj["spec"]
    groups = tuple(dict.fromkeys(spec.get("groups") or ()))
    require_to_give(incoming, call, name, groups)
    users = logins.sessions.holders.users
    taken = already_exists(call.resource.group, call.resource.plural, name)
    if users.find(name) is not None:
        raise taken
    if call.options.dry_run:
        planned = Account(name, groups, "", incoming.server.service.timestamp())
        return answer_one(incoming, call, _shown(call, planned, None), code=201)
    try:
        await _hashing(logins, lambda: users.add(name, groups, spec["password"]))
    except UserExists as error:
        raise taken from error
    made = _find(logins, Call(call.user, call.resource, name=name))
    return answer_one(incoming, call, _shown(call, made, None), code=201)


async def remove_user(incoming: Incoming) -> Response:
    """Remove a user; the user's sessions end."""
    call, logins = incoming.call(), logins_of(incoming)
    obj = _shown_now(logins, call, _find(logins, call))
    if await is_to_go(incoming, call, obj):
        try:
            await asyncio.to_thread(logins.sessions.holders.users.remove, call.name)
        except NoSuchUser as error:
            raise call.missing() from error
    return answer_gone(call, obj)


async def set_password(incoming: Incoming) -> Response:
    """Set another password; sessions under the old one end."""
    call, logins = incoming.call(), logins_of(incoming)
    change = await _change(incoming)
    account = _find(logins, call)
    require_to_give(incoming, call, account.name, account.groups)
    if problem := password_problem(change.spec.password):
        cause = Cause("spec.password", "FieldValueInvalid", None, f"Invalid value: {problem}")
        raise invalid(call.resource.group, _CHANGE, call.name, [cause])
    if not call.options.dry_run:
        users = logins.sessions.holders.users
        try:
            await _hashing(logins, lambda: users.change_password(call.name, change.spec.password, seen=account))
        except NoSuchUser as error:
            raise call.missing() from error
        except UserChanged as error:
            raise conflict(call.resource.group, call.resource.plural, call.name) from error
    return answer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})


async def _change(incoming: Incoming) -> _Change:
    document = await incoming.document(types=BODIES)
    try:
        change = msgspec.convert(document, _Change)
    except msgspec.ValidationError as error:
        # The error names fields and types, never a value.
        raise bad_request(f"the object provided is unrecognized: {error}") from error
    if change.kind != _CHANGE:
        raise bad_request(f"the object provided is not a {_CHANGE}")
    return change


async def _hashing(logins: Logins, work: Callable[[], T]) -> T:
    try:
        return await logins.passwords.run(work)
    except TooBusy as error:
        details = {"retryAfterSeconds": 1}
        raise StatusError(429, "TooManyRequests", "too many passwords are being hashed", details=details) from error


def _find(logins: Logins, call: Call) -> Account:
    account = logins.sessions.holders.users.find(call.name)
    if account is None:
        raise call.missing()
    return account


def _shown_now(logins: Logins, call: Call, account: Account) -> Json:
    return _shown(call, account, logins.sessions.last_used().get(account.name))


def _shown(call: Call, account: Account, used: float | None) -> Json:
    return shown(call, account.name, account.created, {"groups": list(account.groups)}, last_used(used))
