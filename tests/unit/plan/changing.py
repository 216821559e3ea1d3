"""A simulated living cluster: the real runner changes its nodes, and whatever is out of order is written down.

It keeps the truth of each node apart from what a survey shows. Steps take effect in parts, with moments between them
at which the run may be killed, cancelled, or made to fail; their notes are made before the deed, as real steps make
theirs, and outlive a kill. Nothing is raised inside a step for a broken rule: the runner would take it for a failure.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from msgspec.structs import replace

from groundplane.api.cluster import Change
from groundplane.api.distribution import Release
from groundplane.api.facts import (
    ClusterFacts,
    KernelFacts,
    KubeadmFacts,
    KubeletFacts,
    MachineFacts,
    NodeFacts,
    TimeFacts,
)
from groundplane.api.foundation import RuntimeChoice, RuntimeName
from groundplane.api.meta import ANNOTATION_HOLD_BACK
from groundplane.api.operation import Plan, PlannedChange, PlannedStep, StepStatus
from groundplane.api.target import ClusterTarget, Desired
from groundplane.base import versions
from groundplane.base.errors import Refused, Unavailable
from groundplane.catalog.skew import kubelet_behind
from groundplane.operations import Limits, Outcome, Runner
from groundplane.plan.budget import allowed
from support.virtual import VirtualClock

from .fleet import KEY, MANIFESTS, desired

FREED = "freed"
SETTINGS = {"net.ipv4.ip_forward": "1", "net.bridge.bridge-nf-call-iptables": "1"}
SETTINGS["net.bridge.bridge-nf-call-ip6tables"] = "1"
_KERNEL = KernelFacts(modules=["overlay", "br_netfilter"], sysctls=SETTINGS)


class Told(Refused):
    """A step was told to fail."""


@dataclass
class Node:
    """The truth of one node. `dead`: nothing that is done to it makes it Ready. `foreign`: somebody else's cordon."""

    plane: bool
    runtime: str
    kubelet: str
    server: str = ""
    swap: bool = False
    claimed: bool = True
    ready: bool = True
    dead: bool = False
    held: bool = False
    foreign: bool = False
    mark: bool = False
    empty: bool = False
    drains: int = 0
    staged: set[str] = field(default_factory=set)

    @property
    def away(self) -> bool:
        """Whether pods cannot run there."""
        return not self.ready or self.mark or self.empty

    def found(self) -> tuple[object, ...]:
        """What a failed change leaves as it was found."""
        return (self.runtime, self.kubelet, self.ready, self.foreign, self.empty)


@dataclass
class Faults:
    """What goes wrong in one run. Keys of `fail` and `unavailable` are names of steps.

    `fail`: raise at that moment of the step. `unavailable`: raise so many times. `broken_undo`: cannot be taken back.
    `cancel` and `kill`: at that moment of the whole run.
    """

    fail: dict[str, int] = field(default_factory=dict)
    unavailable: dict[str, int] = field(default_factory=dict)
    broken_undo: set[str] = field(default_factory=set)
    cancel: int = -1
    kill: int = -1


class Killed(Exception):
    """The run was killed."""


