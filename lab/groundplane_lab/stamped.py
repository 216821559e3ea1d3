"""The lab's distribution `tke`: the native release, stamped with the versions that a later one would have.

Lab builds, and named so: nothing of them is TKE's but the form of the version. What does not carry a version (etcd,
pause, echo, the CNI plug-ins) is the native distribution's own files. Made once, as those are.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from groundplane_lab import archive, images
from groundplane_lab.artifacts import ensure_artifacts
from groundplane_lab.binaries import NAMES, VERSION, ensure_binaries, sha256
from groundplane_lab.paths import PACKAGE, cache_home, locked
from groundplane_lab.prerequisites import ensure_prerequisites
from groundplane_lab.progress import Report, timed, to_stderr
from groundplane_lab.stamping import stamp

VERSIONS = ("v1.20.2-tke.1", "v1.20.6-tke.1", "v1.21.2-tke.1")


def stamped_folder() -> Path:
    """Where the stamped artifacts are, made or not."""
    return cache_home() / "artifacts" / "tke-lab-amd64"


def ensure_stamped(report: Report = to_stderr) -> Path:
    """The folder of the distribution `tke`, with `distribution.yaml` in it; makes what is missing."""
    native = ensure_artifacts(report)
    folder = stamped_folder()
    with locked(folder):
        key = _key(native)
        if not (folder / "key").exists() or (folder / "key").read_text() != key:
            ensure_prerequisites(report)
            with timed(report, f"lab builds {', '.join(VERSIONS)} made of {VERSION}", announce=True):
                _make(folder, native, key)
    return folder


def _key(native: Path) -> str:
    digest = hashlib.sha256("\n".join((*VERSIONS, (native / "key").read_text())).encode())
    for module in ("stamping", "stamped"):
        digest.update((PACKAGE / f"{module}.py").read_bytes())
    return digest.hexdigest()


def _make(folder: Path, native: Path, key: str) -> None:
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    content = yaml.safe_load((native / "distribution.yaml").read_text())
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        parts = _Parts(ensure_binaries(), Path(scratch) / "debian", content["spec"]["releases"][0]["artifacts"])
        images.unpack_packages(parts.debian)

        def release(version: str) -> dict[str, object]:
            return {"version": version, "artifacts": _release(unfinished, version, parts, Path(scratch) / version)}

        with ThreadPoolExecutor(2) as pool:
            releases = list(pool.map(release, VERSIONS))
    document = _distribution([folder, native], releases)
    (unfinished / "distribution.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    (unfinished / "key").write_text(key)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What all releases are made of; `native` are the artifacts of the release that is stamped."""

    binaries: Path
    debian: Path
    native: list[dict[str, Any]]


def _release(folder: Path, version: str, parts: _Parts, scratch: Path) -> list[dict[str, Any]]:
    """Make one release; return its artifacts as the Distribution lists them."""
    (folder / version / "images").mkdir(parents=True)
    scratch.mkdir()
    for name in NAMES:
        stamp(parts.binaries / name, scratch / name, found=VERSION, wanted=version)
    made = images.images(version, binaries=scratch, debian=parts.debian, pause=scratch)
    described = []
    for entry in parts.native:
        name, path = entry["name"], f"{version}/{entry['path']}"
        if name not in NAMES:
            described.append(entry)
            continue
        if entry["type"] == "Image":
            archive.write_image(made[name], folder / path)
        else:
            shutil.move(scratch / name, folder / path)
        file = folder / path
        own = {"path": path, "sha256": sha256(file), "size": file.stat().st_size}
        described.append(entry | own | ({"image": made[name].reference} if entry["type"] == "Image" else {}))
    return described


def _distribution(folders: list[Path], releases: list[dict[str, object]]) -> dict[str, object]:
    return {
        "apiVersion": "groundplane.dev/v1alpha1",
        "kind": "Distribution",
        "metadata": {"name": "tke"},
        "spec": {
            "vendor": "tke",
            "description": f"Lab builds: Kubernetes {VERSION} under versions of TKE's form; not TKE's own",
            "sources": [{"type": "Directory", "path": str(folder)} for folder in folders],
            "releases": releases,
        },
    }
