"""`groundplane plan`: what is about to be done to a cluster, or what stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .session import Api, Target, pass_target

if TYPE_CHECKING:
    from groundplane.api.operation import Operation


@click.command()
@click.argument("name", metavar="CLUSTER")
@pass_target
def plan(target: Target, *, name: str) -> None:
    """Show what Groundplane is about to do to a cluster, or what stops it."""
    from .values import reference

    wanted = reference(name, "cluster")

    async def work() -> None:
        async with target.connect() as api:
            for line in await _report(api, wanted):
                click.echo(line)

    target.run(work())


async def _report(api: Api, name: str) -> list[str]:
    import msgspec

    from groundplane.api.cluster import Cluster

    from . import plans
    from .kinds import CLUSTER

    cluster = msgspec.convert(await api.client.get(CLUSTER, api.namespace, name), Cluster)
    operation = await _open_operation(api, name)
    if operation is None:
        return plans.without_operation(cluster)
    lines = plans.lines(operation)
    if operation.status.phase == "AwaitingApproval" or operation.spec.approval == "Pending":
        return [*lines, "", f"it waits for approval: groundplane approve {operation.metadata.name}"]
    return [
        *lines,
        "",
        f"it is {operation.status.phase or 'Pending'}: groundplane operation watch {operation.metadata.name}",
    ]


async def _open_operation(api: Api, cluster: str) -> Operation | None:
    """Return the cluster's Operation that is not finished."""
    import msgspec

    from groundplane.api.meta import LABEL_CLUSTER
    from groundplane.api.operation import Operation

    from .kinds import OPERATION
    from .progress import is_final

    listed = await api.client.list(OPERATION, namespace=api.namespace, label_selector=f"{LABEL_CLUSTER}={cluster}")
    operations = [msgspec.convert(item, Operation) for item in listed.items]
    return next((operation for operation in operations if not is_final(operation)), None)
