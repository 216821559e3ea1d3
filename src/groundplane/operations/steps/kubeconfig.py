"""kubeconfig: the cluster's admin kubeconfig, with the cluster's endpoint, published for people to use."""

from __future__ import annotations

import yaml

from groundplane.api.operation import PlannedChange

from .. import planes
from ..errors import NotYet
from ..places import ADMIN_CONF
from ..scope import ReadScope, Scope


class Kubeconfig:
    name = "kubeconfig"
    title = "Publish the kubeconfig"

    def wanted(self, scope: ReadScope) -> bool:
        return True

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        if await scope.published_kubeconfig() == await _wanted(scope):
            return []
        return [PlannedChange(what="admin kubeconfig", after="published")]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        await scope.publish_kubeconfig(await _wanted(scope))


async def _wanted(scope: ReadScope) -> bytes:
    target = scope.target
    name = await planes.source(scope)
    content = await scope.hosts[name].read(ADMIN_CONF)
    if content is None:
        raise NotYet(
            f"cannot publish the kubeconfig of cluster {target.name}: host {name} has no {ADMIN_CONF} any more"
        )
    config = yaml.safe_load(content)
    for cluster in config["clusters"]:
        cluster["cluster"]["server"] = f"https://{target.endpoint.host}:{target.endpoint.port}"
    return yaml.safe_dump(config, sort_keys=False).encode()
