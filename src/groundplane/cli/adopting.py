"""Adopting: the Nodes of an imported cluster become Machines, and the Cluster's condition says whether they match.

The Nodes are read with the kubeconfig that was imported; nothing else goes to the cluster, and nothing to its machines
from here. Run again, it completes what is unfinished, takes over what the flags say now, and leaves the rest.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import asyncssh
import click
import msgspec

from groundplane.api.cluster import Cluster
from groundplane.api.facts import NodeFacts
from groundplane.api.meta import ANNOTATION_SURVEY, API_VERSION, LABEL_CLUSTER, SECRET_SSH, Condition, find_condition
from groundplane.base.errors import Refused
from groundplane.base.files import private_stamp
from groundplane.base.settings import read_settings
from groundplane.base.words import counted
from groundplane.client.contract import Object
from groundplane.client.errors import Forbidden, NotFound
from groundplane.client.typed import SECRETS
from groundplane.clusters.api import KubernetesDoor
from groundplane.clusters.reading import items, text
from groundplane.clusters.stacks import node_of

from .asking import request
from .exits import OperationFailed
from .follow import follow
from .kinds import CLUSTER, OURS, display
from .session import Api
from .show import Table
from .waiting import patience_of

MACHINE = OURS["Machine"]
_PAGE = 500
_PLANES = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


@dataclass(frozen=True, slots=True)
class Wish:
    """How the nodes are logged in to. `secret` names the Secret, which is made of `key` when there is one."""

    secret: str
    key: bytes = field(default=b"", repr=False)
    given: bool = False
    user: str = "root"
    port: int = 22
    jump: Mapping[str, Any] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False

    @property
    def ssh(self) -> Object:
        """The part of a Machine's spec that says how to log in."""
        jump = {"jump": {**self.jump, "secretRef": {"name": self.secret}}} if self.jump else {}
        return {"user": self.user, "port": self.port, "secretRef": {"name": self.secret}, **jump}


def wish_of(  # noqa: PLR0913 - the flags of the command
    cluster: str,
    *,
    ssh_key: Path | None,
    secret: str,
    user: str,
    port: int,
    jump: str,
    address: Sequence[str],
    dry_run: bool,
) -> Wish:
    """Return the wish that flags express; raises Refused for a key file that cannot be used."""
    return Wish(
        secret=secret or f"{cluster}-ssh",
        key=_key_of(ssh_key, cluster) if ssh_key else b"",
        given=bool(ssh_key or secret),
        user=user,
        port=port,
        jump=_jump(jump) if jump else {},
        addresses=dict(_address(one) for one in address),
        dry_run=dry_run,
    )


def _key_of(path: Path, cluster: str) -> bytes:
    """Read a private key that nobody else may read, and that needs no passphrase."""
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise Refused(f"cannot read {path}: {exc.strerror}") from exc
    if _is_public(content):
        beside = path.with_suffix("") if path.suffix == ".pub" else "FILE"
        raise Refused(
            f"cannot use {path}: it is the public key", remedy=f"name the private key beside it: --ssh-key {beside}"
        )
    private_stamp(str(path))
    try:
        asyncssh.import_private_key(content)
    except asyncssh.KeyImportError:
        # The error may quote what it read.
        raise _unusable(path, content, cluster) from None
    return content


def _is_public(content: bytes) -> bool:
    # The library reads the public key out of a private one, too.
    if b"PRIVATE KEY" in content:
        return False
    try:
        asyncssh.import_public_key(content)
    except asyncssh.KeyImportError:
        return False
    return True


def _unusable(path: Path, content: bytes, cluster: str) -> Refused:
    """Return why a key cannot be used: only an encrypted one minds which passphrase it is tried with."""
    try:
        asyncssh.import_private_key(content, "-")
    except asyncssh.KeyEncryptionError:
        made = _creation(f"{cluster}-ssh", f"--from-file=ssh-privatekey={path} --from-literal=passphrase=…")
        return Refused(f"cannot use {path}: it is encrypted", remedy=f"{made}; then adopt with --secret {cluster}-ssh")
    except asyncssh.KeyImportError:
        pass
    return Refused(f"cannot use {path}: it is no private key of SSH", remedy="name a file as ssh-keygen makes it")


def _creation(secret: str, content: str) -> str:
    return f"kubectl create secret generic {secret} --type={SECRET_SSH} {content}"


