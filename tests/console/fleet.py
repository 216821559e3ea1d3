"""Objects as a fleet has them, with what controllers would have written."""

from __future__ import annotations

from typing import Any

import yaml

from groundplane.api.examples import EXAMPLES

NOW = "2026-11-20T10:00:00Z"
HOSTILE = "<img src=x onerror=\"document.title='hacked'\"> & 'quoted'"


def condition(name: str, status: str = "True", message: str = "") -> dict[str, Any]:
    return {"type": name, "status": status, "reason": "AsSeen", "message": message, "lastTransitionTime": NOW}


def cluster(name: str, **status: Any) -> dict[str, Any]:
    """A made cluster of two nodes that differs from its Foundation by its runtime."""
    stack = {
        "osImage": "Debian GNU/Linux 12", "kernel": "6.1.0-25-amd64", "kubelet": "v1.20.2",
        "runtime": "docker://20.10.24", "count": 1,
    }  # fmt: skip
    first, second = {**stack, "ready": 1, "nodes": [f"{name}-1"]}, {**stack, "nodes": [f"{name}-2"]}
    drift = {
        "dimension": "Runtime", "found": "docker", "wanted": "containerd", "severity": "High", "state": "Drift",
        "nodes": {"count": 1, "names": [f"{name}-1"]},
        "remedy": {"action": "MigrateRuntime", "text": "migrate to containerd"},
    }  # fmt: skip
    finding = {
        "type": "EndOfLife", "subject": "Kubernetes v1.20.2", "message": "Kubernetes v1.20 ended on 2022-02-28",
        "severity": "High", "nodes": {"count": 1, "names": [f"{name}-1"]},
        "remedy": {"action": "UpgradeKubernetes", "text": "upgrade"},
    }  # fmt: skip
    return {
        "kind": "Cluster",
        "metadata": {"name": name},
        "spec": {"provider": "Imported", "kubeconfigRef": {"name": f"{name}-kubeconfig"}},
        "status": {
            "phase": "Ready", "version": "v1.20.2", "distribution": "native", "runtime": "docker", "readyNodes": 1,
            "conditions": [condition("Ready", message="all is well")],
            "facts": {
                "observedAt": NOW, "reachable": True, "stacks": [first, second],
            },
            "assessment": {
                "factsAt": NOW, "summary": "differs in 1 dimension", "drifting": "Runtime", "risks": "1 high",
                "drift": [drift], "findings": [finding], "uniformity": {"nodes": 2},
            },
            **status,
        },
    }  # fmt: skip


def made(name: str, **status: Any) -> dict[str, Any]:
    """A cluster on machines of ours, on Docker, that its Foundation wants on containerd."""
    found = cluster(name, **status)
    found["spec"] = {
        "provider": "Machines",
        "foundationRef": {"name": "production"},
        "runtime": {"name": "docker"},
        "kubernetes": {"version": "v1.20.2"},
    }
    return found


def distribution(name: str) -> dict[str, Any]:
    """Two releases, of which one has ended."""
    source = {"type": "HTTP", "url": "https://198.18.0.9/releases"}
    releases = [
        {"version": "v1.20.2", "endOfLife": "2022-02-28"},
        {"version": "v1.24.0", "endOfLife": "2099-12-31"},
    ]
    spec = {"vendor": "native", "description": "plain builds", "sources": [source], "releases": releases}
    return {"kind": "Distribution", "metadata": {"name": name}, "spec": spec}


def machine(name: str, address: str) -> dict[str, Any]:
    return {
        "kind": "Machine",
        "metadata": {"name": name},
        "spec": {"address": address, "ssh": {"secretRef": {"name": "key"}}},
        "status": {
            "conditions": [condition("Ready", message="it answers")],
            "facts": {
                "observedAt": NOW, "cpus": 8, "memory": 32 * 2**30,
                "os": {"prettyName": "Debian GNU/Linux 12"}, "kernel": {"release": "6.1.0-25-amd64"},
            },
        },
    }  # fmt: skip


def foundation(name: str) -> dict[str, Any]:
    share = {"uniform": 1, "exceptions": 0, "unknown": 0, "nodes": 4}
    dimensions = [{"dimension": each, **share} for each in ("OperatingSystem", "Kernel", "Version", "Runtime")]
    return {
        "kind": "Foundation",
        "metadata": {"name": name},
        "spec": {"kubernetes": {"version": "v1.20.2"}},
        "status": {
            "clusters": 2, "drifting": 1,
            "uniformity": {"nodes": 4, "uniform": 1, "percent": "25.0%", "stacks": 2, "dimensions": dimensions},
        },
    }  # fmt: skip


def operation(name: str, cluster_name: str, **status: Any) -> dict[str, Any]:
    """The Operation of the documentation, for a cluster of ours."""
    made: dict[str, Any] = yaml.safe_load(EXAMPLES["Operation"])
    made.pop("apiVersion")
    made["metadata"] = {"name": name}
    made["spec"]["clusterRef"]["name"] = cluster_name
    made["spec"]["approval"] = "Pending"
    steps = [{"name": step["name"], "state": "Pending"} for step in made["spec"]["plan"]["steps"]]
    made["status"] = {"phase": "AwaitingApproval", "progress": f"0/{len(steps)}", "steps": steps, **status}
    return made
