"""upgrade-kubelet: kubeadm, kubelet and kubectl of one drained node, with the cluster's kubelet configuration.

What is replaced is kept aside first. Each program gets its name in one rename, so that a run that is cut off leaves the
old or the new one, never a part. The step ends when the Node itself reports the new version and is Ready.
"""

from __future__ import annotations

from shlex import quote
from typing import Any

import yaml

from groundplane.api.operation import PlannedChange
from groundplane.hosts.contract import Host

from .. import before, kubelet, kubelet_flags, living, nodes, programs, systemd
from ..jobs import Job, run_job
from ..kubeadm import minor_of
from ..kubeadm import upgrade as kubeadm
from ..scope import ReadScope, Scope
from . import upgrade_control_plane
from .stage_kubernetes import released

# What switch-runtime puts there, for Docker limited logs so.
_OWN = ("containerLogMaxSize", "containerLogMaxFiles")
_PLACE = """set -eu
install -m 0755 {source} {place}.groundplane-new
sync {place}.groundplane-new 2>/dev/null || sync
mv -T {place}.groundplane-new {place}
"""


class UpgradeKubelet:
    name = "upgrade-kubelet"
    title = "Upgrade kubelet"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        version = scope.target.version
        changes = [PlannedChange(what=place, after=version) for place in (await _differing(scope)).values()]
        node = await nodes.need_node(await nodes.door(scope), scope.name)
        if missing := _not_at(node, version):
            changes.append(PlannedChange(what=f"node {scope.name}", before=missing, after=f"Ready at {version}"))
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host, version = scope.door, scope.target.version
        differing = await _differing(scope)
        if differing:
            await _begin(scope)
            found = [await programs.program(scope.host, name) for name in programs.NAMES]
            for path in (*(one.place for one in found), programs.DROPIN, living.KUBELET_CONFIG, kubelet_flags.PATH):
                await before.save(host, kept_of(version), path)
            await _configure(scope)
            # kubelet goes last: as long as it differs, the rest is done again.
            for name, place in sorted(differing.items(), key=lambda one: one[0] == "kubelet"):
                await _divert(scope, next(one for one in found if one.name == name))
                source = programs.staged(version, name)
                await host.script(_PLACE.format(source=quote(source), place=quote(place)))
        await _restart(host)
        await _settle(scope, version)
        await _unstage(scope)

    async def undo(self, scope: Scope) -> None:
        """Bring the old programs and files back and wait until the Node is Ready with them."""
        host, kept = scope.door, kept_of(scope.target.version)
        # What an earlier Operation kept is no way back of this one's.
        if not scope.journal.get(_begun(scope)) or not await before.exists(host, kept):
            return
        await host.run(["systemctl", "stop", _job(scope, "").unit], check=False)
        await before.put_back(host, kept)
        await _restart(host)
        said = await host.run([(await programs.program(scope.host, "kubelet")).now, "--version"])
        old = kubelet.version_in(said.text)
        await _settle(scope, old)
        await before.forget(host, kept)
        await scope.journal.put(_begun(scope), "")
        scope.log(f"kubelet of {scope.name} is at {old} again")


def kept_of(version: str) -> str:
    """Return the name under which what was there before an upgrade to `version` is kept."""
    return f"kubelet-{version}"


def _begun(scope: ReadScope) -> str:
    return f"upgrade-kubelet/{scope.name}"


async def _begin(scope: Scope) -> None:
    """Note that this Operation changes the node; what an earlier one kept of a node that is Ready is out of date."""
    if scope.journal.get(_begun(scope)):
        return
    version = scope.target.version
    node = await nodes.need_node(await nodes.door(scope), scope.name)
    if nodes.has_condition(node, "Ready"):
        await before.forget(scope.door, kept_of(version))
    await scope.journal.put(_begun(scope), version)