def _jump(given: str) -> dict[str, Any]:
    user, at, rest = given.rpartition("@")
    host, colon, port = rest.partition(":")
    if not host or (at and not user) or (colon and not port.isdecimal()):
        raise click.BadParameter(f"{given!r} is not [USER@]HOST[:PORT]", param_hint="--jump")
    # All of it is said, so that nothing is left of a jump host that was there before.
    return {"address": host, "user": user or "root", "port": int(port or 22)}


def _address(given: str) -> tuple[str, str]:
    node, _, address = given.partition("=")
    try:
        return node, str(ipaddress.IPv4Address(address))
    except ValueError:
        raise click.BadParameter(f"{given!r} is not NODE=IPv4-ADDRESS", param_hint="--address") from None


async def adopt_cluster(api: Api, name: str, wish: Wish, *, patience: float) -> None:
    """Make the Machines, wait for the Cluster's answer, and say it; OperationFailed when they do not match."""
    cluster = await api.client.get(CLUSTER, api.namespace, name)
    if cluster["spec"].get("provider") != "Imported":
        raise Refused(
            f"cannot adopt cluster {name}: Groundplane made it from its Machines",
            remedy="only imported clusters are adopted; change this one by its spec",
        )
    nodes = await _nodes(name, await _kubeconfig(api, cluster))
    machines = [_machine(api.namespace, name, node, wish) for node in nodes]
    there = {one["metadata"]["name"]: one for one in (await api.client.list(MACHINE, namespace=api.namespace)).items}
    _refuse(name, nodes, there, wish)
    login = await _login(api, cluster, wish)
    if wish.dry_run:
        _preview(name, machines, there, wish, login)
        return
    if login is not None:
        await _keep_secret(api, wish, login)
    done = [await _keep(api, machine, there.get(machine["metadata"]["name"]), wish) for machine in machines]
    replaced = login is not None and login.replaces
    condition = await _answer(api, name, len(machines), patience)
    _report(name, machines, _with_login(done, replaced=replaced), condition, wish.secret if replaced else "")


async def _kubeconfig(api: Api, cluster: Object) -> bytes:
    """Return the kubeconfig of the import, whether or not the cluster was reached with it since."""
    secret = await api.client.get(SECRETS, api.namespace, cluster["spec"]["kubeconfigRef"]["name"])
    return base64.b64decode(secret.get("data", {}).get("kubeconfig", ""))


async def _nodes(name: str, kubeconfig: bytes) -> list[NodeFacts]:
    """Ask the cluster for its Nodes, page by page."""
    found, after = list[NodeFacts](), ""
    async with KubernetesDoor(kubeconfig, commands=read_settings().exec_plugins) as door:
        while True:
            page = await door.get(f"/api/v1/nodes?{urlencode({'limit': _PAGE, 'continue': after})}") or {}
            found += [node_of(node) for node in items(page, "items")]
            after = text(page, "metadata", "continue")
            if not after:
                break
    if not found:
        raise Refused(f"cannot adopt cluster {name}: it has no Nodes", remedy="join nodes to it first")
    return sorted(found, key=lambda node: node.name)


def _machine(namespace: str, cluster: str, node: NodeFacts, wish: Wish) -> Object:
    role = "ControlPlane" if any(label in node.labels for label in _PLANES) else "Worker"
    address = wish.addresses.get(node.name, node.address)
    spec = {"address": address, "clusterRef": {"name": cluster}, "role": role, "ssh": wish.ssh}
    metadata = {"name": node.name, "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": "Machine", "metadata": metadata, "spec": spec}


def _refuse(cluster: str, nodes: Sequence[NodeFacts], there: Mapping[str, Object], wish: Wish) -> None:
    """Raise Refused for what would go wrong half-way."""
    names = {node.name for node in nodes}
    if unknown := sorted(set(wish.addresses) - names):
        raise Refused(
            f"cannot adopt cluster {cluster}: it has no Node {', '.join(unknown)}",
            remedy=f"--address takes one of: {', '.join(sorted(names))}",
        )
    if lost := [node.name for node in nodes if not node.address and node.name not in wish.addresses]:
        raise Refused(
            f"cannot adopt cluster {cluster}: Node {', '.join(lost)} has no InternalIP",
            remedy=f"say how it is reached: --address {lost[0]}=IP",
        )
    foreign = [name for name in sorted(names & set(there)) if _cluster_of(there[name]) != cluster]
    if foreign:
        whose = _cluster_of(there[foreign[0]])
        raise Refused(
            f"cannot adopt cluster {cluster}: Machine {foreign[0]} is there already and belongs to "
            f"{f'cluster {whose}' if whose else 'no cluster'}",
            remedy="delete that Machine, or adopt the cluster in another namespace",
        )
    if wish.jump and not wish.given:
        raise click.UsageError("--jump is part of a login: give --ssh-key FILE, or --secret NAME, with it")
    if not wish.given and names - set(there):
        raise click.UsageError("say how to log in to the nodes: --ssh-key FILE, or --secret NAME")


