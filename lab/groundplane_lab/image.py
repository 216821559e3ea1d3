"""The machine image: Debian 12, or 11 or 13, with systemd, sshd and both runtimes, built once and found by its key.

The key is a hash of everything that makes the image: the package list, the files laid over it, the scripts and the
way that the packages are unpacked. The base file system (packages only) is kept as a tar in the cache home, so that a
change of a script costs seconds and an emptied Docker engine costs one import.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from groundplane_lab.paths import PACKAGE, cache_home, locked
from groundplane_lab.progress import Report, timed, to_stderr
from groundplane_lab.shell import attempt, docker, run

SUITES = {"11": "bullseye", "12": "bookworm", "13": "trixie"}
USUAL_DEBIAN = "12"
SUITE = SUITES[USUAL_DEBIAN]
RECIPE = PACKAGE / "machine"
_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
_KEY_LENGTH = 16
# No documentation and no translations: a machine is read by programs.
_UNPACK = (
    "--variant=minbase",
    '--aptopt=Apt::Install-Recommends "false"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)
# Settings of the host's own apt that say how archives are reached and how strict their dates are read.
_APT_SETTINGS = ("Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::http::Proxy", "Acquire::https::Proxy")


def image_key(recipe: Path = RECIPE, *, debian: str = USUAL_DEBIAN) -> str:
    """The key of the machine image that this recipe makes: changes when any of its inputs does."""
    return _digest([base_key(recipe, debian=debian), *_file_inputs(recipe)])


def base_key(recipe: Path = RECIPE, *, debian: str = USUAL_DEBIAN) -> str:
    """The key of the base file system: the suite, the packages, and how they are unpacked."""
    return _digest([SUITES[debian], *_UNPACK, *packages(recipe)])


def packages(recipe: Path = RECIPE) -> list[str]:
    """The Debian packages of a machine, sorted."""
    return sorted((recipe / "packages.txt").read_text().split())


def ensure_machine_image(report: Report = to_stderr, *, debian: str = USUAL_DEBIAN) -> str:
    """The machine image's name in Docker; builds or imports it when it is not there."""
    name = f"groundplane-lab/machine:{image_key(debian=debian)}"
    with locked(cache_home() / "machine" / "image"):
        if not _has_image(name):
            base = _ensure_base_image(report, debian)
            with timed(report, f"machine image {name} built"):
                docker("build", "--quiet", "--build-arg", f"BASE={base}", "--tag", name, str(RECIPE))
    return name


def apt_options() -> list[str]:
    """The host's own apt settings as mmdebstrap options, so that archives are reached as the host reaches them."""
    dump = run(["apt-config", "dump"]).splitlines()
    return [f"--aptopt={line.rstrip(';')}" for line in dump if line.split(" ")[0] in _APT_SETTINGS]


def debian_sources() -> list[str]:
    """The host's Debian archive as an mmdebstrap argument; empty for mmdebstrap's own default."""
    return [str(_SOURCES)] if _SOURCES.exists() else []


def _sources_of(debian: str, folder: Path) -> list[str]:
    """The archive of any Debian, reached as this host reaches its own; written into `folder`."""
    if debian == USUAL_DEBIAN or not _SOURCES.exists():
        return debian_sources()
    written = folder / f"{SUITES[debian]}.sources"
    written.write_text(re.sub(rf"\b({'|'.join(SUITES.values())})\b", SUITES[debian], _SOURCES.read_text()))
    return [str(written)]


def _ensure_base_image(report: Report, debian: str) -> str:
    name = f"groundplane-lab/base:{base_key(debian=debian)}"
    if not _has_image(name):
        tar = _ensure_base_tar(report, debian)
        with timed(report, "machine base file system loaded into Docker"):
            docker("import", str(tar), name)
    return name


def _ensure_base_tar(report: Report, debian: str) -> Path:
    tar = cache_home() / "machine" / f"base-{base_key(debian=debian)}.tar"
    if not tar.exists():
        unfinished = tar.with_suffix(".unfinished.tar")
        what = f"machine base file system made from {len(packages())} packages of Debian {debian}"
        with timed(report, what, announce=True), TemporaryDirectory(prefix="groundplane-lab-") as folder:
            run(
                [
                    *("mmdebstrap", "--mode=root", *_UNPACK, *apt_options()),
                    *(f"--include={','.join(packages())}", SUITES[debian], str(unfinished)),
                    *_sources_of(debian, Path(folder)),
                ]
            )
        unfinished.rename(tar)
    return tar


def _has_image(name: str) -> bool:
    return attempt(["docker", "image", "inspect", name]).returncode == 0


def _file_inputs(recipe: Path) -> Iterable[str]:
    for file in sorted(path for path in recipe.rglob("*") if path.is_file()):
        yield f"{file.relative_to(recipe)} {hashlib.sha256(file.read_bytes()).hexdigest()}"


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_KEY_LENGTH]