@dataclass
class World:
    """`broken` lists every rule that was broken, in words. `notes` are the journal of the Operation under way."""

    wish: Desired
    nodes: dict[str, Node]
    chance: random.Random
    answers: str = ""
    broken: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    moments: int = 0
    within: dict[str, int] = field(default_factory=dict)
    cancel: asyncio.Event = field(default_factory=asyncio.Event)
    killed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def target(self) -> ClusterTarget:
        return self.wish.target

    @property
    def budget(self) -> int:
        return allowed(self.target.change.max_unavailable, len(self.nodes))

    def aim(self, *, version: str = "", runtime: str = "", budget: int | str = 0) -> None:
        """Want something else; what is left out stays as it is wanted. A machine without our mark makes it adopted."""
        now = self.target
        target = replace(
            now,
            version=version or now.version,
            release=Release(version=version or now.version),
            runtime=RuntimeChoice(name=cast(RuntimeName, runtime or now.runtime.name)),
            change=Change(max_unavailable=budget or now.change.max_unavailable),
            origin="Made" if all(node.claimed for node in self.nodes.values()) else now.origin,
        )
        self.wish = Desired(target=target, machines=self.wish.machines)

    def facts(self) -> dict[str, MachineFacts]:
        """What a survey of the machines shows."""
        return {name: _machine_facts(name, node) for name, node in self.nodes.items()}

    def cluster(self) -> ClusterFacts:
        """What the cluster's API shows; `answers` is the control plane that the survey happened to reach."""
        seen = self.nodes[self.answers or self.target.first]
        nodes = [_node_facts(name, node) for name, node in self.nodes.items()]
        return ClusterFacts(reachable=True, version=seen.server, nodes=nodes, kubeconfig_published=True)

    def needs(self, name: str) -> bool:
        """Tell whether the node has to be emptied for its target."""
        node = self.nodes[name]
        return node.mark or self.moves(node) or node.runtime != self.target.runtime.name

    def moves(self, node: Node) -> bool:
        """Tell whether Kubernetes of the node is behind."""
        return older(node.kubelet, self.target.version) or (node.plane and older(node.server, self.target.version))

    def as_wanted(self) -> list[str]:
        """Return what is not as wanted, held back nodes left out; empty when all is."""
        left = [f"{name} is not at its target: {self.nodes[name]}" for name in self._free() if self.needs(name)]
        return left + [f"{name} swaps" for name in self._free() if self.nodes[name].swap]

    def _free(self) -> Iterable[str]:
        return (name for name, node in self.nodes.items() if not node.held)

    def need(self, condition: bool, words: str) -> None:
        """Write down a rule that is broken."""
        if not condition:
            self.broken.append(words)

    async def moment(self, step: PlannedStep, *, undoing: bool = False) -> None:
        """A moment at which anything may happen."""
        for _ in range(self.chance.randrange(3)):
            await asyncio.sleep(0)
        self.moments += 1
        if self.moments == self.faults.kill:
            self.killed.set()
        if self.killed.is_set():
            await asyncio.get_running_loop().create_future()
        if self.moments == self.faults.cancel:
            self.cancel.set()
        if undoing:
            return
        seen = self.within[step.name] = self.within.get(step.name, 0) + 1
        if self.faults.unavailable.get(step.name, 0) > 0:
            self.faults.unavailable[step.name] -= 1
            raise Unavailable("the machine does not answer")
        if self.faults.fail.get(step.name) == seen:
            raise Told("told to fail", remedy="tell it nothing")

    def leave(self, name: str, *, why: str) -> None:
        """Ask the rules whether the node may go away now."""
        node = self.nodes[name]
        if node.away:
            return
        others = [other for key, other in self.nodes.items() if key != name and other.away]
        self.need(len(others) < self.budget, f"{why} {name}: {len(others)} away already, {self.budget} may be")
        if node.plane:
            self.need(not any(other.plane for other in others), f"{why} {name}: another control plane is away")


def older(found: str, wanted: str) -> bool:
    return versions.parse(found) < versions.parse(wanted)


def _machine_facts(name: str, node: Node) -> MachineFacts:
    kubeadm = KubeadmFacts(
        joined=True,
        owner=KEY if node.claimed else "",
        static_pods=MANIFESTS if node.plane else [],
        admin_conf=node.plane,
    )
    kubelet = KubeletFacts(installed=True, active=True, enabled=True, version=node.kubelet[1:], runtime=node.runtime)
    return MachineFacts(
        time=TimeFacts(synchronized=True, service="chrony"),
        machine_id=name,
        kernel=_KERNEL,
        swap=2**30 if node.swap else 0,
        kubeadm=kubeadm,
        kubelet=kubelet,
        systemd=True,
    )


def _node_facts(name: str, node: Node) -> NodeFacts:
    return NodeFacts(
        name=name,
        ready=node.ready,
        unschedulable=node.foreign or node.mark,
        cordoned_by=KEY if node.mark else "",
        kubelet_version=node.kubelet,
        runtime=f"{node.runtime}://1",
    )


