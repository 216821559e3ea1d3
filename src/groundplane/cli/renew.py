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

    from .asking import request
    from .kinds import CLUSTER, display
    from .values import reference, seconds

    wanted, patience = reference(name, "cluster"), seconds(timeout)
    asked, patch = request(ANNOTATION_RENEW)

    async def work() -> None:
        from .waiting import patience_of, wait_for_operation

        async with target.connect() as api:
            await api.client.patch(CLUSTER, api.namespace, wanted, patch)
            click.echo(f"{display(CLUSTER, wanted)} gets new certificates; see: groundplane plan {wanted}")
            if wait:
                async with patience_of(patience, "the renewal"):
                    await wait_for_operation(api, await _answering(api, wanted, asked))

    target.run(work())


async def _answering(api: Api, cluster: str, asked: str) -> str:
    """Return the name of the Operation that was made for this request, once it is there.

    Raises Refused when the request was answered without one.
    """
    from groundplane.api.cluster import Cluster
    from groundplane.api.meta import ANNOTATION_RENEW, find_condition
    from groundplane.base.errors import Refused

    from .waiting import both

    async with aclosing(both(api.client, {api.namespace})) as items:
        async for item in items:
            if not isinstance(item, Cluster):
                if item.metadata.annotations.get(ANNOTATION_RENEW) == asked:
                    return item.metadata.name
            elif item.metadata.name == cluster and item.status.requests.get(ANNOTATION_RENEW) == asked:
                progressing = find_condition(item.status.conditions, "Progressing")
                why = progressing.message if progressing is not None and progressing.reason == "Refused" else ""
                raise Refused(why or f"cluster {cluster} gets no new certificates: there is nothing to renew")
    return ""
