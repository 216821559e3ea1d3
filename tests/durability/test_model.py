"""Random concurrent requests to a real server against a simple model of one namespace.

The model is the list of its states by revision. Requests that run at once may be done in any order; the watch tells in
which, and then every answer must be one that this order allows: no update is lost, no event is missing, out of order or
made up, and list, pages and watch agree at every revision that is kept, or say 410.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.support.server_forks import ROOT

from groundplane.kube.kubeconfig import Access

from .load import connect

NAMES = st.sampled_from("abcd")
Verb = Literal["create", "update", "delete"]
State = dict[str, tuple[int, str]]


class Op(NamedTuple):
    """One request; `stale` asks with the revision before the one that the model knows."""

    verb: Verb
    name: str
    stale: bool


OPS = st.builds(Op, st.sampled_from(["create", "update", "delete"]), NAMES, st.integers(0, 3).map(lambda n: n == 0))


class Event(NamedTuple):
    """One event of a watch."""

    type: str
    name: str
    revision: int
    text: str


class Sent(NamedTuple):
    """One request with the revision that it named and its answer."""

    op: Op
    expected: int
    text: str
    code: int
    reason: str


class ServerUnderTest:
    """The server's process; its standard input takes the word for a compaction."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        self.access = Access(server=told["url"], ca=Path(told["ca"]).read_bytes(), token=told["admin"])
        self.examples = 0

    def compact(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"compact\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == b"compacted\n"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerUnderTest]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.support.api_server", folder]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            yield ServerUnderTest(process)
            process.communicate()


@dataclass
class Model:
    """`states`: the world after each change, by revision; nothing older than `kept` can be looked at."""

    states: list[tuple[int, State]]
    kept: int
    events: list[Event] = field(default_factory=list)

    @property
    def newest(self) -> int:
        return self.states[-1][0]

    def at(self, revision: int) -> State:
        return self.states[bisect_right(self.states, revision, key=lambda known: known[0]) - 1][1]

    def take(self, event: Event) -> State:
        """Take in the next event; returns the state before it."""
        before = self.states[-1][1]
        assert event.revision > self.newest
        assert (event.name in before) == (event.type != "ADDED")
        after = {name: held for name, held in before.items() if name != event.name}
        if event.type != "DELETED":
            after[event.name] = (event.revision, event.text)
        self.states.append((event.revision, after))
        self.events.append(event)
        return before


class Watching:
    """An open watch: reads the events after `revision` as they come."""

    def __init__(self, http: httpx2.AsyncClient, path: str, revision: int) -> None:
        self.revision = revision
        self._request = http.build_request("GET", path, params={"watch": "1", "resourceVersion": str(revision)})
        self._http = http
        self._rest: list[bytes] = []

    async def open(self) -> int:
        """Return 200, or the code of the ERROR event or answer that says that this revision is gone."""
        self._response = await self._http.send(self._request, stream=True)
        self._lines = self._response.aiter_lines()
        return self._response.status_code

    async def next(self) -> Event | int:
        """Return the next event, or the code of an error."""
        line = json.loads(await asyncio.wait_for(anext(self._lines), 60))
        if line["type"] == "ERROR":
            return int(line["object"]["code"])
        document = line["object"]
        self.revision = int(document["metadata"]["resourceVersion"])
        return Event(line["type"], document["metadata"]["name"], self.revision, document["data"]["text"])

    async def close(self) -> None:
        await self._response.aclose()