class Deed:
    """One kind of step on the simulated nodes; scopes are the planned steps themselves."""

    title = "Do it"

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world
        key = name.replace("-", "_")
        self._left = getattr(self, f"left_{key}")
        self._do = getattr(self, f"do_{key}")

    def wanted(self, _: Any) -> bool:
        return True

    def node(self, step: PlannedStep) -> Node:
        return self.world.nodes[step.machine]

    async def plan(self, step: Any) -> list[PlannedChange]:
        await self.world.moment(step)
        return [PlannedChange(what=step.name)] if self._left(step) else []

    async def apply(self, step: Any, _: list[PlannedChange]) -> None:
        await self.world.moment(step)
        await self._do(step)

    def note(self, key: str, value: str) -> str:
        """Write down how something was found; the first note stays."""
        return self.world.notes.setdefault(key, value)

    def left_claim(self, step: PlannedStep) -> bool:
        return not self.node(step).claimed

    async def do_claim(self, step: PlannedStep) -> None:
        self.node(step).claimed = True

    def left_host_settings(self, step: PlannedStep) -> bool:
        return self.node(step).swap

    async def do_host_settings(self, step: PlannedStep) -> None:
        self.node(step).swap = False

    def left_stage_runtime(self, step: PlannedStep) -> bool:
        return self.world.target.runtime.name not in self.node(step).staged

    async def do_stage_runtime(self, step: PlannedStep) -> None:
        self.node(step).staged.add(self.world.target.runtime.name)

    def left_stage_kubernetes(self, step: PlannedStep) -> bool:
        return self.world.target.version not in self.node(step).staged

    async def do_stage_kubernetes(self, step: PlannedStep) -> None:
        self.node(step).staged.add(self.world.target.version)

    def left_noted(self, step: PlannedStep) -> bool:
        return step.name not in self.world.notes

    async def do_noted(self, step: PlannedStep) -> None:
        self.world.notes[step.name] = "done"

    left_upgrade_check = left_etcd_snapshot = left_noted
    do_upgrade_check = do_etcd_snapshot = do_noted

    def left_verify_node(self, step: PlannedStep) -> bool:
        return step.name not in self.world.notes

    async def do_verify_node(self, step: PlannedStep) -> None:
        if not self.node(step).ready:
            raise Told(f"{step.machine} is not Ready", remedy="look at it")
        self.world.notes[step.name] = "proven"

    def left_uncordon(self, step: PlannedStep) -> bool:
        return self.node(step).mark or self.node(step).empty

    async def do_uncordon(self, step: PlannedStep) -> None:
        self.world.need(self.node(step).ready, f"{step.machine} is opened while it is not Ready")
        self.world.notes[f"{FREED}/{step.machine}"] = "yes"
        await self.world.moment(step)
        self.node(step).mark = self.node(step).empty = False

    def left_verify_change(self, step: PlannedStep) -> bool:
        return step.name not in self.world.notes

    async def do_verify_change(self, step: PlannedStep) -> None:
        marked = [name for name, node in self.world.nodes.items() if node.mark and not node.held]
        self.world.need(not marked, f"the cluster is verified with cordons of ours left: {marked}")
        self.world.notes[step.name] = "proven"


