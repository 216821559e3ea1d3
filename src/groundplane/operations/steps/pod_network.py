"""pod-network: the routed network of one node: CNI configuration, routes to the others, rules; kept over a reboot."""

from __future__ import annotations

from groundplane.api.operation import PlannedChange
from groundplane.hosts.contract import ReadHost

from .. import ledger, nodes, systemd
from ..errors import NotYet, StepRefused
from ..places import CNI_CONF, NETWORK_SCRIPT, NETWORK_UNIT
from ..routed import PROTOCOL, UNIT, Routed, conflist, script
from ..scope import ReadScope, Scope

_SERVICE = NETWORK_UNIT.rpartition("/")[2]


class PodNetwork:
    name = "pod-network"
    title = "Connect the pod network"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None and scope.target.network.plugin == "routed"

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        host, network = scope.host, await _wanted(scope)
        changes = [
            PlannedChange(what=path, after=f"pods {network.own}")
            for path, content in _files(network).items()
            if await ledger.differs(host, path, content)
        ]
        for range_, via in (await _missing_routes(host, network)).items():
            changes.append(PlannedChange(what=f"route to pods {range_}", after=f"via {via}"))
        changes += [PlannedChange(what=f"rules {chain}", after="set") for chain in await _missing_rules(host, network)]
        unit = await systemd.look(host, _SERVICE)
        if not (unit.active and unit.enabled):
            changes.append(PlannedChange(what=_SERVICE, after="running and started at boot"))
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host, network = scope.door, await _wanted(scope)
        for path, content in _files(network).items():
            if await ledger.differs(host, path, content):
                await ledger.put(host, path, content, mode=0o755 if path == NETWORK_SCRIPT else 0o644)
        done = await host.run([NETWORK_SCRIPT, "up"], check=False)
        if not done.ok:
            reason = done.stderr.decode("utf-8", "replace").strip() or f"exit status {done.status}"
            raise StepRefused(
                f"cannot set up the pod network on host {host.name}: {reason}",
                remedy="plugin routed needs iptables, and machines that reach each other without a router between",
            )
        await systemd.start(host, _SERVICE)


async def _wanted(scope: ReadScope) -> Routed:
    """Return the network as the Nodes' pod ranges make it; NotYet when one has no range yet."""
    cluster = await nodes.door(scope)
    peers: dict[str, str] = {}
    own = ""
    for found in await nodes.items(cluster, nodes.NODES):
        name, cidr = found["metadata"]["name"], nodes.pod_cidr(found)
        machine = scope.machines.get(name)
        if machine is None:
            continue
        if not cidr:
            raise NotYet(f"cannot route to node {name}: it has no pod range yet")
        if name == scope.name:
            own = cidr
        else:
            peers[cidr] = machine.spec.address
    if not own:
        raise NotYet(f"cannot set up the pod network on host {scope.name}: its node has not registered yet")
    return Routed(own=own, pods=scope.target.network.pod_cidr, peers=peers)


def _files(network: Routed) -> dict[str, bytes]:
    return {CNI_CONF: conflist(network), NETWORK_SCRIPT: script(network), NETWORK_UNIT: UNIT}


async def _missing_routes(host: ReadHost, network: Routed) -> dict[str, str]:
    shown = await host.query(["ip", "-4", "route", "show"])
    ours = [line.split() for line in shown.text.splitlines() if f"proto {PROTOCOL}" in line]
    there = {words[0]: words[words.index("via") + 1] for words in ours if "via" in words}
    stale = {range_: "nowhere" for range_ in there if range_ not in network.peers}
    return {range_: via for range_, via in network.peers.items() if there.get(range_) != via} | stale


async def _missing_rules(host: ReadHost, network: Routed) -> list[str]:
    missing = []
    for (table, chain, parent), rules in network.chains.items():
        shown = (await host.query(["iptables-save", "-t", table])).text.splitlines()
        there = [line.strip() for line in shown if line.startswith(f"-A {chain} ")]
        jumps = [line for line in shown if line.startswith(f"-A {parent} ") and line.endswith(f"-j {chain}")]
        if there != rules or not jumps:
            missing.append(chain)
    return missing
