"""upgrade-check: what would stand in the way of an upgrade is found before the first node is touched, all at once.

Each check returns what it found; `CHECKS` is the list. What a person may accept has a word for `change.accept`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import yaml

from groundplane.api.operation import PlannedChange
from groundplane.plan import removed_apis

from .. import etcd_store, nodes, planes, programs
from ..artifact_set import needed
from ..errors import StepRefused
from ..kubeadm import upgrade as kubeadm
from ..scope import ReadScope, Scope
from .etcd_snapshot import ACCEPT as EXTERNAL_ETCD
from .upgrade_control_plane import configuration

_KEY = "upgrade-check"
_REMOVED = "RemovedAPIs"


@dataclass(frozen=True, slots=True)
class Found:
    """What stands in the way, and the word by which a person may accept it, "" when nobody can."""

    what: str
    accept: str = ""


Check = Callable[[Scope], Awaitable[list[Found]]]


class UpgradeCheck:
    name = "upgrade-check"
    title = "Check what the new version removes"

    def wanted(self, scope: ReadScope) -> bool:
        return True

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        if scope.journal.get(_KEY) == scope.target.version:
            return []
        return [PlannedChange(what="cluster", after=f"checked for {scope.target.version}")]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        found = [one for check in CHECKS for one in await check(scope)]
        accepted = set(scope.target.change.accept)
        for one in found:
            scope.log(f"{'accepted' if one.accept in accepted else 'in the way'}: {one.what}")
        if left := [one for one in found if one.accept not in accepted]:
            words = sorted({one.accept for one in left if one.accept})
            remedy = f", or accept {', '.join(words)} in change.accept" if words else ""
            raise StepRefused(
                f"cannot upgrade cluster {scope.target.name} to {scope.target.version}:"
                f" {'; '.join(one.what for one in left)}",
                remedy=f"mend it{remedy}",
            )
        await scope.journal.put(_KEY, scope.target.version)


async def _control_planes(scope: Scope) -> list[Found]:
    """Every control plane that the upgrade counts on is Ready; a worker that is not is the plan's business."""
    cluster = await nodes.door(scope)
    found = [(name, await nodes.node(cluster, name)) for name in scope.target.control_planes]
    return [
        Found(f"control plane {name} is not Ready")
        for name, node in found
        if node is None or not nodes.has_condition(node, "Ready")
    ]


async def _etcd(scope: Scope) -> list[Found]:
    document = yaml.safe_load(await configuration(scope))
    if (document.get("etcd") or {}).get("external"):
        return [Found("etcd is outside of the cluster: nothing of it is looked at or saved", EXTERNAL_ETCD)]
    found = []
    for name in scope.target.control_planes:
        host = scope.writable[name]
        if await etcd_store.is_stacked(host) and (trouble := await etcd_store.trouble(host)):
            found.append(Found(f"etcd on {name} is not well: {trouble}"))
    return found


async def _images(scope: Scope) -> list[Found]:
    """kubeadm names images by the cluster's own repository; those of the release have to have these names."""
    document = yaml.safe_load(await configuration(scope))
    repository = document.get("imageRepository", "k8s.gcr.io")
    host = scope.hosts[scope.target.first]
    names = {artifact.image for artifact in await needed(host, scope.target, "Image")}
    wanted = [f"{repository}/{name}:{kubeadm.image_tag(scope.target.version)}" for name in kubeadm.COMPONENTS]
    missing = [name for name in wanted if name not in names]
    return [Found(f"the release has no image {', '.join(missing)}", "ImagesFromRegistry")] if missing else []


async def _manifests(scope: Scope) -> list[Found]:
    """Manifests as they are beside those that kubeadm would write today: what was edited by hand would be lost."""
    found = []
    for name in scope.target.control_planes:
        host = scope.writable[name]
        program = (await programs.program(scope.hosts[name], "kubeadm")).now
        ask = [program, "upgrade", "node", "phase", "control-plane", "--dry-run"]
        answer = await host.run(ask, check=False, timeout=120)
        wanted = kubeadm.rendered(answer.text)
        if set(wanted) != set(kubeadm.COMPONENTS):
            found.append(Found(f"kubeadm on {name} does not tell which manifests it would write", "EditedManifests"))
            continue
        for component in kubeadm.COMPONENTS:
            manifest = await host.read(kubeadm.manifest_path(component))
            if lines := kubeadm.difference(yaml.safe_load(manifest or b"{}"), wanted[component]):
                found.append(
                    Found(f"{component} on {name} was edited by hand: {', '.join(lines[:5])}", "EditedManifests")
                )
    return found


async def _removed(scope: Scope) -> list[Found]:
    now = kubeadm.version_in(await configuration(scope))
    removed = removed_apis.removed_between(now, scope.target.version)
    if not removed:
        return []
    asked: set[tuple[str, str, str]] = set()
    found = []
    for name in scope.target.control_planes:
        # Each API server counts what it was asked for itself.
        metrics = await planes.ask(scope, name, "/metrics")
        if not metrics.strip():
            found.append(Found(f"the API server on {name} does not tell what it was asked for", _REMOVED))
        asked |= removed_apis.requested(metrics)
    cluster = await nodes.door(scope)
    objects: dict[str, list[nodes.Object]] = {}
    for api in removed:
        for resource in api.resources:
            # What is only asked for and never stored (reviews) cannot be listed.
            if not resource.endswith("reviews") and resource not in objects:
                path = f"/apis/{api.api_version}/{resource}?limit=500"
                objects[resource] = await nodes.items(cluster, path)
    words = removed_apis.in_words(removed_apis.uses(removed, asked, objects), scope.target.version)
    return [*found, *([Found(words, _REMOVED)] if words else [])]


CHECKS: tuple[Check, ...] = (_control_planes, _etcd, _images, _manifests, _removed)