async def _unstage(scope: Scope) -> None:
    """Remove what waited here; a kubectl stays where none was: after a way back the API server is asked with it."""
    host, version = scope.door, scope.target.version
    place = (await programs.program(scope.host, "kubectl")).place
    if (await before.saved(host, kept_of(version))).get(place) == "absent":
        await host.run(["rm", "-f", *(programs.staged(version, name) for name in programs.NAMES if name != "kubectl")])
    else:
        await host.run(["rm", "-rf", programs.stage_folder(version)])


async def _differing(scope: ReadScope) -> dict[str, str]:
    """Return the programs that are not the release's, by name: where the new ones go."""
    found = {}
    for name, artifact in (await released(scope)).items():
        place = (await programs.program(scope.host, name)).place
        if await scope.host.digest(place) != artifact.sha256:
            found[name] = place
    return found


def _job(scope: ReadScope, program: str) -> Job:
    return Job(name="kubeadm-kubelet-config", argv=kubeadm.kubelet_command(program), seconds=180)


async def _configure(scope: Scope) -> None:
    """Give the node the cluster's kubelet configuration, and take out the flags that the new kubelet refuses.

    The limits of logs that came with the switch from Docker are this node's own and stay; what else was is in the log.
    """
    host, version = scope.door, scope.target.version
    await run_job(scope, host, _job(scope, programs.staged(version, "kubeadm")))
    document, replaced = keeping(await _own_config(scope), await living.kubelet_config(scope.host))
    if replaced:
        scope.log(f"the cluster's kubelet configuration replaced what this node had in {', '.join(replaced)}")
    if document is not None:
        await host.write(living.KUBELET_CONFIG, yaml.safe_dump(document, sort_keys=False).encode())
    flags = await host.read(kubelet_flags.PATH)
    if flags is not None and (changed := kubelet_flags.without_removed(flags, minor_of(version))) is not None:
        await host.write(kubelet_flags.PATH, changed)


async def _own_config(scope: Scope) -> bytes | None:
    """Return kubelet's configuration from before the upgrade; on a control plane kubeadm has replaced it already."""
    version = scope.target.version
    plane = await before.copy_of(scope.host, upgrade_control_plane.kept_of(version), living.KUBELET_CONFIG)
    return plane or await before.copy_of(scope.host, kept_of(version), living.KUBELET_CONFIG)


def keeping(found: bytes | None, now: dict[str, Any]) -> tuple[dict[str, Any] | None, list[str]]:
    """Return kubelet's new configuration with the node's own limits of logs, or None when it has them, and the other
    settings of the node's that are not in it any more. Pure.
    """
    old = yaml.safe_load(found) if found else None
    if not isinstance(old, dict) or not now:
        return None, []
    own = {key: old[key] for key in _OWN if key in old and now.get(key) != old[key]}
    replaced = sorted(key for key, value in old.items() if key not in _OWN and now.get(key) != value)
    return ({**now, **own} if own else None), replaced


async def _divert(scope: Scope, found: programs.Program) -> None:
    """Say that a package's program is left alone, and have kubelet's unit start ours."""
    if not found.package:
        return
    scope.log(f"{found.now} belongs to package {found.package} and stays; {found.place} is used from now on")
    if found.name == "kubelet":
        await scope.door.write(programs.DROPIN, programs.dropin(await programs.unit(scope.host), found.place))


async def _restart(host: Host) -> None:
    await host.run(["systemctl", "daemon-reload"])
    await systemd.bring_up(host, kubelet.UNIT, restart=True)


async def _settle(scope: Scope, version: str) -> None:
    await kubelet.settle(scope, f"Ready at {version}", lambda node: _not_at(node, version))


def _not_at(node: nodes.Object, version: str) -> str:
    """Return why the Node is not Ready at the version, or ""."""
    info = (node.get("status") or {}).get("nodeInfo") or {}
    found = str(info.get("kubeletVersion", ""))
    if found != version:
        return f"at {found or 'no version that is known'}"
    return "" if nodes.has_condition(node, "Ready") else "not Ready"
