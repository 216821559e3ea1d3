"""What a switch of the runtime edits and asks, as data: kubelet's flags, calls of CNI plugins, messages of the CRI."""

from __future__ import annotations

import base64
import json
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.operations import StepRefused, cni, cri, kubelet_flags

DOCKER = (
    b'KUBELET_KUBEADM_ARGS="--cgroup-driver=systemd --network-plugin=cni --network-plugin-mtu=1450'
    b' --pod-infra-container-image=k8s.gcr.io/pause:3.2 --node-labels=a=b"\n'
)


def test_to_containerd_dockers_flags_go_and_the_others_stay() -> None:
    after = kubelet_flags.edited(DOCKER, "containerd", minor=20)
    assert after is not None
    assert kubelet_flags.parsed(after) == {
        "cgroup-driver": "systemd",
        "pod-infra-container-image": "k8s.gcr.io/pause:3.2",
        "node-labels": "a=b",
        "container-runtime": "remote",
        "container-runtime-endpoint": "unix:///run/containerd/containerd.sock",
    }
    assert kubelet_flags.edited(after, "containerd", minor=20) is None, "what is switched is not edited again"


def test_the_way_back_brings_dockers_own_flags_back() -> None:
    there = kubelet_flags.edited(DOCKER, "containerd", minor=20)
    back = kubelet_flags.edited(there, "docker", minor=20, former=DOCKER)
    assert kubelet_flags.parsed(back) == kubelet_flags.parsed(DOCKER)


def test_a_kubelet_of_1_27_has_no_flag_for_the_kind_of_runtime() -> None:
    flags = kubelet_flags.parsed(kubelet_flags.edited(DOCKER, "containerd", minor=27))
    assert "container-runtime" not in flags
    assert "container-runtime-endpoint" in flags


def test_a_kubelet_without_dockershim_is_not_put_on_docker() -> None:
    remote = kubelet_flags.edited(DOCKER, "containerd", minor=24)
    with pytest.raises(StepRefused, match="dockershim was removed"):
        kubelet_flags.edited(remote, "docker", minor=24)


def test_what_is_no_runtime_of_ours_is_told_apart() -> None:
    assert (
        kubelet_flags.runtime_of({"container-runtime": "remote", "container-runtime-endpoint": "/run/crio.sock"})
        is None
    )
    assert kubelet_flags.runtime_of({}) == "docker"
    assert kubelet_flags.elsewhere({"network-plugin": "cni", "v": "2"}, b"") == ["network-plugin"]
    assert kubelet_flags.elsewhere({"network-plugin": "cni"}, DOCKER) == []


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z-]{0,20}", fullmatch=True),
        st.text(alphabet="abcXYZ019.,:/=_-@", min_size=1, max_size=20),
        max_size=6,
    )
)
def test_any_other_flag_survives_both_ways(others: dict[str, str]) -> None:
    about = {"container-runtime", "container-runtime-endpoint", "image-service-endpoint", "docker", "docker-endpoint"}
    kept = {name: value for name, value in others.items() if name not in about}
    line = " ".join(f"--{name}={value}" for name, value in {**kept, "network-plugin": "cni"}.items())
    content = f"KUBELET_KUBEADM_ARGS={shlex.quote(line)}\n".encode()
    there = kubelet_flags.edited(content, "containerd", minor=20)
    back = kubelet_flags.edited(there, "docker", minor=20, former=content)
    for found in (there, back):
        assert kept.items() <= kubelet_flags.parsed(found).items()
    assert kubelet_flags.parsed(back) == kubelet_flags.parsed(content)


def test_other_lines_of_the_file_stay() -> None:
    after = kubelet_flags.edited(b"# mine\nOTHER=1\n" + DOCKER, "containerd", minor=20)
    assert (after or b"").startswith(b"# mine\nOTHER=1\nKUBELET_KUBEADM_ARGS=")


# --- CNI -----------------------------------------------------------------------------------------------------------


def _cached(**changed: Any) -> dict[str, Any]:
    config = {
        "cniVersion": "0.3.1",
        "name": "pods",
        "plugins": [{"type": "bridge", "bridge": "cni0"}, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }
    return {
        "kind": "cniCacheV1",
        "containerId": "abc",
        "ifName": "eth0",
        "config": base64.b64encode(json.dumps(config).encode()).decode(),
        "cniArgs": [["K8S_POD_NAME", "web"], ["IgnoreUnknown", "1"]],
        "capabilityArgs": {"portMappings": [{"hostPort": 80}]},
        "result": {"ips": [{"address": "10.244.1.5/24"}]},
    } | changed


def test_a_pods_network_is_given_back_the_last_plugin_first() -> None:
    portmap, bridge = cni.deletions(_cached(), netns="/proc/7/ns/net", folders="/opt/cni/bin")
    assert (portmap.plugin, bridge.plugin) == ("portmap", "bridge")
    assert dict(bridge.environment) == {
        "CNI_COMMAND": "DEL",
        "CNI_CONTAINERID": "abc",
        "CNI_NETNS": "/proc/7/ns/net",
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": "K8S_POD_NAME=web;IgnoreUnknown=1",
        "CNI_PATH": "/opt/cni/bin",
    }
    given = json.loads(portmap.config)
    assert given["runtimeConfig"] == {"portMappings": [{"hostPort": 80}]}
    assert given["prevResult"] == {"ips": [{"address": "10.244.1.5/24"}]}
    assert (given["name"], given["cniVersion"]) == ("pods", "0.3.1")
    assert "runtimeConfig" not in json.loads(bridge.config)


def test_a_single_plugin_without_a_list_is_given_back_too() -> None:
    config = base64.b64encode(json.dumps({"cniVersion": "0.3.1", "name": "one", "type": "macvlan"}).encode()).decode()
    (call,) = cni.deletions(_cached(config=config, cniArgs=None, result=None), netns="", folders="/opt/cni/bin")
    assert call.plugin == "macvlan"
    assert "prevResult" not in json.loads(call.config)
    assert call.environment["CNI_ARGS"] == ""


# --- protobuf ------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 40), st.binary(max_size=300)), max_size=8))
def test_what_is_written_as_protobuf_is_read_back(values: list[tuple[int, bytes]]) -> None:
    content = b"".join(cri.message(number, value) for number, value in values)
    assert list(cri.fields(content)) == values


def test_integers_and_fixed_fields_are_read() -> None:
    # Field 1 is the varint 300, 2 a fixed64, 3 a fixed32: protobuf.dev/programming-guides/encoding
    content = bytes([0x08, 0xAC, 0x02]) + bytes([0x11]) + b"12345678" + bytes([0x1D]) + b"1234"
    assert list(cri.fields(content)) == [(1, 300), (2, b"12345678"), (3, b"1234")]
