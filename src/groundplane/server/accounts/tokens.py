"""Bearer tokens over the API: the file that `groundplane token` changes too. A token itself is answered once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from starlette.responses import Response

from groundplane.base.clock import rfc3339

from ..access.token_request import check_seconds
from ..authn.tokens import NoSuchToken, Record, Tokens, new_token, token_hash
from ..http import Incoming
from ..login import logins_of
from ..service import Call
from ..status import Json
from ..unstored import answer_list, answer_one
from .giving import require_to_give
from .shown import answer_gone, is_to_go, last_used, shown, wanted

_MONTH = 720 * 3600


async def list_tokens(incoming: Incoming) -> Response:
    """List the tokens of the file, those that are over among them; no token itself."""
    call, tokens = incoming.call(), _tokens(incoming)
    return answer_list(incoming, call, (_shown(call, tokens, record) for record in tokens.records()))


async def get_token(incoming: Incoming) -> Response:
    """Show one token, without the token itself."""
    call, tokens = incoming.call(), _tokens(incoming)
    return answer_one(incoming, call, _shown(call, tokens, _find(tokens, call)))


async def create_token(incoming: Incoming) -> Response:
    """Issue a token and answer it, this once."""
    call, tokens = incoming.call(), _tokens(incoming)
    token = new_token()
    now = incoming.server.service.now()
    planned = Record(token_hash(token), "", [], "", rfc3339(now))
    obj = await wanted(incoming, call, name=planned.id)
    spec = obj["spec"]
    user, groups = spec["user"], tuple(dict.fromkeys(spec.get("groups") or ()))
    require_to_give(incoming, call, user, groups)
    seconds = spec.get("expirationSeconds", _MONTH)
    check_seconds(call.resource.group, call.resource.kind, seconds)
    life = timedelta(seconds=seconds)
    if call.options.dry_run:
        tried = Record(planned.sha256, user, list(groups), rfc3339(now + life), planned.created)
        return answer_one(incoming, call, _shown(call, tokens, tried), code=201)
    record = await asyncio.to_thread(tokens.keep, token, user, groups, life)
    made = _shown(call, tokens, record)
    made["status"]["token"] = token
    return answer_one(incoming, call, made, code=201)


async def revoke_token(incoming: Incoming) -> Response:
    """Take a token away, from the next request on; the sessions that it began end."""
    call, tokens = incoming.call(), _tokens(incoming)
    obj = _shown(call, tokens, _find(tokens, call))
    if await is_to_go(incoming, call, obj):
        try:
            await asyncio.to_thread(tokens.revoke, call.name)
        except NoSuchToken as error:
            raise call.missing() from error
    return answer_gone(call, obj)


def _tokens(incoming: Incoming) -> Tokens:
    return logins_of(incoming).sessions.holders.tokens


def _find(tokens: Tokens, call: Call) -> Record:
    found = [record for record in tokens.records() if record.id == call.name]
    if not found:
        raise call.missing()
    return found[0]


def _shown(call: Call, tokens: Tokens, record: Record) -> Json:
    spec = {"user": record.user, "groups": record.groups}
    status = {"expirationTimestamp": record.expires, **last_used(tokens.last_used(record))}
    return shown(call, record.id, record.created, spec, status)
