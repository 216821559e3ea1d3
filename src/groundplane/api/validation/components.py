"""Arguments and configuration of Kubernetes components that Groundplane must own, and where to say them instead.

A value given in `spec.components` wins over Groundplane's own, except where two places would then disagree about
which files, addresses or networks the cluster has: those are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..cause import Cause, forbidden, shown
from ..cluster import Components
from . import values

_FILES = "Groundplane and kubeadm keep this file"
_CERTIFICATES = "kubeadm makes and renews the certificates"
_SERVICE = "set spec.network.serviceCIDR"
_POD = "set spec.network.podCIDR"
_RUNTIME = "set spec.runtime"
_DOMAIN = "set spec.network.dnsDomain"
_ETCD = "kubeadm sets where etcd members listen and meet"

ARGS: dict[str, dict[str, str]] = {
    "kubelet": {
        "config": _FILES,
        "kubeconfig": _FILES,
        "bootstrap-kubeconfig": _FILES,
        "container-runtime": _RUNTIME,
        "container-runtime-endpoint": _RUNTIME,
        "cgroup-driver": "it follows the runtime, or pods would not start",
        "hostname-override": "the Machine's name is the Node's name",
        "cluster-dns": _SERVICE,
        "cluster-domain": _DOMAIN,
        "pod-manifest-path": _FILES,
        "cert-dir": _CERTIFICATES,
        "node-ip": "set spec.address of the Machine",
        "network-plugin": "set spec.network.plugin",
    },
    "apiServer": {
        "service-cluster-ip-range": _SERVICE,
        "advertise-address": "set spec.address of the Machine",
        "secure-port": "set spec.controlPlane.endpoint.port",
        "etcd-servers": _ETCD,
        "etcd-cafile": _CERTIFICATES,
        "etcd-certfile": _CERTIFICATES,
        "etcd-keyfile": _CERTIFICATES,
        "client-ca-file": _CERTIFICATES,
        "tls-cert-file": _CERTIFICATES,
        "tls-private-key-file": _CERTIFICATES,
        "kubelet-client-certificate": _CERTIFICATES,
        "kubelet-client-key": _CERTIFICATES,
        "service-account-key-file": _CERTIFICATES,
        "service-account-signing-key-file": _CERTIFICATES,
    },
    "controllerManager": {
        "cluster-cidr": _POD,
        "service-cluster-ip-range": _SERVICE,
        "allocate-node-cidrs": "the pod network needs a part of podCIDR for each node",
        "kubeconfig": _FILES,
        "client-ca-file": _CERTIFICATES,
        "root-ca-file": _CERTIFICATES,
        "cluster-signing-cert-file": _CERTIFICATES,
        "cluster-signing-key-file": _CERTIFICATES,
        "service-account-private-key-file": _CERTIFICATES,
    },
    "scheduler": {"kubeconfig": _FILES},
    "etcd": {
        "name": _ETCD,
        "data-dir": "Groundplane looks for its data in /var/lib/etcd before it changes a machine",
        "listen-client-urls": _ETCD,
        "listen-peer-urls": _ETCD,
        "advertise-client-urls": _ETCD,
        "initial-advertise-peer-urls": _ETCD,
        "initial-cluster": _ETCD,
        "initial-cluster-state": _ETCD,
        "cert-file": _CERTIFICATES,
        "key-file": _CERTIFICATES,
        "trusted-ca-file": _CERTIFICATES,
        "peer-cert-file": _CERTIFICATES,
        "peer-key-file": _CERTIFICATES,
        "peer-trusted-ca-file": _CERTIFICATES,
    },
}
CONFIG: dict[str, dict[str, str]] = {
    "kubelet": {
        "apiVersion": _FILES,
        "kind": _FILES,
        "cgroupDriver": "it follows the runtime, or pods would not start",
        "clusterDNS": _SERVICE,
        "clusterDomain": _DOMAIN,
        "containerRuntimeEndpoint": _RUNTIME,
        "staticPodPath": _FILES,
    },
    "kubeProxy": {
        "apiVersion": _FILES,
        "kind": _FILES,
        "clusterCIDR": _POD,
        "clientConnection": _FILES,
        "hostnameOverride": "the Machine's name is the Node's name",
    },
}


def component_causes(components: Components) -> list[Cause]:
    """Flags are well formed, and neither flags nor fields are those that Groundplane must own."""
    args: dict[str, Mapping[str, str]] = {
        "kubelet": components.kubelet.args,
        "apiServer": components.api_server.args,
        "controllerManager": components.controller_manager.args,
        "scheduler": components.scheduler.args,
        "etcd": components.etcd.args,
    }
    config: dict[str, Mapping[str, Any]] = {
        "kubelet": components.kubelet.config,
        "kubeProxy": components.kube_proxy.config,
    }
    causes = []
    for name, given in args.items():
        path = f"spec.components.{name}.args"
        causes += [c for flag in given if (c := values.flag(f"{path}[{flag}]", flag))]
        causes += _owned(path, given, ARGS[name])
    for name, fields in config.items():
        causes += _owned(f"spec.components.{name}.config", fields, CONFIG[name])
    return causes


def _owned(path: str, given: Mapping[str, Any], owned: Mapping[str, str]) -> list[Cause]:
    return [
        forbidden(f"{path}[{name}]", value, f"{name}={shown(value)} is Groundplane's to set: {owned[name]}")
        for name, value in given.items()
        if name in owned
    ]
