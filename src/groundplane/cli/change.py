"""`groundplane delete`, `approve`, `retry`, `clean-up` and `update-packages`: a write each, or one a machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import click

from .session import Api, Target, pass_target


@click.command()
@click.argument("kind")
@click.argument("name", required=False, default="")
@click.option("--wait", is_flag=True, help="Wait until it is gone, and show the operation that takes a cluster down.")
@click.option("--timeout", default="1h", show_default=True, help="How long --wait waits.")
@pass_target
def delete(target: Target, *, kind: str, name: str, wait: bool, timeout: str) -> None:
    """Delete an object.

    Deleting a Cluster takes Kubernetes off its machines first, as an operation. An imported one runs on.
    """
    from .kinds import display, named
    from .values import seconds

    word, _, inline = kind.partition("/")
    resource, wanted = named(word), name or inline
    if not wanted:
        raise click.UsageError("name the object to delete: KIND NAME")
    patience = seconds(timeout)

    async def work() -> None:
        from .waiting import wait_gone

        async with target.connect() as api:
            namespace = api.namespace if resource.namespaced else ""
            await api.client.delete(resource, namespace, wanted)
            click.echo(f"{display(resource, wanted)} {'is being ' if not wait else ''}deleted")
            if wait:
                await wait_gone(api.client, resource, namespace, wanted, patience=patience)
                click.echo(f"{display(resource, wanted)} is gone")

    target.run(work())


@click.command()
@click.argument("name", metavar="OPERATION")
@pass_target
def approve(target: Target, *, name: str) -> None:
    """Approve an operation that waits for it."""
    from .approving import approve_waiting
    from .kinds import OPERATION, display
    from .values import reference

    wanted = reference(name, "operation")

    async def work() -> None:
        async with target.connect() as api:
            await approve_waiting(api, wanted)
            click.echo(f"{display(OPERATION, wanted)} approved; follow it with: groundplane operation watch {wanted}")

    target.run(work())


@click.command()
@click.argument("name", metavar="CLUSTER")
@pass_target
def retry(target: Target, *, name: str) -> None:
    """Plan a cluster anew after a failed operation."""
    from groundplane.api.meta import ANNOTATION_RETRY

    from .values import reference

    _ask(target, reference(name, "cluster"), ANNOTATION_RETRY, "is planned anew")


@click.command("clean-up")
@click.argument("name", metavar="CLUSTER")
@pass_target
def clean_up(target: Target, *, name: str) -> None:
    """Remove what a runtime migration left for its rollback: Docker's packages and data.

    It is planned as an operation that a person has to approve; afterwards the migration cannot be rolled back. It is
    refused while another operation of the cluster is open.
    """
    from groundplane.api.meta import ANNOTATION_CLEAN_UP

    from .values import reference

    wanted = reference(name, "cluster")

    async def allowed(api: Api) -> None:
        from groundplane.plan.asked import require_clean_up

        from .asking import operations_of

        require_clean_up(wanted, await operations_of(api, wanted))

    _ask(target, wanted, ANNOTATION_CLEAN_UP, "is to be cleaned up", allowed)


async def _always(_: Api) -> None:
    """Refuse nothing."""


def _ask(
    target: Target, cluster: str, annotation: str, words: str, allowed: Callable[[Api], Awaitable[None]] = _always
) -> None:
    """Ask something of a cluster by an annotation with a new value; `allowed` raises what stands against it."""
    from .asking import request
    from .kinds import CLUSTER, display

    _, patch = request(annotation)

    async def work() -> None:
        async with target.connect() as api:
            await allowed(api)
            await api.client.patch(CLUSTER, api.namespace, cluster, patch)
            click.echo(f"{display(CLUSTER, cluster)} {words}; see: groundplane plan {cluster}")

    target.run(work())


@click.command("update-packages")
@click.argument("name", metavar="CLUSTER")
@click.option("--machine", "machines", multiple=True, help="Only this machine of the cluster; may be given again.")
@pass_target
def update_packages(target: Target, *, name: str, machines: tuple[str, ...]) -> None:
    """Update the packages of a cluster's nodes, node by node, each drained.

    A node boots anew where something changed. What Kubernetes stands on is left as it is.
    """
    from groundplane.api.meta import ANNOTATION_UPDATE

    from .asking import request
    from .kinds import CLUSTER, OURS, display
    from .values import reference

    wanted, chosen = reference(name, "cluster"), [reference(one, "machine") for one in machines]
    _, patch = request(ANNOTATION_UPDATE)

    async def work() -> None:
        async with target.connect() as api:
            await api.client.get(CLUSTER, api.namespace, wanted)
            for machine in chosen:
                found = await api.client.get(OURS["Machine"], api.namespace, machine)
                if (found["spec"].get("clusterRef") or {}).get("name") != wanted:
                    raise click.UsageError(f"machine {machine} is not one of cluster {wanted}")
            for resource, one in [(OURS["Machine"], machine) for machine in chosen] or [(CLUSTER, wanted)]:
                await api.client.patch(resource, api.namespace, one, patch)
                click.echo(f"{display(resource, one)} is asked to update its packages; see: groundplane plan {wanted}")

    target.run(work())
