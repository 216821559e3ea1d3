"""Whether Machines are the Nodes of an imported cluster: by evidence that both sides show, never by a guess.

A Machine is a Node when it has its name, its machine-id, its address and its part, and when kubeadm joined it to this
very cluster. One that has no Node, on a host that is no node of anything, is to become one. What one side does not show
is no evidence, and no evidence is a refusal. A Node without a Machine is a refusal, too: it would be missing from the
skew and from the budget of nodes that may be away, and nobody could see what a change does to it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from groundplane.api.facts import ClusterFacts, MachineFacts, NodeFacts
from groundplane.api.machine import Machine
from groundplane.base.words import counted

from .path import MANAGED
from .preflight import Problem
from .supported import foreign

ETCD, API_SERVER = "etcd", "kube-apiserver"
# A survey of a host keeps no more addresses than this: what is missing then is no contradiction.
_ADDRESSES_KEPT = 256
_SHOWN = 10
_ADMIN = "/etc/kubernetes/admin.conf of a control plane"


@dataclass(frozen=True, slots=True)
class Adoptee:
    """The cluster that is adopted. `key`: its mark, namespace/name; `cluster` has its nodes.

    `authorities` are digests of the CA certificates that its kubeconfig trusts; empty when that names none.
    """

    key: str
    cluster: ClusterFacts
    authorities: frozenset[str] = frozenset()

    def node(self, name: str) -> NodeFacts | None:
        """Return the Node of that name."""
        return next((node for node in self.cluster.nodes if node.name == name), None)


def match(machines: Mapping[str, Machine], facts: Mapping[str, MachineFacts], adoptee: Adoptee) -> list[Problem]:
    """Return every reason why these Machines may not be used to change this cluster; no Errors when they may.

    Machines without facts are left out: why they could not be looked at is for the caller to say.
    """
    found = list(_platform(adoptee))
    for name in sorted(machines):
        if name in facts:
            found += _machine(machines[name], facts[name], adoptee)
    # A Machine that is deleted takes part in nothing: it only has to be the Node that is to be taken out.
    staying = [name for name in sorted(machines) if not machines[name].metadata.deletion_timestamp]
    found += _same_hosts({name: facts[name] for name in staying if name in facts})
    found += _roles(machines, newcomers(machines, facts, adoptee))
    found += _without_machine(machines, adoptee)
    return found


def newcomers(machines: Mapping[str, Machine], facts: Mapping[str, MachineFacts], adoptee: Adoptee) -> list[str]:
    """Return the Machines that are to become Nodes, by name.

    Their hosts are no node of anything and there is no Node of the name, or a join of ours has not ended there.
    """
    return [name for name in sorted(machines) if name in facts and _is_new(name, facts[name], adoptee)]


def _is_new(name: str, facts: MachineFacts, adoptee: Adoptee) -> bool:
    node, kubeadm = adoptee.node(name), facts.kubeadm
    if not facts.machine_id or foreign(facts, adoptee.key):
        return False
    begun = kubeadm.owner == adoptee.key and kubeadm.unfinished
    if node is not None:
        # kubeadm registers a control plane before etcd has it.
        return begun and node.machine_id in ("", facts.machine_id)
    if facts.machine_id in {one.machine_id for one in adoptee.cluster.nodes}:
        return False
    # One that bears our mark and is whole was a node: somebody has deleted its Node.
    return begun or not kubeadm.present


def _platform(adoptee: Adoptee) -> Iterator[Problem]:
    platform = adoptee.cluster.platform
    if platform.name in MANAGED:
        yield _whole(
            "platform",
            f"the cluster is {platform.name}, whose own tools look after its nodes",
            "change it with these tools; delete its Machines here, and it is surveyed as before",
        )
    elif platform.name == "unknown":
        yield _whole(
            "platform",
            f"nobody can tell what kind of Kubernetes it is ({'; '.join(platform.evidence[:3]) or 'nothing was seen'})",
            "only clusters that kubeadm made (native, tke) can be adopted; delete its Machines here",
        )


def _machine(machine: Machine, facts: MachineFacts, adoptee: Adoptee) -> Iterator[Problem]:
    name, owner = machine.metadata.name, facts.kubeadm.owner
    if owner not in ("", adoptee.key):
        yield _of(
            name,
            "owner",
            f"it carries the mark of cluster {owner}",
            f"delete the Machine here, or take it out of {owner} first",
        )
    node = adoptee.node(name)
    if _is_new(name, facts, adoptee):
        return
    if node is None:
        yield _of(name, "name", f"there is no Node of this name ({_listed(adoptee)})", _without_node(facts, adoptee))
        return
    yield from _identity(name, facts, node, adoptee)
    yield from _address(machine, facts, node, adoptee)
    yield from _kubeadm(name, facts, adoptee)
    yield from _role(machine, facts)
    called = facts.kubelet.node_name
    if called not in ("", name):
        # Some cloud providers name Nodes by themselves, so this alone is no contradiction.
        hint = _of(
            name,
            "kubelet-name",
            f"its host name would have the kubelet register as {called}",
            f"unless a cloud provider names Nodes, set its host name, or --hostname-override, to {name}",
        )
        yield replace(hint, severity="Warning")


def _identity(name: str, facts: MachineFacts, node: NodeFacts, adoptee: Adoptee) -> Iterator[Problem]:
    if not facts.machine_id or not node.machine_id:
        who = "the host" if not facts.machine_id else "its Node"
        yield _of(
            name,
            "machine-id",
            f"{who} shows no machine-id, so nothing proves that they are one",
            "make sure that /etc/machine-id is there, and start the kubelet anew",
        )
    elif facts.machine_id != node.machine_id:
        yield _of(
            name,
            "machine-id",
            f"the host has the machine-id {facts.machine_id}, and Node {name} has {node.machine_id}",
            _elsewhere(facts, adoptee),
        )


def _address(machine: Machine, facts: MachineFacts, node: NodeFacts, adoptee: Adoptee) -> Iterator[Problem]:
    name, addresses = machine.metadata.name, facts.network.addresses
    own = {one.partition("/")[0] for one in addresses}
    if not node.address:
        yield _of(
            name, "address", "its Node shows no InternalIP to compare with", "give the kubelet one with --node-ip"
        )
    elif node.address not in own and not (node.address == machine.spec.address and _cut(addresses)):
        yield _of(
            name,
            "address",
            f"Node {name} has the address {node.address}, which the host at {machine.spec.address} does not have",
            _elsewhere(facts, adoptee),
        )


def _cut(addresses: Sequence[str]) -> bool:
    """Tell whether a host may have more addresses than its survey shows."""
    return not addresses or len(addresses) >= _ADDRESSES_KEPT


def _kubeadm(name: str, facts: MachineFacts, adoptee: Adoptee) -> Iterator[Problem]:
    kubeadm = facts.kubeadm
    if not kubeadm.joined or not kubeadm.server:
        yield _of(
            name,
            "kubeadm",
            "kubeadm did not make a node of it: /etc/kubernetes/kubelet.conf is missing, or names no server",
            "only clusters that kubeadm made can be adopted; delete its Machines here",
        )
    elif not kubeadm.ca_hash:
        yield _of(
            name,
            "authority",
            "it has no /etc/kubernetes/pki/ca.crt that says which cluster it belongs to",
            "only clusters that kubeadm made can be adopted; delete its Machines here",
        )
    elif adoptee.authorities and kubeadm.ca_hash not in adoptee.authorities:
        yield _of(
            name,
            "authority",
            f"its node trusts another CA than the kubeconfig of cluster {adoptee.key}, so it may belong to another",
            f"correct spec.address, or import the cluster again with --renew and {_ADMIN}",
        )


def _role(machine: Machine, facts: MachineFacts) -> Iterator[Problem]:
    name, pods = machine.metadata.name, facts.kubeadm.static_pods
    now = "ControlPlane" if API_SERVER in pods else "Worker"
    if machine.spec.role != now:
        seen = "an API server runs there" if now == "ControlPlane" else "no API server runs there"
        yield _of(name, "role", f"it is a {now}, for {seen}", f"set spec.role of Machine {name} to {now}")
    elif now == "ControlPlane" and ETCD not in pods:
        yield _of(
            name,
            "etcd",
            "etcd does not run on it, and one that runs elsewhere could not be saved before a change",
            "only clusters with etcd on their control planes can be adopted; delete its Machines here",
        )


def _same_hosts(facts: Mapping[str, MachineFacts]) -> Iterator[Problem]:
    """One host is one Machine. Cloned disks with one machine-id cannot be told apart, so they count as one."""
    by_id: dict[str, list[str]] = {}
    for name, seen in facts.items():
        if seen.machine_id:
            by_id.setdefault(seen.machine_id, []).append(name)
    for machine_id, names in by_id.items():
        for name in names if len(names) > 1 else ():
            others = ", ".join(other for other in names if other != name)
            yield _of(
                name,
                "same-host",
                f"it has the machine-id {machine_id}, as Machine {others} has",
                "delete the Machine that is there twice; hosts from one disk image need a machine-id each",
            )
    authorities = {seen.kubeadm.ca_hash for seen in facts.values() if seen.kubeadm.ca_hash}
    if len(authorities) > 1:
        yield _whole(
            "authority",
            "its Machines are nodes of different clusters: their CA certificates differ",
            "take out the Machines of other clusters",
        )


def _roles(machines: Mapping[str, Machine], new: Sequence[str]) -> Iterator[Problem]:
    there = [machine for name, machine in machines.items() if name not in new]
    if machines and not any(machine.spec.role == "ControlPlane" for machine in there):
        yield _whole("role", "none of its Machines is a control plane", "add Machines for its control planes")


def _without_machine(machines: Mapping[str, Machine], adoptee: Adoptee) -> Iterator[Problem]:
    missing = [node.name for node in adoptee.cluster.nodes if node.name not in machines]
    if missing:
        # The cluster that it is ends the key; namespaces are not part of what `groundplane adopt` is given.
        name = adoptee.key.partition("/")[2]
        yield _whole(
            "nodes",
            f"{counted(len(missing), 'Node')} without a Machine: {_some(missing)}",
            f"add a Machine for each, such as with `groundplane adopt cluster/{name}`",
        )


def _without_node(facts: MachineFacts, adoptee: Adoptee) -> str:
    """Return what to do about a host for whose Machine there is no Node."""
    if facts.kubeadm.owner == adoptee.key and facts.kubeadm.joined:
        return "it was a node: `systemctl restart kubelet` there registers it again; or delete the Machine"
    return _elsewhere(facts, adoptee)


def _elsewhere(facts: MachineFacts, adoptee: Adoptee) -> str:
    """Return what to do about a host that is not the Node; the Node that it is, where that can be told."""
    same = [node.name for node in adoptee.cluster.nodes if node.machine_id and node.machine_id == facts.machine_id]
    if len(same) == 1:
        return f"this host is Node {same[0]}: correct spec.address, or the Machine's name"
    return "correct spec.address: the host there is another one"


def _listed(adoptee: Adoptee) -> str:
    names = sorted(node.name for node in adoptee.cluster.nodes)
    return f"there are: {_some(names)}" if names else "there is none"


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _of(machine: str, check: str, message: str, remedy: str) -> Problem:
    return Problem(machine, check, f"machine {machine}: {message}", remedy)


def _whole(check: str, message: str, remedy: str) -> Problem:
    return Problem("", check, message, remedy)
