"""The facts of a machine: what the script prints on real machines, and what the parser makes of it and of garbage."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplane.api.facts import ListenFacts, MachineFacts, VirtualIPFacts, sysctl_surveyed
from groundplane.hosts.errors import SurveyIncomplete
from groundplane.hosts.facts import parse
from groundplane.hosts.facts.sections import split

SCRIPT = Path(__file__).parents[3] / "src/groundplane/hosts/facts/survey.sh"
DATA = Path(__file__).parents[2] / "data/facts"
CAPTURED = sorted(path.name for path in DATA.glob("captured-*.txt"))


def facts_of(output: bytes) -> MachineFacts:
    return parse(split(output), observed_at="2026-11-22T00:00:00Z", offset_seconds=0.0)


def captured(name: str) -> MachineFacts:
    return facts_of((DATA / name).read_bytes())


def written(**sections: str) -> MachineFacts:
    """Facts of an output with only these sections, whose lines are given as the machine's programs print them."""
    text = "".join(
        f"\n@@ {name.replace('_', '-')}\n" + "".join(f" {line}\n" for line in body.splitlines())
        for name, body in sections.items()
    )
    return facts_of(f"{text}\n@@ end\n".encode())


@pytest.mark.parametrize("shell", [["dash"], ["bash", "--posix"], ["busybox", "sh"]], ids=lambda shell: shell[0])
def test_the_script_runs_whole_in_every_shell(shell: list[str]) -> None:
    done = subprocess.run([*shell, str(SCRIPT)], capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    assert b"tcp_fastopen_key" not in done.stdout
    facts = facts_of(done.stdout)
    assert facts.memory > 0
    assert "net.ipv4.ip_forward" in facts.kernel.sysctls
    assert {disk.path for disk in facts.disks} >= {"/", "/var"}
    assert all(disk.total > disk.available > 0 for disk in facts.disks)
    same = {(disk.device, os.stat(disk.path).st_dev) for disk in facts.disks}
    assert len(same) == len({device for device, _ in same}) == len({device for _, device in same})


def test_the_script_runs_whole_where_no_tool_is_installed(tmp_path: Path) -> None:
    done = subprocess.run(["/bin/dash", str(SCRIPT)], capture_output=True, check=True, env={"PATH": str(tmp_path)})
    assert facts_of(done.stdout).commands == []


def test_a_fresh_machine_has_runtimes_that_are_off_and_no_kubernetes() -> None:
    facts = captured("captured-lab-fresh.txt")
    assert (facts.os.id, facts.os.version_id, facts.os.architecture) == ("debian", "12", "amd64")
    assert facts.systemd
    assert facts.kernel.cgroup_version == 1
    assert facts.kernel.config["CONFIG_BPF"] == "y"
    assert facts.kernel.config_source == "/proc/config.gz"
    assert {runtime.name: runtime.version for runtime in facts.runtimes} == {
        "docker": "20.10.24+dfsg1",
        "containerd": "1.6.20~ds1",
    }
    assert not any(runtime.active or runtime.enabled for runtime in facts.runtimes)
    assert facts.runtime("containerd").cri_enabled
    assert not facts.kubelet.installed
    assert not facts.kubeadm.joined
    assert ListenFacts(port=22, protocol="tcp", address="0.0.0.0", process="sshd") in facts.listening
    assert facts.network.addresses == ["198.18.7.11/24"]


def test_a_control_plane_on_containerd_shows_what_it_is() -> None:
    facts = captured("captured-lab-containerd-control-plane.txt")
    containerd = facts.runtime("containerd")
    assert (containerd.active, containerd.enabled, containerd.cri_enabled) == (True, True, True)
    assert containerd.socket == "/run/containerd/containerd.sock"
    assert containerd.cgroup_driver == "systemd"
    assert containerd.sandbox_image == "k8s.gcr.io/pause:3.2"
    assert "k8s.gcr.io/kube-apiserver:v1.20.2" in containerd.images
    assert (facts.kubelet.version, facts.kubelet.active, facts.kubelet.enabled) == ("1.20.2", True, True)
    assert facts.kubelet.runtime == "containerd"
    assert facts.kubelet.cgroup_driver == "systemd"
    assert facts.kubelet.node_name == "hostx-1"
    kubeadm = facts.kubeadm
    assert (kubeadm.installed_version, kubeadm.joined, kubeadm.admin_conf, kubeadm.etcd_data) == (
        "1.20.2",
        True,
        True,
        True,
    )
    assert kubeadm.server == "https://198.18.7.11:6443"
    assert len(kubeadm.ca_hash) == 64
    assert kubeadm.static_pods == ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]
    assert kubeadm.owner == "default/shop"
    assert ListenFacts(port=6443, protocol="tcp", address="*", process="kube-apiserver") in facts.listening


