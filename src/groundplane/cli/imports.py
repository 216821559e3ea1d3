"""`groundplane import`: clusters that exist become Clusters, from the user's own kubeconfig."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict, Unpack

import click

from .session import Target, pass_target


class _Flags(TypedDict):
    """What is wished of each import; the fields of importing.Wish."""

    name: str
    foundation: str
    allow_unreachable: bool
    renew: bool


@click.command("import")
@click.option(
    "--kubeconfig",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Kubeconfig of the clusters to import.",
)
@click.option("--context", "context", help="Context of that kubeconfig; the default is its current one.")
@click.option("--all-contexts", is_flag=True, help="Import the cluster of every context.")
@click.option("--name", default="", help="Name of the Cluster; the default is made from the context's name.")
@click.option("--foundation", default="", help="Foundation that the Clusters are compared with.")
@click.option("--allow-unreachable", is_flag=True, help="Import also what does not answer now.")
@click.option("--renew", is_flag=True, help="Put the kubeconfig's credentials in place of those of an earlier import.")
@pass_target
def import_clusters(
    target: Target, *, file: Path, context: str | None, all_contexts: bool, **flags: Unpack[_Flags]
) -> None:
    """Import clusters that exist, from a kubeconfig.

    Reads of each who it is, and changes nothing on it. Global flags before the command are those of Groundplane's own
    API; the kubeconfig and context given here are the clusters'.
    """
    from groundplane.kube.kubeconfig import Kubeconfig
    from groundplane.server.names import subdomain

    from .importing import Wish, import_all, label_of

    if all_contexts and (context or flags["name"]):
        raise click.UsageError("--all-contexts imports every context; leave --context and --name out")
    if flags["name"] and subdomain(flags["name"]):
        raise click.BadParameter(
            f"{flags['name']!r} is no name of a Cluster: lower-case letters, digits, '-' and '.', such as "
            f"{label_of(flags['name'])}",
            param_hint="--name",
        )
    config = Kubeconfig.load([file])
    contexts = config.contexts if all_contexts else [context or config.current_context]
    if not contexts:
        raise click.UsageError(f"{file} has no contexts")
    wish = Wish(**flags)

    async def work() -> int:
        async with target.connect() as api:
            return await import_all(api, config, contexts, wish)

    code = target.run(work())
    if code:
        raise click.exceptions.Exit(code)
