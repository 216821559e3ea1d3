"""What is read of a machine before its runtime is changed: parsed from what the script prints, without secrets."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.api.migration import (
    ContainerFacts,
    CredentialFacts,
    FlagFacts,
    ImageFacts,
    MigrationFacts,
    PlaceFacts,
    UnitFacts,
)
from groundplane.hosts.errors import SurveyIncomplete
from groundplane.hosts.facts import migration
from groundplane.hosts.facts.daemon import daemon_facts, settings_of, started_as
from groundplane.hosts.facts.script import MIGRATION
from groundplane.hosts.facts.sections import split
from groundplane.hosts.readonly import ReadOnly
from groundplane.hosts.ssh import HostAccess, HostPool

OUTPUT = b"""Welcome to this machine
@@ begin

@@ daemon
 {
   "registry-mirrors": ["https://mirror.example", "https://me:pw@other.example"],
   "insecure-registries": ["10.0.0.0/8"],
   "log-opts": {"max-size": "10m", "splunk-token": "s3cr3t"},
   "runtimes": {"nvidia": {"path": "/usr/bin/nvidia-container-runtime"}},
   "authorization-plugins": ["x"]
 }

@@ daemon-flags
 /usr/bin/dockerd
 -H
 fd://
 --insecure-registry=registry:5000

@@ docker-info
 version=20.10.24
 data-root=/data/docker
 cgroup-driver=cgroupfs
 live-restore=true
 default-runtime=nvidia

@@ containers
 k8s_POD_web|pause:3.2|Up 2 hours|podsandbox|uid-1
 k8s_POD_old|pause:3.2|Exited (0) 2 hours ago|podsandbox|uid-2
 k8s_web_web|web:1|Up 2 hours|container|uid-1
 etcd1|quay.io/coreos/etcd:v3.4.13|Up 3 days||
 batch|batch:1|Exited (0) 2 days ago||

@@ used-images
 sha256:b

@@ images
 sha256:a|100|1|base:1 |l1 l2
 sha256:b|130|1|web:1 |l1 l2 l3
 sha256:c|40|0|local:1 local:2 |l9
 sha256:d|7|0||l8

@@ units
 Id=docker.service
 Requires=docker.socket sysinit.target system.slice
 BindsTo=containerd.service
 LoadState=loaded
 ActiveState=active
 UnitFileState=enabled
 FragmentPath=/lib/systemd/system/docker.service
 DropInPaths=/etc/systemd/system/docker.service.d/a.conf

 Id=cri-docker.service
 LoadState=not-found
 ActiveState=inactive

@@ docker-environment
 Environment="HTTPS_PROXY=http://me:pw@proxy:3128" FOO=bar "no_proxy=a b"

@@ credentials
 file=/root/.docker/config.json
 object=auths
 object=registry.example:5000
 object=https://index.docker.io/v1/
 object=HttpHeaders
 helper=pass
 helped=ecr.example ecr-login
 file=/var/lib/kubelet/config.json
 object=auths
 object=r.example

@@ authorities
 /etc/docker/certs.d/r.example/ca.crt

@@ users
 /etc/cron.d/prune

@@ pullers

@@ places
 place=/data/docker|/data|4096 1000 500|/dev/sdb1 xfs|UUID=1 /data xfs
 place=/data/containerd|/data|4096 1000 500|/dev/sdb1 xfs|

@@ containerd
 version=containerd containerd.io 1.4.12 7b11cfa
 config=yes
 disabled_plugins = ["cri"]
 root = "/data/containerd"
 imports = ["/etc/containerd/conf.d/*.toml"]

@@ kubelet
 /var/lib/kubelet/kubeadm-flags.env:--network-plugin=
 /etc/default/kubelet:--container-runtime=
 /etc/default/kubelet:--container-runtime=
 /usr/lib/systemd/system/kubelet.service.d/a.conf:--docker=
 /lib/systemd/system/kubelet.service.d/a.conf:--docker=
 /var/lib/kubelet/config.yaml:cgroupDriver:

@@ cloud-provider
 external

@@ seen
 crictl=unix:///var/run/dockershim.sock
 kvm=yes
 nvidia=yes
 http2=yes

