"""The kubelet of a node that lives: its version, and the wait until its Node is as wanted."""

from __future__ import annotations

from collections.abc import Callable

from groundplane.base.errors import Unavailable

from . import nodes, systemd
from .errors import NotReached
from .scope import ReadScope, Scope
from .waiting import wait_until

UNIT = "kubelet.service"
_PATIENCE = 240.0


async def version(scope: ReadScope) -> str:
    """Return the version of the kubelet in PATH; the target's where it does not say."""
    said = version_in((await scope.host.query(["kubelet", "--version"])).text)
    return said if said.startswith("v") else scope.target.version


def version_in(text: str) -> str:
    """Return the version in what `kubelet --version` says."""
    return text.rpartition(" ")[2]


async def settle(scope: Scope, state: str, lacks: Callable[[nodes.Object], str]) -> None:
    """Wait until the Node is in `state`, as `lacks` tells it: why it is not, or "".

    The API may be away meanwhile: it is on this node, perhaps. A kubelet that did not reach it asks again at intervals
    that double up to 7 s (registerWithAPIServer in kubelet_node_status.go), and one that starts anew asks at once, so
    once the API is back kubelet is started anew. Raises NotReached with what kubelet says.
    """
    waits = False

    async def missing() -> str:
        nonlocal waits
        try:
            cluster = await scope.cluster()
            node = await nodes.node(cluster, scope.name) if cluster is not None else None
        except Unavailable as error:
            waits = True
            return f"the cluster's API does not answer yet: {error.message}"
        lacking = lacks(node) if node is not None else "it is not registered"
        if lacking and waits:
            scope.log("the API answers again: kubelet is started anew, for by itself it may ask seconds later only")
            await scope.door.run(["systemctl", "restart", UNIT], timeout=180)
        waits = False
        return lacking

    what = f"node {scope.name} {state}"
    try:
        await wait_until(missing, what=what, seconds=_PATIENCE, clock=scope.clock, interval=0.2)
    except NotReached as error:
        words = await systemd.last_words(scope.host, UNIT)
        raise NotReached(
            f"{error.message}; kubelet says: {words}", remedy="see `journalctl -u kubelet` there"
        ) from error
