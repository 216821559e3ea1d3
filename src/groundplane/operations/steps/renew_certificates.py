"""renew-certificates: kubeadm renews what it signed on one control plane, and everything that uses it starts anew.

What was there is kept aside first, whole; it comes back when anything fails or is cancelled before the end. A process
is known to use the new certificate when it started after the file was written; of the API server the certificate itself
is looked at. The journal keeps which certificates were found, so that a run that was cut off renews them once. kubelet
renews its own certificates, where it is not told otherwise, and is left alone.
"""

from __future__ import annotations

import json
from typing import Any

import yaml
from cryptography import x509

from groundplane.api.operation import PlannedChange
from groundplane.base.clock import rfc3339
from groundplane.base.errors import Unavailable
from groundplane.clusters.api import KubernetesDoor
from groundplane.hosts.contract import ReadHost

from .. import etcd, planes, static_pods
from ..errors import NotYet, StepRefused
from ..jobs import Job, run_job
from ..kubeadm import minor_of
from ..places import ADMIN_CONF, KUBERNETES, STATE
from ..scope import ReadScope, Scope
from ..waiting import wait_until

_PKI = f"{KUBERNETES}/pki"
_SERVED = f"{_PKI}/apiserver.crt"
_LEAVES = (
    _SERVED,
    f"{_PKI}/apiserver-kubelet-client.crt",
    f"{_PKI}/front-proxy-client.crt",
    f"{_PKI}/apiserver-etcd-client.crt",
    f"{_PKI}/etcd/server.crt",
    f"{_PKI}/etcd/peer.crt",
    f"{_PKI}/etcd/healthcheck-client.crt",
    ADMIN_CONF,
    f"{KUBERNETES}/controller-manager.conf",
    f"{KUBERNETES}/scheduler.conf",
)
# As the kernel calls them, in 15 letters; etcd before the API server that stands on it.
_USERS = {
    "etcd": f"{_PKI}/etcd/server.crt",
    "kube-apiserver": _SERVED,
    "kube-controller": f"{KUBERNETES}/controller-manager.conf",
    "kube-scheduler": f"{KUBERNETES}/scheduler.conf",
}
_BACKUP = f"{STATE}/renewal"
_KEEP = f"""set -eu
umask 077
[ -e {_BACKUP}/whole ] && exit 0
rm -rf {_BACKUP}
mkdir -p {_BACKUP}
cp -a {_PKI} {_BACKUP}/pki
cp -a {KUBERNETES}/*.conf {_BACKUP}/
sync
: > {_BACKUP}/whole
"""
_ASIDE = f"""set -eu
[ -e {_BACKUP} ] || exit 0
rm -rf {_BACKUP}.earlier
mv -T {_BACKUP} {_BACKUP}.earlier
"""
_BRING_BACK = f"""set -eu
[ -e {_BACKUP}/whole ] || exit 0
cp -a {_BACKUP}/pki/. {_PKI}/
cp -a {_BACKUP}/*.conf {KUBERNETES}/
find {_PKI} {KUBERNETES} -maxdepth 2 -type f \\( -name '*.crt' -o -name '*.conf' \\) -exec touch {{}} +
"""


class RenewCertificates:
    name = "renew-certificates"
    title = "Renew the control plane's certificates"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None and scope.name in scope.target.control_planes

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        if _done(scope):
            return []
        now, before = await _digests(scope.host), _noted(scope)
        changes = [
            PlannedChange(what=path, before=await _end_of(scope.host, path), after="renewed")
            for path in now
            if before is None or now[path] == before.get(path)
        ]
        old = [] if changes else await _not_restarted(scope.host)
        changes += [PlannedChange(what=name, after="started anew") for name in old]
        return changes or [PlannedChange(what="control plane", after="seen to use the new certificates")]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host = scope.door
        if await host.stat(f"{_PKI}/ca.key") is None:
            raise StepRefused(
                f"cannot renew certificates on host {scope.name}: the key of the cluster's CA is not there",
                remedy="have whoever holds the CA sign new ones",
            )
        if _noted(scope) is None:
            # What an earlier Operation left is not what was found now.
            await host.script(_ASIDE)
            await scope.journal.put(_key(scope), json.dumps(await _digests(host)))
        await host.script(_KEEP)
        try:
            await _renew(scope)
            await _start_anew(scope)
            await _prove(scope)
        except StepRefused:
            await self.undo(scope)
            raise
        # In this order: a way back that lasts longer than what it leads to would be taken by the next Operation.
        await host.run(["rm", "-rf", _BACKUP])
        await scope.journal.put(_done_key(scope), "yes")

    async def undo(self, scope: Scope) -> None:
        """Bring the certificates back that were found, and have them used."""
        host = scope.door
        if _done(scope) or await host.stat(f"{_BACKUP}/whole") is None:
            return
        await host.script(_BRING_BACK)
        await _start_anew(scope)
        await _prove(scope)
        await host.run(["rm", "-rf", _BACKUP])
        scope.log("brought the certificates back that were found")


