"""A lab as values: what was asked for, what is there, and how both are kept on disk.

Every Docker object of a lab carries the label `groundplane-lab=<name>` and a name that starts with
`groundplane-lab-<name>-`, so that the label alone is enough to clean up after a run that was cut off.
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass
from pathlib import Path

from groundplane_lab.errors import LabError
from groundplane_lab.image import SUITES, USUAL_DEBIAN
from groundplane_lab.paths import lab_home

LABEL = "groundplane-lab"
FIRST_HOST = 11
PASSWORD = "lab-password"
"""The password of the accounts `admin` and `nosudo` on every machine. It opens nothing but the lab."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


@dataclass(frozen=True, slots=True)
class LabSpec:
    """What is asked for: `machines` machines of one Debian, the first with address `.11` of `subnet`."""

    name: str = "demo"
    machines: int = 3
    subnet: str = "198.18.0.0/24"
    debian: str = USUAL_DEBIAN

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise LabError(f"cannot name a lab {self.name!r}: use up to 20 of a-z, 0-9 and '-', a letter first")
        if self.debian not in SUITES:
            raise LabError(f"cannot make machines of Debian {self.debian}: there are {', '.join(SUITES)}")
        network = ipaddress.ip_network(self.subnet)
        if self.machines < 1 or FIRST_HOST + self.machines >= network.num_addresses:
            raise LabError(f"cannot place {self.machines} machines in {self.subnet}: addresses start at .{FIRST_HOST}")

    def hosts(self) -> list[tuple[str, str]]:
        """Name and address of each machine, in order."""
        first = ipaddress.ip_network(self.subnet).network_address + FIRST_HOST
        return [(f"{self.name}-{index + 1}", str(first + index)) for index in range(self.machines)]


@dataclass(frozen=True, slots=True)
class LabMachine:
    """One machine: its name, its address and its SSH host key as `ssh-ed25519 AAAA…`."""

    name: str
    address: str
    host_key: str


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab that is up. `private_key` logs in as `user` (root), `admin` and `nosudo` on every machine."""

    name: str
    subnet: str
    machines: tuple[LabMachine, ...]
    private_key: Path
    user: str = "root"
    debian: str = USUAL_DEBIAN

    def machine(self, name: str) -> LabMachine:
        """The machine of this name."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        raise LabError(f"cannot find machine {name}: lab {self.name} has {', '.join(m.name for m in self.machines)}")


def state_folder(name: str) -> Path:
    """The folder that holds a lab's key and lab.json."""
    return lab_home() / name


def load(name: str = "demo") -> Lab:
    """The lab of this name as `up` left it; raises LabError when there is none."""
    lab = find(name)
    if lab is None:
        raise LabError(f"cannot find lab {name}: it is not up; start it with `groundplane lab up --name {name}`")
    return lab


def find(name: str) -> Lab | None:
    """The lab of this name, or None."""
    file = state_folder(name) / "lab.json"
    if not file.exists():
        return None
    content = json.loads(file.read_text())
    return Lab(
        name=content["name"],
        subnet=content["subnet"],
        machines=tuple(LabMachine(m["name"], m["address"], m["hostKey"]) for m in content["machines"]),
        private_key=Path(content["privateKey"]),
        user=content["user"],
        debian=content.get("debian", USUAL_DEBIAN),
    )


def save(lab: Lab) -> None:
    """Write lab.json, whole or not at all."""
    content = {
        "name": lab.name,
        "subnet": lab.subnet,
        "machines": [{"name": m.name, "address": m.address, "hostKey": m.host_key} for m in lab.machines],
        "privateKey": str(lab.private_key),
        "user": lab.user,
        "debian": lab.debian,
    }
    file = state_folder(lab.name) / "lab.json"
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    unfinished.replace(file)
