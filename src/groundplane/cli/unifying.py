"""`groundplane plan --foundation`: what would bring a whole fleet to its Foundation, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from groundplane.base.words import counted

if TYPE_CHECKING:
    from groundplane.api.cluster import Cluster
    from groundplane.api.foundation import Foundation
    from groundplane.api.unify_plan import UnifyPlan, UnifyStep

    from .session import Api

_NAMES = 4


async def preview(api: Api, name: str) -> UnifyPlan:
    """Return the preview for a Foundation of the namespace; raises NotFound when there is none."""
    from groundplane.plan.unify import fleet_plan

    return fleet_plan(*await _fleet(api, name))


async def in_waves(api: Api, name: str, sizes: Sequence[int | str] = ()) -> tuple[Foundation, UnifyPlan]:
    """Return a Foundation with what a run of `unify` would do, in waves of `sizes`, or of its own."""
    from groundplane.plan.unify import fleet_plan

    foundation, clusters, owned = await _fleet(api, name)
    return foundation, fleet_plan(foundation, clusters, owned, sizes or foundation.spec.unify.waves)


async def _fleet(api: Api, name: str) -> tuple[Foundation, list[Cluster], set[str]]:
    """Return the Foundation, the Clusters of its namespace, and the names of those that have Machines."""
    import msgspec

    from groundplane.api.cluster import Cluster
    from groundplane.api.foundation import Foundation

    from .kinds import CLUSTER, OURS

    foundation = msgspec.convert(await api.client.get(OURS["Foundation"], api.namespace, name), Foundation)
    listed = await api.client.list(CLUSTER, namespace=api.namespace)
    clusters = [msgspec.convert(item, Cluster) for item in listed.items]
    machines = await api.client.list(OURS["Machine"], namespace=api.namespace)
    owned = {(item.get("spec", {}).get("clusterRef") or {}).get("name", "") for item in machines.items}
    return foundation, clusters, owned


def lines(plan: UnifyPlan) -> Iterator[str]:
    """Yield the preview of `plan --foundation`."""
    yield f"Foundation {plan.foundation}: {plan.summary}. Nothing has been done, and nothing will be by this command."
    yield from in_words(plan)
    yield ""
    yield f"`groundplane unify --foundation {plan.foundation}` shows it in the Foundation's own waves, and begins it."


def in_words(plan: UnifyPlan) -> Iterator[str]:
    """Yield waves, clusters, numbered steps, what is not to be done and why, what needs nothing."""
    for wave, grouped in groupby(plan.steps, key=lambda step: step.wave):
        steps = list(grouped)
        first = any(step.cluster in plan.canaries for step in steps)
        yield ""
        yield f"Wave {wave}" + (": canaries, to be watched before the others follow" if first else "")
        for cluster, own in groupby(steps, key=lambda step: step.cluster):
            yield f"  {cluster}"
            for step in own:
                yield from _step(step)
    if plan.left_alone:
        yield ""
        yield "Left alone"
        for one in plan.left_alone:
            yield f"  {one.cluster}: {one.reason}"


def _step(step: UnifyStep) -> Iterator[str]:
    drain = "in the same drain" if step.shares_drain else "drained one after the other" if step.drains else ""
    where = "; ".join(part for part in (_nodes(step), drain) if part)
    yield f"    {step.number:>3}  {step.title}" + (f"  [{where}]" if where else "")
    if step.blocked:
        yield f"         not done: {step.blocked}"


def _nodes(step: UnifyStep) -> str:
    found = step.nodes
    if not found.count:
        return ""
    more = f" and {found.count - _NAMES} more" if found.count > _NAMES else ""
    return f"{counted(found.count, 'node')}: {', '.join(found.names[:_NAMES])}{more}"
