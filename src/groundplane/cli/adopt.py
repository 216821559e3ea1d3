"""`groundplane adopt`: an imported cluster gets a Machine for each of its Nodes, and is changeable once they match."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict, Unpack

import click

from .session import Target, pass_target


class _Flags(TypedDict):
    """What is said of the SSH access; the fields of adopting.Wish, as they were given."""

    ssh_key: Path | None
    secret: str
    user: str
    port: int
    jump: str
    address: tuple[str, ...]
    dry_run: bool


@click.command()
@click.argument("name", metavar="CLUSTER")
@click.option(
    "--ssh-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Private key that logs in to the nodes; it is kept in the Secret CLUSTER-ssh.",
)
@click.option("--secret", default="", help="Secret (type groundplane.dev/ssh) that is there already, instead of a key.")
@click.option("--user", default="root", show_default=True, help="User to log in as; any other than root needs sudo.")
@click.option("--port", type=click.IntRange(1, 65535), default=22, show_default=True, help="Port of the SSH servers.")
@click.option(
    "--jump",
    default="",
    metavar="[USER@]HOST[:PORT]",
    help="Host to go through, with the same login; none: no such host.",
)
@click.option("--address", multiple=True, metavar="NODE=IP", help="Address of a node for SSH, if not its InternalIP.")
@click.option("--dry-run", is_flag=True, help="Show what would be created and changed, and write nothing.")
@click.option("--timeout", default="5m", show_default=True, help="How long to wait for the answer.")
@pass_target
def adopt(target: Target, *, name: str, timeout: str, **flags: Unpack[_Flags]) -> None:
    """Make an imported kubeadm cluster changeable.

    Makes a Machine for each of its Nodes, and waits until both were held against each other. Nothing is changed on the
    machines and in the cluster.
    """
    from .adopting import adopt_cluster, wish_of
    from .values import reference, seconds

    wanted, patience = reference(name, "cluster"), seconds(timeout)
    if flags["ssh_key"] and flags["secret"]:
        raise click.UsageError("--ssh-key makes a Secret, and --secret names one: give one of the two")
    wish = wish_of(wanted, **flags)

    async def work() -> None:
        async with target.connect() as api:
            await adopt_cluster(api, wanted, wish, patience=patience)

    target.run(work())
