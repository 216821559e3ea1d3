"""The documents that kubeadm reads, made from a ClusterTarget. Pure: same input, same text.

Overrides of the Cluster win over Groundplane's own values; nested maps are merged. The image repository is left to
kubeadm, so that the references are those that the release's images carry. In v1beta4 extra arguments are lists of
name and value; before, maps.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from groundplane.api.machine import Machine
from groundplane.api.target import ClusterTarget
from groundplane.plan.view import api_port, cgroup_driver

from .versions import Format, cri_socket, format_of

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Token:
    """A bootstrap token and how long it lives (a Go duration). Secret: `repr` leaves the value out."""

    value: str
    ttl: str = "30m0s"

    def __repr__(self) -> str:
        return f"Token(ttl={self.ttl!r})"


@dataclass(frozen=True, slots=True)
class Join:
    """What a machine needs to join: the file that `discovery_document` gave, a token to introduce itself with, and
    for control planes the key of the certificates. Token and key are secret: `repr` leaves them out.
    """

    token: Token
    discovery: str
    certificate_key: str = field(default="", repr=False)


def render(documents: Sequence[Document]) -> bytes:
    """Write documents as one YAML stream."""
    return yaml.safe_dump_all(documents, sort_keys=False).encode()


def init_documents(
    target: ClusterTarget, machine: Machine, *, token: Token, ignore: Sequence[str] = (), certificate_key: str = ""
) -> list[Document]:
    """Return the four documents of `kubeadm init` on `machine`."""
    form = format_of(target.version)
    init: Document = {
        "apiVersion": f"kubeadm.k8s.io/{form}",
        "kind": "InitConfiguration",
        "bootstrapTokens": [_bootstrap_token(token)],
        "localAPIEndpoint": {"advertiseAddress": machine.spec.address, "bindPort": api_port(target)},
        "nodeRegistration": _registration(target, machine, form, ignore),
    }
    if certificate_key:
        init["certificateKey"] = certificate_key
    return [init, _cluster(target, machine, form), _kubelet(target), _kube_proxy(target)]


def discovery_document(target: ClusterTarget, authority: bytes) -> Document:
    """Return the kubeconfig by which a joining machine knows the cluster: its address and its CA, no credentials.

    The CA came over SSH from the first control plane, so nothing has to be trusted on first use, and nobody waits for
    the controller manager to sign a ConfigMap, as with discovery by token.
    """
    cluster = {
        "server": f"https://{target.endpoint.host}:{target.endpoint.port}",
        "certificate-authority-data": base64.b64encode(authority).decode(),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        # kubeadm takes an unnamed cluster, as in the ConfigMap kube-public/cluster-info; a context would need a user.
        "clusters": [{"name": "", "cluster": cluster}],
    }


def join_documents(
    target: ClusterTarget, machine: Machine, join: Join, *, ignore: Sequence[str] = ()
) -> list[Document]:
    """Return the document of `kubeadm join` on `machine`; a control plane when the target says so."""
    form = format_of(target.version)
    document: Document = {
        "apiVersion": f"kubeadm.k8s.io/{form}",
        "kind": "JoinConfiguration",
        "discovery": {"file": {"kubeConfigPath": join.discovery}, "tlsBootstrapToken": join.token.value},
        "nodeRegistration": _registration(target, machine, form, ignore),
    }
    if machine.metadata.name in target.control_planes:
        document["controlPlane"] = {
            "localAPIEndpoint": {"advertiseAddress": machine.spec.address, "bindPort": api_port(target)},
            "certificateKey": join.certificate_key,
        }
    return [document]


def clean_ignores(target: ClusterTarget, extra: Sequence[str] = ()) -> list[str]:
    """Return the preflight errors to ignore: those of the Cluster, what its settings imply, and `extra`; each once."""
    implied = ["Swap"] if target.settings.swap == "Ignored" else []
    return sorted({*target.kubeadm.ignore_preflight_errors, *implied, *extra})


def _bootstrap_token(token: Token) -> Document:
    return {
        "token": token.value,
        "ttl": token.ttl,
        "description": "used once by groundplane",
        "usages": ["signing", "authentication"],
        "groups": ["system:bootstrappers:kubeadm:default-node-token"],
    }


def _registration(target: ClusterTarget, machine: Machine, form: Format, ignore: Sequence[str]) -> Document:
    args = {"node-ip": machine.spec.address, **target.components.kubelet.args}
    registration: Document = {
        "name": machine.metadata.name,
        "criSocket": cri_socket(target.runtime.name, target.version),
        "kubeletExtraArgs": _args(args, form),
        "ignorePreflightErrors": clean_ignores(target, ignore),
    }
    if form != "v1beta2":
        registration["imagePullPolicy"] = "IfNotPresent"
    return registration


def _cluster(target: ClusterTarget, machine: Machine, form: Format) -> Document:
    parts = target.components
    document: Document = {
        "apiVersion": f"kubeadm.k8s.io/{form}",
        "kind": "ClusterConfiguration",
        "clusterName": target.name,
        "kubernetesVersion": target.version,
        "controlPlaneEndpoint": f"{target.endpoint.host}:{target.endpoint.port}",
        "networking": {
            "podSubnet": target.network.pod_cidr,
            "serviceSubnet": target.network.service_cidr,
            "dnsDomain": target.network.dns_domain,
        },
        "apiServer": {
            **_extra(parts.api_server.args, form),
            "certSANs": _names(target, machine),
        },
        "controllerManager": _extra(parts.controller_manager.args, form),
        "scheduler": _extra(parts.scheduler.args, form),
        "etcd": {"local": {"dataDir": "/var/lib/etcd", **_extra(parts.etcd.args, form)}},
    }
    if form == "v1beta2":
        document["dns"] = {"type": "CoreDNS"}
    return document


def _names(target: ClusterTarget, machine: Machine) -> list[str]:
    return list(dict.fromkeys([target.endpoint.host, machine.spec.address, machine.metadata.name]))


def _kubelet(target: ClusterTarget) -> Document:
    own: Document = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": cgroup_driver(target),
    }
    if target.settings.swap == "Ignored":
        own["failSwapOn"] = False
    return _merged(own, target.components.kubelet.config)


def _kube_proxy(target: ClusterTarget) -> Document:
    own: Document = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clusterCIDR": target.network.pod_cidr,
    }
    return _merged(own, target.components.kube_proxy.config)


def _extra(args: Mapping[str, str], form: Format) -> Document:
    return {"extraArgs": _args(args, form)} if args else {}


def _args(args: Mapping[str, str], form: Format) -> object:
    if form == "v1beta4":
        return [{"name": name, "value": value} for name, value in sorted(args.items())]
    return dict(sorted(args.items()))


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> Document:
    """Return `base` with `over` laid on top; maps are merged, everything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
    return result
