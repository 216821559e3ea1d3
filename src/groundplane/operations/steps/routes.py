"""routes: the nodes that are there already learn of nodes that came or went, with one command on each.

Nothing else is asked of them: what the routes have to be is read from the cluster's API, once, and that a node has them
is said by the command that sets them. A node that is down and not Ready is passed over: it is not worse off by it.
"""

from __future__ import annotations

import hashlib
import json
from shlex import quote

from groundplane.api.operation import PlannedChange
from groundplane.base.errors import Unavailable
from groundplane.base.words import counted

from .. import nodes
from ..errors import NotYet, StepRefused
from ..places import NETWORK_SCRIPT
from ..routed import Routed, script
from ..scope import ReadScope, Scope
from ..together import together

_NOTE = "routes"
_AT_ONCE = 32
# What is not connected yet gets all of it from pod-network.
_SET = """set -eu
path={path}
[ -e "$path" ] || exit 0
cat > "$path.new" <<'GROUNDPLANE'
{content}GROUNDPLANE
chmod 755 "$path.new"
mv "$path.new" "$path"
"$path" routes
"""


class Routes:
    name = "routes"
    title = "Set the routes of the nodes that are there"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.target.network.plugin == "routed" and scope.target.origin == "Made"

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        ranges = _ranges(scope, await _nodes(scope))
        if scope.journal.get(_NOTE) == _proof(scope, ranges):
            return []
        on = counted(len(scope.concerned), "node")
        return [PlannedChange(what=f"routes to {counted(len(ranges), 'pod range')}", after=f"set on {on}")]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        found = await _nodes(scope)
        ranges = _ranges(scope, found)
        down = {item["metadata"]["name"] for item in found if not nodes.has_condition(item, "Ready")}
        work = [_set(scope, name, ranges, down=name in down) for name in scope.concerned if name in ranges]
        await together(work, limit=_AT_ONCE)
        await scope.journal.put(_NOTE, _proof(scope, ranges))


async def _nodes(scope: ReadScope) -> list[nodes.Object]:
    return await nodes.items(await nodes.door(scope), nodes.NODES)


def _ranges(scope: ReadScope, found: list[nodes.Object]) -> dict[str, str]:
    """Return the pod range of every node that is one of our machines."""
    ranges = {item["metadata"]["name"]: nodes.pod_cidr(item) for item in found}
    ranges = {name: cidr for name, cidr in ranges.items() if name in scope.machines}
    if waiting := [name for name, cidr in ranges.items() if not cidr]:
        raise NotYet(f"cannot route to node {waiting[0]}: it has no pod range yet")
    return ranges


def _proof(scope: ReadScope, ranges: dict[str, str]) -> str:
    via = {cidr: scope.machines[name].spec.address for name, cidr in ranges.items()}
    return hashlib.sha256(json.dumps([via, scope.concerned], sort_keys=True).encode()).hexdigest()


async def _set(scope: Scope, name: str, ranges: dict[str, str], *, down: bool) -> None:
    peers = {cidr: scope.machines[other].spec.address for other, cidr in ranges.items() if other != name}
    network = Routed(own=ranges[name], pods=scope.target.network.pod_cidr, peers=peers)
    text = _SET.format(path=quote(NETWORK_SCRIPT), content=script(network).decode())
    try:
        done = await scope.writable[name].script(text, check=False)
    except Unavailable as error:
        if not down:
            raise
        scope.log(f"node {name} is down, its routes are as they were: {error.message}")
        return
    if not done.ok:
        reason = done.stderr.decode("utf-8", "replace").strip() or f"exit status {done.status}"
        raise StepRefused(
            f"cannot set the routes to pods on host {name}: {reason}",
            remedy="plugin routed needs machines that reach each other without a router between",
        )
