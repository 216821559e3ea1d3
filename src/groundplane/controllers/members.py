"""Managed clusters as the controllers reach them: the kubeconfig Secret, the door, one look."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import msgspec

from groundplane.api.cluster import Cluster
from groundplane.api.facts import ClusterFacts
from groundplane.api.meta import API_VERSION, LABEL_CLUSTER, SECRET_KUBECONFIG
from groundplane.base.clock import Now
from groundplane.base.errors import Denied, Refused
from groundplane.client.contract import Object
from groundplane.client.errors import AlreadyExists
from groundplane.client.typed import SECRETS
from groundplane.clusters.api import KubernetesDoor, observe

from .names import kubeconfig_secret
from .objects import Objects


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a managed cluster; `problem` is for a person to mend, empty when there is none."""

    facts: ClusterFacts
    problem: str = ""


class Members:
    """Reads and writes the kubeconfig Secrets and opens doors with them."""

    def __init__(self, objects: Objects, *, now: Now) -> None:
        self._objects = objects
        self._now = now

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
