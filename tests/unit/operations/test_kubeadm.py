"""kubeadm's documents: golden files per format, and every field held against the format's own type definitions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplane.operations import StepRefused
from groundplane.operations.kubeadm import (
    Join,
    Token,
    cri_socket,
    discovery_document,
    format_of,
    init_documents,
    join_documents,
    minor_of,
    render,
)

from .targets import MACHINES, target

DATA = Path(__file__).parents[2] / "data" / "kubeadm"
VERSIONS = {"v1beta2": "v1.20.2", "v1beta3": "v1.28.4", "v1beta4": "v1.33.0"}
TOKEN = Token("abcdef.0123456789abcdef")
JOIN = Join(TOKEN, discovery="/run/groundplane/kubeadm-discovery.conf", certificate_key="cd" * 32)

# Fields of cmd/kubeadm/app/apis/kubeadm/<format>/types.go in kubernetes/kubernetes.
_ARGS = {"extraArgs": None, "extraVolumes": None}
_IMAGE = {"imageRepository": None, "imageTag": None}
_ENDPOINT = {"advertiseAddress": None, "bindPort": None}
_TOKEN = {"token": None, "description": None, "ttl": None, "expires": None, "usages": None, "groups": None}
_REGISTRATION = {
    "name": None,
    "criSocket": None,
    "taints": None,
    "kubeletExtraArgs": None,
    "ignorePreflightErrors": None,
}
_DISCOVERY = {
    "bootstrapToken": {
        "token": None,
        "apiServerEndpoint": None,
        "caCertHashes": None,
        "unsafeSkipCAVerification": None,
    },
    "file": None,
    "tlsBootstrapToken": None,
    "timeout": None,
}


def documented(form: str) -> dict[str, dict[str, Any]]:
    """The documented fields of each kind in one format; None stands for anything below."""
    newer = form != "v1beta2"
    registration = _REGISTRATION | ({"imagePullPolicy": None} if newer else {})
    extra = {"skipPhases": None, "patches": None} if newer else {}
    etcd = {"dataDir": None, "extraArgs": None, "serverCertSANs": None, "peerCertSANs": None, **_IMAGE}
    return {
        "InitConfiguration": {
            "bootstrapTokens": _TOKEN,
            "nodeRegistration": registration,
            "localAPIEndpoint": _ENDPOINT,
            "certificateKey": None,
            **extra,
        },
        "ClusterConfiguration": {
            "etcd": {"local": etcd, "external": None},
            "networking": {"serviceSubnet": None, "podSubnet": None, "dnsDomain": None},
            "kubernetesVersion": None,
            "controlPlaneEndpoint": None,
            "apiServer": _ARGS | {"certSANs": None} | ({} if form == "v1beta4" else {"timeoutForControlPlane": None}),
            "controllerManager": _ARGS,
            "scheduler": _ARGS,
            "dns": _IMAGE | ({} if newer else {"type": None}),
            "certificatesDir": None,
            "imageRepository": None,
            "featureGates": None,
            "clusterName": None,
        },
        "JoinConfiguration": {
            "nodeRegistration": registration,
            "caCertPath": None,
            "discovery": _DISCOVERY,
            "controlPlane": {"localAPIEndpoint": _ENDPOINT, "certificateKey": None},
            **extra,
        },
    }


def unknown_fields(value: Any, allowed: dict[str, Any] | None, at: str = "") -> list[str]:
    if allowed is None:
        return []
    if isinstance(value, list):
        return [found for item in value for found in unknown_fields(item, allowed, at)]
    wrong = [f"{at}.{key}" for key in value if key not in allowed]
    return wrong + [
        found
        for key, below in value.items()
        if key in allowed
        for found in unknown_fields(below, allowed[key], f"{at}.{key}")
    ]


def rendered(form: str) -> dict[str, bytes]:
    wanted = target(VERSIONS[form])
    return {
        "init": render(init_documents(wanted, MACHINES["shop-1"], token=TOKEN, ignore=["FileExisting-crictl"])),
        "join-control-plane": render(join_documents(wanted, MACHINES["shop-2"], JOIN)),
        "join-worker": render(join_documents(wanted, MACHINES["shop-3"], JOIN)),
    }


@pytest.mark.parametrize("form", VERSIONS)
def test_the_documents_are_those_on_record(form: str) -> None:
    for name, text in rendered(form).items():
        path = DATA / f"{name}-{form}.yaml"
        if os.environ.get("GOLDEN") == "write":
            path.write_bytes(text)
        assert text.decode() == path.read_text(), f"{path} is stale: GOLDEN=write makes it anew"


@pytest.mark.parametrize("form", VERSIONS)
def test_no_field_is_written_that_the_format_does_not_have(form: str) -> None:
    seen = set()
    for text in rendered(form).values():
        for document in yaml.safe_load_all(text):
            group, _, version = document.pop("apiVersion").partition("/")
            kind = document.pop("kind")
            if group == "kubeadm.k8s.io":
                assert version == form
                assert unknown_fields(document, documented(form)[kind], kind) == []
                seen.add(kind)
    assert seen == {"InitConfiguration", "ClusterConfiguration", "JoinConfiguration"}


def test_extra_arguments_are_maps_until_v1beta3_and_lists_from_v1beta4() -> None:
    for form in VERSIONS:
        cluster = next(d for d in yaml.safe_load_all(rendered(form)["init"]) if d["kind"] == "ClusterConfiguration")
        wanted = [{"name": "audit-log-maxage", "value": "7"}] if form == "v1beta4" else {"audit-log-maxage": "7"}
        assert cluster["apiServer"]["extraArgs"] == wanted


def test_overrides_win_and_nested_configuration_is_merged() -> None:
    config = {"cgroupDriver": "cgroupfs", "evictionHard": {"memory.available": "1Gi"}}
    wanted = target("v1.20.2", components={"kubelet": {"config": config, "args": {"node-ip": "192.0.2.99"}}})
    init, _, kubelet, _ = init_documents(wanted, MACHINES["shop-1"], token=TOKEN)
    assert kubelet["cgroupDriver"] == "cgroupfs"
    assert kubelet["failSwapOn"] is False
    assert init["nodeRegistration"]["kubeletExtraArgs"] == {"node-ip": "192.0.2.99"}


def test_an_image_repository_is_never_set() -> None:
    assert all(b"imageRepository" not in text for form in VERSIONS for text in rendered(form).values())


@pytest.mark.parametrize(
    ("version", "form"),
    [
        ("v1.15.0", "v1beta2"),
        ("v1.21.14", "v1beta2"),
        ("v1.22.0", "v1beta3"),
        ("v1.30.9", "v1beta3"),
        ("v1.31.0", "v1beta4"),
    ],
)
def test_the_format_follows_the_version(version: str, form: str) -> None:
    assert format_of(version) == form


def test_vendor_versions_are_read_by_their_core_and_others_refused() -> None:
    assert minor_of("v1.20.6-tke.3") == 20
    for wrong in ("2.0.0", "", "v1"):
        with pytest.raises(StepRefused):
            minor_of(wrong)
    with pytest.raises(StepRefused, match=r"before v1\.15"):
        format_of("v1.14.10")


def test_sockets_carry_a_scheme_from_v1_24_and_docker_ends_there() -> None:
    assert cri_socket("docker", "v1.23.0") == "/var/run/dockershim.sock"
    assert cri_socket("containerd", "v1.23.0") == "/run/containerd/containerd.sock"
    assert cri_socket("containerd", "v1.24.0") == "unix:///run/containerd/containerd.sock"
    with pytest.raises(StepRefused, match="dockershim was removed"):
        cri_socket("docker", "v1.24.0")


def test_secrets_do_not_show_when_printed() -> None:
    assert TOKEN.value not in repr(TOKEN)
    assert TOKEN.value not in repr(JOIN)
    assert JOIN.certificate_key not in repr(JOIN)


def test_a_joining_machine_is_told_address_and_authority_and_no_credentials() -> None:
    document = discovery_document(target("v1.20.2"), b"PEM")
    assert document["clusters"][0]["cluster"] == {
        "server": "https://api.shop.example:443",
        "certificate-authority-data": "UEVN",
    }
    assert "users" not in document
