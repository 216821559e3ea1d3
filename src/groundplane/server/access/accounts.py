"""Tokens of ServiceAccounts: asked for by TokenRequest, good until their time is over or the account is deleted.

The store holds of each token its hash, whose it is and until when, under a name that the API does not serve. What is
in memory follows the store as the roles do (see `index`): a token is good when its request is answered, and no good
once the deletion of its account is.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from groundplane.base.clock import Now, parse_rfc3339, rfc3339
from groundplane.store.contract import Key, NotThere, RevisionConflict, Store

from ..users import User
from .index import account_name

ACCOUNTS = "serviceaccounts"
TOKENS = "serviceaccounttokens.internal.groundplane.dev"
AUDIENCE = "groundplane"
_PREFIX = "gpsa-"


class _Record(msgspec.Struct, frozen=True):
    name: str
    uid: str
    expires: str
    audiences: tuple[str, ...]


class _Account(msgspec.Struct, frozen=True):
    class Metadata(msgspec.Struct, frozen=True):
        uid: str

    metadata: Metadata


def account_groups(namespace: str) -> tuple[str, ...]:
    """Return the groups that every ServiceAccount of a namespace is in."""
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")


class AccountTokens:
    """A kind of bearer tokens (authn.contract.TokenAuthenticator), and where these are issued."""

    def __init__(self, store: Store, now: Now) -> None:
        self._store = store
        self._now = now
        self._news = store.follow((ACCOUNTS, TOKENS))
        self._uids: dict[tuple[str, str], str] = {}
        self._records: dict[str, tuple[str, _Record, float]] = {}

    async def issue(
        self, account: Key, uid: str, ttl: timedelta, audiences: tuple[str, ...] = ()
    ) -> tuple[str, datetime]:
        """Return a new token, which is shown only here, and when it ends."""
        token = _PREFIX + secrets.token_urlsafe(32)
        end = self._now() + ttl
        record = _Record(account.name, uid, rfc3339(end), audiences)
        await self._store.create(Key(TOKENS, account.namespace, _hash(token)), _encoder(record))
        return token, end

    async def user_of(self, token: str) -> User | None:
        """Return whose token it is, None when it is none of ours, unknown, over, or its account has gone."""
        if not token.startswith(_PREFIX):
            return None
        self._catch_up()
        found = self._records.get(_hash(token))
        if found is None:
            return None
        namespace, record, until = found
        meant = not record.audiences or AUDIENCE in record.audiences
        if not meant or until <= self._now().timestamp() or self._uids.get((namespace, record.name)) != record.uid:
            return None
        return User(account_name(namespace, record.name), account_groups(namespace), record.uid)

    async def sweep(self) -> None:
        """Forget the tokens that are over or whose account has gone."""
        self._catch_up()
        now = self._now().timestamp()
        for digest, (namespace, record, until) in list(self._records.items()):
            if until > now and self._uids.get((namespace, record.name)) == record.uid:
                continue
            key = Key(TOKENS, namespace, digest)
            try:
                await self._store.delete(key, expected=(await self._store.get(key)).revision)
            except (NotThere, RevisionConflict):
                continue

    def _catch_up(self) -> None:
        if not self._news.changed:
            return
        for key, entry in self._news.take().items():
            if key.resource == TOKENS:
                if entry is None:
                    self._records.pop(key.name, None)
                    continue
                record = msgspec.json.decode(entry.value, type=_Record)
                self._records[key.name] = (key.namespace, record, parse_rfc3339(record.expires).timestamp())
            elif entry is None:
                self._uids.pop((key.namespace, key.name), None)
            else:
                self._uids[key.namespace, key.name] = msgspec.json.decode(entry.value, type=_Account).metadata.uid


def _encoder(record: _Record) -> Callable[[int], bytes]:
    return lambda _: msgspec.json.encode(record)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
