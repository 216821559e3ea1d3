"""`groundplane renew-certificates`: asks for new certificates on every control plane. One annotation, and no more.

With --wait it follows the Operation that answers this very request.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from .session import Target, pass_target

if TYPE_CHECKING:
    from .session import Api


@click.command("renew-certificates")
@click.argument("name", metavar="CLUSTER")
@click.option("--wait", is_flag=True, help="Wait for the operation that renews them, and show it.")
@click.option("--timeout", default="1h", show_default=True, help="How long --wait waits.")
@pass_target
def renew_certificates(target: Target, *, name: str, wait: bool, timeout: str) -> None:
    """Renew what kubeadm signed on every control plane of a cluster.

    CLUSTER is cluster/NAME or NAME. Certificate authorities are not renewed; the plan says when each of them ends.
    """
    from groundplane.api.meta import ANNOTATION_RENEW
    from groundplane.base.clock import utc_now

    from .kinds import CLUSTER, display
    from .values import reference, seconds

    wanted, patience = reference(name, "cluster"), seconds(timeout)
    # With fractions of a second: a second request right after the first has to differ from it.
    asked = utc_now().isoformat()

    async def work() -> None:
        from .waiting import patience_of, wait_for_operation

        async with target.connect() as api:
            patch = {"metadata": {"annotations": {ANNOTATION_RENEW: asked}}}
            await api.client.patch(CLUSTER, api.namespace, wanted, patch)
            click.echo(f"{display(CLUSTER, wanted)} gets new certificates; see: groundplane plan {wanted}")
            if wait:
                async with patience_of(patience, "the renewal"):
                    await wait_for_operation(api, await _answering(api, asked))

    target.run(work())


async def _answering(api: Api, asked: str) -> str:
    """Return the name of the Operation that was made for this request, once it is there."""
    from groundplane.api.meta import ANNOTATION_RENEW

    from .follow import follow
    from .kinds import OPERATION

    async with aclosing(follow(api.client, OPERATION, api.namespace)) as events:
        async for event in events:
            meta = event.object["metadata"]
            if event.type != "BOOKMARK" and (meta.get("annotations") or {}).get(ANNOTATION_RENEW) == asked:
                return str(meta["name"])
    return ""
