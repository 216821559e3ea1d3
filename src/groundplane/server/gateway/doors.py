"""The ways to the managed clusters: each by the kubeconfig in its Secret, over connections that are kept.

A way is as old as its Secret: when that is written anew, the next request takes another way, and the old one is closed
when nobody is on it any more.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from groundplane.api.meta import GROUP, SECRET_KUBECONFIG
from groundplane.kube.kubeconfig import Kubeconfig, KubeconfigInvalid
from groundplane.kube.passage import Passage
from groundplane.store.contract import Key, NotThere, Store

from ..service import decode
from ..status import Json, StatusError, not_found

# A way that nobody is on costs a TLS context; beyond so many the one that was used longest ago goes.
_MOST_KEPT = 256


@dataclass(slots=True)
class Door:
    """The way to one cluster. `secret` holds its kubeconfig, `version` says which one."""

    passage: Passage
    secret: str
    version: str
    users: int = 0
    retired: bool = False


class Doors:
    """Opens them. `commands` are those that a kubeconfig may log in with."""

    def __init__(self, store: Store, commands: Sequence[str] = ()) -> None:
        self._store = store
        self._commands = commands
        self._kept: dict[Key, Door] = {}

    @asynccontextmanager
    async def open(self, namespace: str, name: str) -> AsyncIterator[Door]:
        """Give the way to a Cluster's API; raises 404, and 503 while there is none."""
        key = Key(f"clusters.{GROUP}", namespace, name)
        reference = await self._reference(key)
        secret = await self._secret(key, reference)
        door, replaced = self._take(key, reference, secret)
        # It is in use before anything is waited for: nobody closes it meanwhile.
        door.users += 1
        try:
            for old in replaced:
                await self._retire(old)
            yield door
        finally:
            door.users -= 1
            await self._leave(door)

    async def aclose(self) -> None:
        """Close all of them."""
        kept, self._kept = list(self._kept.values()), {}
        for door in kept:
            await door.passage.close()

    def _take(self, key: Key, reference: str, secret: Json) -> tuple[Door, list[Door]]:
        """Return the way that this Secret leads, and the ways that it takes the place of."""
        version = f"{secret['metadata']['uid']}/{secret['metadata']['resourceVersion']}"
        kept = self._kept.pop(key, None)
        if kept is not None and (kept.secret, kept.version) == (reference, version):
            # The last one in the order is the one that was used last.
            self._kept[key] = kept
            return kept, []
        replaced = [kept] if kept is not None else []
        door = self._kept[key] = Door(self._passage(key, secret), reference, version)
        while len(self._kept) > _MOST_KEPT:
            replaced.append(self._kept.pop(next(iter(self._kept))))
        return door, replaced

    async def _retire(self, door: Door) -> None:
        door.retired = True
        await self._leave(door)

    async def _leave(self, door: Door) -> None:
        if door.retired and not door.users:
            await door.passage.close()

    async def _reference(self, key: Key) -> str:
        """Return the name of the Secret that the Cluster's status names, which the controllers have looked at."""
        try:
            cluster = decode((await self._store.get(key)).value)
        except NotThere as error:
            raise not_found(GROUP, "clusters", key.name) from error
        reference = (cluster.get("status") or {}).get("kubeconfigRef") or {}
        if not reference.get("name"):
            raise _no_way(key, "it has no kubeconfig yet", f"see groundplane explain cluster/{key.name}")
        return str(reference["name"])

    async def _secret(self, key: Key, name: str) -> Json:
        try:
            secret = decode((await self._store.get(Key("secrets", key.namespace, name))).value)
        except NotThere as error:
            raise _no_way(key, f"there is no Secret {name}", "import the cluster again") from error
        if secret.get("type") != SECRET_KUBECONFIG or not (secret.get("data") or {}).get("kubeconfig"):
            remedy = f"make it of type {SECRET_KUBECONFIG} with the key kubeconfig"
            raise _no_way(key, f"Secret {name} is not of type {SECRET_KUBECONFIG}, or has no kubeconfig", remedy)
        return secret

    def _passage(self, key: Key, secret: Json) -> Passage:
        try:
            content = base64.b64decode(secret["data"]["kubeconfig"], validate=True)
            access = Kubeconfig.parse(content, source="the cluster's kubeconfig", commands=self._commands).access()
        except (KubeconfigInvalid, binascii.Error) as error:
            raise _no_way(key, f"its kubeconfig cannot be used: {error}", "import the cluster again") from error
        return Passage(access)


def _no_way(key: Key, why: str, remedy: str) -> StatusError:
    message = f"cannot reach cluster {key.namespace}/{key.name}: {why} ({remedy})"
    return StatusError(503, "ServiceUnavailable", message)
