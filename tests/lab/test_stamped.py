"""The lab builds of other versions: stamped programs run and say the other version, nothing else of them changed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplane_lab import LabError, ensure_stamped
from groundplane_lab.binaries import ensure_binaries, sha256
from groundplane_lab.stamped import VERSIONS
from groundplane_lab.stamping import COMMIT, stamp


def distribution() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ensure_stamped() / "distribution.yaml").read_text())
    return content


def test_each_release_has_what_the_native_one_has_and_its_files_are_as_described() -> None:
    spec = distribution()["spec"]
    sources = [Path(source["path"]) for source in spec["sources"]]
    assert [release["version"] for release in spec["releases"]] == list(VERSIONS)
    for release in spec["releases"]:
        for artifact in release["artifacts"]:
            file = next(source / artifact["path"] for source in sources if (source / artifact["path"]).exists())
            assert file.stat().st_size == artifact["size"]
        changed = [artifact for artifact in release["artifacts"] if release["version"] in artifact["path"]]
        assert sorted(a["name"] for a in changed if a["type"] == "Binary") == ["kubeadm", "kubectl", "kubelet"]
        images = {a["name"]: a["image"] for a in changed if a["type"] == "Image"}
        assert images["kube-apiserver"] == f"k8s.gcr.io/kube-apiserver:{release['version']}"
        kubeadm = next(a for a in changed if a["name"] == "kubeadm")
        assert sha256(sources[0] / kubeadm["path"]) == kubeadm["sha256"]


def test_they_are_named_as_lab_builds() -> None:
    assert "Lab builds" in distribution()["spec"]["description"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stamped_program_says_the_version_and_that_it_is_a_lab_build(version: str) -> None:
    program = ensure_stamped() / version / "kubeadm"
    said = subprocess.run([program, "version", "-o", "json"], capture_output=True, check=True, text=True).stdout
    info = json.loads(said)["clientVersion"]
    assert info["gitVersion"] == version
    assert (info["major"], info["minor"]) == ("1", version.split(".")[1])
    assert info["gitCommit"] == COMMIT


def test_what_does_not_say_the_version_is_not_stamped(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"does not say v1\.19\.0"):
        stamp(ensure_binaries() / "kubeadm", tmp_path / "kubeadm", found="v1.19.0", wanted="v1.19.1")
    with pytest.raises(LabError, match="more than the 40 bytes"):
        stamp(ensure_binaries() / "kubeadm", tmp_path / "kubeadm", found="v1.20.2", wanted=f"v1.20.2-{'x' * 40}")
    assert not (tmp_path / "kubeadm").exists()