class Revocable(Deed):
    """A step that can be taken back."""

    def __init__(self, name: str, world: World) -> None:
        super().__init__(name, world)
        self._undo = getattr(self, f"undo_{name.replace('-', '_')}")

    async def undo(self, step: Any) -> None:
        await self.world.moment(step, undoing=True)
        if step.name in self.world.faults.broken_undo:
            raise Told("cannot be taken back", remedy="by hand")
        await self._undo(step)

    def left_drain(self, step: PlannedStep) -> bool:
        node = self.node(step)
        return f"{FREED}/{step.machine}" not in self.world.notes and not (node.empty and (node.mark or node.foreign))

    async def do_drain(self, step: PlannedStep) -> None:
        node, world = self.node(step), self.world
        world.need(world.needs(step.machine), f"{step.machine} is drained without need")
        world.need(not node.held, f"{step.machine} is held back and drained")
        world.leave(step.machine, why="drain")
        _in_order(world, step.machine)
        world.notes.setdefault(f"drain/{step.machine}", "begun")
        node.mark = not node.foreign or node.mark
        await world.moment(step)
        node.drains += not node.empty
        node.empty = True
        world.need(node.drains == 1, f"{step.machine} is drained twice")

    async def undo_drain(self, step: PlannedStep) -> None:
        # The note goes first: run again from here, the node has to be drained anew.
        self.world.notes.pop(f"{FREED}/{step.machine}", None)
        self.world.notes.pop(f"verify-node/{step.machine}", None)
        self.node(step).mark = self.node(step).empty = False
        self.node(step).drains = 0

    def left_switch_runtime(self, step: PlannedStep) -> bool:
        node = self.node(step)
        return node.runtime != self.world.target.runtime.name or not (node.ready or node.dead)

    async def do_switch_runtime(self, step: PlannedStep) -> None:
        node, wanted = self.node(step), self.world.target.runtime.name
        self.world.need(wanted in node.staged, f"{step.machine}: {wanted} is not staged")
        await self._with_node_down(step, "runtime", wanted)

    async def undo_switch_runtime(self, step: PlannedStep) -> None:
        await self._back(step, "runtime")

    def left_upgrade_kubelet(self, step: PlannedStep) -> bool:
        return older(self.node(step).kubelet, self.world.target.version) or not (
            self.node(step).ready or self.node(step).dead
        )

    async def do_upgrade_kubelet(self, step: PlannedStep) -> None:
        world, wanted = self.world, self.world.target.version
        world.need(wanted in self.node(step).staged, f"{step.machine}: {wanted} is not staged")
        for name, plane in world.nodes.items():
            why = kubelet_behind(plane.server, wanted) if plane.plane else ""
            world.need(not why, f"{step.machine} beside {name}: {why}")
        await self._with_node_down(step, "kubelet", wanted)

    async def undo_upgrade_kubelet(self, step: PlannedStep) -> None:
        await self._back(step, "kubelet")

    async def _with_node_down(self, step: PlannedStep, what: str, wanted: str) -> None:
        node = self.node(step)
        self.world.need(node.empty, f"{step.name}: the node is not empty")
        self.note(f"{what}/{step.machine}", getattr(node, what))
        self.note(f"ready/{step.machine}", str(node.ready))
        node.ready = False
        await self.world.moment(step)
        setattr(node, what, wanted)
        await self.world.moment(step)
        node.ready = not node.dead

    async def _back(self, step: PlannedStep, what: str) -> None:
        node, was = self.node(step), self.world.notes.get(f"{what}/{step.machine}")
        if was is None:
            return
        node.ready = False
        await self.world.moment(step, undoing=True)
        setattr(node, what, was)
        node.ready = self.world.notes[f"ready/{step.machine}"] == "True"


class Planes(Deed):
    """kubeadm's upgrade of a control plane: it brings a failed one back itself, and one that is done stays."""

    def left_upgrade_control_plane(self, step: PlannedStep) -> bool:
        return older(self.node(step).server, self.world.target.version)

    async def do_upgrade_control_plane(self, step: PlannedStep) -> None:
        world, wanted = self.world, self.world.target.version
        world.need(wanted in self.node(step).staged, f"{step.machine}: {wanted} is not staged")
        world.need("etcd-snapshot" in " ".join(world.notes), f"{step.machine}: no snapshot of etcd")
        for name, node in world.nodes.items():
            why = kubelet_behind(wanted, node.kubelet)
            world.need(not why, f"API server of {step.machine} beside the kubelet of {name}: {why}")
        await world.moment(step)
        self.node(step).server = wanted


