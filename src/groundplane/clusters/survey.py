"""The survey of a cluster through its API: everything that its facts hold, by reads alone.

The first request goes alone and tells who the cluster is; a server that does not answer it is asked nothing more. Of
the rest, only Nodes must be readable. Any other part that is not becomes a gap, and hides nothing else. What is read is
bounded: lists come in pages, answers have a limit, and the caller sets the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from groundplane.api.facts import ClusterFacts, ComponentFacts, GapFacts, NodeFacts, PodNetworkFacts
from groundplane.base.clock import Now, rfc3339, utc_now

from .api import SYSTEM_NAMESPACE, KubernetesDoor
from .certificates import certificates_of
from .errors import AccessForbidden, ClusterRefused, ClusterUnavailable, ListExpired
from .network import ProxySeen, network_of, with_hidden_proxy
from .platform import Signs, platform_of
from .reading import items, mapping, text
from .stacks import STACKS_KEPT, node_of, stacks_of
from .workloads import addons_of, control_plane_of, is_kube_proxy, workload_of

T = TypeVar("T")

PAGE = 500
PAGES_AT_MOST = 400
GROUPS_KEPT = 1000
_ANSWER_AT_MOST = 32 * 1024 * 1024
_PENDING_SHOWN = 50
# Where vendors and installers put what belongs to the cluster itself.
SYSTEM_NAMESPACES = frozenset(
    {
        SYSTEM_NAMESPACE,
        "calico-system",
        "tigera-operator",
        "cilium",
        "kube-flannel",
        "kube-ovn",
        "antrea-system",
        "kube-router",
        "gke-managed-system",
        "calico-apiserver",
        "cattle-system",
        "openshift-ovn-kubernetes",
        "openshift-sdn",
        "openshift-dns",
    }
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers: the uid of kube-system ("" when there is no such namespace), its clock, and its certificate."""

    cluster_id: str
    clock_offset_seconds: float = 0.0
    certificate: bytes = b""


async def identify(door: KubernetesDoor, *, now: Now = utc_now) -> Identity:
    """Ask who the cluster is. One request; raises the errors of `clusters.errors`."""
    before = now()
    answer = await door.fetch(f"/api/v1/namespaces/{SYSTEM_NAMESPACE}", limit=_ANSWER_AT_MOST)
    if answer is None:
        return Identity("")
    offset = _clock_offset(answer.date, before, now())
    return Identity(text(_decoded(answer.content, door.server), "metadata", "uid"), offset, answer.certificate)


def _clock_offset(date: str, before: datetime, after: datetime) -> float:
    """Return the server's clock minus ours, as well as a header of whole seconds tells it; 0 when it tells none."""
    try:
        said = parsedate_to_datetime(date).timestamp() + 0.5
    except (ValueError, OverflowError):
        return 0.0
    offset = said - (before.timestamp() + after.timestamp()) / 2
    # Less than what the header and the way of the answer can make up is no difference.
    doubt = 0.5 + (after - before).total_seconds() / 2
    return round(offset, 1) if abs(offset) > doubt else 0.0


async def survey(door: KubernetesDoor, identity: Identity, *, now: Now = utc_now) -> ClusterFacts:
    """Look at everything; `nodes` are filled. Raises ClusterUnavailable, ClusterDenied or ClusterRefused."""
    return await _Survey(door).run(identity, now)


def _decoded(content: bytes, server: str) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ClusterUnavailable(f"cannot survey {server}: it answered with something that is no JSON") from error


