"""Making an Operation: plan and target are frozen into it; it carries who it belongs to and what it was made from."""

from __future__ import annotations

import re

from groundplane.api.meta import (
    ANNOTATION_INPUTS,
    ANNOTATION_UNIFY,
    API_VERSION,
    LABEL_CLUSTER,
    NameReference,
    ObjectMeta,
    OwnerReference,
)
from groundplane.api.operation import Operation, OperationSpec, Plan
from groundplane.plan.choose import Chosen

from ..objects import Objects
from .planning import Request, approved_at_once
from .scope import ClusterScope


async def make_operation(
    objects: Objects, scope: ClusterScope, chosen: Chosen, request: Request | None = None
) -> Operation:
    """Create the Operation of a plan; approved at once where nobody has to be asked (planning.approved_at_once).

    It carries the `request` that it answers, so that it is answered once. A Change of a cluster whose turn it is in a
    run of unify carries the run's name, and waits for the run's approval.
    """
    plan, target = chosen.plan, chosen.target
    meta = scope.cluster.metadata
    answer = {request.annotation: request.answer} if request is not None else {}
    run = scope.run if plan.action == "Change" and request is None else ""
    if run:
        answer[ANNOTATION_UNIFY] = run
    owner = OwnerReference(
        api_version=API_VERSION,
        kind="Cluster",
        name=meta.name,
        uid=meta.uid,
        controller=True,
        block_owner_deletion=False,
    )
    operation = Operation(
        metadata=ObjectMeta(
            generate_name=f"{meta.name}-{_word(plan)}-",
            namespace=meta.namespace,
            labels={LABEL_CLUSTER: meta.name},
            annotations={ANNOTATION_INPUTS: scope.inputs(), **answer},
            owner_references=[owner],
        ),
        spec=OperationSpec(
            cluster_ref=NameReference(name=meta.name),
            target=target,
            plan=plan,
            approval="Approved" if not run and approved_at_once(scope.cluster, target, plan) else "Pending",
        ),
    )
    return await objects.create(operation)


def _word(plan: Plan) -> str:
    """Return the word that an Operation's name says it by."""
    if plan.rolls_back:
        return "rollback"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", plan.action).lower()
