"""Importing: who is behind each context, is it known already, then a Secret and a Cluster of it.

All contexts are asked side by side, and each with a deadline; what is wrong with one is said of it and stops no other.
Nothing but the reads of `identify` and /version goes to the clusters. The Secret is written before the Cluster that
needs it and gets its owner after; what an interrupted import left undone is done by the next one.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from groundplane.api.meta import ANNOTATION_CLUSTER_ID as CLUSTER_ID
from groundplane.api.meta import API_VERSION, LABEL_CLUSTER, SECRET_KUBECONFIG
from groundplane.base.errors import Denied, GroundplaneError, Refused
from groundplane.base.words import counted
from groundplane.client.contract import Object
from groundplane.client.errors import AlreadyExists, Forbidden, NotFound
from groundplane.client.typed import SECRETS
from groundplane.clusters.api import KubernetesDoor
from groundplane.clusters.errors import ClusterDenied, ClusterRefused, ClusterUnavailable
from groundplane.clusters.reading import text
from groundplane.clusters.survey import identify
from groundplane.kube.kubeconfig import Access, Kubeconfig, flatten, refuse_clear

from .exits import code_of
from .kinds import CLUSTER, OURS, display
from .session import Api

DEADLINE = 20.0
ASKED_AT_ONCE = 64
PLUGINS_AT_ONCE = 8
_NAME_LENGTH = 52
_ID_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Wish:
    """The flags of one import; empty texts are not given."""

    name: str = ""
    foundation: str = ""
    allow_unreachable: bool = False
    renew: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """One context: how it is reached and who it is, or what is wrong with it (then `cluster_id` is empty)."""

    context: str
    access: Access | None
    cluster_id: str = ""
    version: str = ""
    error: GroundplaneError | None = None


async def import_all(api: Api, config: Kubeconfig, contexts: Sequence[str], wish: Wish) -> int:
    """Import each context and say what came of it. Return the exit code: that of the first that failed, else 0."""
    asking = asyncio.Semaphore(ASKED_AT_ONCE), asyncio.Semaphore(PLUGINS_AT_ONCE)
    candidates = await asyncio.gather(*(_ask(config, context, asking) for context in contexts))
    known = await _known(api)
    await _warn_of_foundation(api, wish)
    code, failed = 0, 0
    for candidate in candidates:
        try:
            outcome = await _import(api, candidate, known, wish)
        except GroundplaneError as error:
            click.echo(f"context {candidate.context}: error: {error.message}", err=True)
            for cause in getattr(error, "causes", ()):
                click.echo(f"  {cause.field}: {cause.message}", err=True)
            if remedy := error.remedy or _remedy(error):
                click.echo(f"context {candidate.context}: remedy: {remedy}", err=True)
            code, failed = code or int(code_of(error)), failed + 1
        else:
            click.echo(f"context {candidate.context}: {outcome}")
    if len(candidates) > 1:
        well = len(candidates) - failed
        click.echo(f"{counted(len(candidates), 'context')}: {well} imported or known, {failed} failed", err=True)
    return code


async def _ask(config: Kubeconfig, context: str, asking: tuple[asyncio.Semaphore, asyncio.Semaphore]) -> Candidate:
    """Find out who is behind a context, with reads alone; `asking` are the places for requests and for commands."""
    access: Access | None = None
    requests, commands = asking
    try:
        access = config.access(context)
        refuse_clear(access.server, context)
        async with requests, KubernetesDoor(access, timeout=DEADLINE) as door:
            async with commands, asyncio.timeout(DEADLINE):
                await door.log_in()
            async with asyncio.timeout(DEADLINE):
                cluster_id = (await identify(door)).cluster_id
                version = text(await door.get("/version"), "gitVersion")
    except TimeoutError:
        where = access.server if access else context
        return Candidate(context, access, error=ClusterUnavailable(f"{where} did not answer within {DEADLINE:.0f} s"))
    except GroundplaneError as error:
        return Candidate(context, access, error=error)
    if not cluster_id:
        refusal = ClusterRefused(f"{access.server} has no namespace kube-system, so it is no Kubernetes API")
        return Candidate(context, access, error=refusal)
    return Candidate(context, access, cluster_id, version)


async def _known(api: Api) -> list[Object]:
    """Return the Clusters of all namespaces, or of ours when we may not see the others."""
    try:
        return (await api.client.list(CLUSTER)).items
    except Forbidden:
        return (await api.client.list(CLUSTER, namespace=api.namespace)).items


async def _import(api: Api, candidate: Candidate, known: list[Object], wish: Wish) -> str:
    """Import one context, and add its Cluster to those that are known. Return what was done, as a person reads it."""
    access = candidate.access
    if access is None or (candidate.error is not None and not _tolerated(candidate.error, wish)):
        raise candidate.error or Refused(f"cannot import context {candidate.context}")
    name = _name(api, candidate, known, wish)
    _warn(candidate, access)
    kubeconfig = flatten(access, name=candidate.context)
    there = _named(known, api.namespace, name)
    wanted = there or _cluster(api.namespace, name, candidate, wish)
    written = await _keep_secret(api, wanted, kubeconfig, renew=wish.renew or there is None)
    try:
        cluster = there or await api.client.create(CLUSTER, wanted)
    except (Refused, Denied) as error:
        # No credentials are left lying about for a Cluster that cannot be. A name just taken has a Secret of its own.
        if written and not isinstance(error, AlreadyExists):
            await api.client.delete(SECRETS, api.namespace, _secret_of(wanted))
        raise
    await _own_secret(api, cluster)
    if there is None:
        known.append(cluster)
        said = candidate.version or "not reached yet"
        return f"{display(CLUSTER, name)} imported ({said}, {access.server})"
    _warn_of_other_foundation(candidate, cluster, wish)
    return f"{display(CLUSTER, name)} {'credentials renewed' if written else 'already imported, unchanged'}"


async def _warn_of_foundation(api: Api, wish: Wish) -> None:
    """Say once that a Foundation is not there: it may be made later, and its name may be a slip."""
    if not wish.foundation:
        return
    try:
        await api.client.get(OURS["Foundation"], api.namespace, wish.foundation)
    except NotFound:
        there = f"there is no Foundation {wish.foundation} in namespace {api.namespace}"
        click.echo(f"warning: {there}: nothing is compared until there is", err=True)
    except (Forbidden, Refused):
        return


def _warn_of_other_foundation(candidate: Candidate, cluster: Object, wish: Wish) -> None:
    """Say that an import leaves a Cluster with the Foundation that it has."""
    held = cluster["spec"].get("foundationRef", {}).get("name", "")
    if wish.foundation in ("", held):
        return
    name, patch = cluster["metadata"]["name"], f'{{"spec":{{"foundationRef":{{"name":"{wish.foundation}"}}}}}}'
    has = f"Foundation {held}" if held else "no Foundation"
    click.echo(
        f"context {candidate.context}: warning: Cluster {name} stays with {has}; to change that:"
        f" kubectl patch -n {cluster['metadata']['namespace']} cluster {name} --type=merge -p '{patch}'",
        err=True,
    )


def _remedy(error: GroundplaneError) -> str:
    """Return what can be done about a cluster that does not answer and says no more."""
    if isinstance(error, ClusterUnavailable | ClusterDenied):
        return "mend it and import again, or import it as it is with --allow-unreachable"
    return ""


def _tolerated(error: GroundplaneError, wish: Wish) -> bool:
    """Tell whether what is wrong may pass by itself, and the user said to import all the same."""
    return wish.allow_unreachable and isinstance(error, ClusterUnavailable | ClusterDenied)


def _warn(candidate: Candidate, access: Access) -> None:
    """Say what is imported all the same and may not work where Groundplane runs."""
    said = [str(candidate.error)] if candidate.error is not None else []
    if access.token_file is not None:
        said.append(
            f"the token that {access.token_file} holds now is imported and may expire; import again with --renew then"
        )
    if access.exec_plugin is not None:
        said.append(
            f"it logs in by running {access.exec_plugin.command}, which Groundplane does only where"
            " GROUNDPLANE_EXEC_PLUGINS names the command"
        )
    if access.insecure:
        said.append("insecure-skip-tls-verify is not accepted of an imported cluster: put its CA into the kubeconfig")
    for warning in said:
        click.echo(f"context {candidate.context}: warning: {warning}", err=True)


def _name(api: Api, candidate: Candidate, known: list[Object], wish: Wish) -> str:
    """Return the Cluster's name: that of an earlier import here, the one given, or one made from the context's."""
    uid = candidate.cluster_id
    first = _same(known, uid)
    if first is not None:
        namespace, name = _key(first)
        if namespace == api.namespace and wish.name in ("", name) and _imported(first):
            return name
        raise Refused(
            f"cannot import it: its kube-system uid {uid} is that of Cluster {namespace}/{name}",
            remedy="one cluster is one Cluster: use that one, or delete it first",
        )
    wanted = wish.name or label_of(candidate.context)
    longer = f"{wanted[: _NAME_LENGTH - _ID_SHOWN - 1].rstrip('-')}-{uid[:_ID_SHOWN]}"
    for name in (wanted,) if wish.name or not uid else (wanted, longer):
        taken = _named(known, api.namespace, name)
        if taken is None or _awaits(taken):
            return name
    raise Refused(
        f"cannot import it as {wanted}: that Cluster is there already and is, or may be, another cluster",
        remedy="choose another --name for this one",
    )


def _awaits(cluster: Object) -> bool:
    """Tell whether it was imported while it was unreachable, and nobody knows yet who it is."""
    return _imported(cluster) and not _ids(cluster)


def _imported(cluster: Object) -> bool:
    return bool(cluster.get("spec", {}).get("provider") == "Imported")


def label_of(context: str) -> str:
    """Return a DNS label made from a context's name, the same each time."""
    label = re.sub(r"[^a-z0-9]+", "-", context.lower()).strip("-")
    if not label:
        return f"cluster-{hashlib.sha256(context.encode()).hexdigest()[:_ID_SHOWN]}"
    if len(label) <= _NAME_LENGTH:
        return label
    mark = hashlib.sha256(context.encode()).hexdigest()[:_ID_SHOWN]
    return f"{label[: _NAME_LENGTH - _ID_SHOWN - 1].rstrip('-')}-{mark}"


