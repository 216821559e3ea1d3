"""The Kubernetes binaries, from the nearest place that has them, once.

In order: what an earlier run put into the cache; an archive beside the repository (or in
`$GROUNDPLANE_LAB_BINARIES`), checked against the SHA256SUMS next to it; dl.k8s.io, each file checked against its
published checksum; Debian's source package, built here with the Go release that it was written for.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from groundplane_lab import source_build
from groundplane_lab.errors import LabError
from groundplane_lab.paths import REPOSITORY, cache_home, locked
from groundplane_lab.progress import Report, timed, to_stderr
from groundplane_lab.shell import run

VERSION = "v1.20.2"
NAMES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubeadm",
    "kubectl",
    "kubelet",
)
_ARCHIVE = f"kubernetes-{VERSION}-linux-amd64.tar.xz"
_URL = "https://dl.k8s.io/release/{version}/bin/linux/amd64/{name}"
_CONNECT_SECONDS = 10


def ensure_binaries(report: Report = to_stderr) -> Path:
    """The folder that holds all of `NAMES`; fetches or builds them when no earlier run has."""
    folder = cache_home() / "binaries" / f"{VERSION}-linux-amd64"
    with locked(folder):
        if not folder.exists():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            _obtain(unfinished, report)
            unfinished.rename(folder)
    return folder


def _obtain(folder: Path, report: Report) -> None:
    archive = find_archive()
    if archive is not None:
        with timed(report, f"Kubernetes {VERSION} unpacked from {archive}"):
            unpack(archive, folder)
        return
    if reachable(_URL.format(version=VERSION, name="kubeadm")):
        for name in NAMES:
            with timed(report, f"{name} {VERSION} downloaded from dl.k8s.io"):
                download(_URL.format(version=VERSION, name=name), folder / name)
        return
    report("no archive of Kubernetes binaries is at hand and dl.k8s.io does not answer: building from Debian's source")
    source_build.build(folder, NAMES, report)


def find_archive() -> Path | None:
    """The ready-made archive in `$GROUNDPLANE_LAB_BINARIES`, or in `shared/lab` beside the repository; else None."""
    configured = os.environ.get("GROUNDPLANE_LAB_BINARIES")
    folder = Path(configured) if configured else REPOSITORY.parent / "shared" / "lab"
    archive = folder / _ARCHIVE
    if archive.exists():
        return archive
    if configured:
        raise LabError(f"cannot use GROUNDPLANE_LAB_BINARIES: {folder} has no {_ARCHIVE}; unset it or put it there")
    return None


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the archive after checking it against the SHA256SUMS beside it."""
    lines = (archive.parent / "SHA256SUMS").read_text().splitlines()
    expected = [line.split()[0] for line in lines if line.split()[1:] == [archive.name]]
    if not expected:
        raise LabError(f"cannot use {archive}: the SHA256SUMS beside it does not list it")
    check(archive, expected[0])
    run(["tar", "-xJf", str(archive), "-C", str(folder), "--no-same-owner"])
    missing = [name for name in NAMES if not (folder / name).exists()]
    if missing:
        raise LabError(f"cannot use {archive}: it lacks {', '.join(missing)}")


def download(url: str, target: Path) -> None:
    """Download a program and check it against the `.sha256` published beside it."""
    with urllib.request.urlopen(f"{url}.sha256", timeout=_CONNECT_SECONDS) as answer:
        expected = answer.read().decode().split()[0]
    with urllib.request.urlopen(url, timeout=_CONNECT_SECONDS) as answer, target.open("wb") as output:
        shutil.copyfileobj(answer, output, 1 << 20)
    check(target, expected)
    target.chmod(0o755)


def reachable(url: str) -> bool:
    """Whether a server answers for this address."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_CONNECT_SECONDS):
            return True
    except (urllib.error.URLError, TimeoutError):
        return False


def sha256(file: Path) -> str:
    """The SHA-256 checksum of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def check(file: Path, expected: str) -> None:
    """Raise LabError unless a file has the checksum that is expected of it."""
    found = sha256(file)
    if found != expected:
        raise LabError(f"cannot use {file}: its sha256 is {found}, expected {expected}; remove it and try again")