def _cluster_of(machine: Object) -> str:
    return str((machine.get("spec", {}).get("clusterRef") or {}).get("name", ""))


@dataclass(frozen=True, slots=True)
class _Login:
    """A Secret that is to be written. `version`: that of the one with another key which is there; "" of none."""

    body: Object = field(repr=False)
    version: str = ""

    @property
    def replaces(self) -> bool:
        return bool(self.version)


async def _login(api: Api, cluster: Object, wish: Wish) -> _Login | None:
    """Return the Secret to write, None when it is as it should be; raises Refused for one that cannot be used."""
    name, label = wish.secret, cluster["metadata"]["name"]
    if not wish.key:
        if wish.given:
            await _require_secret(api, label, name)
        return None
    data = {"ssh-privatekey": base64.b64encode(wish.key).decode()}
    metadata = {"name": name, "namespace": api.namespace, "labels": {LABEL_CLUSTER: label}}
    body = {"apiVersion": "v1", "kind": "Secret", "type": SECRET_SSH, "metadata": metadata, "data": data}
    try:
        present = await api.client.get(SECRETS, api.namespace, name)
    except NotFound:
        return _Login(body)
    ours = present["metadata"].get("labels", {}).get(LABEL_CLUSTER) == label
    if present.get("type") != SECRET_SSH or not ours:
        raise Refused(
            f"cannot keep the key: Secret {api.namespace}/{name} is there already and is not of an adoption",
            remedy=f"use it with --secret {name}, or rename it",
        )
    return _Login(body, present["metadata"]["resourceVersion"]) if present.get("data") != data else None


async def _require_secret(api: Api, cluster: str, name: str) -> None:
    """Raise Refused when there is no such Secret; whoever may not read it is believed."""
    try:
        await api.client.get(SECRETS, api.namespace, name)
    except NotFound:
        raise Refused(
            f"cannot adopt cluster {cluster}: there is no Secret {api.namespace}/{name}",
            remedy=f"make it first: {_creation(name, f'-n {api.namespace} --from-file=ssh-privatekey=FILE')}",
        ) from None
    except Forbidden:
        return


async def _keep_secret(api: Api, wish: Wish, login: _Login) -> None:
    if not login.replaces:
        await api.client.create(SECRETS, login.body)
        return
    patch = {"metadata": {"resourceVersion": login.version}, "data": login.body["data"]}
    await api.client.patch(SECRETS, api.namespace, wish.secret, patch)


def _patch(machine: Object, wish: Wish) -> Object:
    """Return what the flags say of a Machine that is there.

    It keeps its login, unless one is given now: that is then the whole of it, without a jump host when none is named.
    """
    spec = machine["spec"]
    if not wish.given:
        return {key: spec[key] for key in ("address", "role")}
    return {**spec, "ssh": {"jump": None, **spec["ssh"]}}


def _differs(there: Any, patch: Any) -> bool:
    """Tell whether a merge patch would change what is there."""
    if isinstance(patch, Mapping):
        return any(_differs((there or {}).get(key), value) for key, value in patch.items())
    return bool(there != patch)


async def _keep(api: Api, machine: Object, there: Object | None, wish: Wish) -> str:
    """Create the Machine, or bring it to what the flags say; return what was done, in a word."""
    if there is None:
        await api.client.create(MACHINE, machine)
        return "created"
    name, before = machine["metadata"]["name"], there["metadata"]["resourceVersion"]
    after = await api.client.patch(MACHINE, api.namespace, name, {"spec": _patch(machine, wish)})
    return "as it was" if after["metadata"]["resourceVersion"] == before else "changed"


def _with_login(done: Sequence[str], *, replaced: bool) -> list[str]:
    """Return what was done to each Machine: one whose Secret has another key now has changed, too."""
    return ["changed" if replaced and word == "as it was" else word for word in done]


