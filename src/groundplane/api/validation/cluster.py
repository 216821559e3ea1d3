"""Admission of Clusters: what can be judged when one is written, whether or not other objects are there yet."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import msgspec
import yaml

from groundplane.base.documents import documents as read_documents
from groundplane.base.documents import too_deep

from ..cause import Cause, Verdict, forbidden, invalid, required
from ..cluster import Cluster, ClusterNetwork, ClusterSpec, Components, Endpoint
from ..foundation import Foundation, RuntimeChoice
from . import values
from .components import component_causes
from .contract import World
from .imported import exception_causes, kubeconfig_causes
from .shared import (
    choices,
    find,
    frozen,
    metadata_causes,
    named,
    release_cause,
    runtime_cause,
    runtime_causes,
    settings_causes,
)

# kubeadm refuses wider service networks, and the tenth address is that of the DNS service.
# https://github.com/kubernetes/kubernetes/blob/v1.20.2/cmd/kubeadm/app/constants/constants.go
SERVICE_PREFIX = (12, 28)
# kube-controller-manager: a node's part is at most 16 bits longer than the pod network.
NODE_PREFIX_SPAN = 16
DEFAULT_NODE_PREFIX = 24
_NODE_PREFIX_FLAG = "node-cidr-mask-size"
_ONCE = "machines are built with it; delete the Cluster and create it again"
_RUNNING = "the cluster runs, and this release does not change it on running nodes; set it before the cluster is made"


def admit_cluster(cluster: Cluster, old: Cluster | None, world: World) -> Verdict:
    """Judge a Cluster that is created, or changed from `old`."""
    spec = cluster.spec
    verdict = Verdict(metadata_causes(cluster.metadata.name, cluster.metadata.generate_name))
    # Of a cluster that Groundplane did not make, such fields are refused whenever they are set.
    if old is not None and not old.spec.provider == spec.provider == "Imported":
        verdict.extend(_immutable(spec, old.spec))
        verdict.extend(_built(spec, old))
    if old is not None:
        verdict.add(_new_handlers(cluster, old, world))
    for cause in kubeconfig_causes(cluster):
        verdict.add(cause)
    verdict.extend(exception_causes(spec))
    verdict.extend(_change_causes(spec))
    if spec.settings is not None:
        verdict.extend(settings_causes("spec.settings", spec.settings))
    if spec.runtime is not None:
        verdict.extend(runtime_causes("spec.runtime", spec.runtime))
    if spec.provider == "Imported":
        # It runs already, on what it runs on: what is wanted of it is compared, and judged when it becomes a change.
        _named_well(cluster, world, verdict)
        return verdict
    verdict.extend(network_causes(spec))
    verdict.extend(_endpoint_causes(spec.control_plane.endpoint, spec.network))
    verdict.extend(component_causes(spec.components))
    _kubernetes(cluster, world, verdict)
    return verdict


def _immutable(spec: ClusterSpec, old: ClusterSpec) -> Iterator[Cause]:
    pairs = {
        "spec.provider": (old.provider, spec.provider),
        "spec.network.podCIDR": (old.network.pod_cidr, spec.network.pod_cidr),
        "spec.network.serviceCIDR": (old.network.service_cidr, spec.network.service_cidr),
        "spec.network.dnsDomain": (old.network.dns_domain, spec.network.dns_domain),
        "spec.network.plugin": (old.network.plugin, spec.network.plugin),
        "spec.controlPlane.endpoint.host": (old.control_plane.endpoint.host, spec.control_plane.endpoint.host),
        "spec.controlPlane.endpoint.port": (old.control_plane.endpoint.port, spec.control_plane.endpoint.port),
        "spec.controlPlane.endpoint.provider": (
            old.control_plane.endpoint.provider,
            spec.control_plane.endpoint.provider,
        ),
    }
    for path, (before, after) in pairs.items():
        if cause := frozen(path, before, after, _ONCE):
            yield cause


def _built(spec: ClusterSpec, old: Cluster) -> Iterator[Cause]:
    """What no plan changes once kubeadm has made the cluster: a change that nothing carries out is refused."""
    if not old.status.cluster_id:
        return
    was, now = old.spec, spec
    pairs: dict[str, tuple[Any, Any]] = {
        f"spec.components.{field.encode_name}": (
            getattr(was.components, field.name),
            getattr(now.components, field.name),
        )
        for field in msgspec.structs.fields(Components)
    }
    pairs["spec.addons.dns"] = (was.addons.dns, now.addons.dns)
    if was.network.manifest != now.network.manifest:
        yield forbidden("spec.network.manifest", "…", f"is immutable: {_RUNNING}")
    for path, (before, after) in pairs.items():
        if cause := frozen(path, before, after, _RUNNING):
            yield cause


def _new_handlers(cluster: Cluster, old: Cluster, world: World) -> Cause | None:
    """Handlers are set up with their runtime: nodes that run on it already get no others."""
    runtime = cluster.spec.runtime
    if runtime is None or not old.status.cluster_id or not _runs_on(old, runtime.name):
        return None
    reference = old.spec.foundation_ref
    foundation = find(world.foundations, old.metadata.namespace, reference.name) if reference else None
    before = old.spec.runtime or (foundation.spec.runtime if foundation else RuntimeChoice())
    new = [name for name in runtime.handlers if name not in {"runc", *before.handlers}]
    if not new:
        return None
    rule = f"the nodes run on {runtime.name} already, and are given no other handlers; take {', '.join(new)} out"
    return forbidden("spec.runtime.handlers", runtime.handlers, rule)


def _runs_on(cluster: Cluster, runtime: str) -> bool:
    seen = cluster.status.runtime
    return bool(seen) and all(one.startswith(f"{runtime}:") for one in seen.split(", "))


def node_prefix(spec: ClusterSpec) -> int | None:
    """Return the prefix length of each node's part of the pod network; None when the given one is malformed."""
    given = spec.components.controller_manager.args.get(_NODE_PREFIX_FLAG)
    if given is None:
        return DEFAULT_NODE_PREFIX
    return int(given) if given.isdecimal() and 0 < int(given) <= 30 else None


