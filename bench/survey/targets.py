"""The machines of the benchmark: real sshd processes, and a crowd of scripted ones; and the process that asks them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.sshd import running_sshd

from bench import scripted

ROOT = Path(__file__).parents[2]
RUNTIMES = ("docker", "dockerd", "containerd", "runc", "ctr", "crictl", "crio", "kubelet", "kubeadm")


@dataclass(frozen=True, slots=True)
class Target:
    """One machine: where it is, the key file that logs in as root, and the host key that it shows."""

    name: str
    address: str
    port: int
    key: str
    host_key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What asking took, without the start of the process: time, CPU time, and the peak of memory in MiB."""

    seconds: float
    cpu: float
    memory: float


def asked(way: str, targets: Sequence[Target]) -> Answer:
    """Ask all targets once, in a process of its own, over new connections."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.survey.asking", way],
        input=json.dumps([asdict(target) for target in targets]),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if done.returncode:
        raise RuntimeError(f"cannot ask {len(targets)} machines: {done.stderr[-2000:]}")
    found = json.loads(done.stdout)
    return Answer(**found)


@contextmanager
def machines(folder: Path, count: int, *, without: Sequence[str]) -> Iterator[list[Target]]:
    """Run `count` sshd processes whose sessions do not find the programs `without`."""
    with ExitStack() as stack:
        targets = []
        for number in range(1, count + 1):
            home = folder / f"machine-{number}"
            server = stack.enter_context(running_sshd(home, without=without))
            key = home / "client_key"
            key.write_bytes(server.client_key)
            key.chmod(0o600)
            targets.append(Target(f"machine-{number}", "127.0.0.1", server.port, str(key), server.host_key))
        yield targets


@dataclass(frozen=True, slots=True)
class Crowd:
    """Scripted machines that are one process: every address of 127.0.0.0/8 is one."""

    port: int
    key: str
    host_key: str

    def targets(self, count: int) -> list[Target]:
        """Return this many of them."""
        places = (f"127.{1 + n // 62_500}.{n // 250 % 250}.{n % 250 + 1}" for n in range(count))
        return [Target(f"scripted-{place}", place, self.port, self.key, self.host_key) for place in places]


@contextmanager
def crowd(folder: Path) -> Iterator[Crowd]:
    """Run the process of the scripted machines."""
    folder.mkdir()
    with scripted.machines("bench.survey.scripted", folder) as port:
        yield Crowd(port, str(folder / "client_key"), (folder / "host_key.pub").read_text().strip())
