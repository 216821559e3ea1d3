"""A target with every field set that reaches kubeadm, and its machines."""

from __future__ import annotations

from typing import Any

import msgspec

from groundplane.api.cluster import Cluster
from groundplane.api.distribution import Distribution
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.target import ClusterTarget, resolve

PAUSE = "registry.k8s.io/pause:3.9"

SPEC: dict[str, Any] = {
    "kubernetes": {"distribution": "native"},
    "runtime": {"name": "containerd"},
    "settings": {"swap": "Ignored"},
    "network": {"podCIDR": "10.244.0.0/16", "serviceCIDR": "10.96.0.0/16", "dnsDomain": "shop.local"},
    "controlPlane": {"endpoint": {"host": "api.shop.example", "port": 443, "provider": "External"}},
    "components": {
        "kubelet": {"args": {"v": "4"}, "config": {"maxPods": 64, "evictionHard": {"memory.available": "200Mi"}}},
        "kubeProxy": {"config": {"conntrack": {"maxPerCore": 0}, "mode": "ipvs"}},
        "apiServer": {"args": {"audit-log-maxage": "7"}},
        "controllerManager": {"args": {"node-monitor-period": "3s"}},
        "scheduler": {"args": {"v": "3"}},
        "etcd": {"args": {"quota-backend-bytes": "4294967296"}},
    },
    "kubeadm": {"ignorePreflightErrors": ["NumCPU"]},
}


def machine(name: str, address: str, role: str, **spec: Any) -> Machine:
    return msgspec.convert({"metadata": {"name": name}, "spec": {"address": address, "role": role, **spec}}, Machine)


MACHINES = {
    "shop-1": machine("shop-1", "192.0.2.11", "ControlPlane"),
    "shop-2": machine("shop-2", "192.0.2.12", "ControlPlane"),
    "shop-3": machine("shop-3", "192.0.2.13", "Worker"),
}


def target(version: str, **spec: Any) -> ClusterTarget:
    """The full target in one version; `spec` replaces fields of the Cluster's spec."""
    wanted = SPEC | spec | {"kubernetes": {"distribution": "native", "version": version}}
    cluster = msgspec.convert({"metadata": {"name": "shop", "namespace": "default"}, "spec": wanted}, Cluster)
    pause = {"name": "pause", "type": "Image", "path": "pause.tar", "sha256": "0" * 64, "image": PAUSE}
    release = {"version": version, "artifacts": [pause]}
    distribution = msgspec.convert({"metadata": {"name": "native"}, "spec": {"releases": [release]}}, Distribution)
    return resolve(cluster, Foundation(), distribution, list(MACHINES.values()))
