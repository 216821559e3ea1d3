"""Making an Operation: plan and target are frozen into it; it carries who it belongs to and what it was made from."""

from __future__ import annotations

from groundplane.api.meta import (
    ANNOTATION_INPUTS,
    API_VERSION,
    LABEL_CLUSTER,
    NameReference,
    ObjectMeta,
    OwnerReference,
)
from groundplane.api.operation import Operation, OperationSpec, Plan
from groundplane.api.target import ClusterTarget

from ..objects import Objects
from .scope import ClusterScope


async def make_operation(objects: Objects, scope: ClusterScope, target: ClusterTarget, plan: Plan) -> Operation:
    """Create the Operation for `plan`; approved at once unless the Cluster wants a person to approve.

    What changes an adopted cluster waits for a person always; to let it go is what a person asked for.
    """
    meta = scope.cluster.metadata
    owner = OwnerReference(
        api_version=API_VERSION,
        kind="Cluster",
        name=meta.name,
        uid=meta.uid,
        controller=True,
        block_owner_deletion=False,
    )
    automatic = target.change.approval == "Automatic" and (target.origin == "Made" or plan.action == "Release")
    operation = Operation(
        metadata=ObjectMeta(
            generate_name=f"{meta.name}-{plan.action.lower()}-",
            namespace=meta.namespace,
            labels={LABEL_CLUSTER: meta.name},
            annotations={ANNOTATION_INPUTS: scope.inputs()},
            owner_references=[owner],
        ),
        spec=OperationSpec(
            cluster_ref=NameReference(name=meta.name),
            target=target,
            plan=plan,
            approval="Approved" if automatic else "Pending",
        ),
    )
    return await objects.create(operation)
