"""Approving an Operation: only one that waits for it, for nobody should believe that something begins now."""

from __future__ import annotations

import msgspec

from groundplane.api.operation import FINAL_PHASES, Operation
from groundplane.base.errors import Refused
from groundplane.client.errors import Conflict

from .kinds import OPERATION
from .session import Api


async def approve_waiting(api: Api, name: str) -> None:
    """Approve the Operation. Refused when it is over, or is being cancelled: another one may have taken its place."""
    while True:
        found = await api.client.get(OPERATION, api.namespace, name)
        operation = msgspec.convert(found, Operation)
        cluster, phase = operation.spec.cluster_ref.name, operation.status.phase
        if phase in FINAL_PHASES or operation.spec.cancel == "Requested":
            state = f"it has ended ({phase})" if phase in FINAL_PHASES else "it is being cancelled"
            raise Refused(
                f"cannot approve operation {name}: {state}",
                remedy=f"see what waits now: groundplane plan {cluster}",
            )
        version = found["metadata"]["resourceVersion"]
        patch = {"metadata": {"resourceVersion": version}, "spec": {"approval": "Approved"}}
        try:
            await api.client.patch(OPERATION, api.namespace, name, patch)
        except Conflict:
            # Something was said of it meanwhile, perhaps that it is cancelled.
            continue
        return
