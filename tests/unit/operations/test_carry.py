"""Docker's settings in containerd's words, for each layout of its configuration; and what cannot be carried is said."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from groundplane.operations import StepRefused, containerd
from groundplane.operations.carry import KUBELET_CREDENTIALS, PROXY, ROOT_CREDENTIALS, Beside, Carried, carried

CRI2, RUNTIME3, IMAGES3 = "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images"
DAEMON: dict[str, Any] = {
    "registry-mirrors": ["https://mirror.example/", "http://plain.example:5000"],
    "insecure-registries": ["registry:5000", "mirror.example", "127.0.0.0/8"],
}
CERTS = {"r.example/ca.crt": b"CA", "r.example/client.cert": b"CERT", "r.example/client.key": b"KEY"}
HUB = b"""server = "https://registry-1.docker.io"

[host."https://mirror.example"]
capabilities = [
    "pull",
    "resolve",
]
skip_verify = true

[host."http://plain.example:5000"]
capabilities = [
    "pull",
    "resolve",
]
"""
INSECURE = b"""server = "http://registry:5000"

[host."https://registry:5000"]
capabilities = [
    "pull",
    "resolve",
    "push",
]
skip_verify = true
"""
SECURE = b"""server = "https://r.example"

[host."https://r.example"]
capabilities = [
    "pull",
    "resolve",
    "push",
]
ca = [
    "/etc/containerd/certs.d/r.example/ca.crt",
]
client = [
    [
        "/etc/containerd/certs.d/r.example/client.cert",
        "/etc/containerd/certs.d/r.example/client.key",
    ],
]
"""


def carry(daemon: dict[str, Any] | None = None, *, version: tuple[int, ...] = (1, 6, 20), **more: Any) -> Carried:
    content = None if daemon is None else json.dumps(daemon).encode()
    return carried(
        content,
        certs=more.pop("certs", {}),
        proxy_dropins=more.pop("proxy_dropins", []),
        version=version,
        beside=Beside(**more),
    )


def test_without_settings_there_is_nothing_to_carry() -> None:
    for found in (carry(None), carry({}), carry({"exec-opts": ["native.cgroupdriver=systemd"], "storage-driver": "x"})):
        assert (found.files, found.config, found.kubelet, found.said) == ({}, {}, {}, ())


@pytest.mark.parametrize(
    ("version", "path"),
    [((1, 5), CRI2), ((1, 6, 20), CRI2), ((1, 7), CRI2), ((2, 0), IMAGES3), ((2, 1, 4), IMAGES3)],
)
def test_registries_become_files_where_containerd_reads_them(version: tuple[int, ...], path: str) -> None:
    found = carry(DAEMON, version=version, certs=CERTS)
    assert found.config == {"plugins": {path: {"registry": {"config_path": "/etc/containerd/certs.d"}}}}
    base = "/etc/containerd/certs.d"
    assert found.files[f"{base}/docker.io/hosts.toml"] == (HUB, 0o644)
    assert found.files[f"{base}/registry:5000/hosts.toml"] == (INSECURE, 0o644)
    assert found.files[f"{base}/r.example/hosts.toml"] == (SECURE, 0o644)
    assert found.files[f"{base}/r.example/client.key"] == (b"KEY", 0o600)
    assert found.said == ()


@pytest.mark.parametrize(
    ("version", "config"),
    [
        ((1, 4, 13), None),
        ((1, 6), f'version = 2\n[plugins."{CRI2}".registry.mirrors."old"]\nendpoint = ["http://old"]\n'),
        ((1, 7), f'version = 2\n[plugins."{CRI2}".registry.configs."old".tls]\ninsecure_skip_verify = true\n'),
    ],
)
def test_where_it_is_told_the_old_way_registries_become_tables(version: tuple[int, ...], config: str | None) -> None:
    found = carry(DAEMON, version=version, certs=CERTS, config=config.encode() if config else None)
    registry = found.config["plugins"][CRI2]["registry"]
    assert registry == {
        "mirrors": {
            "registry:5000": {"endpoint": ["https://registry:5000", "http://registry:5000"]},
            "mirror.example": {"endpoint": ["https://mirror.example", "http://mirror.example"]},
            "docker.io": {
                "endpoint": [
                    "https://mirror.example",
                    "http://plain.example:5000",
                    "https://registry-1.docker.io",
                ]
            },
        },
        "configs": {
            "registry:5000": {"tls": {"insecure_skip_verify": True}},
            "mirror.example": {"tls": {"insecure_skip_verify": True}},
            "r.example": {
                "tls": {
                    "ca_file": "/etc/containerd/certs.d/r.example/ca.crt",
                    "cert_file": "/etc/containerd/certs.d/r.example/client.cert",
                    "key_file": "/etc/containerd/certs.d/r.example/client.key",
                }
            },
        },
    }
    assert not [path for path in found.files if path.endswith("hosts.toml")]


def test_the_folder_that_containerd_looks_in_already_is_used() -> None:
    config = f'version = 2\n[plugins."{CRI2}".registry]\nconfig_path = "/etc/own:/etc/docker/certs.d"\n'.encode()
    found = carry(DAEMON, config=config)
    assert "/etc/own/docker.io/hosts.toml" in found.files
    wanted = containerd.Wanted(systemd_cgroup=True, sandbox_image="", cni_bin="/opt/cni/bin", carried=found.config)
    edited = tomllib.loads((containerd.edited(config, wanted, major=1) or b"").decode())
    assert edited["plugins"][CRI2]["registry"] == {"config_path": "/etc/own:/etc/docker/certs.d"}


def test_the_layout_of_the_file_counts_over_the_version() -> None:
    assert carry(DAEMON, version=(2, 0), config=b"version = 2\n").config["plugins"].keys() == {CRI2}


def test_a_range_of_registries_and_a_certificate_without_key_are_said() -> None:
    found = carry({"insecure-registries": ["10.0.0.0/8"]}, certs={"r/x.cert": b"C"})
    assert "10.0.0.0/8" in found.said[0]
    assert "/etc/docker/certs.d/r/x.cert has no key" in found.said[1]
    assert "client" not in found.files["/etc/containerd/certs.d/r/hosts.toml"][0].decode()


def test_settings_that_containers_notice_and_nothing_else_has_are_said() -> None:
    found = carry({"default-ulimits": {}, "dns": ["1.1.1.1"], "debug": True})
    assert [line.split()[1] for line in found.said] == ["default-ulimits", "dns"]


def test_runtimes_and_the_one_that_is_used_by_default_are_carried() -> None:
    daemon = {
        "default-runtime": "nvidia",
        "runtimes": {"nvidia": {"path": "nvidia-container-runtime", "runtimeArgs": ["x"]}, "odd": {"type": "x"}},
    }
    for version, root in (((1, 6), CRI2), ((2, 0), RUNTIME3)):
        found = carry(daemon, version=version, systemd_cgroup=False)
        assert found.config["plugins"][root]["containerd"] == {
            "runtimes": {
                "nvidia": {
                    "runtime_type": "io.containerd.runc.v2",
                    "options": {"BinaryName": "nvidia-container-runtime", "SystemdCgroup": False},
                }
            },
            "default_runtime_name": "nvidia",
        }
        assert len(found.said) == 2
    kept = f'version = 2\n[plugins."{CRI2}".containerd]\ndefault_runtime_name = "runc"\n'.encode()
    assert "keeps its default_runtime_name runc" in carry(daemon, config=kept).said[-1]
    assert "default-runtime gone" in carry({"default-runtime": "gone"}).said[0]


def test_proxies_become_a_dropin_that_only_root_reads() -> None:
    first = b'[Service]\nEnvironment="HTTP_PROXY=http://old" \\\n  FOO=bar\nEnvironment=\n'
    second = (
        b"[Service]\nEnvironment='HTTPS_PROXY=http://me:p%%40w@proxy' \"no_proxy=a,b c\" SECRET=x\nEnvironmentFile=/e\n"
    )
    found = carry({"proxies": {"http-proxy": 'http://50%"x'}}, proxy_dropins=[first, second])
    content, mode = found.files[PROXY]
    assert mode == 0o600
    assert content.decode().splitlines() == [
        "[Service]",
        'Environment="HTTPS_PROXY=http://me:p%%40w@proxy"',
        'Environment="HTTP_PROXY=http://50%%\\"x"',
        'Environment="no_proxy=a,b c"',
    ]
    assert found.said == ("docker.service reads /e: proxies that are set there are not carried over",)


def test_what_docker_says_of_proxies_replaces_the_environments() -> None:
    daemon = {"proxies": {"http-proxy": "http://new"}}
    found = carry(daemon, proxy_dropins=[b"[Service]\nEnvironment=http_proxy=http://old\n"])
    assert b"old" not in found.files[PROXY][0]


@pytest.mark.parametrize(
    ("options", "kubelet"),
    [
        ({"max-size": "100m", "max-file": "3"}, {"containerLogMaxSize": "100Mi", "containerLogMaxFiles": 3}),
        ({"max-size": "1g"}, {"containerLogMaxSize": "1Gi"}),
        ({"max-size": "4096", "max-file": "1"}, {"containerLogMaxSize": "4096", "containerLogMaxFiles": 2}),
        ({"max-size": "-1", "max-file": "3"}, {}),
        ({"max-file": "3"}, {}),
    ],
)
def test_limits_of_logs_become_kubelets(options: dict[str, str], kubelet: dict[str, object]) -> None:
    assert carry({"log-opts": options}).kubelet == kubelet


def test_other_log_drivers_and_options_are_said() -> None:
    assert carry({"log-driver": "local"}).kubelet == {"containerLogMaxSize": "20Mi", "containerLogMaxFiles": 5}
    journald = carry({"log-driver": "journald", "log-opts": {"max-size": "1m"}})
    assert journald.kubelet == {}
    assert "journald" in journald.said[0]
    assert "log option labels" in carry({"log-opts": {"labels": "x"}}).said[0]


def test_credentials_that_people_logged_in_with_become_kubelets_where_it_has_none() -> None:
    root = {"auths": {"r": {"auth": "s3cr3t"}, "empty": {}}, "credHelpers": {"ecr": "ecr-login"}, "HttpHeaders": {}}
    found = carry(credentials={ROOT_CREDENTIALS: json.dumps(root).encode()})
    content, mode = found.files[KUBELET_CREDENTIALS]
    assert (json.loads(content), mode) == ({"auths": {"r": {"auth": "s3cr3t"}}}, 0o600)
    assert "helper" in found.said[0]
    assert not any("s3cr3t" in line for line in found.said)
    both = {ROOT_CREDENTIALS: json.dumps(root).encode(), KUBELET_CREDENTIALS: b"{}"}
    assert carry(credentials=both).files == {}
    assert carry(credentials={ROOT_CREDENTIALS: b"no json"}).files == {}


def test_flags_of_the_daemon_count_as_its_file() -> None:
    found = carry(None, options=["dockerd", "--registry-mirror=https://m", "--log-opt", "max-size=50m"])
    assert "/etc/containerd/certs.d/docker.io/hosts.toml" in found.files
    assert found.kubelet == {"containerLogMaxSize": "50Mi"}


def test_files_that_cannot_be_read_are_refused() -> None:
    with pytest.raises(StepRefused, match=r"daemon\.json"):
        carried(b"{", certs={}, proxy_dropins=[], version=(1, 6))
    with pytest.raises(StepRefused, match=r"config\.toml"):
        carry({}, config=b"[")


_hosts = st.sampled_from(["a.example", "b:5000", "https://c.example", "10.0.0.0/8", ""])
_leaves = st.sampled_from(["", "x", "/etc/own"]) | st.booleans() | st.lists(st.sampled_from(["a", "b"]), max_size=2)
_tables = st.dictionaries(st.sampled_from(["config_path", "mirrors", "configs", "headers"]), _leaves, max_size=3)


@given(
    st.lists(_hosts, max_size=3),
    st.lists(_hosts, max_size=3),
    st.dictionaries(st.sampled_from(["sandbox_image", "stream_server_port", "max_container_log_line_size"]), _leaves),
    _tables,
    st.sampled_from([(1, 4), (1, 6), (1, 7), (2, 0)]),
)
def test_what_was_found_in_config_toml_stays(
    mirrors: list[str], insecure: list[str], cri: dict[str, Any], registry: dict[str, Any], version: tuple[int, ...]
) -> None:
    layout = 3 if version[0] == 2 else 2
    registry.pop("mirrors", None)
    found: dict[str, Any] = {"version": layout, "plugins": {CRI2 if layout == 2 else RUNTIME3: cri, "own": {"x": 1}}}
    found["plugins"].setdefault(CRI2 if layout == 2 else IMAGES3, {})["registry"] = registry
    daemon = {"registry-mirrors": mirrors, "insecure-registries": insecure}
    config = tomli_w.dumps(found).encode()
    from_docker = carry(daemon, version=version, config=config)
    wanted = containerd.Wanted(systemd_cgroup=True, sandbox_image="", cni_bin="/b", carried=from_docker.config)
    after = tomllib.loads((containerd.edited(config, wanted, major=version[0]) or config).decode())
    _holds(found, after)
    again = carry(daemon, version=version, config=tomli_w.dumps(after).encode())
    once_more = replace(wanted, carried=again.config)
    assert containerd.edited(tomli_w.dumps(after).encode(), once_more, major=version[0]) is None
    assert again.files == from_docker.files
    assert containerd.edited(tomli_w.dumps(after).encode(), wanted, major=version[0]) is None


def _holds(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Everything of `before` that says something is in `after`."""
    for key, value in before.items():
        if isinstance(value, dict):
            _holds(value, after[key])
        elif value not in ("", []):
            assert after[key] == value
