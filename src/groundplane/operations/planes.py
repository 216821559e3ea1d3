"""Control planes that an Operation may ask about the cluster, other than the machine at hand."""

from __future__ import annotations

from groundplane.base.errors import Unavailable
from groundplane.plan.view import api_port

from . import etcd, programs
from .errors import NotYet
from .kubeadm.upgrade import flags_of, manifest_path
from .places import ADMIN_CONF
from .scope import ReadScope
from .waiting import wait_until


async def source(scope: ReadScope) -> str:
    """Return a control plane that answers and has an admin kubeconfig; NotYet when there is none.

    The first of the target is preferred; one that is down is passed over.
    """
    why = "there is no other"
    for name in scope.target.control_planes:
        if scope.machine is not None and name == scope.name:
            continue
        try:
            if await scope.hosts[name].read(ADMIN_CONF) is not None:
                return name
            why = f"host {name} has no {ADMIN_CONF}"
        except Unavailable as error:
            why = error.message
    raise NotYet(f"cannot find a control plane of cluster {scope.target.name} to ask: {why}")


async def own_port(scope: ReadScope, name: str) -> int:
    """Return the port that the API server on a control plane binds: its manifest knows, else the target."""
    manifest = await scope.hosts[name].read(manifest_path("kube-apiserver"))
    said = flags_of(manifest).get("secure-port", "")
    return int(said) if said.isdecimal() else api_port(scope.target)


async def ask(scope: ReadScope, name: str, path: str) -> str:
    """Return what the API server on a machine itself, and no other, answers; "" when it does not."""
    host, address = scope.hosts[name], scope.machines[name].spec.address
    port = await own_port(scope, name)
    program, staged = "kubectl", programs.staged(scope.target.version, "kubectl")
    if not (await host.query(["which", program])).ok and await host.stat(staged) is not None:
        program = staged
    # A proxy of the machine's must not be asked for the machine itself.
    direct = ["env", "NO_PROXY=*", "no_proxy=*", program]
    command = [*direct, f"--kubeconfig={ADMIN_CONF}", f"--server=https://{address}:{port}", "--request-timeout=10s"]
    answer = await host.query([*command, "get", f"--raw={path}"], timeout=30)
    return answer.text if answer.ok else ""


async def etcd_well(scope: ReadScope, what: str, *, within: bool = False) -> None:
    """Wait until every member of etcd answers and knows a leader; asked of the machine at hand with `within`."""
    host = scope.host if within else scope.hosts[await source(scope)]

    async def missing() -> str:
        try:
            return await etcd.unwell(host, await etcd.members(host))
        except NotYet as error:
            return error.message

    await wait_until(missing, what=f"{what} well", seconds=120, clock=scope.clock)
