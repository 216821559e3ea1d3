"""How a Cluster stands in its turn of a run, as its conditions tell it before the run has an Operation of it."""

from __future__ import annotations

import pytest

from groundplane.api.cluster import Cluster, ClusterStatus
from groundplane.api.meta import ANNOTATION_UNIFY, Condition, ObjectMeta
from groundplane.api.unify import UnifyState
from groundplane.plan.standing import standing_of

RUN = "run-1"


def told_by(kind: str, reason: str, *, answered: str = RUN) -> Cluster:
    condition = Condition(type=kind, status="False", reason=reason, message="said by the test")
    meta = ObjectMeta(name="shop", annotations={ANNOTATION_UNIFY: RUN})
    return Cluster(metadata=meta, status=ClusterStatus(unify_answered=answered, conditions=[condition]))


@pytest.mark.parametrize("kind", ["MachinesReachable", "Adopted", "Reachable", "Imported"])
def test_a_cluster_of_which_nothing_can_be_seen_is_silent(kind: str) -> None:
    told = standing_of("shop", told_by(kind, "Unreachable", answered=""), [], RUN)
    assert (told.standing.state, told.silent, told.message) == ("Planning", True, "said by the test")


@pytest.mark.parametrize(
    ("reason", "state"),
    [("Done", "Done"), ("OperationFailed", "Failed"), ("OperationCancelled", "Cancelled"), ("Refused", "Blocked")],
)
def test_what_became_of_an_earlier_operation_of_the_same_wish_counts(reason: str, state: UnifyState) -> None:
    told = standing_of("shop", told_by("Progressing", reason), [], RUN)
    assert (told.standing.state, told.message) == (state, "said by the test")
