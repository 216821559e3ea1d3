"""Clusters that Groundplane made, as the controllers reach them: the kubeconfig Secret, the door, one look.

Looks come in two sizes: `observe` asks every minute how the nodes are, `survey` asks everything, on the schedule.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from groundplane.api.cluster import Cluster
from groundplane.api.facts import ClusterFacts
from groundplane.api.meta import ANNOTATION_SURVEY, API_VERSION, LABEL_CLUSTER, SECRET_KUBECONFIG
from groundplane.base.clock import Now, parse_rfc3339
from groundplane.base.errors import Denied, GroundplaneError, Refused
from groundplane.base.logs import get_logger
from groundplane.client.contract import Object
from groundplane.client.errors import AlreadyExists
from groundplane.client.typed import SECRETS
from groundplane.clusters.api import KubernetesDoor, observe
from groundplane.clusters.survey import identify, survey

from .names import kubeconfig_secret
from .objects import Objects

SURVEY_DEADLINE = 60.0

logger = get_logger()


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a managed cluster; `problem` is for a person to mend, empty when there is none."""

    facts: ClusterFacts
    problem: str = ""


class Members:
    """Reads and writes the kubeconfig Secrets and opens doors with them. `survey_every` is in seconds."""

    def __init__(self, objects: Objects, *, now: Now, survey_every: float) -> None:
        self._objects = objects
        self._now = now
        self._every = timedelta(seconds=survey_every)

    async def kubeconfig(self, namespace: str, cluster: str, *, uid: str) -> bytes | None:
        """Return the published administrator kubeconfig, or None; that of an earlier Cluster of the name is none."""
        secret = await self._objects.secret(namespace, kubeconfig_secret(cluster))
        if secret is None or uid not in _owners(secret):
            return None
        data = secret.get("data", {}).get("kubeconfig")
        return base64.b64decode(data) if data else None

    async def observe(self, cluster: Cluster) -> Seen:
        """Look at the managed cluster; `reachable` is False when it does not answer or has no kubeconfig yet.

        One that does not let us in, such as after a rebuild by hand, is not reachable either, and `problem` says why.
        """
        meta = cluster.metadata
        kubeconfig = await self.kubeconfig(meta.namespace, meta.name, uid=meta.uid)
        if kubeconfig is None:
            return Seen(ClusterFacts())
        try:
            async with KubernetesDoor(kubeconfig) as door:
                facts = await observe(door, now=self._now)
        except (Denied, Refused) as error:
            return Seen(ClusterFacts(kubeconfig_published=True), str(error))
        return Seen(msgspec.structs.replace(facts, kubeconfig_published=True))

    async def door(self, cluster: Cluster) -> KubernetesDoor | None:
        """Return an open door to the managed cluster, to be closed by the caller; None without a kubeconfig."""
        meta = cluster.metadata
        kubeconfig = await self.kubeconfig(meta.namespace, meta.name, uid=meta.uid)
        return KubernetesDoor(kubeconfig) if kubeconfig is not None else None

    async def survey(self, cluster: Cluster, *, changed_at: str = "") -> ClusterFacts | None:
        """Look at everything when that is due; None when it is not, or when it could not be finished.

        It is due by time, when a person asks (annotation groundplane.dev/survey), and when an Operation ended
        (`changed_at`) after the last survey.
        """
        meta, known = cluster.metadata, cluster.status.facts
        asked = meta.annotations.get(ANNOTATION_SURVEY, "")
        fresh = known is not None and parse_rfc3339(known.observed_at) + self._every > self._now()
        if known is not None and fresh and known.observed_at > changed_at and cluster.status.survey_answered == asked:
            return None
        kubeconfig = await self.kubeconfig(meta.namespace, meta.name, uid=meta.uid)
        if kubeconfig is None:
            return None
        try:
            async with asyncio.timeout(SURVEY_DEADLINE), KubernetesDoor(kubeconfig) as door:
                facts = await survey(door, await identify(door, now=self._now), now=self._now)
        except (GroundplaneError, TimeoutError) as error:
            logger.warning("cluster not surveyed", namespace=meta.namespace, name=meta.name, error=str(error))
            return None
        return msgspec.structs.replace(facts, kubeconfig_published=True)

    async def publish(self, cluster: Object, kubeconfig: bytes) -> None:
        """Keep the kubeconfig in the cluster's Secret; `cluster` is the Cluster as a document."""
        meta = cluster["metadata"]
        name = kubeconfig_secret(meta["name"])
        data = {"kubeconfig": base64.b64encode(kubeconfig).decode()}
        owner = {"apiVersion": API_VERSION, "kind": "Cluster", "name": meta["name"], "uid": meta["uid"]}
        body: Object = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": SECRET_KUBECONFIG,
            "metadata": {
                "name": name,
                "namespace": meta["namespace"],
                "labels": {LABEL_CLUSTER: meta["name"]},
                "ownerReferences": [owner],
            },
            "data": data,
        }
        try:
            await self._objects.client.create(SECRETS, body)
        except AlreadyExists:
            await self._replace(meta["namespace"], name, body)

    async def _replace(self, namespace: str, name: str, body: Object) -> None:
        """Take over our own Secret of that name, also one that an earlier Cluster left; never a person's."""
        present = await self._objects.secret(namespace, name)
        if present is not None and present.get("type") != SECRET_KUBECONFIG:
            raise Refused(
                f"cannot publish the kubeconfig: Secret {namespace}/{name} is not of type {SECRET_KUBECONFIG}",
                remedy="rename or delete that Secret",
            )
        meta = {field: body["metadata"][field] for field in ("labels", "ownerReferences")}
        await self._objects.client.patch(SECRETS, namespace, name, {"metadata": meta, "data": body["data"]})


def _owners(document: Object) -> set[str]:
    return {owner["uid"] for owner in document["metadata"].get("ownerReferences", [])}
