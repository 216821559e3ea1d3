"""`groundplane plan`: what is about to be done to a cluster, or what stops it."""

from __future__ import annotations

import click

from .session import Api, Target, pass_target

_FORMS = ("text", "json", "yaml")


@click.command()
@click.argument("name", metavar="[CLUSTER]", required=False, default="")
@click.option("--foundation", help="Show what would bring all its clusters to this Foundation; nothing is done.")
@click.option("-o", "--output", "form", type=click.Choice(_FORMS), default="text", show_default=True, help="Form.")
@pass_target
def plan(target: Target, *, name: str, foundation: str | None, form: str) -> None:
    """Show what Groundplane is about to do to a cluster, or what stops it.

    With --foundation: what would bring a whole fleet to a Foundation, in which order.
    """
    from .values import reference

    if bool(name) == bool(foundation):
        raise click.UsageError("name a CLUSTER, or a fleet with --foundation")
    if name and form != "text":
        raise click.UsageError("--output is for --foundation; `groundplane get operations -o yaml` shows a plan")
    wanted = reference(foundation, "foundation") if foundation else reference(name, "cluster")

    async def work() -> None:
        async with target.connect() as api:
            if foundation:
                click.echo(await _fleet(api, wanted, form), nl=False)
                return
            for line in await _report(api, wanted):
                click.echo(line)

    target.run(work())


async def _fleet(api: Api, foundation: str, form: str) -> str:
    """Return the preview for a fleet in one form, ending with a newline."""
    import msgspec

    from . import unifying
    from .show import document

    found = await unifying.preview(api, foundation)
    if form == "text":
        return "".join(f"{line}\n" for line in unifying.lines(found))
    return document(msgspec.to_builtins(found), form)


async def _report(api: Api, name: str) -> list[str]:
    import msgspec

    from groundplane.api.cluster import Cluster

    from . import plans
    from .asking import operations_of
    from .kinds import CLUSTER
    from .progress import is_final

    cluster = msgspec.convert(await api.client.get(CLUSTER, api.namespace, name), Cluster)
    operations = await operations_of(api, name)
    operation = next((one for one in operations if not is_final(one)), None)
    if operation is None:
        return plans.without_operation(cluster, operations)
    lines = plans.lines(operation)
    if operation.status.phase == "AwaitingApproval" or operation.spec.approval == "Pending":
        return [*lines, "", f"it waits for approval: groundplane approve {operation.metadata.name}"]
    return [
        *lines,
        "",
        f"it is {operation.status.phase or 'Pending'}: groundplane operation watch {operation.metadata.name}",
    ]
