"""The informer against a server that ends, expires, cuts and falls silent: nothing is missed, nothing listed twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from groundplane.client.contract import Resource
from groundplane.client.http import HttpClient, HttpOptions
from groundplane.client.informer import BackOff, Informer, ObjectChange
from groundplane.kube.kubeconfig import Access
from support.scripted_kube import Reply, Request, Script, ScriptedKube

THINGS = Resource("example.dev", "v1", "things", "Thing")
PATH = "/apis/example.dev/v1/things"


def thing(name: str, version: int, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "example.dev/v1",
        "kind": "Thing",
        "metadata": {"namespace": "default", "name": name, "resourceVersion": str(version), "labels": labels},
    }


def listed(version: int, *items: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "ThingList", "metadata": {"resourceVersion": str(version)}, "items": list(items)}


def expired() -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old"}


async def hold(_: Request, reply: Reply) -> None:
    await reply.stream()
    await reply.silence()


def script(lists: list[dict[str, Any]], watches: list[Script]) -> Script:
    """Answer lists and watches in turn; when the watches are used up, hold the next one open."""
    remaining = list(watches)

    async def answer(request: Request, reply: Reply) -> None:
        if "watch" in request.params:
            await (remaining.pop(0) if remaining else hold)(request, reply)
        else:
            await reply.json(lists.pop(0))

    return answer


class Followed:
    """A running informer and what it told."""

    def __init__(self, kube: ScriptedKube, informer: Informer, changes: asyncio.Queue[ObjectChange]) -> None:
        self.kube = kube
        self.informer = informer
        self._changes = changes

    async def told(self) -> tuple[str, str | None, str | None]:
        change = await asyncio.wait_for(self._changes.get(), 10)
        old, new = (obj and obj["metadata"]["resourceVersion"] for obj in (change.old, change.new))
        return change.key.name, old, new

    @property
    def asked(self) -> list[str]:
        """Each request: "list", or the version from which was watched."""
        return [r.params["resourceVersion"] if "watch" in r.params else "list" for r in self.kube.requests]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def following(answer: Script, **options: float) -> AsyncIterator[Followed]:
    changes: asyncio.Queue[ObjectChange] = asyncio.Queue()
    async with ScriptedKube(answer) as kube, HttpClient(Access(kube.url), HttpOptions(**options)) as client:
        back_off = BackOff(first=0.01, longest=0.05)
        informer = Informer(client, THINGS, changed=changes.put_nowait, back_off=back_off)
        task = asyncio.create_task(informer.run())
        try:
            yield Followed(kube, informer, changes)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_it_lists_then_follows_and_keeps_a_copy():
    async def watch(_: Request, reply: Reply) -> None:
        await reply.stream()
        await reply.event("ADDED", thing("b", 6))
        await reply.event("MODIFIED", thing("a", 7))
        await reply.event("DELETED", thing("b", 8))
        await reply.silence()

    async with following(script([listed(5, thing("a", 3))], [watch])) as followed:
        assert await followed.told() == ("a", None, "3")
        assert followed.informer.synced.is_set()
        assert await followed.told() == ("b", None, "6")
        assert await followed.told() == ("a", "3", "7")
        assert await followed.told() == ("b", "8", None)
        assert followed.informer.get("default", "b") is None
        assert followed.informer.list() == followed.informer.list("default") == [thing("a", 7)]
        assert followed.informer.list("elsewhere") == []
        assert followed.asked == ["list", "5"]


async def test_after_a_normal_end_it_resumes_from_the_bookmark_without_listing():
    async def watch(_: Request, reply: Reply) -> None:
        await reply.stream()
        await reply.event("ADDED", thing("b", 6))
        await reply.event("BOOKMARK", {"kind": "Thing", "metadata": {"resourceVersion": "150"}})
        await reply.end()

    async def resumed(_: Request, reply: Reply) -> None:
        await reply.stream()
        await reply.event("MODIFIED", thing("b", 151))
        await reply.silence()

    async with following(script([listed(5)], [watch, resumed])) as followed:
        assert await followed.told() == ("b", None, "6")
        assert await followed.told() == ("b", "6", "151")
        assert followed.asked == ["list", "5", "150"]


async def test_410_in_the_stream_makes_it_list_again_and_tell_the_differences_deletions_included():
    async def watch(_: Request, reply: Reply) -> None:
        await reply.stream()
        await reply.event("ERROR", expired())
        await reply.end()

    lists = [
        listed(5, thing("stays", 2), thing("goes", 3), thing("moves", 4)),
        listed(90, thing("stays", 2), thing("moves", 80), thing("new", 85)),
    ]
    async with following(script(lists, [watch])) as followed:
        assert [(await followed.told())[0] for _ in range(3)] == ["stays", "goes", "moves"]
        assert await followed.told() == ("goes", "3", None)
        assert await followed.told() == ("moves", "4", "80")
        assert await followed.told() == ("new", None, "85")
        await followed.until(lambda: followed.asked == ["list", "5", "list", "90"])


async def test_410_as_an_answer_makes_it_list_again():
    async def watch(_: Request, reply: Reply) -> None:
        await reply.json(expired(), 410)

    async with following(script([listed(5), listed(9, thing("a", 8))], [watch])) as followed:
        assert await followed.told() == ("a", None, "8")
        assert followed.asked[:3] == ["list", "5", "list"]


async def test_a_cut_in_the_middle_of_a_line_is_resumed_from_the_last_whole_event():
    async def watch(_: Request, reply: Reply) -> None:
        await reply.stream()
        await reply.event("ADDED", thing("a", 200))
        await reply.chunk(b'{"type": "MODIFIED", "object": {"metadata": {"na')
        reply.cut()

    async def resumed(_: Request, reply: Reply) -> None:
        await reply.stream()
        await reply.event("MODIFIED", thing("a", 201))
        await reply.silence()

    async with following(script([listed(5)], [watch, resumed])) as followed:
        assert await followed.told() == ("a", None, "200")
        assert await followed.told() == ("a", "200", "201")
        assert followed.asked == ["list", "5", "200"]


async def test_silence_is_taken_as_a_cut_and_the_watch_is_resumed():
    async def resumed(_: Request, reply: Reply) -> None:
        await reply.stream()
        await reply.event("ADDED", thing("a", 6))
        await reply.silence()

    async with following(script([listed(5)], [hold, resumed]), silence=0.2) as followed:
        assert await followed.told() == ("a", None, "6")
        assert followed.asked[:3] == ["list", "5", "5"]


async def test_a_server_that_fails_first_is_asked_until_it_answers():
    failures = [503, 500, 429, 401]

    async def answer(request: Request, reply: Reply) -> None:
        if failures:
            await reply.json({"kind": "Status", "message": "not yet"}, failures.pop(0))
        elif "watch" in request.params:
            await hold(request, reply)
        else:
            await reply.json(listed(5, thing("a", 1)))

    async with following(answer) as followed:
        assert await followed.told() == ("a", None, "1")
        assert followed.asked[:5] == ["list"] * 5


async def test_a_server_that_comes_up_late_is_found():
    async with ScriptedKube(script([listed(5, thing("a", 1))], [])) as kube:
        address = kube.url
    changes: asyncio.Queue[ObjectChange] = asyncio.Queue()
    async with HttpClient(Access(address)) as client:
        informer = Informer(client, THINGS, changed=changes.put_nowait, back_off=BackOff(first=0.01, longest=0.05))
        task = asyncio.create_task(informer.run())
        try:
            answer = script([listed(5, thing("a", 1))], [])
            async with ScriptedKube(answer, port=int(address.rpartition(":")[2])):
                await asyncio.wait_for(informer.synced.wait(), 10)
                assert informer.get("default", "a") == thing("a", 1)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_server_that_ends_every_watch_at_once_is_not_asked_in_a_tight_loop():
    async def end(_: Request, reply: Reply) -> None:
        await reply.stream()
        await reply.end()

    changes: asyncio.Queue[ObjectChange] = asyncio.Queue()
    async with ScriptedKube(script([listed(5)], [end] * 50)) as kube, HttpClient(Access(kube.url)) as client:
        informer = Informer(client, THINGS, changed=changes.put_nowait, back_off=BackOff(first=0.1, longest=60))
        with_deadline = asyncio.timeout(1)
        try:
            async with with_deadline:
                await informer.run()
        except TimeoutError:
            pass
        # Waits of at least 0.05, 0.1, 0.2, 0.4, 0.8 seconds lie between the watches.
        assert 2 <= len(kube.requests) <= 6


async def test_a_long_list_is_read_in_pages_and_whole_again_when_the_snapshot_expires():
    async def answer(request: Request, reply: Reply) -> None:
        if "continue" in request.params:
            await reply.json(expired(), 410)
        elif "limit" in request.params:
            first = listed(5, thing("a", 1))
            first["metadata"]["continue"] = "more"
            await reply.json(first)
        else:
            await reply.json(listed(9, thing("a", 1), thing("b", 8)))

    async with ScriptedKube(answer) as kube, HttpClient(Access(kube.url)) as client:
        found = await client.list(THINGS)
        assert [item["metadata"]["name"] for item in found.items] == ["a", "b"]
        assert found.resource_version == "9"