def _in_order(world: World, name: str) -> None:
    """Ask whether it is this node's turn."""
    target, nodes = world.target, world.nodes
    free = {key: node for key, node in nodes.items() if not node.held and key != name}
    begun = {key.partition("/")[2] for key in world.notes if key.startswith("drain/")}
    freed = {key.partition("/")[2] for key in world.notes if key.startswith(FREED)}
    under_way = {key for key in begun - freed if nodes[key].away} - {name}
    # A node that an earlier run left in the middle is away without having been begun by this one.
    if not freed:
        world.need(not under_way, f"{name} is drained beside the first node: {under_way}")
    for key, node in free.items():
        if world.moves(node):
            world.need(target.version in node.staged, f"{name} is drained before {key} has {target.version}")
        if node.runtime != target.runtime.name:
            world.need(target.runtime.name in node.staged, f"{name} is drained before {key} has {target.runtime.name}")
        if node.plane and not nodes[name].plane:
            world.need(not world.moves(node), f"worker {name} is drained before control plane {key} is upgraded")
    moving = any(world.moves(node) for node in nodes.values() if not node.held) or world.notes.get("moves")
    if nodes[name].plane and not moving:
        behind = [key for key, node in free.items() if not node.plane and node.runtime != target.runtime.name]
        world.need(not behind, f"control plane {name} is drained before workers {behind} have the runtime")


_KINDS: dict[str, type[Deed]] = {
    **{key: Deed for key in ("claim", "host-settings", "stage-runtime", "stage-kubernetes", "upgrade-check")},
    **{key: Deed for key in ("etcd-snapshot", "verify-node", "uncordon", "verify-change")},
    **{key: Revocable for key in ("drain", "switch-runtime", "upgrade-kubelet")},
    "upgrade-control-plane": Planes,
}


class _Scopes:
    def read(self, step: PlannedStep) -> Any:
        return step

    write = read


@dataclass
class _Silent:
    states: dict[str, StepStatus] = field(default_factory=dict)

    async def step(self, status: StepStatus) -> None:
        self.states[status.name] = status

    def log(self, step: str, line: str) -> None:
        """Nobody reads it."""


_CLOCKED = Limits(deadline=60)


async def execute(world: World, plan: Plan, faults: Faults | None = None) -> Outcome:
    """Run the plan with the real runner; raise Killed when it was killed. Notes stay for another run."""
    world.faults = faults or Faults()
    world.moments, world.within = 0, {}
    world.cancel, world.killed = asyncio.Event(), asyncio.Event()
    runner = Runner(
        plan,
        steps=cast(Any, {key: kind(key, world) for key, kind in _KINDS.items()}),
        scopes=cast(Any, _Scopes()),
        recorder=_Silent(),
        cancel=world.cancel,
        clock=VirtualClock(),
        limits=_CLOCKED,
    )
    run = asyncio.ensure_future(runner.run())
    kill = asyncio.ensure_future(world.killed.wait())
    await asyncio.wait({run, kill}, return_when=asyncio.FIRST_COMPLETED)
    kill.cancel()
    if run.done():
        return run.result()
    run.cancel()
    await asyncio.wait({run})
    raise Killed


def begin(world: World) -> None:
    """Start another Operation: its journal is empty."""
    world.notes = {}
    if any(world.moves(node) for node in world.nodes.values() if not node.held):
        world.notes["moves"] = "yes"
    for node in world.nodes.values():
        node.drains = 0
        # Pods came back to what was opened, and what nobody opened is empty still.
        node.empty = node.empty and node.mark


def living(nodes: dict[str, Node], chance: random.Random) -> World:
    """A world whose wish is what cp-1 runs."""
    wish = desired(sum(n.plane for n in nodes.values()), sum(not n.plane for n in nodes.values()))
    machines = {}
    for name, machine in wish.machines.items():
        held = {ANNOTATION_HOLD_BACK: "true"} if nodes[name].held else {}
        machines[name] = replace(machine, metadata=replace(machine.metadata, annotations=held))
    world = World(Desired(target=replace(wish.target, origin="Adopted"), machines=machines), nodes, chance)
    world.aim(version=nodes["cp-1"].server, runtime=nodes["cp-1"].runtime)
    return world
