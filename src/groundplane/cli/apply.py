"""`groundplane apply`: manifests to the API, in an order in which each finds what it refers to."""

from __future__ import annotations

import click

from .session import Target, pass_target


@click.command()
@click.option(
    "-f", "--filename", "paths", multiple=True, required=True, help="File, folder, or - for standard input; repeatable."
)
@click.option("--wait", is_flag=True, help="Follow the applied clusters until they are Ready or have failed.")
@click.option("--timeout", default="1h", show_default=True, help="How long --wait waits, such as 90s, 30m or 2h.")
@click.option("--dry-run", is_flag=True, help="Let the server check everything and change nothing.")
@click.option("--force-conflicts", "force", is_flag=True, help="Take over fields that another manager has set.")
@pass_target
def apply(target: Target, /, *, paths: tuple[str, ...], timeout: str, **flags: bool) -> None:
    """Create or change objects from manifests."""
    from .applying import apply_all, clusters_in
    from .manifests import load
    from .values import seconds
    from .waiting import wait_for_clusters

    documents = load(paths)
    patience = seconds(timeout)

    async def work() -> None:
        async with target.connect() as api:
            changed = await apply_all(api, documents, dry_run=flags["dry_run"], force=flags["force"])
            if flags["wait"] and not flags["dry_run"]:
                await wait_for_clusters(api, clusters_in(api, documents), fresh=changed, patience=patience)

    target.run(work())
