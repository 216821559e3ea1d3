"""The peers: Ansible's `setup` module, and pyinfra's facts, each with its fastest fair settings.

They live in a virtual environment of their own in the cache folder, made at the first run. Neither checks host keys
here, which saves them a little; ours does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.survey.targets import Target
from groundplane_lab.paths import cache_home

PACKAGES = ("ansible-core==2.19.14", "pyinfra==3.10.0")
PYINFRA = Path(__file__).with_name("ask_pyinfra.py")


@dataclass(frozen=True, slots=True)
class Peers:
    """The peers' virtual environment."""

    folder: Path

    def ansible(self, targets: Sequence[Target], scratch: Path) -> float:
        """Time the command `ansible all -m setup`: one connection per machine, pipelined, the interpreter named."""
        inventory = scratch / "inventory.json"
        hosts = {
            target.name: {
                "ansible_host": target.address,
                "ansible_port": target.port,
                "ansible_user": "root",
                "ansible_ssh_private_key_file": target.key,
                "ansible_python_interpreter": "/usr/bin/python3",
            }
            for target in targets
        }
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        argv = [str(self.folder / "bin/ansible"), "all", "-i", str(inventory), "-m", "setup", "-f", "50"]
        environment = {
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_PIPELINING": "True",
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=no -o UserKnownHostsFile=/dev/null",
            "ANSIBLE_HOME": str(scratch / "ansible"),
        }
        return _run(argv, environment, told=b'"ansible_kernel"', count=len(targets))[1]

    def pyinfra(self, targets: Sequence[Target], scratch: Path) -> float:
        """Time pyinfra's API in its process: connect to all machines side by side, ask each for the same facts."""
        listed = scratch / "targets.json"
        listed.write_text(json.dumps([[t.name, t.address, t.port, t.key] for t in targets]))
        argv = [str(self.folder / "bin/python"), str(PYINFRA), str(listed)]
        done, _ = _run(argv, {}, told=b"surveyed ", count=len(targets))
        return float(done.rpartition(b"seconds ")[2])


def ensure() -> Peers:
    """Return the peers, installing them when they are not there."""
    folder = cache_home() / "bench" / f"peers-{'-'.join(PACKAGES).replace('==', '-')}"
    if not (folder / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(folder / "bin/pip"), "install", "--quiet", *PACKAGES], check=True)
        (folder / "done").touch()
    return Peers(folder)


def _run(argv: Sequence[str], environment: Mapping[str, str], *, told: bytes, count: int) -> tuple[bytes, float]:
    """Return what a command printed and how long it took."""
    started = time.monotonic()
    done = subprocess.run(argv, env={**os.environ, **environment}, capture_output=True, check=False)
    seconds = time.monotonic() - started
    if done.stdout.count(told) < count:
        raise RuntimeError(f"{argv[0]} did not answer for {count} machines: {done.stderr.decode()[-2000:]}")
    return done.stdout, seconds