def _key(scope: ReadScope) -> str:
    return f"renewal/{scope.name}"


def _done_key(scope: ReadScope) -> str:
    return f"renewed/{scope.name}"


def _done(scope: ReadScope) -> bool:
    return scope.journal.get(_done_key(scope)) == "yes"


def _noted(scope: ReadScope) -> dict[str, str] | None:
    noted = scope.journal.get(_key(scope))
    return None if noted is None else dict(json.loads(noted))


async def _digests(host: ReadHost) -> dict[str, str]:
    found = {path: await host.digest(path) for path in _LEAVES}
    return {path: digest for path, digest in found.items() if digest is not None}


async def _renew(scope: Scope) -> None:
    """Renew what is still as it was found; all of it at once, as kubeadm does."""
    before, now = _noted(scope) or {}, await _digests(scope.host)
    if not any(now[path] == before.get(path) for path in now):
        return
    verb = ["alpha", "certs"] if minor_of(scope.target.version) < 20 else ["certs"]
    await run_job(scope, scope.door, Job(name="kubeadm-renew", argv=["kubeadm", *verb, "renew", "all"], seconds=180))


async def _start_anew(scope: Scope) -> None:
    """End what still uses the old certificates, one after another; kubelet starts it again at once."""
    for name in await _not_restarted(scope.host):
        scope.log(f"ending {name}, kubelet starts it with the new certificates")
        await static_pods.end(scope.door, name)

        async def missing(name: str = name) -> str:
            return f"{name} has not started anew" if name in await _not_restarted(scope.host) else ""

        await wait_until(missing, what=f"{name} with its new certificate", seconds=240, clock=scope.clock)
        if name == "etcd":
            await planes.etcd_well(scope, "etcd", within=True)


async def _not_restarted(host: ReadHost) -> list[str]:
    """Return what started before its certificate was written, or does not run."""
    now = int((await host.query(["date", "+%s"])).text)
    shown = await host.query(["ps", "-e", "-o", "etimes=,comm="])
    started: dict[str, int] = {}
    for line in shown.text.splitlines():
        age, _, name = line.strip().partition(" ")
        if name in _USERS:
            started[name] = max(started.get(name, 0), now - int(age))
    old = []
    for name, path in _USERS.items():
        written = await host.query(["stat", "-c", "%Y", path])
        # ps counts whole seconds.
        if written.ok and started.get(name, 0) + 1 < int(written.text):
            old.append(name)
    return old


async def _prove(scope: Scope) -> None:
    async def missing() -> str:
        try:
            served = await _served(scope)
        except Unavailable as error:
            return error.message
        wanted = await _certificate(scope.host, _SERVED)
        return "" if wanted is not None and served == wanted else "the API server shows another certificate"

    await wait_until(missing, what=f"the API of {scope.name} with its certificate", seconds=240, clock=scope.clock)
    if await etcd.stacked(scope.host):
        await planes.etcd_well(scope, "etcd", within=True)

    async def old() -> str:
        # One that loses its lease while the API starts anew ends once more, and kubelet lets it wait before it is back.
        return ", ".join(await _not_restarted(scope.host))

    await wait_until(old, what=f"{scope.name} with new certificates", seconds=240, clock=scope.clock)


async def _served(scope: ReadScope) -> x509.Certificate | None:
    """Return the certificate that this machine's API server shows to its own administrator."""
    content = await scope.host.read(ADMIN_CONF)
    if content is None:
        raise NotYet(f"cannot ask the API of {scope.name}: {ADMIN_CONF} is not there")
    config: Any = yaml.safe_load(content)
    port = await planes.own_port(scope, scope.name)
    for cluster in config["clusters"]:
        cluster["cluster"]["server"] = f"https://{scope.own.spec.address}:{port}"
    async with KubernetesDoor(yaml.safe_dump(config).encode(), timeout=10) as door:
        answer = await door.fetch("/version")
    return x509.load_der_x509_certificate(answer.certificate) if answer is not None and answer.certificate else None


async def _certificate(host: ReadHost, path: str) -> x509.Certificate | None:
    content = await host.read(path)
    return None if content is None else x509.load_pem_x509_certificate(content)


async def _end_of(host: ReadHost, path: str) -> str:
    if not path.endswith(".crt"):
        return ""
    found = await _certificate(host, path)
    return f"ends {rfc3339(found.not_valid_after_utc)[:10]}" if found is not None else ""
