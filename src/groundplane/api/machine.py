"""Machine: one host that Groundplane reaches over SSH."""

from __future__ import annotations

from typing import Annotated, Literal

from .assessment import Assessment
from .facts import FactChange, MachineFacts
from .meta import Conditions, NameReference, ObjectMeta, Struct, says

Role = Literal["ControlPlane", "Worker"]


class JumpHost(Struct, frozen=True):
    address: Annotated[str, says("IP address or DNS name")]
    port: Annotated[int, says("TCP port of its SSH server", low=1, high=65535)] = 22
    user: Annotated[str, says("user to log in as")] = "root"
    secret_ref: Annotated[NameReference | None, says("Secret with its credentials; empty: the machine's own")] = None
    host_key: Annotated[str, says("its pinned host key; empty: trusted on first use")] = ""


class SSHAccess(Struct, frozen=True):
    """How to log in. The Secret (type groundplane.dev/ssh) has `ssh-privatekey`, `passphrase`, `password` or
    `sudo-password`. `host_key` pins the key ("ssh-ed25519 AAAA…"); empty: trusted on first use, then pinned in
    the status.
    """

    user: Annotated[str, says("user to log in as; other users than root need sudo")] = "root"
    port: Annotated[int, says("TCP port of the SSH server", low=1, high=65535)] = 22
    secret_ref: Annotated[
        NameReference | None,
        says("Secret (type groundplane.dev/ssh) with ssh-privatekey, passphrase, password or sudo-password"),
    ] = None
    host_key: Annotated[
        str,
        says('pinned host key, such as "ssh-ed25519 AAAA…"; empty: trusted on first use, then pinned in the status'),
    ] = ""
    sudo: Annotated[Literal["Auto", "Never"], says("Auto uses sudo when the user is not root; Never does not")] = "Auto"
    jump: Annotated[JumpHost | None, says("host to go through")] = None


class Taint(Struct, frozen=True):
    key: Annotated[str, says("key of the taint")]
    effect: Annotated[
        Literal["NoSchedule", "PreferNoSchedule", "NoExecute"], says("what it does to pods that do not tolerate it")
    ]
    value: Annotated[str, says("value of the taint")] = ""


class MachineSpec(Struct, frozen=True):
    address: Annotated[str, says("IPv4 address that the other machines reach it by")] = ""
    cluster_ref: Annotated[NameReference | None, says("the Cluster that it belongs to; empty: none")] = None
    role: Annotated[Role | None, says("part in the Cluster; required with `clusterRef`")] = None
    ssh: Annotated[SSHAccess, says("how to log in")] = SSHAccess()
    labels: Annotated[dict[str, str], says("labels of its Node")] = {}
    taints: Annotated[list[Taint], says("taints of its Node")] = []


class MachineStatus(Struct, frozen=True):
    observed_generation: Annotated[int, says("generation of the spec that this status is about")] = 0
    host_key: Annotated[
        str,
        says(
            'host key that was trusted on first use, as "[address]:port key"; forgotten when the address, the port or '
            "the jump host is another one"
        ),
    ] = ""
    jump_host_key: Annotated[
        str, says('host key of `spec.ssh.jump` that was trusted on first use, as "[address]:port key"')
    ] = ""
    facts: Annotated[MachineFacts | None, says("what the last survey found")] = None
    survey_answered: Annotated[
        str, says("value of the annotation `groundplane.dev/survey` that the last look answered, well or not")
    ] = ""
    history: Annotated[list[FactChange], says("what surveys found to have changed, newest first; at most 64")] = []
    assessment: Annotated[Assessment | None, says("what the facts mean for its Cluster's Foundation")] = None
    conditions: Conditions = []


class Machine(Struct, frozen=True):
    """One host. Its name is the name of its Node."""

    api_version: Annotated[str, says("group and version of the kind")] = "groundplane.dev/v1alpha1"
    kind: Annotated[str, says("the kind: Machine")] = "Machine"
    metadata: Annotated[ObjectMeta, says("standard object metadata")] = ObjectMeta()
    spec: Annotated[MachineSpec, says("the host and its part")] = MachineSpec()
    status: Annotated[MachineStatus, says("what was observed; written by Groundplane")] = MachineStatus()
