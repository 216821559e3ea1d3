"""The watches that an API server gave out while its etcd had no leader.

An etcd of one member has no leader from the moment that a second one is announced until it is there. The API server
ends its watches then and fills its caches anew, and a watch that is asked for in that moment may get no events until it
ends by itself, after five to ten minutes: kube-proxy does not hear of a new Service, a controller of nothing. Seen with
v1.20.2; mended in v1.27 (https://github.com/kubernetes/kubernetes/issues/116122). An API server that starts anew has
given out no such watch.
"""

from __future__ import annotations

from . import planes, static_pods
from .scope import Scope
from .waiting import wait_until

_API_SERVER = "kube-apiserver"
_MENDED = 27


def may_be_deaf(minor: int) -> bool:
    """Tell whether an API server of this minor version gives out such watches."""
    return minor < _MENDED


async def renew(scope: Scope, name: str) -> None:
    """Have the API server of control plane `name` start anew, and wait until it is ready to serve."""
    host = scope.writable[name]
    before = await static_pods.processes(host, _API_SERVER)
    scope.log(f"the API server of {name} starts anew: etcd had no leader, and its watches may not tell of changes")
    await static_pods.end(host, _API_SERVER)

    async def missing() -> str:
        now = await static_pods.processes(host, _API_SERVER)
        if not now or now & before:
            return "it has not started anew"
        return "" if (await planes.ask(scope, name, "/readyz")).strip() == "ok" else "it is not ready"

    await wait_until(missing, what=f"the API server of {name} anew", seconds=240, clock=scope.clock)
