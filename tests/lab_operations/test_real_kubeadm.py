"""kubeadm v1.20.2 itself reads the documents that the golden tests keep, without a word of warning."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from groundplane_lab.binaries import ensure_binaries

DATA = Path(__file__).parents[1] / "data" / "kubeadm"


@pytest.mark.parametrize("name", ["init", "join-worker", "join-control-plane"])
def test_kubeadm_accepts_the_document(name: str, tmp_path: Path) -> None:
    # kubeadm wants the discovery file to be there, so the document points to one that is.
    discovery, path = tmp_path / "discovery.conf", tmp_path / f"{name}.yaml"
    discovery.touch()
    text = (DATA / f"{name}-v1beta2.yaml").read_text()
    path.write_text(text.replace("/run/groundplane/kubeadm-discovery.conf", str(discovery)))
    verb = ["config", "images", "list", "--config"] if name == "init" else ["config", "migrate", "--old-config"]
    done = subprocess.run([ensure_binaries() / "kubeadm", *verb, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    wanted = "k8s.gcr.io/kube-apiserver:v1.20.2" if name == "init" else "nodeRegistration"
    assert wanted in done.stdout


def test_kubeadm_warns_of_a_field_that_is_not_there(tmp_path: Path) -> None:
    """The judge can say no: an unknown field is what it warns of."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text((DATA / "init-v1beta2.yaml").read_text().replace("clusterName:", "clusterTitle:"))
    command = [ensure_binaries() / "kubeadm", "config", "images", "list", "--config", wrong]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "clusterTitle" in done.stderr
