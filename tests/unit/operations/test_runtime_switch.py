"""What a switch of the runtime edits and asks, as data: kubelet's flags, calls of CNI plugins, messages of the CRI."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.hosts.errors import HostTimeout
from groundplane.operations import StepRefused, cni, cri, kubelet_flags

from .here import Here
from .scopes_here import Nodes, scope_of

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


def test_a_value_behind_its_flag_and_a_flag_that_is_given_twice_stay() -> None:
    flags = (
        b'KUBELET_KUBEADM_ARGS="--register-with-taints=a=b:NoSchedule --network-plugin cni --node-ip 192.0.2.1'
        b' --register-with-taints=c=d:NoSchedule --v=4"\n'
    )
    assert kubelet_flags.parsed(flags)["network-plugin"] == "cni"
    assert kubelet_flags.parsed(flags)["node-ip"] == "192.0.2.1"
    assert kubelet_flags.edited(flags, "containerd", minor=20) == (
        b'KUBELET_KUBEADM_ARGS="--register-with-taints=a=b:NoSchedule --node-ip=192.0.2.1'
        b" --register-with-taints=c=d:NoSchedule --v=4 --container-runtime=remote"
        b' --container-runtime-endpoint=unix:///run/containerd/containerd.sock"\n'
    )


def test_flags_that_the_new_kubelet_refuses_go_and_the_rest_stays() -> None:
    flags = (
        b'FOO="x y"\nKUBELET_KUBEADM_ARGS="--network-plugin cni --node-ip=192.0.2.1 --docker-endpoint=unix:///x'
        b' --container-runtime=remote --node-labels=a=b --node-labels=c=d"\n'
    )
    assert kubelet_flags.without_removed(flags, 23) is None
    rest = b"--node-labels=a=b --node-labels=c=d"
    assert kubelet_flags.without_removed(flags, 24) == (
        b'FOO="x y"\nKUBELET_KUBEADM_ARGS="--node-ip=192.0.2.1 --container-runtime=remote ' + rest + b'"\n'
    )
    last = kubelet_flags.without_removed(flags, 27)
    assert last == b'FOO="x y"\nKUBELET_KUBEADM_ARGS="--node-ip=192.0.2.1 ' + rest + b'"\n'
    assert kubelet_flags.without_removed(last, 27) is None


@given(st.lists(st.text(alphabet="aZ0 \"'\\{}:,=$", min_size=1, max_size=12), max_size=4))
def test_a_value_that_needs_quotes_survives(values: list[str]) -> None:
    # As systemd reads the file: the value without its outer quotes, then split into words that may be quoted.
    words = " ".join(shlex.quote(f"--x={value}") for value in values)
    escaped = words.replace("\\", "\\\\").replace('"', '\\"')
    after = kubelet_flags.edited(f'KUBELET_KUBEADM_ARGS="{escaped}"\n'.encode(), "containerd", minor=27) or b""
    (line,) = after.decode().splitlines()
    found = shlex.split(shlex.split(line.partition("=")[2])[0])
    assert found[:-1] == [f"--x={value}" for value in values]


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


async def test_a_plugin_that_does_not_answer_keeps_no_other_pod_from_giving_its_network_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cni, "_CACHES", (str(tmp_path),))
    for name in ("first", "second"):
        (tmp_path / name).write_text(json.dumps(_cached(containerId=name)))

    def plugin(argv: Sequence[str]) -> str:
        if "CNI_CONTAINERID=first" in argv:
            raise HostTimeout("cannot run portmap on here: no answer in 60 s")
        return ""

    host = Here({"env": plugin})
    await cni.give_back(scope_of(host, Nodes({})), {"first": "", "second": ""}, folders="/opt/cni/bin")
    assert [one.name for one in tmp_path.iterdir()] == ["first"], "what was not given back is not forgotten"
    assert len([line for line in host.ran if line.startswith("env")]) == 4


# --- protobuf ------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 40), st.binary(max_size=300)), max_size=8))
def test_what_is_written_as_protobuf_is_read_back(values: list[tuple[int, bytes]]) -> None:
    content = b"".join(cri.message(number, value) for number, value in values)
    assert list(cri.fields(content)) == values


def test_integers_and_fixed_fields_are_read() -> None:
    # Field 1 is the varint 300, 2 a fixed64, 3 a fixed32: protobuf.dev/programming-guides/encoding
    content = bytes([0x08, 0xAC, 0x02]) + bytes([0x11]) + b"12345678" + bytes([0x1D]) + b"1234"
    assert list(cri.fields(content)) == [(1, 300), (2, b"12345678"), (3, b"1234")]
