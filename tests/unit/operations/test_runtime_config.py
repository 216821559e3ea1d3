"""containerd's and Docker's configuration: ours is set, what was found stays, and a second edit finds nothing to do."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from groundplane.operations import StepRefused, containerd, docker

WANTED = containerd.Wanted(systemd_cgroup=True, sandbox_image="k8s.gcr.io/pause:3.2", cni_bin="/opt/cni/bin")
CRI2 = "io.containerd.grpc.v1.cri"
DEBIAN = b"""
version = 2
[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    restrict_oom_score_adj = true
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
      conf_dir = "/etc/cni/net.d"
"""

_keys = st.text("abcdef_-.", min_size=1, max_size=6)
_values = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text("xyz /", max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=8,
)


def edited(found: bytes | None, *, major: int = 1, wanted: containerd.Wanted = WANTED) -> dict[str, Any]:
    text = containerd.edited(found, wanted, major=major)
    assert text is not None
    assert containerd.edited(text, wanted, major=major) is None
    return tomllib.loads(text.decode())


def test_debians_configuration_keeps_its_settings_and_gets_ours() -> None:
    cri = edited(DEBIAN)["plugins"][CRI2]
    assert cri["restrict_oom_score_adj"] is True
    assert cri["cni"] == {"bin_dir": "/opt/cni/bin", "conf_dir": "/etc/cni/net.d"}
    assert cri["sandbox_image"] == "k8s.gcr.io/pause:3.2"
    assert cri["containerd"]["runtimes"]["runc"] == {
        "runtime_type": "io.containerd.runc.v2",
        "options": {"SystemdCgroup": True},
    }


def test_the_package_of_docker_com_that_turns_cri_off_is_turned_on() -> None:
    config = edited(b'disabled_plugins = ["cri"]\n')
    assert config["disabled_plugins"] == []
    assert config["version"] == 2


def test_without_a_file_the_layout_follows_the_installed_version() -> None:
    assert edited(None)["version"] == 2
    config = edited(None, major=2)
    assert config["version"] == 3
    runtime = config["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is True
    images = config["plugins"]["io.containerd.cri.v1.images"]
    assert images["pinned_images"]["sandbox"] == "k8s.gcr.io/pause:3.2"


def test_a_version_2_file_stays_version_2_under_containerd_2() -> None:
    assert edited(DEBIAN, major=2)["version"] == 2


def test_without_a_pause_image_containerds_own_stays() -> None:
    wanted = containerd.Wanted(systemd_cgroup=False, sandbox_image="", cni_bin="/opt/cni/bin")
    assert "sandbox_image" not in edited(DEBIAN, wanted=wanted)["plugins"][CRI2]


@pytest.mark.parametrize("found", [b"version = ", b"\xff\xfe", b"[plugins.cri]\nx = 1\n", b"version = 4\n"])
def test_a_file_that_cannot_be_understood_is_refused_not_replaced(found: bytes) -> None:
    with pytest.raises(StepRefused, match=r"config\.toml"):
        containerd.edited(found, WANTED, major=1)


@given(extra=st.dictionaries(_keys.map(lambda key: f"x{key}"), _values, max_size=4))
def test_nothing_that_was_found_is_lost(extra: dict[str, Any]) -> None:
    found = tomli_w.dumps({"version": 2, **extra, "plugins": {CRI2: extra, "other": extra}}).encode()
    after = edited(found)
    assert all(after[key] == value for key, value in extra.items())
    assert after["plugins"]["other"] == extra
    assert all(after["plugins"][CRI2][key] == value for key, value in extra.items())


def test_docker_gets_the_driver_and_bounded_logs_and_keeps_the_rest() -> None:
    found = json.dumps(
        {"exec-opts": ["native.cgroupdriver=cgroupfs", "native.x=1"], "registry-mirrors": ["m"]}
    ).encode()
    text = docker.edited(found, driver="systemd")
    assert text is not None
    assert json.loads(text) == {
        "exec-opts": ["native.x=1", "native.cgroupdriver=systemd"],
        "registry-mirrors": ["m"],
        "log-driver": "json-file",
        "log-opts": {"max-size": "100m", "max-file": "3"},
    }
    assert docker.edited(text, driver="systemd") is None


def test_a_log_driver_that_was_chosen_stays() -> None:
    text = docker.edited(b'{"log-driver": "journald"}', driver="systemd")
    assert text is not None
    assert json.loads(text) == {"log-driver": "journald", "exec-opts": ["native.cgroupdriver=systemd"]}


@pytest.mark.parametrize("found", [b"{", b"[]"])
def test_a_daemon_json_that_cannot_be_understood_is_refused(found: bytes) -> None:
    with pytest.raises(StepRefused, match=r"daemon\.json"):
        docker.edited(found, driver="systemd")


@pytest.mark.parametrize(("major", "root"), [(1, CRI2), (2, "io.containerd.cri.v1.runtime")])
def test_handlers_get_an_entry_in_each_layout(major: int, root: str) -> None:
    wanted = replace(WANTED, handlers=["runc", "kata", "kata-qemu", "crun", "gvisor"])
    runtimes = edited(None, major=major, wanted=wanted)["plugins"][root]["containerd"]["runtimes"]
    assert runtimes["kata"] == {"runtime_type": "io.containerd.kata.v2", "privileged_without_host_devices": True}
    assert runtimes["kata-qemu"]["runtime_type"] == "io.containerd.kata-qemu.v2"
    assert runtimes["crun"]["options"] == {"BinaryName": "crun", "SystemdCgroup": True}
    assert runtimes["gvisor"] == {"runtime_type": "io.containerd.runsc.v1"}
    assert runtimes["runc"]["options"] == {"SystemdCgroup": True}


def test_a_handler_that_is_there_stays_as_it_is_and_an_unknown_one_is_refused() -> None:
    own = f'version = 2\n[plugins."{CRI2}".containerd.runtimes.own]\nruntime_type = "io.containerd.own.v1"\n'
    wanted = replace(WANTED, handlers=["runc", "own"])
    runtimes = edited(own.encode(), wanted=wanted)["plugins"][CRI2]["containerd"]["runtimes"]
    assert runtimes["own"] == {"runtime_type": "io.containerd.own.v1"}
    with pytest.raises(StepRefused, match="handler own"):
        containerd.edited(None, wanted, major=1)
