"""Gathered rules are written once: a server that nobody uses writes nothing."""

from __future__ import annotations

from groundplane.server.access.keeper import Keeper

from .conftest import Start


async def test_rules_that_are_right_are_not_written_again(start: Start) -> None:
    async with start() as running:
        store, keeper = running.service.store, Keeper(running.service)
        before = await store.revision()
        await keeper.write_rules()
        settled = await store.revision()
        assert settled >= before
        await keeper.write_rules()
        assert await store.revision() == settled
