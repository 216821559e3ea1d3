"""Facts of the kubelet and of what kubeadm left on the machine."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

import msgspec

from groundplane.api.facts import KubeadmFacts, KubeletFacts

from .sections import Sections, Units, pairs

_ENGINES = {"containerd": "containerd", "crio": "crio", "dockershim": "docker", "cri-dockerd": "docker"}


def kubelet_facts(sections: Sections, units: Units, hostname: str) -> KubeletFacts:
    """Return the facts of the kubelet; flags of the running process count over those in kubeadm's file."""
    version = _kubernetes_version(sections.get("kubelet-version", ()))
    arguments = pairs(sections.get("kubelet-flags-file", ())).get("KUBELET_KUBEADM_ARGS", "").strip("\"'")
    flags = _flags(_split(arguments)) | _flags(list(sections.get("kubelet-command", ()))[1:])
    config = _yaml_values(sections.get("kubelet-config", ()))
    instance = _yaml_values(sections.get("kubelet-instance-config", ()))
    endpoint = (
        flags.get("container-runtime-endpoint")
        or instance.get("containerRuntimeEndpoint")
        or config.get("containerRuntimeEndpoint", "")
    )
    joined = "kubelet-conf" in pairs(sections.get("kubeadm", ()))
    return KubeletFacts(
        installed=bool(version),
        version=version,
        active=units.active("kubelet"),
        enabled=units.enabled("kubelet"),
        flags=flags,
        cgroup_driver=config.get("cgroupDriver") or flags.get("cgroup-driver", ""),
        runtime=_runtime(endpoint, flags, version) if joined else "",
        node_name=(flags.get("hostname-override") or hostname.lower()) if joined else "",
    )


def kubeadm_facts(sections: Sections) -> KubeadmFacts:
    """Return what kubeadm and Groundplane left on the machine."""
    lines = sections.get("kubeadm", ())
    found = pairs(lines)
    pods = [line.partition("=")[2].rpartition(".")[0] for line in lines if line.startswith("static-pod=")]
    return KubeadmFacts(
        installed_version=_kubernetes_version(sections.get("kubeadm-version", ())),
        joined="kubelet-conf" in found,
        server=found.get("server", "").strip("\"'"),
        ca_hash=found.get("ca-hash", ""),
        static_pods=sorted(pod for pod in pods if pod),
        admin_conf="admin-conf" in found,
        etcd_data="etcd-data" in found or "etcd-data" in pairs(sections.get("seen", ())),
        owner=_owner(sections.get("owner", ())),
        unfinished=_unfinished(sections.get("kubeadm-note", ())),
    )


def _kubernetes_version(lines: Sequence[str]) -> str:
    match = re.search(r"(?:^|\s)v(\d+\.\d+\.\d+\S*)", lines[0]) if lines else None
    return match.group(1) if match else ""


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        # An unclosed quote: the kubelet would not read it either.
        return text.split()


def _flags(words: Sequence[str]) -> dict[str, str]:
    """Return --name=value and --name value as name: value, without anything that could be a secret."""
    flags: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            continue
        name, equals, value = word[2:].partition("=")
        if not equals:
            value = rest.pop(0) if rest and not rest[0].startswith("-") else "true"
        if name and not re.search(r"token|password|secret", name, re.IGNORECASE):
            flags[name] = value
    return flags


def _yaml_values(lines: Sequence[str]) -> dict[str, str]:
    found = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            found[name.strip()] = value.strip().strip("\"'")
    return found


def _runtime(endpoint: str, flags: dict[str, str], version: str) -> str:
    if endpoint:
        return next((engine for part, engine in _ENGINES.items() if part in endpoint), endpoint)
    # Without an endpoint a kubelet before 1.24 spoke to Docker itself (dockershim, removed in 1.24).
    minor = re.match(r"1\.(\d+)\.", version)
    old = minor is not None and int(minor.group(1)) < 24
    return "docker" if old and flags.get("container-runtime", "docker") == "docker" else ""


def _owner(lines: Sequence[str]) -> str:
    owner = _document(lines).get("owner")
    return owner if isinstance(owner, str) else ""


def _unfinished(lines: Sequence[str]) -> bool:
    """Tell whether the note of init and join says that one was begun and has not ended."""
    note = _document(lines)
    return bool(note.get("verb")) and not note.get("ended")


def _document(lines: Sequence[str]) -> dict[str, Any]:
    """Return what is in a file of JSON; {} when that cannot be read."""
    try:
        document = msgspec.json.decode("\n".join(lines))
    except msgspec.DecodeError:
        return {}
    return document if isinstance(document, dict) else {}
