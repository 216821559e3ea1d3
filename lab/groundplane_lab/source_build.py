"""Kubernetes built from Debian's source package, for hosts where no ready-made binary is at hand.

Debian 11 was the last to carry Kubernetes with all that it vendors: the package `kubernetes` 1.20.5+really1.20.2. It
is built with the Go release of its time, 1.15 from the same Debian; Go 1.19 compiles it, but what it compiles panics
in json-iterator. Go is unpacked, not installed, and apt works in folders of its own, so this host's packages and
archive lists stay as they are. 12 to 17 minutes on two cores; an interrupted build continues where it stopped.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

from groundplane_lab.errors import LabError
from groundplane_lab.paths import cache_home
from groundplane_lab.progress import Report, timed
from groundplane_lab.shell import run

VERSION = "v1.20.2"
SUITE = "bullseye"
_SOURCE = "kubernetes"
_GO_PACKAGES = ("golang-1.15-go", "golang-1.15-src")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_ARCHIVE = "http://deb.debian.org/debian"
_BUILD_PROGRAMS = ("make", "gcc", "git", "rsync")


def build(folder: Path, names: Sequence[str], report: Report) -> None:
    """Build the named programs and place them in `folder`."""
    scratch = cache_home() / "build" / f"kubernetes-{VERSION}"
    scratch.mkdir(parents=True, exist_ok=True)
    _install_build_programs(report)
    source, go_root = _fetch(scratch, report)
    for name in names:
        with timed(report, f"{name} {VERSION} built from Debian's source", announce=True):
            run(["make", "all", f"WHAT=cmd/{name}"], environment=_environment(scratch, go_root), cwd=source)
    for name in names:
        shutil.copy2(source / "_output" / "bin" / name, folder / name)
    shutil.rmtree(scratch)


def _environment(scratch: Path, go_root: Path) -> dict[str, str]:
    # Kubernetes' own scripts keep Go's build cache below the source, so an interrupted build continues from it.
    return {
        "PATH": f"{go_root / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin",
        "GOROOT": str(go_root),
        "GOFLAGS": "-mod=vendor",
        "KUBE_GIT_VERSION": VERSION,
        "KUBE_GIT_MAJOR": "1",
        "KUBE_GIT_MINOR": "20",
        "KUBE_GIT_TREE_STATE": "archive",
        # The cache may lie inside somebody's git repository, whose commit is not the one that is built.
        "GIT_CEILING_DIRECTORIES": str(scratch),
    }


def _install_build_programs(report: Report) -> None:
    missing = [program for program in _BUILD_PROGRAMS if shutil.which(program) is None]
    if missing:
        with timed(report, f"installed {', '.join(missing)}: builds Kubernetes"):
            run(["apt-get", "update", "-q"])
            run(
                ["apt-get", "install", "-q", "-y", "--no-install-recommends", *missing],
                environment={"DEBIAN_FRONTEND": "noninteractive"},
            )


def _fetch(scratch: Path, report: Report) -> tuple[Path, Path]:
    """The unpacked source and the root of the unpacked Go; apt checks both against the archive's signature."""
    go = scratch / "go"
    if not (scratch / "fetched").exists():
        with timed(report, f"source of Kubernetes {VERSION} and Go 1.15 fetched from Debian {SUITE}", announce=True):
            options = _apt_folders(scratch)
            run(["apt-get", *options, "update", "-q"])
            run(["apt-get", *options, "source", "--download-only", "--tar-only", _SOURCE], cwd=scratch)
            run(["apt-get", *options, "download", *_GO_PACKAGES], cwd=scratch)
            for package in scratch.glob("golang-*.deb"):
                run(["dpkg-deb", "--extract", str(package), str(go)])
            with tarfile.open(_only(scratch, "kubernetes_*.orig.tar.*")) as tar:
                tar.extractall(scratch / "source", filter="data")
            (scratch / "fetched").touch()
    return _only(scratch / "source", "kubernetes*"), go / "usr" / "lib" / "go-1.15"


def _apt_folders(scratch: Path) -> list[str]:
    """Options that keep apt inside `scratch`, with the archive of the older Debian as its only source."""
    state = scratch / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    lines = (f"{kind} [signed-by={_KEYRING}] {_ARCHIVE} {SUITE} main\n" for kind in ("deb", "deb-src"))
    (state / "sources.list").write_text("".join(lines))
    settings = {
        "Dir::Etc::SourceList": state / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": state / "lists",
        "Dir::State::Status": state / "status",
        "Dir::Cache": state / "cache",
        "APT::Sandbox::User": "root",
    }
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise LabError(f"cannot build Kubernetes: expected one {pattern} in {folder}, found {len(found)}")
    return found[0]
