"""What a person asked for by an annotation, and what nobody has to approve: told from objects alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from msgspec.structs import replace

from groundplane.api.cluster import Cluster
from groundplane.api.facts import ClusterFacts
from groundplane.api.meta import (
    ANNOTATION_CLEAN_UP,
    ANNOTATION_INPUTS,
    ANNOTATION_RENEW,
    ANNOTATION_RETRY,
    ANNOTATION_ROLLBACK,
    LABEL_CLUSTER,
    NameReference,
    ObjectMeta,
)
from groundplane.api.operation import (
    Action,
    Operation,
    OperationPhase,
    OperationSpec,
    OperationStatus,
    Plan,
    PlannedChange,
    PlannedStep,
    StepStatus,
)
from groundplane.api.target import Desired
from groundplane.base.clock import utc_now
from groundplane.base.errors import Refused
from groundplane.controllers.cluster.planning import (
    RequestRefused,
    approved_at_once,
    hindered,
    next_request,
    overtaken,
    propose,
    without_asked,
)
from groundplane.controllers.cluster.scope import ClusterScope
from groundplane.controllers.cluster.status import StatusDraft
from groundplane.engine.conditions import Conditions

from .test_leaving import FACTS, TARGET, machine, scope_of
from .test_removal import made
from .world import world


def updating(what: str) -> Plan:
    change = PlannedChange(what=what, after="newer")
    step = PlannedStep(name="system-packages/w-1", step="system-packages", title="", machine="w-1", changes=[change])
    return Plan(action="Change", steps=[step])


def test_a_kernel_that_only_a_foundation_asks_for_waits_for_a_person() -> None:
    assert not approved_at_once(Cluster(), TARGET, updating("kernel"))
    assert approved_at_once(Cluster(), TARGET, updating("packages"))


def operation(
    name: str, phase: OperationPhase = "Succeeded", *, action: Action = "Change", rolls_back: str = "", **said: str
) -> Operation:
    """An Operation with annotations, which are `said` without their prefix."""
    annotations = {f"groundplane.dev/{key.replace('_', '-')}": value for key, value in said.items()}
    plan = Plan(action=action, rolls_back=rolls_back)
    return Operation(
        metadata=ObjectMeta(name=name, annotations=annotations),
        spec=OperationSpec(cluster_ref=NameReference(name="shop"), target=TARGET, plan=plan),
        status=OperationStatus(phase=phase),
    )


def renewing(scope: ClusterScope, value: str) -> ClusterScope:
    meta = replace(scope.cluster.metadata, annotations={ANNOTATION_RENEW: value})
    return dataclasses.replace(scope, cluster=replace(scope.cluster, metadata=meta))


def test_an_operation_answers_a_request_unless_it_went_stale() -> None:
    def answered(phase: OperationPhase) -> bool:
        one = operation("shop-renew", phase, action="RenewCertificates", renew_certificates="now")
        return next_request(renewing(scope_of([], one), "now")) is None

    assert answered("Succeeded")
    assert answered("Failed")
    assert answered("Cancelled")
    assert not answered("Stale")


def test_a_stale_rollback_leaves_its_request_open_and_the_same_words_again_are_another_one() -> None:
    asked = operation("a", rollback="all@1")
    taken = operation("b", rolls_back="a", rollback="a: all@1")
    stale = replace(taken, status=OperationStatus(phase="Stale"))
    assert next_request(scope_of([], asked, taken)) is None
    assert (open_request := next_request(scope_of([], asked, stale))) is not None
    assert open_request.about is asked
    assert next_request(scope_of([], operation("a", rollback="all@2"), taken)) is not None


def test_the_time_of_a_request_is_no_part_of_its_machines() -> None:
    scope = scope_of([], moving("a", rollback="w-9@2026-01-01T00:00:00+00:00"))
    with pytest.raises(Refused, match=r"it did not move w-9 \("):
        propose(scope, Desired(TARGET, machines={}), {}, ClusterFacts())


def test_of_two_rollbacks_that_are_refused_each_has_its_answer() -> None:
    scope = scope_of([], operation("a", rollback="all"), operation("b", rollback="all"))
    for _ in range(2):
        with pytest.raises(RequestRefused) as caught:
            propose(scope, Desired(TARGET, machines={}), {}, ClusterFacts())
        draft = StatusDraft(scope, Conditions([], generation=1, now=utc_now()))
        draft.granted(caught.value.request)
        scope = dataclasses.replace(scope, cluster=replace(scope.cluster, status=draft.finish()))
    assert next_request(scope) is None
    assert scope.cluster.status.requests == {f"{ANNOTATION_ROLLBACK}:{name}": f"{name}: all" for name in ("a", "b")}


def test_a_removal_that_is_refused_is_no_answer_to_a_request_and_does_not_stop_it() -> None:
    gone = machine("2026-01-02T00:00:00Z")
    plane = replace(gone, metadata=replace(gone.metadata, name="cp-1"), spec=replace(gone.spec, role="ControlPlane"))
    facts = {"cp-1": replace(FACTS, kubeadm=replace(FACTS.kubeadm, owner=TARGET.key))}
    wish = Desired(TARGET, machines={"cp-1": plane})
    found = propose(renewing(scope_of([plane]), "now"), wish, facts, ClusterFacts())
    assert found.request is not None
    assert found.chosen.plan.action == "RenewCertificates"
    (note,) = [note for note in found.chosen.plan.notes if "cannot take cp-1 out" in note]
    assert "take the finalizer groundplane.dev/in-use off it" in note


@pytest.mark.parametrize(
    ("action", "rolls_back", "command"),
    [
        ("Change", "shop-change-a", "operation rollback shop-change-a"),
        ("Change", "", "retry shop"),
        ("RenewCertificates", "", "renew-certificates shop"),
        ("CleanUp", "", "clean-up shop"),
    ],
)
def test_what_failed_says_how_it_is_asked_for_again(action: Action, rolls_back: str, command: str) -> None:
    failed = operation("b", "Failed", action=action, rolls_back=rolls_back)
    conditions = Conditions([], generation=1, now=utc_now())
    StatusDraft(scope_of([]), conditions).concluded(failed)
    progressing = conditions.get("Progressing")
    assert progressing is not None
    assert progressing.message.endswith(f"then: groundplane {command})")


def test_a_renewal_between_two_hops_does_not_end_the_way() -> None:
    def made(one: Operation, following: str = "") -> Operation:
        meta = replace(one.metadata, annotations={ANNOTATION_INPUTS: inputs})
        plan = replace(one.spec.plan, next=following)
        return replace(one, metadata=meta, spec=replace(one.spec, plan=plan))

    inputs = scope_of([]).inputs()
    hop, renewal = made(operation("a"), "v1.20.2 → v1.21.14"), made(operation("b", action="RenewCertificates"))
    assert scope_of([], hop, renewal).unfinished
    assert not scope_of([], renewal).planned, "the spec is still to be planned"
    assert scope_of([], made(operation("c", rolls_back="a"))).planned
    assert not scope_of([], hop, made(operation("c", rolls_back="a"))).unfinished


async def test_the_spec_is_planned_after_a_renewal_that_was_asked_for_with_its_change(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await made(site)
        await site.patch(Cluster, "shop", spec={"components": {"kubelet": {"config": {"maxPods": 50}}}})
        await site.annotate(Cluster, "shop", ANNOTATION_RENEW, "now")
        await site.look_settled()
        renewal = await site.only_operation("RenewCertificates")
        assert (await site.get(Cluster, "shop")).status.planned_inputs != renewal.metadata.annotations[
            ANNOTATION_INPUTS
        ]
        await site.end(renewal, "Succeeded")
        before = len(await site.operations())
        await site.look_settled()
        assert len(await site.operations()) == before + 1


async def test_a_renewal_that_is_given_up_for_a_change_of_the_spec_is_planned_again(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await made(site)
        await site.patch(Cluster, "shop", spec={"change": {"approval": "Manual"}})
        await site.annotate(Cluster, "shop", ANNOTATION_RENEW, "now")
        await site.look_settled()
        first = await site.only_operation("RenewCertificates")
        await site.patch(Cluster, "shop", spec={"change": {"maxUnavailable": 2}})
        await site.look_settled()
        given_up = await site.get(Operation, first.metadata.name)
        assert given_up.spec.cancel == "Requested"
        assert ANNOTATION_RENEW not in given_up.metadata.annotations
        await site.end(given_up, "Cancelled", started=False)
        await site.look_settled()
        again = [one for one in await site.operations("RenewCertificates") if one.metadata.name != first.metadata.name]
        assert [one.metadata.annotations[ANNOTATION_RENEW] for one in again] == ["now"]


async def test_a_cluster_that_stands_is_looked_at_while_an_operation_waits_for_a_person(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await made(site)
        found = await site.get(Cluster, "shop")
        await site.objects.write_status(found, replace(found.status, cluster_id="an-id", phase="Ready"))
        await site.patch(Cluster, "shop", spec={"change": {"approval": "Manual"}})
        await site.annotate(Cluster, "shop", ANNOTATION_RENEW, "now")
        await site.look_settled()
        await site.only_operation("RenewCertificates")
        await site.look(Cluster, "shop")
        assert (await site.condition(Cluster, "shop", "Progressing")).reason == "AwaitingApproval"
        assert (await site.condition(Cluster, "shop", "Ready")).reason == "Unreachable", "it does not answer here"
        assert (await site.get(Cluster, "shop")).status.phase == "Degraded"
        assert await site.writes(Cluster, "shop") == 0


def moving(name: str, phase: OperationPhase = "Succeeded", *, began: bool = True, **said: str) -> Operation:
    """A migration of w-1; the way back from it is asked for where it is `said`."""
    one = operation(name, phase, **said)
    step = PlannedStep(name="switch-runtime/w-1", step="switch-runtime", title="", machine="w-1")
    state = StepStatus(name=step.name, state="Succeeded" if began else "Pending", started_at="t" if began else "")
    status = replace(one.status, started_at="t" if began else "", steps=[state])
    return replace(one, spec=replace(one.spec, plan=replace(one.spec.plan, steps=[step])), status=status)


def cleaning(name: str, phase: OperationPhase, *, approval: str = "Approved") -> Operation:
    """A clean-up of w-1; it has done it when it is not waiting any more."""
    one = operation(name, phase, action="CleanUp", clean_up="now")
    step = PlannedStep(name="clean-up/w-1", step="clean-up", title="", machine="w-1")
    begun = approval == "Approved"
    state = StepStatus(name=step.name, state="Succeeded" if begun else "Pending", started_at="t" if begun else "")
    spec = replace(one.spec, plan=replace(one.spec.plan, steps=[step]), approval=approval)
    return replace(one, spec=spec, status=replace(one.status, started_at="t" if begun else "", steps=[state]))


def cleaned_up(scope: ClusterScope, value: str) -> ClusterScope:
    meta = replace(scope.cluster.metadata, annotations={ANNOTATION_CLEAN_UP: value})
    return dataclasses.replace(scope, cluster=replace(scope.cluster, metadata=meta))


@pytest.mark.parametrize("phase", ["AwaitingApproval", "Pending", "Running"])
def test_the_way_back_from_what_has_not_ended_is_refused_and_not_kept_for_later(phase: OperationPhase) -> None:
    asked = moving("a", phase, began=phase == "Running", rollback="all")
    scope = scope_of([], asked)
    (refusal,) = hindered(scope)
    assert refusal.message == f"cannot roll back a: it has not ended ({phase})"
    draft = StatusDraft(scope, Conditions([], generation=1, now=utc_now()))
    draft.hindered([refusal])
    assert draft.news() == [("Warning", "RequestRefused", str(refusal))]
    later = scope_of([], moving("a", rollback="all"), moving("b"))
    answered = replace(later.cluster, status=draft.finish())
    assert next_request(dataclasses.replace(later, cluster=answered)) is None


def test_the_way_back_from_what_was_cancelled_before_it_changed_anything_is_refused() -> None:
    scope = scope_of([], moving("a", "Cancelled", began=False, rollback="all"), moving("b"))
    with pytest.raises(RequestRefused, match="it is Cancelled and changed nothing"):
        propose(scope, Desired(TARGET, machines={}), {}, ClusterFacts())


def test_a_way_back_does_not_wait_for_another_operation() -> None:
    asked = moving("a", rollback="all")
    (refusal,) = hindered(scope_of([], asked, operation("b", "Running")))
    assert "operation b has not ended (Running)" in refusal.message
    assert hindered(scope_of([], asked, operation("b", "Failed"))) == []


def test_a_clean_up_that_waits_makes_way_for_a_rollback_and_one_that_runs_does_not() -> None:
    asked, waiting = moving("a", rollback="all"), cleaning("c", "AwaitingApproval", approval="Pending")
    assert overtaken(scope_of([], asked, waiting)) is waiting
    assert hindered(scope_of([], asked, waiting)) == []
    assert overtaken(scope_of([], moving("a"), waiting)) is None
    assert overtaken(scope_of([], moving("a", rollback="w-9"), waiting)) is None, "it would be refused"
    leaving = replace(waiting, spec=replace(waiting.spec, cancel="Requested"))
    assert hindered(scope_of([], asked, leaving)) == [], "it is gone in a moment"
    running = cleaning("c", "Running")
    assert overtaken(scope_of([], asked, running)) is None
    (refusal,) = hindered(scope_of([], asked, running))
    assert "docker was removed from w-1 by c" in refusal.message


def test_after_the_clean_up_of_its_machines_there_is_no_way_back() -> None:
    scope = scope_of([], moving("a", rollback="w-1"), cleaning("c", "Failed"))
    with pytest.raises(RequestRefused, match="docker was removed from w-1 by c") as caught:
        propose(scope, Desired(TARGET, machines={}), {}, ClusterFacts())
    assert "spec.runtime" in caught.value.remedy


def test_a_clean_up_does_not_wait_for_another_operation() -> None:
    (refusal,) = hindered(cleaned_up(scope_of([], moving("a", "Running")), "now"))
    assert "cannot clean up cluster" in refusal.message
    assert "operation a has not ended (Running)" in refusal.message
    assert hindered(cleaned_up(scope_of([], moving("a")), "now")) == []
    answering = cleaning("c", "AwaitingApproval", approval="Pending")
    assert hindered(cleaned_up(scope_of([], answering), "now")) == [], "it is the answer"


async def test_a_rollback_that_is_asked_for_too_early_is_answered_once_and_never_planned(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await made(site)
        await site.patch(Cluster, "shop", spec={"components": {"kubelet": {"config": {"maxPods": 50}}}})
        await site.patch(Cluster, "shop", spec={"change": {"approval": "Manual"}})
        await site.annotate(Cluster, "shop", ANNOTATION_RETRY, "now")
        await site.look_settled()
        waiting = (await site.operations())[-1]
        assert waiting.spec.approval == "Pending"
        await site.annotate(Operation, waiting.metadata.name, ANNOTATION_ROLLBACK, "all")
        await site.annotate(Cluster, "shop", ANNOTATION_CLEAN_UP, "now")
        await site.look(Cluster, "shop")
        told = [event["message"] for event in await site.told("RequestRefused")]
        assert len(told) == 2
        assert any("it has not ended" in one for one in told)
        assert any("cannot clean up" in one for one in told)
        assert await site.writes(Cluster, "shop") == 0
        await site.end(waiting, "Succeeded")
        before = len(await site.operations())
        await site.look_settled()
        assert len(await site.operations()) == before


async def test_a_clean_up_that_waits_is_cancelled_for_a_rollback_and_says_why(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await made(site)
        create = await site.only_operation("Create")
        await site.look_settled()
        shape = cleaning("c", "AwaitingApproval", approval="Pending").spec
        spec = replace(shape, target=create.spec.target)
        labels = {LABEL_CLUSTER: "shop"}
        owners = create.metadata.owner_references
        for name, plan in (("shop-change-a", moving("a").spec.plan), ("shop-clean-up-c", spec.plan)):
            meta = ObjectMeta(name=name, namespace="default", labels=labels, owner_references=owners)
            made_of = replace(spec, plan=plan)
            await site.objects.create(Operation(metadata=meta, spec=made_of))
        await site.end(await site.get(Operation, "shop-change-a"), "Succeeded")
        await site.annotate(Operation, "shop-change-a", ANNOTATION_ROLLBACK, "w-1")
        await site.look(Cluster, "shop")
        assert (await site.get(Operation, "shop-clean-up-c")).spec.cancel == "Requested"
        await site.look(Cluster, "shop")
        assert not await site.told("RequestRefused")
        await site.look(Operation, "shop-clean-up-c")
        ended = await site.get(Operation, "shop-clean-up-c")
        assert ended.status.phase == "Cancelled"
        assert "a rollback was asked for" in ended.status.progress
        assert [c.reason for c in ended.status.conditions if c.type == "Approved"] == ["NotApproved"]


def test_the_machines_of_a_request_are_looked_at_before_it_is_answered() -> None:
    known = {"w-1": FACTS, "w-2": FACTS}
    assert without_asked(scope_of([]), known) == known
    assert without_asked(renewing(scope_of([]), "now"), known) == known
    assert without_asked(scope_of([], moving("a", rollback="all")), known).keys() == {"w-2"}
    assert without_asked(cleaned_up(scope_of([]), "now"), known) == {}
