"""Which change wakes which controller. One informer per kind; each change becomes keys in work queues.

A controller's own status writes must not wake it again, so a kind wakes its own controller only when something
changed that a person, or the API server for a person, can change: generation, annotations, deletion.
"""

from __future__ import annotations

from collections.abc import Iterable

from groundplane.api.meta import ANNOTATION_UNIFY, LABEL_CLUSTER
from groundplane.client.contract import Object
from groundplane.client.informer import ObjectChange
from groundplane.engine.loop import Controller
from groundplane.engine.queue import ObjectKey

from .cluster.scope import DEFAULT_DISTRIBUTION


def by_person(change: ObjectChange) -> bool:
    """Tell whether something changed that people control, and not only what controllers write (status)."""
    if change.old is None or change.new is None:
        return True
    return _mark(change.old) != _mark(change.new)


def learnt_of_cluster(change: ObjectChange) -> bool:
    """Tell whether something became known of a Cluster that its Machines are judged by and SSH cannot see."""
    return _learnt(change.old) != _learnt(change.new)


def _learnt(document: Object | None) -> tuple[object, ...]:
    facts = (document or {}).get("status", {}).get("facts") or {}
    return facts.get("platform"), facts.get("network"), facts.get("version")


def document_of(change: ObjectChange) -> Object:
    """Return the object as it is, or as it last was."""
    document = change.new or change.old
    if document is None:
        raise LookupError(f"a change of {change.key} without an object")
    return document


def _mark(document: Object) -> tuple[object, ...]:
    meta = document["metadata"]
    return (
        meta["uid"],
        meta.get("generation"),
        meta.get("deletionTimestamp"),
        meta.get("annotations"),
        meta.get("finalizers"),
    )


def key_of(document: Object) -> ObjectKey:
    """Return the key of a document."""
    return ObjectKey(document["metadata"].get("namespace", ""), document["metadata"]["name"])


def clusters_of_machine(change: ObjectChange) -> Iterable[ObjectKey]:
    """Return the cluster that a Machine belongs to, and the one that it belonged to."""
    documents = [document for document in (change.old, change.new) if document is not None]
    references = [
        (document["metadata"]["namespace"], document.get("spec", {}).get("clusterRef")) for document in documents
    ]
    return {ObjectKey(namespace, reference["name"]) for namespace, reference in references if reference}


def clusters_of_operation(document: Object) -> Iterable[ObjectKey]:
    """Return the cluster that an Operation changes."""
    name = document["metadata"].get("labels", {}).get(LABEL_CLUSTER)
    return [ObjectKey(document["metadata"]["namespace"], name)] if name else []


def annotation(document: Object, key: str) -> str:
    """Return the value of an annotation; empty when there is none."""
    return str((document["metadata"].get("annotations") or {}).get(key, ""))


def conducted_foundation(cluster: Object) -> Iterable[ObjectKey]:
    """Return the Foundation whose run of unify the Cluster is in."""
    reference = cluster.get("spec", {}).get("foundationRef")
    if reference and annotation(cluster, ANNOTATION_UNIFY):
        return [ObjectKey(cluster["metadata"]["namespace"], reference["name"])]
    return []


def clusters_using(document: Object, clusters: Iterable[Object]) -> Iterable[ObjectKey]:
    """Return the clusters of the namespace whose Foundation or Distribution this is."""
    namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
    for cluster in clusters:
        spec = cluster.get("spec", {})
        names = {
            (spec.get("foundationRef") or {}).get("name"),
            spec.get("kubernetes", {}).get("distribution") or DEFAULT_DISTRIBUTION,
        }
        # A distribution can also be named by the cluster's Foundation: looking once too often is harmless.
        if cluster["metadata"]["namespace"] == namespace and (name in names or document["kind"] == "Distribution"):
            yield key_of(cluster)


def machines_of_clusters(clusters: set[ObjectKey], machines: Iterable[Object]) -> Iterable[ObjectKey]:
    """Return the machines that belong to one of the clusters."""
    for machine in machines:
        reference = machine.get("spec", {}).get("clusterRef")
        if reference and ObjectKey(machine["metadata"]["namespace"], reference["name"]) in clusters:
            yield key_of(machine)


def machines_of_secret(document: Object, machines: Iterable[Object]) -> Iterable[ObjectKey]:
    """Return the machines that log in with this Secret."""
    namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
    for machine in machines:
        ssh = machine.get("spec", {}).get("ssh", {})
        references = [ssh.get("secretRef"), (ssh.get("jump") or {}).get("secretRef")]
        if machine["metadata"]["namespace"] == namespace and name in [r["name"] for r in references if r]:
            yield key_of(machine)


def clusters_of_secret(document: Object, clusters: Iterable[Object]) -> Iterable[ObjectKey]:
    """Return the imported Clusters that are reached with this Secret."""
    namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
    for cluster in clusters:
        reference = cluster.get("spec", {}).get("kubeconfigRef")
        if reference and reference["name"] == name and cluster["metadata"]["namespace"] == namespace:
            yield key_of(cluster)


def wake(controller: Controller, keys: Iterable[ObjectKey]) -> None:
    """Ask the controller to look at the keys."""
    for key in keys:
        controller.queue.add(key)
