"""Lease (coordination.k8s.io/v1): who holds a duty, and until when; held by clients, not by this server."""

from __future__ import annotations

from groundplane.api.cause import Cause, invalid
from groundplane.api.schema import validator

from ..resources import Resource
from ..status import Json
from ..table import AGE, NAME, Column
from .common import PATCHES, check_times, kind_schema, object_of, path, text

_SCHEMA = kind_schema(
    "Lease defines a lease concept.",
    {
        "spec": object_of(
            "Specification of the Lease.",
            {
                "acquireTime": text("acquireTime is the time when the current lease was acquired."),
                "holderIdentity": text("holderIdentity contains the identity of the holder of the current lease."),
                "leaseDurationSeconds": {
                    "type": "integer",
                    "description": "leaseDurationSeconds is how long candidates for a lease need to wait before they "
                    "take it by force, measured against the time of the last observed renewTime.",
                },
                "leaseTransitions": {
                    "type": "integer",
                    "description": "leaseTransitions is the number of transitions of the lease between holders.",
                },
                "preferredHolder": text("preferredHolder signals to the holder that it should hand the lease over."),
                "renewTime": text("renewTime is the time when the current holder last updated the lease."),
                "strategy": text("strategy for picking the leader in coordinated leader election."),
            },
        )
    },
)


# As Go has it, where a struct is always there.
_SCHEMA["properties"]["spec"]["default"] = {}


def _check(obj: Json, old: Json | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = []
    if spec.get("leaseDurationSeconds", 1) <= 0:
        causes.append(invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0"))
    if spec.get("leaseTransitions", 0) < 0:
        rule = "must be greater than or equal to 0"
        causes.append(invalid("spec.leaseTransitions", spec["leaseTransitions"], rule))
    return causes + check_times(spec, "acquireTime", "renewTime", below="spec.")


def lease() -> Resource:
    """Return the resource."""
    return Resource(
        group="coordination.k8s.io",
        version="v1",
        plural="leases",
        singular="lease",
        kind="Lease",
        schema=_SCHEMA,
        validate=validator(_SCHEMA),
        patches=PATCHES,
        needs_revision=True,
        creates_on_update=True,
        check=_check,
        columns=(NAME, Column("Holder", "string", lambda obj, _: path("spec", "holderIdentity")(obj)), AGE),
    )
