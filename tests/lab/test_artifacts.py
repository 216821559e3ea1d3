"""The artifacts: what the manifest says is true, the images load and run, and nothing unchecked gets in."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplane_lab import LabError, ensure_artifacts
from groundplane_lab.archive import Image, write_image
from groundplane_lab.artifacts import artifacts_folder
from groundplane_lab.binaries import download, find_archive, reachable, sha256, unpack
from groundplane_lab.shell import docker, wait_until


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ensure_artifacts() / "distribution.yaml").read_text())
    return content


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A web server for one test: its folder and its address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield tmp_path, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.lab
def test_every_artifact_has_the_size_and_checksum_that_the_manifest_says(manifest: dict[str, Any]) -> None:
    folder = Path(manifest["spec"]["sources"][0]["path"])
    artifacts = manifest["spec"]["releases"][0]["artifacts"]
    assert folder == artifacts_folder()
    assert len(artifacts) == 11
    for artifact in artifacts:
        file = folder / artifact["path"]
        assert (file.stat().st_size, sha256(file)) == (artifact["size"], artifact["sha256"]), artifact["name"]


@pytest.mark.lab
def test_only_the_control_plane_gets_the_images_of_the_control_plane(manifest: dict[str, Any]) -> None:
    artifacts = manifest["spec"]["releases"][0]["artifacts"]
    control_plane = {artifact["name"] for artifact in artifacts if artifact.get("roles") == ["ControlPlane"]}
    assert control_plane == {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}


@pytest.mark.lab
def test_making_the_artifacts_again_makes_nothing(manifest: dict[str, Any]) -> None:
    made = (artifacts_folder() / "distribution.yaml").stat().st_mtime_ns
    ensure_artifacts()
    assert (artifacts_folder() / "distribution.yaml").stat().st_mtime_ns == made


@pytest.mark.lab
def test_the_workload_image_answers_with_its_host_name(manifest: dict[str, Any]) -> None:
    docker("load", "--input", str(artifacts_folder() / "images" / "echo.tar"))
    label = ("--label", "groundplane-lab=t-echo")
    container = docker("run", "--detach", "--rm", *label, "--hostname", "pod-7", "groundplane.dev/lab/echo:1").strip()
    try:
        ask = ("exec", container, "sh", "-c", "wget -qO- http://127.0.0.1:8080/ 2>&1 || true")
        answer = wait_until("the workload's answer", lambda: (docker(*ask) == "pod-7\n") or None, seconds=10)
        assert answer
    finally:
        docker("rm", "--force", container)


def test_the_same_files_give_the_same_archive(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    image = Image(
        "lab.test/same:1", {"/usr/bin/program": program}, links={"/bin/sh": "busybox"}, entrypoint=["program"]
    )
    write_image(image, tmp_path / "one.tar")
    program.touch()
    write_image(image, tmp_path / "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_an_archive_that_was_changed_is_refused_with_both_checksums(tmp_path: Path) -> None:
    archive = tmp_path / "kubernetes.tar.xz"
    archive.write_bytes(b"changed")
    (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256(b'original').hexdigest()}  kubernetes.tar.xz\n")
    with pytest.raises(LabError, match=hashlib.sha256(b"changed").hexdigest()):
        unpack(archive, tmp_path)


def test_a_configured_folder_without_the_archive_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDPLANE_LAB_BINARIES", str(tmp_path))
    with pytest.raises(LabError, match="unset it or put it there"):
        find_archive()


def test_a_download_with_the_published_checksum_is_kept(site: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = site
    (folder / "kubeadm").write_bytes(b"binary")
    (folder / "kubeadm.sha256").write_text(hashlib.sha256(b"binary").hexdigest())
    assert reachable(f"{address}/kubeadm")
    download(f"{address}/kubeadm", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"binary"


def test_a_download_with_another_checksum_is_refused(site: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = site
    (folder / "kubeadm").write_bytes(b"binary")
    (folder / "kubeadm.sha256").write_text(hashlib.sha256(b"another").hexdigest())
    with pytest.raises(LabError, match="expected"):
        download(f"{address}/kubeadm", tmp_path / "got")


def test_a_server_that_is_not_there_is_not_reachable(site: tuple[Path, str]) -> None:
    assert not reachable(f"{site[1]}/nothing")
    assert not reachable("http://127.0.0.1:1/kubeadm")
