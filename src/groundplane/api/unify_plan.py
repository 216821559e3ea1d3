"""UnifyPlan: what a run of unify would do to the clusters of a Foundation. It is answered and never stored."""

from __future__ import annotations

from typing import Annotated

from .assessment import Nodes, RemedyAction
from .meta import Struct, says


class UnifyStep(Struct, frozen=True):
    """One change of one cluster. With `blocked` it would not be done, and that says why."""

    number: Annotated[int, says("place in the whole plan, from 1")]
    wave: Annotated[int, says("clusters of one wave go together; the canaries are wave 1")]
    cluster: Annotated[str, says("name of the Cluster")]
    action: Annotated[RemedyAction, says("what would be done")]
    title: Annotated[str, says("the change in one sentence")]
    source: Annotated[str, says("what is there")] = ""
    target: Annotated[str, says("what is to be there")] = ""
    nodes: Annotated[Nodes, says("Nodes that it is done on; without any, the cluster as a whole")] = Nodes()
    drains: Annotated[bool, says("whether each node is drained for it; a step after it may share the drain")] = False
    shares_drain: Annotated[bool, says("whether it is done in the drain of the step before it")] = False
    blocked: Annotated[str, says("why it would not be done; empty: it would")] = ""


class LeftAlone(Struct, frozen=True):
    cluster: Annotated[str, says("name of the Cluster")]
    reason: Annotated[str, says("why nothing would be done")]


class UnifyPlan(Struct, frozen=True):
    foundation: Annotated[str, says("name of the Foundation")]
    summary: Annotated[str, says("the plan in one sentence")] = ""
    steps: Annotated[list[UnifyStep], says("steps in order")] = []
    left_alone: Annotated[list[LeftAlone], says("clusters that nothing would be done to")] = []
    canaries: Annotated[list[str], says("clusters that go first, for their label asks for it")] = []
