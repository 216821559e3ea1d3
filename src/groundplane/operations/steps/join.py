"""join: a worker or a further control plane, by kubeadm.

The bootstrap token is made on a living control plane for this join alone, reaches kubeadm in a file that only root
reads on tmpfs, and is deleted afterwards. A half-finished join of ours is cleared away and begun again.
"""

from __future__ import annotations

import secrets

from groundplane.api.operation import PlannedChange
from groundplane.hosts.contract import Host

from .. import control_plane, etcd, nodes, planes, watches
from ..control_plane import preflight_skipped, remove_config, run_with_config, taken
from ..errors import NotYet, StepRefused
from ..kubeadm import Join as JoinWith
from ..kubeadm import Token, discovery_document, init_documents, join_documents, minor_of, render
from ..places import ADMIN_CONF, CA, RUN
from ..scope import ReadScope, Scope
from ..waiting import wait_until

_CERTIFICATES = "/api/v1/namespaces/kube-system/secrets/kubeadm-certs"
_DISCOVERY = f"{RUN}/kubeadm-discovery.conf"


class Join:
    name = "join"
    title = "Join the cluster"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None and scope.name in scope.target.members

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        if await control_plane.state(scope.host) != "ended":
            return [taken(f"node {scope.name}", "join")]
        missing = await _missing(scope)
        return [PlannedChange(what=f"node {scope.name}", before=missing, after="registered")] if missing else []

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        await control_plane.follow_earlier(scope, "join")
        await _require_name(scope)
        if await control_plane.state(scope.host) == "half" and await _missing(scope):
            await control_plane.clear_half(scope)
            # kubeadm refuses a name whose Node still counts as ready; the half that it stood for is gone.
            await (await nodes.door(scope)).delete(f"{nodes.NODES}/{scope.name}")
        if await control_plane.state(scope.host) == "none":
            await _join(scope)

        async def missing() -> str:
            return await _missing(scope)

        await wait_until(missing, what=f"node {scope.name}", seconds=120, clock=scope.clock)
        if scope.name in scope.target.control_planes and await etcd.stacked(scope.host):
            # The next one may only come when etcd can do without any single member again.
            await planes.etcd_well(scope, f"etcd with {scope.name}")
            await _renew_watches(scope)
        await control_plane.end(scope, "join")


async def _require_name(scope: Scope) -> None:
    """Somebody else may have added a node meanwhile: what is another machine's is neither deleted nor taken over."""
    found = await nodes.node(await nodes.door(scope), scope.name)
    if found is not None and await _is_another(scope, found):
        raise StepRefused(
            f"cannot join host {scope.name}: another machine is registered as Node {scope.name}",
            remedy="give the Machine another name, or delete that Node if it is gone for good",
        )


async def _is_another(scope: ReadScope, node: nodes.Object) -> bool:
    ours = (await scope.host.read("/etc/machine-id") or b"").decode().strip()
    theirs = _machine_id(node)
    return bool(ours and theirs) and ours != theirs


def _machine_id(node: nodes.Object) -> str:
    return str(((node.get("status") or {}).get("nodeInfo") or {}).get("machineID", ""))


async def _renew_watches(scope: Scope) -> None:
    """The second member of etcd left the first one's API server without a leader for a while; a third one does not."""
    source = await planes.source(scope)
    if len(await etcd.members(scope.hosts[source])) == 2 and watches.may_be_deaf(minor_of(scope.target.version)):
        await watches.renew(scope, source)


async def _missing(scope: ReadScope) -> str:
    """Return why the machine is no member of this cluster, or ""."""
    source = scope.hosts[await planes.source(scope)]
    if await scope.host.read(CA) != await source.read(CA):
        return "it has not the cluster's certificate authority"
    found = await nodes.node(await nodes.door(scope), scope.name)
    if found is None:
        return "it is not registered"
    if await _is_another(scope, found):
        return "another machine is registered by this name"
    if not _machine_id(found):
        return "its kubelet has not reported yet"
    return await _plane_missing(scope, found) if scope.name in scope.target.control_planes else ""


async def _plane_missing(scope: ReadScope, node: nodes.Object) -> str:
    """Return what a joined control plane lacks, or ""; kubeadm marks its role last."""
    path = f"/api/v1/namespaces/kube-system/pods/kube-apiserver-{scope.name}"
    if await (await nodes.door(scope)).get(path) is None:
        return "its API server is not there"
    marked = any(key.startswith("node-role.kubernetes.io/") for key in nodes.meta(node, "labels"))
    return "" if marked else "its role is not marked"


async def _join(scope: Scope) -> None:
    name = await planes.source(scope)
    source = scope.writable[name]
    await control_plane.begin(scope, "join")
    token = await _make_token(source)
    try:
        key = await _upload_certificates(scope, name) if scope.name in scope.target.control_planes else ""
        ca = await source.read(CA)
        if ca is None:
            raise NotYet(f"cannot read {CA} on host {source.name}: it is not there")
        await _write_discovery(scope, ca)
        join = JoinWith(token, discovery=_DISCOVERY, certificate_key=key)
        documents = join_documents(scope.target, scope.own, join, ignore=await control_plane.ignored(scope))
        await run_with_config(scope, "join", render(documents), await _options(scope))
    finally:
        await remove_config(scope.door, "join")
        await scope.door.run(["rm", "-f", _DISCOVERY])
        await _delete_token(source, token)
    if scope.name in scope.target.control_planes:
        await (await nodes.door(scope)).delete(_CERTIFICATES)


async def _write_discovery(scope: Scope, authority: bytes) -> None:
    await scope.door.run(["mkdir", "-p", "-m", "700", RUN])
    await scope.door.write(_DISCOVERY, render([discovery_document(scope.target, authority)]), mode=0o600)


async def _options(scope: Scope) -> list[str]:
    """A further control plane pulls images in kubeadm's preflight, as the first one does."""
    reason = await preflight_skipped(scope) if scope.name in scope.target.control_planes else ""
    if not reason:
        return []
    scope.log(f"kubeadm's own preflight is left out: {reason}")
    return ["--skip-phases=preflight"]


async def _make_token(source: Host) -> Token:
    made = await source.run(["kubeadm", "--kubeconfig", ADMIN_CONF, "token", "create", "--ttl", "30m"])
    return Token(made.text.strip().splitlines()[-1])


async def _delete_token(source: Host, token: Token) -> None:
    # The id, the part before the dot, is public: kubeadm prints it in listings.
    public = token.value.partition(".")[0]
    await source.run(["kubeadm", "--kubeconfig", ADMIN_CONF, "token", "delete", public], check=False)


async def _upload_certificates(scope: Scope, name: str) -> str:
    """Have a living control plane share its certificates, sealed with a new key; return the key."""
    key, path = secrets.token_hex(32), f"{RUN}/kubeadm-certs.yaml"
    source, machine = scope.writable[name], scope.machines[name]
    unused = Token("abcdef.0123456789abcdef", ttl="1s")
    documents = init_documents(scope.target, machine, token=unused, certificate_key=key)
    await source.run(["mkdir", "-p", "-m", "700", RUN])
    await source.write(path, render(documents), mode=0o600)
    try:
        phase = ["init", "phase", "upload-certs", "--upload-certs", "--skip-certificate-key-print", "--config", path]
        await source.run(["kubeadm", *phase])
    finally:
        await source.run(["rm", "-f", path])
    return key
