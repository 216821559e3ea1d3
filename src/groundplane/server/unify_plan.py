"""What a run of unify would do to a fleet, and in which waves: `GET foundations/NAME/unifyplan`. It changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from groundplane.api.meta import GROUP, VERSION
from groundplane.api.validation.unify import size_causes

from .access.rules import Asked
from .http import Incoming, answer
from .service import Call, fetch
from .status import invalid, no_such_path

if TYPE_CHECKING:
    from groundplane.api.unify_plan import UnifyPlan


class _Ref(msgspec.Struct, frozen=True):
    name: str = ""


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    cluster_ref: _Ref | None = None


class _Machine(msgspec.Struct, frozen=True):
    """Of a Machine whose it is alone: its facts are most of it, and are skipped."""

    spec: _Spec = _Spec()


async def unify_plan(incoming: Incoming) -> Response:
    """Answer the preview in waves of the sizes that the query has, or of the Foundation's own (`1,10%,100%`)."""
    call = incoming.call()
    if not call.resource.has_plan:
        raise no_such_path()
    # It says of Clusters what they and their Machines say.
    for resource in ("clusters", "machines"):
        incoming.server.service.authorizer.require(call.user, Asked("list", GROUP, resource, namespace=call.namespace))
    plan = await _planned(incoming, call)
    head = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "UnifyPlan", "metadata": {"name": call.name}}
    return answer(head | msgspec.to_builtins(plan))


async def _planned(incoming: Incoming, call: Call) -> UnifyPlan:
    # Planning is a good part of what the server would have to import before it is ready.
    from groundplane.api.cluster import Cluster
    from groundplane.api.foundation import Foundation
    from groundplane.plan.unify import fleet_plan

    store = incoming.server.service.store
    entry = await fetch(incoming.server.service, call)
    foundation = msgspec.json.decode(entry.value, type=Foundation)
    sizes = _sizes(incoming, call) or foundation.spec.unify.waves
    clusters = await store.list(f"clusters.{GROUP}", namespace=call.namespace)
    machines = await store.list(f"machines.{GROUP}", namespace=call.namespace)
    found = [msgspec.json.decode(one.value, type=_Machine).spec.cluster_ref for one in machines.entries]
    owned = {reference.name for reference in found if reference is not None}
    return fleet_plan(
        foundation, [msgspec.json.decode(one.value, type=Cluster) for one in clusters.entries], owned, sizes
    )


def _sizes(incoming: Incoming, call: Call) -> list[int | str]:
    """Read the sizes of waves from the query, by the rules of `spec.unify.waves`; raises 422."""
    given = [size.strip() for size in incoming.query.get("waves", "").split(",") if size.strip()]
    sizes: list[int | str] = [int(size) if size.isdecimal() else size for size in given]
    if causes := list(size_causes("spec.unify.waves", sizes)):
        raise invalid(GROUP, "Foundation", call.name, causes)
    return sizes