def _ids(cluster: Object) -> set[str]:
    """Return the identities that a Cluster has, observed or written down at its import."""
    observed = cluster.get("status", {}).get("clusterID", "")
    noted = cluster["metadata"].get("annotations", {}).get(CLUSTER_ID, "")
    return {one for one in (observed, noted) if one}


def _same(known: Sequence[Object], uid: str) -> Object | None:
    """Return the Cluster that is this cluster; of several the one that was created first."""
    found = [one for one in known if uid and uid in _ids(one)]
    return min(found, key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["uid"]), default=None)


def _named(known: Sequence[Object], namespace: str, name: str) -> Object | None:
    return next((one for one in known if _key(one) == (namespace, name)), None)


def _key(cluster: Object) -> tuple[str, str]:
    return cluster["metadata"]["namespace"], cluster["metadata"]["name"]


def _secret_of(cluster: Object) -> str:
    return str(cluster["spec"]["kubeconfigRef"]["name"])


def _cluster(namespace: str, name: str, candidate: Candidate, wish: Wish) -> Object:
    spec: dict[str, Any] = {"provider": "Imported", "kubeconfigRef": {"name": f"{name}-kubeconfig"}}
    if wish.foundation:
        spec["foundationRef"] = {"name": wish.foundation}
    annotations = {CLUSTER_ID: candidate.cluster_id} if candidate.cluster_id else {}
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": API_VERSION, "kind": "Cluster", "metadata": metadata, "spec": spec}