def test_docker_shows_its_cgroup_driver_and_images() -> None:
    docker = captured("captured-lab-docker.txt").runtime("docker")
    assert (docker.active, docker.socket, docker.cgroup_driver) == (True, "/run/docker.sock", "cgroupfs")
    assert docker.images == ["k8s.gcr.io/pause:3.2"]


@pytest.mark.parametrize("name", CAPTURED)
def test_no_secret_is_in_what_the_script_prints(name: str) -> None:
    output = (DATA / name).read_text()
    for secret in ("PRIVATE KEY", "client-key-data", "certificate-authority-data", "token", "BEGIN CERTIFICATE"):
        assert secret not in output


def test_swap_is_the_sum_of_its_devices() -> None:
    swaps = "Filename Type Size Used Priority\n/dev/sda2 partition 1048572 0 -2\n/swap file 1024 0 -3\n"
    assert written(swaps=swaps).swap == (1048572 + 1024) * 1024


@pytest.mark.parametrize(
    ("mounts", "version"),
    [
        ("type=cgroup2fs\n/sys/fs/cgroup cgroup2\n", 2),
        ("type=tmpfs\n/sys/fs/cgroup tmpfs\n/sys/fs/cgroup/cpu cgroup\n", 1),
        ("type=tmpfs\n/sys/fs/cgroup tmpfs\n/sys/fs/cgroup/unified cgroup2\n/sys/fs/cgroup/cpu cgroup\n", 1),
        ("", 0),
    ],
)
def test_the_cgroup_version_is_that_of_the_controllers(mounts: str, version: int) -> None:
    assert written(cgroup=mounts).kernel.cgroup_version == version


@pytest.mark.parametrize(
    ("config", "enabled"),
    [
        ('disabled_plugins = ["cri"]', False),
        ("disabled_plugins = ['io.containerd.grpc.v1.cri']", False),
        ('disabled_plugins = [\n  "cri",\n]', False),
        ('disabled_plugins = []\n[plugins."io.containerd.grpc.v1.cri"]', True),
        ('disabled_plugins = ["aufs"]', True),
        ("", True),
    ],
)
def test_containerd_says_whether_cri_is_off(config: str, enabled: bool) -> None:
    facts = written(containerd_version="containerd containerd.io 1.6.33 d2d58213f83a", containerd_config=config)
    assert facts.runtime("containerd").version == "1.6.33"
    assert facts.runtime("containerd").cri_enabled is enabled


def test_kubelet_flags_come_from_file_and_process_and_hide_secrets() -> None:
    kubelet = written(
        kubelet_version="Kubernetes v1.20.2",
        kubelet_flags_file='KUBELET_KUBEADM_ARGS="--network-plugin=cni --node-ip=10.0.0.1"',
        kubelet_command="/usr/bin/kubelet\n--node-ip=10.0.0.2\n--v\n2\n--fail-swap-on\n--token=abcdef.0123\n",
        kubeadm="kubelet-conf=yes\nserver=https://10.0.0.1:6443\n",
        identity="hostname=Shop-1\n",
    ).kubelet
    assert kubelet.flags == {"network-plugin": "cni", "node-ip": "10.0.0.2", "v": "2", "fail-swap-on": "true"}
    assert (kubelet.runtime, kubelet.node_name) == ("docker", "shop-1")


def test_listening_sockets_are_read_from_ss_and_from_proc() -> None:
    ss = (
        'tcp   LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3))\n'
        'udp   UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=2,fd=1))\n'
        "tcp   LISTEN 0 128 [::]:6443 [::]:*\n"
    )
    assert written(listening=ss).listening == [
        ListenFacts(port=22, protocol="tcp", address="0.0.0.0", process="sshd"),
        ListenFacts(port=53, protocol="udp", address="127.0.0.53", process="systemd-resolve"),
        ListenFacts(port=6443, protocol="tcp", address="::", process=""),
    ]
    assert written(listening_proc="00000000:0016\n").listening == [ListenFacts(port=22)]


def test_routes_through_a_gateway_are_kept_with_their_hop() -> None:
    network = written(
        routes="default via 198.18.0.1 dev eth0\n10.244.1.0/24 via 198.18.0.12 dev eth0\n"
        "198.18.0.0/24 dev eth0 proto kernel scope link\n10.9.9.9 via 198.18.0.13 dev eth0\nfe80::/64 dev eth0\n"
    ).network
    assert network.default_route
    assert network.routes == {"10.244.1.0/24": "198.18.0.12", "10.9.9.9/32": "198.18.0.13"}


@pytest.mark.parametrize("mark", ["", "{", "[]", '{"owner": 3}', '"x"', "{}"])
def test_a_mark_that_cannot_be_read_names_no_owner(mark: str) -> None:
    assert written(owner=mark).kubeadm.owner == ""


