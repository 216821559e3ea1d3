"""The plan that lets an adopted cluster go: only the machines that carry its mark, all side by side."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from groundplane.api.facts import ClusterFacts, KubeadmFacts, MachineFacts
from groundplane.plan.release import plan_release

from .fleet import KEY, desired

MARKS = st.sampled_from([KEY, "", "default/other", None])


@given(st.integers(1, 3), st.integers(0, 4), st.data())
def test_a_machine_is_let_go_when_and_only_when_it_carries_the_mark(
    planes: int, workers: int, data: st.DataObject
) -> None:
    wish = desired(planes, workers)
    marks = {name: data.draw(MARKS) for name in wish.target.members}
    whole = {name: data.draw(st.booleans()) for name in marks}
    facts = {
        name: MachineFacts(
            kubeadm=KubeadmFacts(owner=mark, joined=whole[name] or mark == "", unfinished=not whole[name])
        )
        for name, mark in marks.items()
        if mark is not None
    }
    plan = plan_release(wish, facts, ClusterFacts())
    mine = {name for name, mark in marks.items() if mark == KEY}
    assert {step.machine for step in plan.steps} == mine == set(plan.fingerprints)
    for name in mine:
        steps = [step.step for step in plan.steps if step.machine == name]
        assert steps == (["release"] if whole[name] else ["reset", "restore"])
    assert all(set(step.after) <= {f"reset/{step.machine}"} for step in plan.steps)
    for name in set(wish.target.members) - set(facts):
        assert name in plan.summary
