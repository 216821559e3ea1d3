"""Random histories against a simple model: list and watch agree at every revision, and no update is lost."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from groundplane.store.contract import AlreadyThere, Change, Compacted, Key, NotThere, RevisionConflict, Store
from groundplane.store.sealing import Sealer
from groundplane.store.sqlite import open_sqlite

NAMES = st.sampled_from([Key("things", namespace, name) for namespace in ("one", "two") for name in "abc"])
VERBS = st.sampled_from(["create", "update", "delete"])
State = dict[Key, tuple[int, bytes]]


class StoreAgainstModel(RuleBasedStateMachine):
    """`states` is the model: the whole world at each revision that is still kept."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.store = self.runner.run(self._open())
        self.states: dict[int, State] = {1: {}}
        self.newest = 1

    async def _open(self) -> Store:
        folder = Path(self.folder.name)
        return await open_sqlite(folder / "state.db", sealed={"things": Sealer(folder / "seal.key")})

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()

    @rule(writes=st.lists(st.tuples(VERBS, NAMES, st.booleans(), st.binary(max_size=5)), min_size=1, max_size=6))
    def write_at_once(self, writes: list[tuple[str, Key, bool, bytes]]) -> None:
        results = self.runner.run(self._write_all(writes))
        for (verb, key, stale, value), expected, result in results:
            state = self.states[self.newest]
            held = state.get(key)
            if isinstance(result, AlreadyThere):
                assert verb == "create"
                assert held is not None
            elif isinstance(result, NotThere):
                assert verb != "create"
                assert held is None
            elif isinstance(result, RevisionConflict):
                assert held is not None
                assert held[0] != expected
            else:
                assert (held is None) == (verb == "create")
                assert held is None or (held[0] == expected and not stale)
                self.newest += 1
                after = {k: v for k, v in state.items() if k != key}
                if verb != "delete":
                    after[key] = (self.newest, value)
                self.states[self.newest] = after
                assert result.revision == self.newest

    async def _write_all(self, writes):
        """Submit all without waiting, so that they share transactions; answers are in the order of submission."""
        world = self.states[self.newest]
        tasks = []
        for verb, key, stale, value in writes:
            expected = world.get(key, (1, b""))[0] - (1 if stale else 0)
            if verb == "create":
                call = self.store.create(key, lambda _, v=value: v)
            elif verb == "update":
                call = self.store.update(key, lambda _, v=value: v, expected=expected)
            else:
                call = self.store.delete(key, expected=expected)
            tasks.append((expected, asyncio.create_task(call)))
        answers = await asyncio.gather(*(task for _, task in tasks), return_exceptions=True)
        return [(w, e, a) for w, (e, _), a in zip(writes, tasks, answers, strict=True)]

    @rule()
    def restart(self) -> None:
        self.runner.run(self.store.close())
        self.store = self.runner.run(self._open())

    @precondition(lambda self: len(self.states) > 1)
    @rule(data=st.data())
    def compact(self, data: st.DataObject) -> None:
        mark = data.draw(st.sampled_from(sorted(self.states)))
        self.runner.run(self.store.compact(mark))
        self.states = {revision: state for revision, state in self.states.items() if revision >= mark}

    @invariant()
    def list_agrees_with_the_model_at_every_kept_revision(self) -> None:
        for revision, state in self.states.items():
            page = self.runner.run(self.store.list("things", revision=revision))
            assert [(e.key, e.revision, e.value) for e in page.entries] == [(k, *state[k]) for k in sorted(state)]

    @invariant()
    def a_watch_from_the_oldest_kept_revision_replays_to_each_state(self) -> None:
        oldest = min(self.states)
        state = dict(self.states[oldest])
        for change in self.runner.run(self._replay(oldest)):
            held = state.pop(change.entry.key, None)
            assert (change.previous and (change.previous.revision, change.previous.value)) == held
            if change.type != "Deleted":
                state[change.entry.key] = (change.entry.revision, change.entry.value)
            assert state == self.states[change.entry.revision]

    @invariant()
    def what_is_compacted_says_so(self) -> None:
        try:
            self.runner.run(self.store.list("things", revision=min(self.states) - 1 or 99_999))
        except Compacted:
            return
        raise AssertionError("a forgotten revision was answered")

    async def _replay(self, revision: int) -> list[Change]:
        async with self.store.watch("things", revision=revision) as changes:
            return [await anext(changes) for _ in range(self.newest - revision)]


StoreAgainstModel.TestCase.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)
TestStoreAgainstModel = StoreAgainstModel.TestCase