@@ end
"""


def facts() -> MigrationFacts:
    return migration.parse(split(OUTPUT))


def test_docker_is_what_its_file_its_flags_and_the_daemon_itself_say() -> None:
    docker = facts().docker
    assert (docker.version, docker.data_root, docker.cgroup_driver) == ("20.10.24", "/data/docker", "cgroupfs")
    assert docker.live_restore
    assert docker.mirrors == ["https://mirror.example", "https://other.example"]
    assert docker.insecure == ["10.0.0.0/8", "registry:5000"]
    assert (docker.default_runtime, docker.runtimes) == ("nvidia", ["nvidia"])
    assert docker.hosts == ["fd://"]
    assert docker.ignored == ["authorization-plugins"]
    assert docker.log_options == {"max-size": "10m", "splunk-token": ""}


def test_containers_are_kubernetes_or_they_are_named() -> None:
    found = facts()
    assert found.containers == [
        ContainerFacts(name="etcd1", image="quay.io/coreos/etcd:v3.4.13", running=True),
        ContainerFacts(name="batch", image="batch:1"),
    ]
    assert found.sandboxes == 1


def test_layers_that_images_share_are_counted_once() -> None:
    images = facts().images
    assert (images.count, images.size) == (4, 100 + 30 + 40 + 7)
    assert images.local == ["local:1", "local:2"]
    # Used, or in no registry; one without a name can be carried nowhere.
    assert images.carried == [
        ImageFacts(names=["local:1", "local:2"], size=40, adds=40),
        ImageFacts(names=["web:1"], size=130, adds=130),
    ]


def test_units_say_what_they_stand_on() -> None:
    assert facts().units == [
        UnitFacts(
            name="docker.service",
            known=True,
            active=True,
            enabled=True,
            needs=["containerd.service", "docker.socket"],
            files=["/lib/systemd/system/docker.service", "/etc/systemd/system/docker.service.d/a.conf"],
        )
    ]
    assert not facts().unit("cri-docker.service").known


def test_of_credentials_and_proxies_only_names_are_kept() -> None:
    found = facts()
    assert found.credentials == [
        CredentialFacts(
            path="/root/.docker/config.json",
            registries=["ecr.example", "https://index.docker.io/v1/", "registry.example:5000"],
            helpers=["ecr-login", "pass"],
        ),
        CredentialFacts(path="/var/lib/kubelet/config.json", registries=["r.example"]),
    ]
    assert found.proxies == {"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "a b"}
    assert not {"pw", "s3cr3t"} & set(str(found).replace('"', " ").replace("'", " ").replace(":", " ").split())


def test_places_containerd_and_kubelets_flags() -> None:
    found = facts()
    assert found.places[0] == PlaceFacts(
        path="/data/docker",
        mount="/data",
        device="/dev/sdb1",
        filesystem="xfs",
        total=4096000,
        available=2048000,
        fstab="UUID=1 /data xfs",
    )
    containerd = found.containerd
    assert (containerd.version, containerd.config, containerd.disabled) == ("1.4.12", True, True)
    assert (containerd.root, containerd.imports) == ("/data/containerd", True)
    assert found.kubelet_flags == [
        FlagFacts(path="/etc/default/kubelet", names=["container-runtime"]),
        FlagFacts(path="/lib/systemd/system/kubelet.service.d/a.conf", names=["docker"]),
        FlagFacts(path="/var/lib/kubelet/config.yaml", names=["cgroupDriver"]),
        FlagFacts(path="/var/lib/kubelet/kubeadm-flags.env", names=["network-plugin"]),
    ]
    assert (found.cloud_provider, found.crictl_endpoint) == ("external", "unix:///var/run/dockershim.sock")
    assert (found.kvm, found.virtualisation, found.kata, found.nvidia, found.http2) == (True, False, False, True, True)


def test_a_file_that_is_no_json_is_said_and_its_flags_still_count() -> None:
    found = daemon_facts(b"{", ["dockerd", "--registry-mirror", "https://m"], {})
    assert found.unreadable
    assert found.mirrors == ["https://m"]
    with pytest.raises(ValueError, match="not an object"):
        settings_of(b"[]")


def test_flags_are_read_in_every_form_and_joined_with_the_file() -> None:
    words = (
        "dockerd -g /data --live-restore --log-opt max-size=1m --add-runtime kata=/k --exec-opt=a=b --bip 10.0.0.1/8"
    )
    assert settings_of(b'{"log-opts": {"max-file": "2"}, "exec-opts": ["c=d"]}', words.split()) == {
        "data-root": "/data",
        "live-restore": True,
        "log-opts": {"max-file": "2", "max-size": "1m"},
        "runtimes": {"kata": {"path": "/k"}},
        "exec-opts": ["c=d", "a=b"],
        "bip": "10.0.0.1/8",
    }


def test_half_an_output_gives_no_facts() -> None:
    with pytest.raises(SurveyIncomplete):
        split(OUTPUT[:-8])


@given(st.lists(st.sampled_from(OUTPUT.decode().splitlines()) | st.text(max_size=30), max_size=60))
def test_whatever_the_machine_prints_makes_facts(lines: list[str]) -> None:
    text = "\n".join(["@@ begin", *lines, "@@ end"])
    assert isinstance(migration.parse(split(text.encode("utf-8", "replace"))), MigrationFacts)


_names = st.sampled_from(["log-opts", "runtimes", "registry-mirrors", "proxies", "exec-opts", "hosts", "x"])
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=12,
)


@given(_json)
def test_whatever_daemon_json_holds_makes_facts(value: object) -> None:
    found = daemon_facts(json.dumps(value).encode(), ["dockerd", "--log-opt", "max-size=1m", "-H"], {})
    assert found.log_options.get("max-size") == "1m"


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_script_reads_a_machine_without_docker(shell: str, tmp_path: Path) -> None:
    """What is not there leaves its place empty, and nothing is said on standard error."""
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run([shell, "-c", MIGRATION], capture_output=True, env=clean, check=True, timeout=60)
    assert done.stdout.rstrip().endswith(b"@@ end")
    found = migration.parse(split(done.stdout))
    assert [place.path for place in found.places][-1] == "/var/lib/groundplane"
    assert all(place.available > 0 and place.mount for place in found.places)
    assert all(place.filesystem for place in found.places)


async def test_it_comes_through_the_door_that_only_looks(access: HostAccess) -> None:
    async with HostPool() as pool:
        found = await migration.look(ReadOnly(pool.connect(access)))
    assert found.places


def test_what_docker_would_be_started_with_is_read_from_its_unit() -> None:
    shown = "{ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd -H fd:// $OPTS --bip=${BIP} $NONE ; ignore_errors=no }"
    words = started_as(shown, '"OPTS=--log-opt max-size=50m --live-restore" BIP=10.0.0.1/8')
    assert words == [
        "/usr/bin/dockerd",
        "-H",
        "fd://",
        "--log-opt",
        "max-size=50m",
        "--live-restore",
        "--bip=10.0.0.1/8",
    ]
    assert started_as("", "") == []
