"""Leases: how controllers take turns."""

from typing import Any

from ..dsl import LEASES, STRATEGIC, Case, apply, case, delete, get, lease, meta, patch, post, put, race

L = f"{LEASES}/l"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
TIME = "2001-01-01T00:00:00.000000Z"
HELD = {"holderIdentity": "x", "leaseDurationSeconds": 15, "acquireTime": TIME, "renewTime": TIME, "leaseTransitions": 0}


def made(name: str, **spec: Any) -> Case:
    return case(name, post(LEASES, lease(**spec)))


CASES = [
    case("with everything", post(LEASES, lease(**HELD)), get(L)),
    made("with an empty spec"),
    case("without a spec", post(LEASES, {name: value for name, value in lease().items() if name != "spec"})),
    case("with a spec that is null", post(LEASES, lease() | {"spec": None})),
    case("with a spec that is a text", post(LEASES, lease() | {"spec": "x"})),
    made("with a holder", holderIdentity="x"),
    made("with an empty holder", holderIdentity=""),
    made("with a holder that is a number", holderIdentity=5),
    made("with a duration of zero", leaseDurationSeconds=0),
    made("with a negative duration", leaseDurationSeconds=-1),
    made("with a duration that is a text", leaseDurationSeconds="15"),
    made("with half a second", leaseDurationSeconds=0.5),
    made("with negative transitions", leaseTransitions=-1),
    made("with two mistakes", leaseDurationSeconds=0, leaseTransitions=-1),
    made("with a time of micro seconds", renewTime="2001-01-01T00:00:00.123456Z"),
    made("with a time in a zone", renewTime="2001-01-01T02:00:00.000000+02:00"),
    made("with a time that is none", renewTime="yesterday"),
    made("with a time that is a number", renewTime=5),
    made("with a time that is null", renewTime=None),
    made("with an unknown field", colour="red"),
    case("taken over", post(LEASES, lease(**HELD)), put(L, lease(**HELD | {"holderIdentity": "y", "leaseTransitions": 1}))),
    case("renewed at its revision", post(LEASES, lease(**HELD)),
         put(L, meta(lease(**HELD | {"leaseDurationSeconds": 20}), resourceVersion="<1.metadata.resourceVersion>"))),
    case("renewed at an old revision", post(LEASES, lease(**HELD)),
         put(L, meta(lease(**HELD | {"leaseDurationSeconds": 20}), resourceVersion="1"))),
    case("renewed by a patch", post(LEASES, lease(**HELD)), patch(L, {"spec": {"leaseDurationSeconds": 20}})),
    case("renewed by a strategic patch", post(LEASES, lease(**HELD)),
         patch(L, {"spec": {"leaseDurationSeconds": 20}}, STRATEGIC)),
    case("let go", post(LEASES, lease(**HELD)), patch(L, {"spec": {"holderIdentity": None}})),
    case("a patch to no duration", post(LEASES, lease(**HELD)), patch(L, {"spec": {"leaseDurationSeconds": 0}})),
    case("put to what is not there", put(L, lease(**HELD)), get(L)),
    case("put to what is not there at a revision", put(L, meta(lease(**HELD), resourceVersion="5"))),
    case("put to what is not there with a uid", put(L, meta(lease(**HELD), uid="11111111-1111-1111-1111-111111111111"))),
    case("put on dry run to what is not there", put(f"{L}?dryRun=All", lease(**HELD)), get(L)),
    case("applied", apply(L, lease(holderIdentity="x"), "x"), apply(L, lease(leaseDurationSeconds=5), "y")),
    case("applied in conflict", apply(L, lease(holderIdentity="x"), "x"), apply(L, lease(holderIdentity="y"), "y")),
    case("racing makers", race(*(post(LEASES, lease(holderIdentity=f"h{n}")) for n in range(4)))),
    case("racing for one revision", post(LEASES, lease(**HELD)), race(*(put(L, meta(lease(**HELD | {"holderIdentity":
         f"h{n}"}), resourceVersion="<1.metadata.resourceVersion>")) for n in range(4)))),
    case("a deletion", post(LEASES, lease(**HELD)), delete(L), get(L)),
    case("as a table", post(LEASES, lease(**HELD)), get(f"{LEASES}?includeObject=None").accept(TABLE)),
    case("a list", post(LEASES, lease(**HELD)), get(LEASES)),
]  # fmt: skip
