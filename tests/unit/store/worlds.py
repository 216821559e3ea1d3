"""A home with objects in it, written through a real store, and ways to look at what is there."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from groundplane.store.contract import Encode, Key, Store
from groundplane.store.keys import KeyFile
from groundplane.store.sealing import Sealer
from groundplane.store.sqlite import SqliteStore, open_sqlite

PLAIN = "correct-horse-battery-staple"
Found = dict[tuple[str, str, str], tuple[int, str]]


def encode(key: Key, text: str) -> Encode:
    """Return an object as the server stores it, with `text` in it."""

    def at(revision: int) -> bytes:
        metadata = {"name": key.name, "namespace": key.namespace, "resourceVersion": str(revision)}
        return json.dumps({"kind": "Thing", "metadata": metadata, "data": text}).encode()

    return at


def secret(name: str) -> Key:
    return Key("secrets", "default", name)


def thing(name: str) -> Key:
    return Key("configmaps", "default", name)


@asynccontextmanager
async def opened(home: Path, keys: Path | None = None) -> AsyncIterator[SqliteStore]:
    """Open the store of a home as the engine does."""
    store = await open_sqlite(home / "state.db", sealed={"secrets": Sealer(keys or home / "seal.key")})
    try:
        yield store
    finally:
        await store.close()


async def put(store: Store, key: Key, text: str) -> int:
    """Create or replace an object; returns its revision."""
    held = {entry.key: entry.revision for entry in (await store.list(key.resource)).entries}
    if key in held:
        return (await store.update(key, encode(key, text), expected=held[key])).revision
    return (await store.create(key, encode(key, text))).revision


async def contents(store: Store) -> Found:
    """Return revision and text of every object."""
    entries = [e for resource in ("configmaps", "secrets") for e in (await store.list(resource)).entries]
    return {tuple(e.key): (e.revision, json.loads(e.value)["data"]) for e in entries}


async def fill(home: Path, texts: Mapping[str, str]) -> Found:
    """Make a home with a Secret and a plain object of each name, and one that came and went."""
    home.mkdir(exist_ok=True, mode=0o700)
    async with opened(home) as store:
        for name, text in texts.items():
            await put(store, thing(name), text)
            await put(store, secret(name), f"{PLAIN} {text}")
        gone = await store.create(thing("gone"), encode(thing("gone"), "gone"))
        await store.delete(thing("gone"), expected=gone.revision, encode=encode(thing("gone"), "gone"))
        (home / "tokens.json").write_text(f'{{"of": "{sorted(texts)}"}}\n')
        return await contents(store)


def ids(keyfile: Path) -> list[str]:
    """Return the ids of the keys in a file, first the one that seals."""
    from groundplane.store.keys import key_id

    return [key_id(key).hex() for key in KeyFile(keyfile).read()]


def in_a_child(work: Callable[[], None]) -> int:
    """Run `work` in a forked process and return its wait status: 0, 1 after an exception, or a signal."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]
