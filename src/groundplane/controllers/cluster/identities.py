"""Which Clusters are one cluster: an index from the uid of kube-system to the Clusters that say they are it.

Kept up to date by the informer of Clusters, so that a thousand of them need not be read to judge one. Of several, one
that Groundplane made from machines is the cluster, else the one that was created first; the others stand back.
"""

from __future__ import annotations

from typing import NamedTuple

from groundplane.client.contract import Object
from groundplane.client.informer import ObjectChange
from groundplane.engine.queue import ObjectKey


class Claim(NamedTuple):
    """One Cluster's claim to a cluster; the smallest is the one that counts."""

    imported: bool
    created: str
    uid: str
    key: ObjectKey


class Identities:
    """Claims by cluster id. Not read from the API: it knows what it was told."""

    def __init__(self) -> None:
        self._claims: dict[str, dict[str, Claim]] = {}

    def take(self, change: ObjectChange) -> set[ObjectKey]:
        """Take in a change of a Cluster, and return the others whose standing may have changed with it."""
        was, now = _claim(change.old), _claim(change.new)
        if was == now:
            return set()
        touched = set()
        if was is not None:
            others = self._claims.get(was[0], {})
            others.pop(was[1].uid, None)
            touched |= {claim.key for claim in others.values()}
            if not others:
                self._claims.pop(was[0], None)
        if now is not None:
            others = self._claims.setdefault(now[0], {})
            touched |= {claim.key for claim in others.values()}
            others[now[1].uid] = now[1]
        return touched

    def before(self, cluster_id: str, claim: Claim) -> Claim | None:
        """Return the claim that counts in place of `claim`, or None when it is the first."""
        others = (one for one in self._claims.get(cluster_id, {}).values() if one.uid != claim.uid)
        first = min(others, default=None)
        return first if first is not None and first < claim else None


def claim_of(document: Object) -> Claim:
    """Return the claim that a Cluster can make."""
    meta = document["metadata"]
    return Claim(
        imported=document.get("spec", {}).get("provider") == "Imported",
        created=meta.get("creationTimestamp", ""),
        uid=meta["uid"],
        key=ObjectKey(meta.get("namespace", ""), meta["name"]),
    )


def _claim(document: Object | None) -> tuple[str, Claim] | None:
    cluster_id = document.get("status", {}).get("clusterID") if document else None
    return (cluster_id, claim_of(document)) if document and cluster_id else None
