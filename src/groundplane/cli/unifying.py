"""`groundplane plan --foundation`: what would bring a whole fleet to its Foundation, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from groundplane.api.meta import find_condition
from groundplane.base.words import counted

if TYPE_CHECKING:
    from groundplane.api.cluster import Cluster
    from groundplane.plan.unify import Member, UnifyPlan, UnifyStep

    from .session import Api

LABEL_CANARY = "groundplane.dev/canary"
_NAMES = 4


async def preview(api: Api, name: str) -> UnifyPlan:
    """Return the preview for a Foundation of the namespace; raises NotFound when there is none."""
    import msgspec

    from groundplane.api.cluster import Cluster
    from groundplane.api.foundation import Foundation
    from groundplane.plan.unify import unify

    from .kinds import CLUSTER, OURS

    foundation = msgspec.convert(await api.client.get(OURS["Foundation"], api.namespace, name), Foundation)
    listed = await api.client.list(CLUSTER, namespace=api.namespace)
    clusters = [msgspec.convert(item, Cluster) for item in listed.items]
    mine = [one for one in clusters if one.spec.foundation_ref and one.spec.foundation_ref.name == name]
    return unify(name, foundation.spec.kubernetes.version, [member(one) for one in mine])


def member(cluster: Cluster) -> Member:
    """Return a Cluster as the preview needs it."""
    from groundplane.plan.unify import Member

    status = cluster.status
    ready = find_condition(status.conditions, "Ready")
    return Member(
        name=cluster.metadata.name,
        provider=cluster.spec.provider,
        platform=status.facts.platform.name if status.facts else "",
        version=status.version,
        canary=cluster.metadata.labels.get(LABEL_CANARY) == "true",
        assessment=status.assessment,
        problem=ready.message if ready is not None and ready.status != "True" else "",
    )


def lines(plan: UnifyPlan) -> Iterator[str]:
    """Yield the preview: waves, clusters, numbered steps, what is not to be done and why, what needs nothing."""
    yield f"Foundation {plan.foundation}: {plan.summary}. Nothing has been done, and nothing will be by this command."
    for wave, steps in groupby(plan.steps, key=lambda step: step.wave):
        yield ""
        yield f"Wave {wave}" + (": canaries, to be watched before the others follow" if wave == 1 else "")
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