class _Survey:
    """One look; keeps what could not be seen."""

    def __init__(self, door: KubernetesDoor) -> None:
        self._door = door
        self._gaps: dict[str, str] = {}

    async def run(self, identity: Identity, now: Now) -> ClusterFacts:
        observed_at = rfc3339(now())
        nodes, rest = await _side_by_side(self._nodes(), self._rest())
        signs = Signs()
        for node, provider_id in nodes:
            signs.take(node.labels, provider_id, node.os_image)
        platform = platform_of(rest.version, signs, rest.api_groups, self._door.server)
        return msgspec.structs.replace(
            rest,
            observed_at=observed_at,
            source=self._door.server,
            reachable=True,
            cluster_id=identity.cluster_id,
            platform=platform,
            network=with_hidden_proxy(rest.network, platform.name),
            nodes=sorted((node for node, _ in nodes), key=lambda node: node.name),
            stacks=self._kept("stacks", stacks_of(node for node, _ in nodes), STACKS_KEPT),
            certificates=certificates_of(self._door.access, identity.certificate),
            clock_offset_seconds=identity.clock_offset_seconds,
            gaps=[GapFacts(what=what, why=why) for what, why in sorted(self._gaps.items())],
        )

    async def _nodes(self) -> list[tuple[NodeFacts, str]]:
        return await self._all("/api/v1/nodes", lambda node: (node_of(node), text(node, "spec", "providerID")))

    async def _rest(self) -> ClusterFacts:
        """Everything but nodes, one after the other over one connection."""
        version = text(await self._part("version", self._read("/version")), "gitVersion")
        groups = await self._part("API groups", self._groups()) or []
        sets = await self._part("daemonsets.apps", self._all("/apis/apps/v1/daemonsets", workload_of))
        planes = await self._part("pods of the control plane", self._control_plane()) or ([], [])
        pending = await self._part("pods of kube-system", self._pending()) or []
        agents = sets or []
        proxies = [one for one in agents if is_kube_proxy(one)]
        deployments = await self._deployments({one.namespace for one in agents})
        network = await self._network(agents, None if sets is None else proxies)
        return ClusterFacts(
            version=version,
            api_groups=groups,
            components=planes[0] + proxies,
            addons=addons_of(agents, deployments, SYSTEM_NAMESPACES),
            network=network,
            system_pods_pending=sorted({*planes[1], *pending})[:_PENDING_SHOWN],
        )

    async def _groups(self) -> list[str]:
        listed = await self._read("/apis")
        versions = [text(v, "groupVersion") for group in items(listed, "groups") for v in items(group, "versions")]
        return self._kept("API groups beyond", sorted({"v1", *filter(None, versions)}), GROUPS_KEPT)

    async def _control_plane(self) -> tuple[list[ComponentFacts], list[str]]:
        query = urlencode({"labelSelector": "tier=control-plane"})
        path = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods?{query}"
        return control_plane_of(await self._all(path, lambda pod: pod))

    async def _pending(self) -> list[str]:
        query = urlencode({"fieldSelector": "status.phase!=Running,status.phase!=Succeeded"})
        path = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods?{query}"
        return await self._all(path, lambda pod: text(pod, "metadata", "name"))

    async def _deployments(self, seen: set[str]) -> list[ComponentFacts]:
        """Deployments of kube-system, and of the other system namespaces in which a DaemonSet was seen."""
        found: list[ComponentFacts] = []
        for namespace in sorted({SYSTEM_NAMESPACE} | (seen & SYSTEM_NAMESPACES)):
            path = f"/apis/apps/v1/namespaces/{quote(namespace)}/deployments"
            found += await self._part(f"deployments.apps of {namespace}", self._all(path, workload_of)) or []
        return found

    async def _network(self, agents: list[ComponentFacts], proxies: list[ComponentFacts] | None) -> PodNetworkFacts:
        cilium = await self._config_map("cilium-config")
        config = await self._config_map("kube-proxy") or await self._config_map("kube-proxy-config") or {}
        runs = None if proxies is None else bool(proxies) or await self._part("kube-proxy", self._proxy_pod())
        return network_of(agents, cilium, ProxySeen(runs, config))

    async def _proxy_pod(self) -> bool:
        """Tell whether kube-proxy runs as a static pod."""
        query = urlencode({"labelSelector": "component=kube-proxy", "limit": "1"})
        found = items(await self._read(f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods?{query}"), "items")
        return bool(found)

    async def _config_map(self, name: str) -> dict[str, Any] | None:
        path = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/configmaps/{name}"
        found = await self._part(f"configmap {name}", self._read(path, optional=True))
        return mapping(found, "data") if found else None

    async def _part(self, what: str, reading: Awaitable[T]) -> T | None:
        """Read one part; what stops it is a gap."""
        try:
            return await reading
        except AccessForbidden:
            self._gaps[what] = "the credentials do not allow it: see the ClusterRole in docs/import.md"
        except (ClusterRefused, ClusterUnavailable) as error:
            self._gaps[what] = error.message
        return None

    def _kept(self, what: str, found: list[T], most: int) -> list[T]:
        """Return as many as a status has room for; that there are more is a gap."""
        if len(found) > most:
            self._gaps[what] = f"there are {len(found)}, and {most} of them are kept"
        return found[:most]

    async def _read(self, path: str, *, optional: bool = False) -> dict[str, Any]:
        answer = await self._door.fetch(path, limit=_ANSWER_AT_MOST)
        if answer is None:
            if optional:
                return {}
            raise ClusterRefused(f"cannot get {path}: {self._door.server} does not serve it")
        return mapping(_decoded(answer.content, self._door.server))

    async def _all(self, path: str, pick: Callable[[dict[str, Any]], T]) -> list[T]:
        """Read a list page by page, keeping what `pick` makes of each item; begun anew once when it expired."""
        try:
            return await self._pages(path, pick)
        except ListExpired:
            return await self._pages(path, pick)

    async def _pages(self, path: str, pick: Callable[[dict[str, Any]], T]) -> list[T]:
        found: list[T] = []
        token = ""
        for _ in range(PAGES_AT_MOST):
            query = urlencode({"limit": str(PAGE)} | ({"continue": token} if token else {}))
            page = await self._read(f"{path}{'&' if '?' in path else '?'}{query}")
            found += [pick(item) for item in items(page, "items")]
            # Not cut as other texts are: it goes back as it came.
            following = mapping(page, "metadata").get("continue")
            if not isinstance(following, str) or not following:
                return found
            token = following
        raise ClusterUnavailable(f"cannot list {path}: {self._door.server} gives pages without end")


async def _side_by_side(first: Awaitable[T], second: Awaitable[ClusterFacts]) -> tuple[T, ClusterFacts]:
    """Await both; when one fails the other is ended, and the error is that of the first that failed."""
    tasks = asyncio.ensure_future(first), asyncio.ensure_future(second)
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