def test_selinux_and_firewall_are_told_in_one_way() -> None:
    units = "Id=firewalld.service\nActiveState=active\n\nId=ufw.service\nActiveState=inactive\n"
    security = written(security="selinux=Enforcing\napparmor=Y\n", units=units).security
    assert (security.selinux, security.apparmor, security.firewall) == ("Enforcing", "enabled", "firewalld")
    assert written(security="selinux=0\n").security.selinux == "Permissive"
    assert written(ufw="ENABLED=yes").security.firewall == "ufw"


@pytest.mark.parametrize("name", CAPTURED)
def test_an_output_that_is_cut_anywhere_gives_no_facts(name: str) -> None:
    output = (DATA / name).read_bytes().rstrip(b"\n")
    for end in range(0, len(output), 97):
        with pytest.raises(SurveyIncomplete):
            facts_of(output[:end])
    with pytest.raises(SurveyIncomplete):
        facts_of(output[:-1])


SECTIONS = sorted(split((DATA / "captured-lab-fresh.txt").read_bytes()))
GARBAGE = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40) | st.sampled_from(
    [
        "=",
        "a=b",
        "tcp LISTEN 0 0 :99999 x",
        "/\t4096 x 1 a\text4",
        "via via via",
        "static-pod=",
        "\udcff"[:0],
        "0: inet6",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(SECTIONS), st.lists(GARBAGE, max_size=6), max_size=12))
def test_garbage_in_any_section_never_breaks_the_parser(sections: dict[str, list[str]]) -> None:
    text = "".join(f"@@ {name}\n" + "".join(f" {line}\n" for line in lines) for name, lines in sections.items())
    facts = facts_of(f"{text}@@ end\n".encode())
    assert msgspec.json.decode(msgspec.json.encode(facts), type=MachineFacts) == facts


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_facts_or_the_one_error(output: bytes) -> None:
    facts_of(output + b"\n@@ end\n")
    if not output.rstrip(b"\n").endswith(b"@@ end"):
        with pytest.raises(SurveyIncomplete):
            facts_of(output)


def test_what_is_said_to_be_surveyed_of_the_kernel_is_what_the_script_reads() -> None:
    done = subprocess.run(["dash", str(SCRIPT)], capture_output=True, check=True, timeout=60)
    found = set(facts_of(done.stdout).kernel.sysctls)
    root = Path("/proc/sys")
    there = {str(path.relative_to(root)).replace("/", ".") for path in root.rglob("*") if path.is_file()}
    readable = {
        name for name in there if sysctl_surveyed(name) and os.stat(root / name.replace(".", "/")).st_mode & 0o444
    }
    unread = {"net.ipv4.tcp_fastopen_key", "vm.stat_refresh"}
    assert {name for name in found if not sysctl_surveyed(name)} == set()
    assert readable - unread - found == set()


def test_crash_dumps_are_told_from_service_command_line_and_boot_loader() -> None:
    unit = "Id=kdump-tools.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"
    missing = "Id=kdump.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n"
    now = written(units=f"{unit}\n{missing}", seen="boot=crashkernel=512M-:192M").kdump
    assert (now.installed, now.enabled, now.active) == (True, True, True)
    assert (now.reserved, now.configured) == ("crashkernel=512M-:192M", False)
    soon = written(units=missing, seen="next-boot=crashkernel").kdump
    assert (soon.installed, soon.reserved, soon.configured) == (False, "", True)


def test_answered_updates_and_the_kind_of_container_are_read_from_their_files() -> None:
    files = (
        '/var/lib/groundplane/notes/packages.json:{"answered": ["monday", "a:b=c"]}\n/run/systemd/container:docker\n'
    )
    facts = facts_of(f"@@ begin\n@@ files\n{files}@@ end\n".encode())
    assert (facts.updates, facts.container) == (["monday", "a:b=c"], "docker")


def test_a_part_in_a_virtual_ip_is_read_from_its_note_and_its_unit() -> None:
    note = '/var/lib/groundplane/notes/virtual-ip.json:{"address": "198.18.0.9", "peers": ["198.18.0.2"]}'
    unit = "Id=keepalived.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nMainPID=7\n"
    facts = facts_of(f"@@ begin\n@@ files\n{note}\n@@ units\n{unit}@@ end\n".encode())
    assert facts.virtual_ip == VirtualIPFacts("198.18.0.9", ["198.18.0.2"], active=True)
    facts = facts_of(f"@@ begin\n@@ files\n{note}\n@@ end\n".encode())
    assert facts.virtual_ip == VirtualIPFacts("198.18.0.9", ["198.18.0.2"])
    assert facts_of(b"@@ begin\n@@ end\n").virtual_ip == VirtualIPFacts()


@pytest.mark.parametrize("note", ["", "{", "[]", '{"answered": 1}', '{"answered": [1]}'])
def test_a_note_that_cannot_be_read_answers_nothing(note: str) -> None:
    assert written(updates=note).updates == []