def network_causes(spec: ClusterSpec) -> list[Cause]:
    """Pod and service networks are well formed, of a workable size, and apart; the plugin has what it needs."""
    network = spec.network
    pods = values.network("spec.network.podCIDR", network.pod_cidr)
    services = values.network("spec.network.serviceCIDR", network.service_cidr)
    found = [pods, services, values.dns_name("spec.network.dnsDomain", network.dns_domain), *_manifest(network)]
    if pods is None:
        found.append(_pod_size(spec))
    if services is None:
        why = "kube-apiserver takes at most 20 bits of addresses, and the DNS service needs the tenth of them"
        found.append(values.prefix_between("spec.network.serviceCIDR", network.service_cidr, *SERVICE_PREFIX, why))
    if pods is None and services is None and IPv4Network(network.pod_cidr).overlaps(IPv4Network(network.service_cidr)):
        rule = f"overlaps with podCIDR {network.pod_cidr}; choose networks that have no address in common"
        found.append(invalid("spec.network.serviceCIDR", network.service_cidr, rule))
    return [cause for cause in found if cause]


def _pod_size(spec: ClusterSpec) -> Cause | None:
    prefix = node_prefix(spec)
    if prefix is None:
        given = spec.components.controller_manager.args[_NODE_PREFIX_FLAG]
        path = f"spec.components.controllerManager.args[{_NODE_PREFIX_FLAG}]"
        return invalid(path, given, "must be a prefix length from 1 to 30")
    why = f"each node takes a /{prefix} of it, at most {NODE_PREFIX_SPAN} bits longer than the whole"
    widest = max(1, prefix - NODE_PREFIX_SPAN)
    return values.prefix_between("spec.network.podCIDR", spec.network.pod_cidr, widest, prefix, why)


