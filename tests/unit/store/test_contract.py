"""What every store promises. A new implementation is one more line in OPENERS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from groundplane.store.contract import (
    AlreadyThere,
    Change,
    Compacted,
    Encode,
    Key,
    NotThere,
    RevisionConflict,
    Store,
    StoreFailed,
    WatcherTooSlow,
)
from groundplane.store.memory import open_memory
from groundplane.store.revisions import StoreOptions
from groundplane.store.sealing import Sealer
from groundplane.store.sqlite import open_sqlite

Opener = Callable[[Path, StoreOptions], Awaitable[Store]]
THINGS = "things.example.dev"


async def _memory(_: Path, options: StoreOptions) -> Store:
    return await open_memory(options)


async def _sqlite(folder: Path, options: StoreOptions) -> Store:
    return await open_sqlite(folder / "state.db", options=options)


async def _sealed(folder: Path, options: StoreOptions) -> Store:
    return await open_sqlite(folder / "state.db", sealed={THINGS: Sealer(folder / "seal.key")}, options=options)


OPENERS: dict[str, Opener] = {"memory": _memory, "sqlite": _sqlite, "sealed": _sealed}


@pytest.fixture(params=OPENERS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., object]:
    @asynccontextmanager
    async def open_store(**options: int) -> AsyncIterator[Store]:
        store = await OPENERS[request.param](tmp_path, StoreOptions(**options))
        try:
            yield store
        finally:
            await store.close()

    return open_store


def key(name: str, namespace: str = "default", resource: str = THINGS) -> Key:
    return Key(resource, namespace, name)


def text(value: str) -> Encode:
    return lambda revision: f"{value}@{revision}".encode()


async def read(changes: AsyncIterator[Change], count: int) -> list[tuple[str, str, int, bytes]]:
    found = []
    for _ in range(count):
        change = await asyncio.wait_for(anext(changes), 10)
        found.append((change.type, change.entry.key.name, change.entry.revision, change.entry.value))
    return found


async def test_a_created_object_is_read_back_with_its_revision_in_it(opened):
    async with opened() as store:
        before = await store.revision()
        entry = await store.create(key("a"), text("one"))
        assert entry.revision == before + 1
        assert await store.get(key("a")) == entry
        assert entry.value == f"one@{entry.revision}".encode()


async def test_an_empty_store_is_not_at_revision_zero_which_means_any_to_clients(opened):
    async with opened() as store:
        assert await store.revision() == 1


async def test_create_refuses_a_taken_name(opened):
    async with opened() as store:
        first = await store.create(key("a"), text("one"))
        with pytest.raises(AlreadyThere, match="default/a"):
            await store.create(key("a"), text("two"))
        assert await store.get(key("a")) == first
        assert await store.revision() == first.revision


async def test_update_and_delete_need_the_expected_revision(opened):
    async with opened() as store:
        first = await store.create(key("a"), text("one"))
        second = await store.update(key("a"), text("two"), expected=first.revision)
        with pytest.raises(RevisionConflict):
            await store.update(key("a"), text("three"), expected=first.revision)
        with pytest.raises(RevisionConflict):
            await store.delete(key("a"), expected=first.revision)
        assert await store.get(key("a")) == second


async def test_what_is_not_there_cannot_be_read_updated_or_deleted(opened):
    async with opened() as store:
        for call in (
            store.get(key("a")),
            store.update(key("a"), text("x"), expected=1),
            store.delete(key("a"), expected=1),
        ):
            with pytest.raises(NotThere, match="default/a"):
                await call


async def test_of_racing_updates_from_one_revision_exactly_one_wins(opened):
    async with opened() as store:
        first = await store.create(key("a"), text("one"))
        results = await asyncio.gather(
            *(store.update(key("a"), text(str(n)), expected=first.revision) for n in range(20)), return_exceptions=True
        )
        winners = [result for result in results if not isinstance(result, BaseException)]
        assert len(winners) == 1
        assert await store.get(key("a")) == winners[0]
        assert sum(isinstance(result, RevisionConflict) for result in results) == 19


async def test_counting_up_concurrently_loses_no_update(opened):
    async def count_up(store: Store) -> None:
        for _ in range(10):
            while True:
                entry = await store.get(key("counter"))
                number = int(entry.value) + 1
                try:
                    await store.update(key("counter"), lambda _, n=number: str(n).encode(), expected=entry.revision)
                except RevisionConflict:
                    continue
                break

    async with opened() as store:
        await store.create(key("counter"), lambda _: b"0")
        await asyncio.gather(*(count_up(store) for _ in range(8)))
        assert (await store.get(key("counter"))).value == b"80"


async def test_an_encoder_that_fails_fails_its_own_write_only(opened):
    def broken(_: int) -> bytes:
        raise ValueError("no bytes today")

    async with opened() as store:
        results = await asyncio.gather(
            store.create(key("a"), text("one")),
            store.create(key("b"), broken),
            store.create(key("c"), text("three")),
            return_exceptions=True,
        )
        assert isinstance(results[1], ValueError)
        assert [entry.key.name for entry in (await store.list(THINGS)).entries] == ["a", "c"]
        assert results[2].revision == results[0].revision + 1


async def test_a_caller_that_goes_away_does_not_take_its_write_back_nor_disturb_others(opened):
    async with opened() as store:
        task = asyncio.create_task(store.create(key("a"), text("one")))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await store.create(key("b"), text("two"))
        assert [entry.key.name for entry in (await store.list(THINGS)).entries] == ["a", "b"]


async def test_list_is_in_key_order_and_keeps_to_resource_and_namespace(opened):
    async with opened() as store:
        for name, namespace in (("b", "two"), ("a", "two"), ("z", "one"), ("a", "two-b"), ("a", "")):
            await store.create(key(name, namespace), text("x"))
        await store.create(key("other", "two", "others"), text("x"))
        everything = await store.list(THINGS)
        assert [(e.key.namespace, e.key.name) for e in everything.entries] == [
            ("", "a"),
            ("one", "z"),
            ("two", "a"),
            ("two", "b"),
            ("two-b", "a"),
        ]
        assert [e.key.name for e in (await store.list(THINGS, namespace="two")).entries] == ["a", "b"]
        assert everything.revision == await store.revision()
        assert everything.after is None


async def test_pages_show_one_snapshot_while_the_world_goes_on(opened):
    async with opened() as store:
        entries = [await store.create(key(f"n{n}"), text("old")) for n in range(6)]
        page = await store.list(THINGS, limit=2)
        await store.delete(key("n2"), expected=entries[2].revision)
        await store.update(key("n3"), text("new"), expected=entries[3].revision)
        await store.create(key("n25"), text("new"))
        found = list(page.entries)
        while page.after:
            page = await store.list(THINGS, limit=2, after=page.after, revision=page.revision)
            found += page.entries
        assert found == entries


async def test_a_page_that_ends_with_the_last_object_has_no_next(opened):
    async with opened() as store:
        for name in "ab":
            await store.create(key(name), text("x"))
        assert (await store.list(THINGS, limit=2)).after is None
        assert (await store.list(THINGS, limit=1)).after == key("a")
        assert (await store.list(THINGS, limit=1, after=key("a"))).after is None


async def test_a_watch_gives_every_later_change_in_order(opened):
    async with opened() as store:
        start = await store.revision()
        first = await store.create(key("a"), text("one"))
        async with store.watch(THINGS, revision=start) as changes:
            second = await store.update(key("a"), text("two"), expected=first.revision)
            await store.create(key("elsewhere", resource="others"), text("x"))
            await store.delete(key("a"), expected=second.revision, encode=text("last"))
            assert await read(changes, 3) == [
                ("Added", "a", start + 1, f"one@{start + 1}".encode()),
                ("Modified", "a", start + 2, f"two@{start + 2}".encode()),
                ("Deleted", "a", start + 4, f"last@{start + 4}".encode()),
            ]


async def test_a_deletion_without_encoder_shows_the_last_value(opened):
    async with opened() as store:
        first = await store.create(key("a"), text("one"))
        async with store.watch(THINGS, revision=first.revision) as changes:
            gone = await store.delete(key("a"), expected=first.revision)
            change = await anext(changes)
        assert gone.value == first.value
        assert gone.revision == first.revision + 1
        assert (change.type, change.entry, change.previous) == ("Deleted", gone, first)


async def test_a_watch_keeps_to_its_namespace(opened):
    async with opened() as store, store.watch(THINGS, namespace="one", revision=await store.revision()) as changes:
        await store.create(key("a", "two"), text("x"))
        await store.create(key("b", "one"), text("x"))
        assert [name for _, name, _, _ in await read(changes, 1)] == ["b"]


async def test_who_is_answered_finds_the_write_in_list_and_watch(opened):
    async with opened() as store, store.watch(THINGS, revision=await store.revision()) as changes:
        for n in range(30):
            entry = await store.create(key(f"n{n:02}"), text("x"))
            assert (await store.list(THINGS)).entries[-1] == entry
            assert (await anext(changes)).entry == entry


async def test_a_slow_watcher_is_cut_and_can_resume_without_loss(opened):
    async with opened(watch_queue=5) as store:
        start = await store.revision()
        async with store.watch(THINGS, revision=start) as changes:
            for n in range(6):
                await store.create(key(f"n{n}"), text("x"))
            with pytest.raises(WatcherTooSlow):
                await anext(changes)
        async with store.watch(THINGS, revision=start) as changes:
            assert [name for _, name, _, _ in await read(changes, 6)] == [f"n{n}" for n in range(6)]


async def test_changes_are_handed_on_while_the_reader_waits_and_queued_from_the_first_that_is_refused(opened):
    async with opened() as store, store.watch(THINGS, namespace="one", revision=await store.revision()) as watch:
        handed: list[str] = []
        takes = {"yes": True}

        def sink(changes: Sequence[Change]) -> bool:
            if takes["yes"]:
                handed.extend(change.entry.key.name for change in changes)
            return takes["yes"]

        watch.hand_to(sink)
        await store.create(key("before", "one"), text("x"))
        assert handed == [], "nobody waits yet, so it is queued"
        assert [change.entry.key.name for change in await watch.take(10)] == ["before"]
        reading = asyncio.create_task(watch.take(10))
        await asyncio.sleep(0)
        await store.create(key("first", "one"), text("x"))
        await store.create(key("elsewhere", "two"), text("x"))
        await asyncio.gather(*(store.create(key(f"together-{n}", "one"), text("x")) for n in range(3)))
        assert handed == ["first", "together-0", "together-1", "together-2"]
        takes["yes"] = False
        await store.create(key("refused", "one"), text("x"))
        takes["yes"] = True
        await store.create(key("behind it", "one"), text("x"))
        seen = [change.entry.key.name for change in await reading]
        if seen == ["refused"]:
            seen += [change.entry.key.name for change in await watch.take(10)]
        assert seen == ["refused", "behind it"]
        assert len(handed) == 4


async def test_compaction_forgets_history_and_keeps_objects(opened):
    async with opened() as store:
        first = await store.create(key("a"), text("one"))
        await store.create(key("b"), text("one"))
        second = await store.update(key("a"), text("two"), expected=first.revision)
        await store.compact(second.revision)
        assert [e.value for e in (await store.list(THINGS)).entries] == [b"two@4", b"one@3"]
        with pytest.raises(Compacted):
            await store.list(THINGS, revision=first.revision)
        with pytest.raises(Compacted):
            async with store.watch(THINGS, revision=first.revision):
                pass
        async with store.watch(THINGS, revision=second.revision) as changes:
            await store.create(key("c"), text("x"))
            assert [name for _, name, _, _ in await read(changes, 1)] == ["c"]


async def test_a_revision_from_the_future_is_answered_with_compacted_so_that_the_client_lists_again(opened):
    async with opened() as store:
        with pytest.raises(Compacted):
            await store.list(THINGS, revision=99)


async def test_history_is_compacted_by_itself(opened):
    async with opened(keep=50) as store:
        for n in range(200):
            await store.create(key(f"n{n}"), text("x"))
        newest = await store.revision()
        with pytest.raises(Compacted):
            await store.list(THINGS, revision=newest - 60)
        assert len((await store.list(THINGS, revision=newest - 50)).entries) == 150
        assert len((await store.list(THINGS)).entries) == 200


async def test_a_few_large_objects_do_not_fill_the_memory_with_history(opened):
    async with opened(keep_bytes=50_000) as store:
        entry = await store.create(key("big"), lambda _: b"x" * 10_000)
        for _ in range(20):
            entry = await store.update(key("big"), lambda _: b"y" * 10_000, expected=entry.revision)
        newest = await store.revision()
        assert (await store.list(THINGS, revision=newest - 2)).entries[0].value == b"y" * 10_000
        with pytest.raises(Compacted):
            await store.list(THINGS, revision=newest - 8)
        assert await store.get(key("big")) == entry


async def test_close_finishes_writes_ends_watches_and_refuses_more(opened):
    async with opened() as store:
        async with store.watch(THINGS, revision=await store.revision()) as changes:
            under_way = [asyncio.create_task(store.create(key(f"n{n}"), text("x"))) for n in range(5)]
            await asyncio.sleep(0)
            await store.close()
            await asyncio.gather(*under_way)
            assert len([change async for change in changes]) == 5
        with pytest.raises(StoreFailed, match="closed"):
            await store.create(key("late"), text("x"))
