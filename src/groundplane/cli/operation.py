"""`groundplane operation watch|logs|cancel|rollback`."""

from __future__ import annotations

import click

from .session import Target, pass_target


@click.group()
def operation() -> None:
    """Watch, read, cancel and roll back operations."""


@operation.command()
@click.argument("name", metavar="OPERATION")
@click.option("--timeout", default="", help="How long to watch at most, such as 30m; the default is without end.")
@pass_target
def watch(target: Target, *, name: str, timeout: str) -> None:
    """Show an operation's progress until it has ended; the exit code says how."""
    from .values import reference, seconds

    wanted = reference(name, "operation")
    patience = seconds(timeout) if timeout else None

    async def work() -> None:
        from .waiting import patience_of, wait_for_operation

        async with target.connect() as api, patience_of(patience, f"operation {wanted}"):
            await wait_for_operation(api, wanted)

    target.run(work())


@operation.command()
@click.argument("name", metavar="OPERATION")
@click.option("-f", "--follow", is_flag=True, help="Go on until the operation has ended.")
@click.option("--step", default="", help="Only this step, such as images/shop-1.")
@pass_target
def logs(target: Target, *, name: str, follow: bool, step: str) -> None:
    """Print an operation's log."""
    from .values import reference

    wanted = reference(name, "operation")

    async def work() -> None:
        from .progress import log_line

        async with target.connect() as api, api.log(wanted, step=step, follow=follow) as lines:
            async for line in lines:
                click.echo(log_line(line))

    target.run(work())


@operation.command()
@click.argument("name", metavar="OPERATION")
@pass_target
def cancel(target: Target, *, name: str) -> None:
    """Stop an operation between steps; steps that run are finished, nothing is left half-done."""
    from .kinds import OPERATION, display
    from .values import reference

    wanted = reference(name, "operation")

    async def work() -> None:
        async with target.connect() as api:
            await api.client.patch(OPERATION, api.namespace, wanted, {"spec": {"cancel": "Requested"}})
            click.echo(f"{display(OPERATION, wanted)} is asked to stop")

    target.run(work())


@operation.command()
@click.argument("name", metavar="OPERATION")
@click.option("--machine", "machines", multiple=True, help="Only this machine; may be given several times.")
@pass_target
def rollback(target: Target, *, name: str, machines: tuple[str, ...]) -> None:
    """Take a runtime migration back, on all its machines or on some.

    It is planned as an operation of its own, which can be read and approved. It can be done until the clean-up, of an
    operation that has ended, and while no other one is open; a clean-up that waits for approval makes way.
    """
    from groundplane.api.meta import ANNOTATION_ROLLBACK

    from .asking import operations_of, request
    from .kinds import OPERATION, display
    from .values import reference

    wanted = reference(name, "operation")
    chosen = ",".join(reference(machine, "machine") for machine in machines) or "all"
    _, patch = request(ANNOTATION_ROLLBACK, chosen)

    async def work() -> None:
        from msgspec import convert

        from groundplane.api.operation import Operation
        from groundplane.plan.asked import in_the_way, require_rollback

        async with target.connect() as api:
            asked = convert(await api.client.get(OPERATION, api.namespace, wanted), Operation)
            cluster = asked.spec.cluster_ref.name
            operations = await operations_of(api, cluster)
            require_rollback(asked, chosen, operations)
            await api.client.patch(OPERATION, api.namespace, wanted, patch)
            where = "all its machines" if chosen == "all" else chosen
            click.echo(f"{display(OPERATION, wanted)} is to be taken back on {where}; see: groundplane plan {cluster}")
            if (waiting := in_the_way(operations)) is not None:
                click.echo(
                    f"{display(OPERATION, waiting.metadata.name)}, which waits for approval, is cancelled for it"
                )

    target.run(work())