class ApiAgainstModel(RuleBasedStateMachine):
    """Subclassed with the server to ask."""

    server: ServerUnderTest

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.count = 0
        self.watching: list[Watching] = []
        self.pages: tuple[int, str, State] | None = None

    @initialize()
    def start(self) -> None:
        """Begin in an empty namespace of its own."""
        self.server.examples += 1
        self.path = f"/api/v1/namespaces/m{self.server.examples}/configmaps"
        self.http = connect(self.server.access)
        self.runner.run(self._start())

    async def _start(self) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"m{self.server.examples}"}}
        (await self.http.post("/api/v1/namespaces", json=body)).raise_for_status()
        listed = (await self.http.get(self.path)).json()
        revision = int(listed["metadata"]["resourceVersion"])
        self.model = Model([(revision, {})], kept=revision)
        self.main = await self._watch(revision)

    def teardown(self) -> None:
        if hasattr(self, "http"):
            self.runner.run(self._end())
        self.runner.close()

    async def _end(self) -> None:
        for watching in (*self.watching, self.main):
            await watching.close()
        await self.http.aclose()

    async def _watch(self, revision: int) -> Watching:
        watching = Watching(self.http, self.path, revision)
        assert await watching.open() == 200
        return watching

    @rule(ops=st.lists(OPS, min_size=1, max_size=6))
    def write_at_once(self, ops: list[Op]) -> None:
        self.runner.run(self._write(ops))

    async def _write(self, ops: list[Op]) -> None:
        known = self.model.states[-1][1]
        first = len(self.model.states) - 1
        sent = await asyncio.gather(*(self._send(op, known) for op in ops))
        done = [one for one in sent if one.code in (200, 201)]
        for _ in range(len(done)):
            event = await self.main.next()
            assert isinstance(event, Event)
            before = self.model.take(event)
            cause = next((one for one in done if _caused(one, event, before)), None)
            assert cause is not None, f"{event} was caused by none of {done}"
            done.remove(cause)
        seen = [state for _, state in self.model.states[first:]]
        for one in sent:
            if one.code not in (200, 201):
                assert any(_refusal(one, state) for state in seen), f"{one} fits none of {seen}"

    async def _send(self, op: Op, known: State) -> Sent:
        self.count += 1
        expected = known.get(op.name, (self.model.newest, ""))[0] - (1 if op.stale else 0)
        text = f"{op.name} {self.count}"
        metadata: dict[str, Any] = {"name": op.name}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"text": text}}
        if op.verb == "create":
            answer = await self.http.post(self.path, json=body)
        elif op.verb == "update":
            metadata["resourceVersion"] = str(expected)
            answer = await self.http.put(f"{self.path}/{op.name}", json=body)
        else:
            options = {"preconditions": {"resourceVersion": str(expected)}}
            answer = await self.http.request("DELETE", f"{self.path}/{op.name}", json=options)
        return Sent(op, expected, text, answer.status_code, answer.json().get("reason", ""))

    @rule(data=st.data())
    def list_at_any_revision(self, data: st.DataObject) -> None:
        revision = data.draw(st.sampled_from([known for known, _ in self.model.states]))
        self.runner.run(self._list_at(revision))

    async def _list_at(self, revision: int) -> None:
        exactly = {"resourceVersion": str(revision), "resourceVersionMatch": "Exact"}
        answer = await self.http.get(self.path, params=exactly)
        if revision < self.model.kept:
            assert answer.status_code == 410
        else:
            assert _items(answer.json()) == self.model.at(revision)

    @rule(data=st.data())
    def watch_from_any_revision(self, data: st.DataObject) -> None:
        revision = data.draw(st.sampled_from([known for known, _ in self.model.states]))
        self.runner.run(self._watch_from(revision))

    async def _watch_from(self, revision: int) -> None:
        watching = Watching(self.http, self.path, revision)
        code: Event | int = await watching.open()
        if revision >= self.model.kept:
            assert code == 200
            self.watching.append(watching)
            return
        if code == 200:
            code = await watching.next()
        assert code == 410
        await watching.close()

    @rule()
    def begin_to_read_pages(self) -> None:
        self.runner.run(self._begin_pages())

    async def _begin_pages(self) -> None:
        answer = (await self.http.get(self.path, params={"limit": "1"})).json()
        revision, token = int(answer["metadata"]["resourceVersion"]), answer["metadata"].get("continue", "")
        self.pages = (revision, token, _items(answer)) if token else None

    @rule()
    def read_the_other_pages(self) -> None:
        if self.pages is not None:
            self.runner.run(self._other_pages(*self.pages))
            self.pages = None

    async def _other_pages(self, revision: int, token: str, found: State) -> None:
        found = dict(found)
        while token:
            answer = await self.http.get(self.path, params={"limit": "2", "continue": token})
            if answer.status_code == 410:
                assert revision < self.model.kept
                return
            document = answer.json()
            found |= _items(document)
            token = document["metadata"].get("continue", "")
        assert found == self.model.at(revision)

    @rule()
    def compact(self) -> None:
        """Forget everything before now."""
        self.server.compact()
        self.model.kept = self.runner.run(self._now())

    async def _now(self) -> int:
        return int((await self.http.get(self.path)).json()["metadata"]["resourceVersion"])

    @invariant()
    def every_watch_shows_what_came_after_its_revision_in_order(self) -> None:
        if hasattr(self, "http"):
            self.runner.run(self._read_watches())

    async def _read_watches(self) -> None:
        for watching in self.watching:
            for wanted in [event for event in self.model.events if event.revision > watching.revision]:
                assert await watching.next() == wanted

    @invariant()
    def the_newest_list_is_the_newest_state(self) -> None:
        if hasattr(self, "http"):
            assert self.runner.run(self._list_now()) == self.model.states[-1][1]

    async def _list_now(self) -> State:
        return _items((await self.http.get(self.path)).json())


def _items(document: dict[str, Any]) -> State:
    return {
        item["metadata"]["name"]: (int(item["metadata"]["resourceVersion"]), item["data"]["text"])
        for item in document["items"]
    }


def _caused(sent: Sent, event: Event, before: State) -> bool:
    """Tell whether the request can have made the event, given the state that it met."""
    op = sent.op
    kinds = {"create": "ADDED", "update": "MODIFIED", "delete": "DELETED"}
    if op.name != event.name or kinds[op.verb] != event.type:
        return False
    met = op.verb == "create" or before[op.name][0] == sent.expected
    return met and (op.verb == "delete" or event.text == sent.text)


def _refusal(sent: Sent, state: State) -> bool:
    """Tell whether the answer is the right one in this state."""
    held = state.get(sent.op.name)
    if sent.op.verb == "create":
        return held is not None and (sent.code, sent.reason) == (409, "AlreadyExists")
    if held is None:
        return (sent.code, sent.reason) == (404, "NotFound")
    return held[0] != sent.expected and (sent.code, sent.reason) == (409, "Conflict")


def test_random_requests_at_once_agree_with_the_model(server: ServerUnderTest) -> None:
    machine = type("Machine", (ApiAgainstModel,), {"server": server})
    # No shrinking: on a real server it costs minutes, and the printed steps are few.
    rules = settings(max_examples=10, stateful_step_count=10, deadline=None, phases=(Phase.reuse, Phase.generate),
                     suppress_health_check=list(HealthCheck))  # fmt: skip
    run_state_machine_as_test(machine, settings=rules)