async def _keep_secret(api: Api, cluster: Object, kubeconfig: bytes, *, renew: bool) -> bool:
    """Write the Secret if it is not there, or replace its content if that is wanted; tell whether it was written."""
    name, data = _secret_of(cluster), {"kubeconfig": base64.b64encode(kubeconfig).decode()}
    label = cluster["metadata"]["name"]
    try:
        present = await api.client.get(SECRETS, api.namespace, name)
    except NotFound:
        metadata = {"name": name, "namespace": api.namespace, "labels": {LABEL_CLUSTER: label}}
        body = {"apiVersion": "v1", "kind": "Secret", "type": SECRET_KUBECONFIG, "metadata": metadata, "data": data}
        await api.client.create(SECRETS, body)
        return True
    ours = present["metadata"].get("labels", {}).get(LABEL_CLUSTER) == label
    if present.get("type") != SECRET_KUBECONFIG or not ours:
        raise Refused(
            f"cannot import it: Secret {api.namespace}/{name} is there already and is not that of an import",
            remedy="rename or delete that Secret, or choose another --name",
        )
    if not renew or present.get("data") == data:
        return False
    version = present["metadata"]["resourceVersion"]
    await api.client.patch(SECRETS, api.namespace, name, {"metadata": {"resourceVersion": version}, "data": data})
    return True


async def _own_secret(api: Api, cluster: Object) -> None:
    """Let the Secret go with its Cluster."""
    namespace, name = _key(cluster)
    owner = {"apiVersion": API_VERSION, "kind": "Cluster", "name": name, "uid": cluster["metadata"]["uid"]}
    secret = await api.client.get(SECRETS, namespace, _secret_of(cluster))
    if owner["uid"] not in [one["uid"] for one in secret["metadata"].get("ownerReferences", [])]:
        patch = {"metadata": {"ownerReferences": [owner]}}
        await api.client.patch(SECRETS, namespace, _secret_of(cluster), patch)
