"""The artifacts of the lab's distribution: binaries, images and CNI plug-ins, with the manifest that describes them.

The folder is made once and carries the key of what made it; another key makes it anew, beside the old one, and swaps.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import yaml

from groundplane_lab import archive, images
from groundplane_lab.binaries import NAMES, VERSION, ensure_binaries, sha256
from groundplane_lab.paths import PACKAGE, cache_home, locked
from groundplane_lab.prerequisites import ensure_prerequisites
from groundplane_lab.progress import Report, timed, to_stderr

_NODE_BINARIES = ("kubeadm", "kubelet", "kubectl")
_CONTROL_PLANE = ("kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler")


def artifacts_folder() -> Path:
    """Where the artifacts are, made or not."""
    return cache_home() / "artifacts" / f"native-{VERSION}-amd64"


def ensure_artifacts(report: Report = to_stderr) -> Path:
    """The folder of artifacts, with `distribution.yaml` in it; makes what is missing."""
    folder = artifacts_folder()
    with locked(folder):
        binaries = ensure_binaries(report)
        key = artifacts_key(binaries)
        if not (folder / "key").exists() or (folder / "key").read_text() != key:
            ensure_prerequisites(report)
            with timed(report, f"Kubernetes {VERSION} images and manifest made", announce=True):
                _make(folder, binaries, key)
    return folder


def artifacts_key(binaries: Path) -> str:
    """A hash of everything that makes the artifacts: the binaries, the Debian packages, and these recipes."""
    digest = hashlib.sha256("\n".join((VERSION, *images.PACKAGES, *images.CNI_PLUGINS)).encode())
    for name in NAMES:
        # Size and time rather than content: reading 500 MB at every start would cost seconds.
        state = (binaries / name).stat()
        digest.update(f"{name} {state.st_size} {state.st_mtime_ns}".encode())
    recipes = [*images.RECIPE.iterdir(), *(PACKAGE / f"{module}.py" for module in ("archive", "images", "artifacts"))]
    for recipe in sorted(recipes):
        digest.update(recipe.read_bytes())
    return digest.hexdigest()


def _make(folder: Path, binaries: Path, key: str) -> None:
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    (unfinished / "images").mkdir(parents=True)
    described = [_binary(unfinished, binaries / name) for name in _NODE_BINARIES]
    with tempfile.TemporaryDirectory() as scratch:
        debian, pause = Path(scratch) / "debian", Path(scratch) / "pause"
        images.unpack_packages(debian)
        images.compile_pause(pause)
        archive.write_tarball(images.cni_plugins(debian), unfinished / "cni-plugins.tar.gz")
        described.append(_describe(unfinished, "cni-plugins", "Archive", "cni-plugins.tar.gz"))
        for name, image in images.images(VERSION, binaries=binaries, debian=debian, pause=pause).items():
            archive.write_image(image, unfinished / "images" / f"{name}.tar")
            entry = _describe(unfinished, name, "Image", f"images/{name}.tar") | {"image": image.reference}
            described.append(entry | ({"roles": ["ControlPlane"]} if name in _CONTROL_PLANE else {}))
    (unfinished / "distribution.yaml").write_text(yaml.safe_dump(_distribution(folder, described), sort_keys=False))
    (unfinished / "key").write_text(key)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def _binary(folder: Path, source: Path) -> dict[str, object]:
    """Place a binary, as a second name of the same file where the file system allows it."""
    os.link(source, folder / source.name)
    return _describe(folder, source.name, "Binary", source.name)


def _describe(folder: Path, name: str, kind: str, path: str) -> dict[str, object]:
    file = folder / path
    described = {"name": name, "type": kind, "path": path, "architecture": "amd64"}
    return described | {"sha256": sha256(file), "size": file.stat().st_size}


def _distribution(folder: Path, artifacts: list[dict[str, object]]) -> dict[str, object]:
    return {
        "apiVersion": "groundplane.dev/v1alpha1",
        "kind": "Distribution",
        "metadata": {"name": "native"},
        "spec": {
            "vendor": "native",
            "description": "Kubernetes as its authors release it, for the lab's machines",
            "sources": [{"type": "Directory", "path": str(folder)}],
            "releases": [{"version": VERSION, "artifacts": artifacts}],
        },
    }