def _preview(
    name: str, machines: Sequence[Object], there: Mapping[str, Object], wish: Wish, login: _Login | None
) -> None:
    """Say what would be created and changed."""
    replaced = login is not None and login.replaces
    words = []
    for machine in machines:
        present = there.get(machine["metadata"]["name"])
        alike = present is not None and not _differs(present["spec"], _patch(machine, wish))
        words.append("as it was" if alike else "created" if present is None else "changed")
    words = _with_login(words, replaced=replaced)
    would = {"created": "would be created", "changed": "would be changed", "as it was": "as it was"}
    heading = f"{display(CLUSTER, name)}: {counted(len(machines), 'Machine')} for its Nodes ({_counts(words, would)})"
    _say(f"{heading}; nothing is written", machines, ("change", words))
    if replaced:
        click.echo(f"the key in Secret {wish.secret} would be replaced")


async def _answer(api: Api, name: str, machines: int, patience: float) -> Condition:
    """Ask for a look, and return the condition Adopted that it came to."""
    asked, patch = request(ANNOTATION_SURVEY)
    await api.client.patch(CLUSTER, api.namespace, name, patch)
    looks = aclosing(follow(api.client, CLUSTER, api.namespace))
    async with patience_of(patience, f"cluster {name} to be looked at"), looks as events:
        async for event in events:
            if event.type == "BOOKMARK" or event.object["metadata"]["name"] != name:
                continue
            found = _judged(event.object, asked, machines)
            if found is not None:
                return found
    raise OperationFailed(f"cluster {name} is not looked at any more")


def _judged(document: Object, asked: str, machines: int) -> Condition | None:
    """Return how the look ended that was asked for; None while it has not."""
    status = msgspec.convert(document, Cluster).status
    if status.survey_answered != asked:
        return None
    reached = next((c for c in status.conditions if c.type in ("Imported", "Reachable") and c.status == "False"), None)
    return reached or (find_condition(status.conditions, "Adopted") if status.machines >= machines else None)


def _report(name: str, machines: Sequence[Object], done: Sequence[str], condition: Condition, replaced: str) -> None:
    """Say what was done and what matched. `replaced`: the Secret whose key is another one now."""
    heading = f"{display(CLUSTER, name)}: {counted(len(machines), 'Machine')} for its Nodes ({_counts(done)})"
    problems = _problems(condition)
    _say(heading, machines, ("match", [_match(one["metadata"]["name"], condition, problems) for one in machines]))
    if replaced:
        click.echo(f"their login is changed: Secret {replaced} has another key now")
    if condition.status == "True":
        click.echo(f"adopted: {condition.message}")
        click.echo("nothing was changed on the machines and in the cluster")
        click.echo(f"next: say what is wanted, such as spec.runtime of the Cluster; then groundplane plan {name}")
        return
    for problem in problems:
        click.echo(f"  - {problem}")
    click.echo("nothing was changed on the machines and in the cluster")
    many = f": {counted(len(problems), 'mismatch', 'mismatches')}" if condition.type == "Adopted" else ""
    raise OperationFailed(
        f"cluster {name} is not adopted ({condition.reason}){many}",
        remedy=f"mend what is named above; it is looked at again by itself: groundplane plan {name}",
    )


def _counts(words: Sequence[str], told: Mapping[str, str] | None = None) -> str:
    every = told or {word: word for word in ("created", "changed", "as it was")}
    return ", ".join(f"{words.count(word)} {said}" for word, said in every.items() if word in words)


def _problems(condition: Condition) -> list[str]:
    """Return what stands against the adoption, one by one: of a cluster that was not reached there is one reason."""
    if condition.status == "True":
        return []
    return condition.message.split("; ") if condition.type == "Adopted" else [condition.message]


def _match(machine: str, condition: Condition, problems: Sequence[str]) -> str:
    if condition.status == "True":
        return "matched"
    if condition.type != "Adopted":
        return "not compared"
    return "refused" if any(problem.startswith(f"machine {machine}:") for problem in problems) else "no mismatch"


def _say(heading: str, machines: Sequence[Object], last: tuple[str, Sequence[str]]) -> None:
    """Print the Machines, with what is to be said of each in the last column."""
    click.echo(heading)
    column, words = last
    rows = [
        (one["metadata"]["name"], one["spec"]["address"], one["spec"]["role"], word)
        for one, word in zip(machines, words, strict=True)
    ]
    for line in Table(("node", "address", "role", column)).lines(rows, heading=True):
        click.echo(f"  {line}")