def _manifest(network: ClusterNetwork) -> Iterator[Cause | None]:
    path = "spec.network.manifest"
    if network.plugin == "manifest" and not network.manifest.strip():
        yield required(path, "plugin manifest applies it; give the YAML of the network plugin, or choose routed")
    elif network.plugin != "manifest" and network.manifest:
        rule = f"plugin {network.plugin} does not use it; choose plugin manifest, or leave it out"
        yield forbidden(path, "…", rule)
    elif network.manifest:
        yield _objects(path, network.manifest)


def _objects(path: str, text: str) -> Cause | None:
    try:
        if too_deep(text):
            return invalid(path, "…", "is nested deeper than any object is")
        documents = [body for body in read_documents(text) if body is not None]
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or "malformed"
        mark = getattr(error, "problem_mark", None)
        return invalid(path, "…", f"is not YAML: {problem}" + (f", line {mark.line + 1}" if mark else ""))
    for number, document in enumerate(documents, 1):
        if not isinstance(document, dict) or not {"apiVersion", "kind"} <= document.keys():
            return invalid(path, "…", f"document {number} is no Kubernetes object: it needs apiVersion and kind")
    return None if documents else invalid(path, "…", "has no object in it")


def _endpoint_causes(endpoint: Endpoint, network: ClusterNetwork) -> Iterator[Cause]:
    path = "spec.controlPlane.endpoint.host"
    if not endpoint.host:
        if endpoint.provider != "None":
            yield required(path, f"provider {endpoint.provider} needs the address or name that clients use")
        return
    rule = values.address if endpoint.provider == "VirtualIP" else values.host
    if (cause := rule(path, endpoint.host)) or (cause := inside(path, endpoint.host, network)):
        yield cause


def inside(path: str, host: str, network: ClusterNetwork) -> Cause | None:
    """A host must not have an address of pods or Services. Names and malformed networks are not looked at."""
    if values.address("", host) is not None:
        return None
    for field, cidr in (("podCIDR", network.pod_cidr), ("serviceCIDR", network.service_cidr)):
        if values.network("", cidr) is None and IPv4Address(host) in IPv4Network(cidr):
            return invalid(
                path, host, f"lies in {field} {cidr} of the cluster; choose a {field} away from the machines"
            )
    return None


def _change_causes(spec: ClusterSpec) -> list[Cause]:
    found = [
        values.unavailable("spec.change.maxUnavailable", spec.change.max_unavailable),
        values.duration("spec.change.drain.timeout", spec.change.drain.timeout),
    ]
    for index, name in enumerate(spec.kubeadm.ignore_preflight_errors):
        found.append(values.flag(f"spec.kubeadm.ignorePreflightErrors[{index}]", name))
    return [cause for cause in found if cause]


def _named_well(cluster: Cluster, world: World, verdict: Verdict) -> Foundation | None:
    """Names and versions are well formed; return the Foundation when it is there."""
    own = cluster.spec.kubernetes
    if own.distribution:
        verdict.add(values.dns_label("spec.kubernetes.distribution", own.distribution))
    if own.version:
        verdict.add(values.kubernetes_version("spec.kubernetes.version", own.version))
    return named(verdict, world, cluster)


def _kubernetes(cluster: Cluster, world: World, verdict: Verdict) -> None:
    """Distribution, version and runtime, as far as the objects that they need are there."""
    foundation = _named_well(cluster, world, verdict)
    if cluster.spec.foundation_ref is not None and foundation is None:
        return
    chosen = choices(cluster, foundation)
    if not chosen.version.value:
        rule = "nothing says which Kubernetes to install; set it here, or refer to a Foundation that does"
        verdict.add(required("spec.kubernetes.version", rule))
    distribution = find(world.distributions, cluster.metadata.namespace, chosen.distribution.value)
    if distribution is not None:
        verdict.add(release_cause(chosen, distribution))
    verdict.add(runtime_cause(chosen, world.runtimes))
