"""Machine: one host that Groundplane reaches over SSH."""

from __future__ import annotations

from typing import Literal

from .facts import MachineFacts
from .meta import Condition, NameReference, ObjectMeta, Struct

Role = Literal["ControlPlane", "Worker"]


class JumpHost(Struct, frozen=True):
    address: str
    port: int = 22
    user: str = "root"
    secret_ref: NameReference | None = None
    host_key: str = ""


class SSHAccess(Struct, frozen=True):
    """How to log in. The Secret (type groundplane.dev/ssh) has `ssh-privatekey`, `passphrase`, `password` or
    `sudo-password`. `host_key` pins the key ("ssh-ed25519 AAAA…"); empty: trusted on first use, then pinned in
    the status.
    """

    user: str = "root"
    port: int = 22
    secret_ref: NameReference | None = None
    host_key: str = ""
    sudo: Literal["Auto", "Never"] = "Auto"
    jump: JumpHost | None = None


class Taint(Struct, frozen=True):
    key: str
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    value: str = ""


class MachineSpec(Struct, frozen=True):
    address: str = ""
    cluster_ref: NameReference | None = None
    role: Role | None = None
    ssh: SSHAccess = SSHAccess()
    labels: dict[str, str] = {}
    taints: list[Taint] = []


class MachineStatus(Struct, frozen=True):
    observed_generation: int = 0
    host_key: str = ""
    facts: MachineFacts | None = None
    conditions: list[Condition] = []


class Machine(Struct, frozen=True):
    """One host. Its name is the name of its Node."""

    api_version: str = "groundplane.dev/v1alpha1"
    kind: str = "Machine"
    metadata: ObjectMeta = ObjectMeta()
    spec: MachineSpec = MachineSpec()
    status: MachineStatus = MachineStatus()
