"""Runs plans on lab machines as a controller does, with what a test wants to see kept in memory.

Run as a program it makes or deletes the cluster of a lab by hand:
`python -m tests.lab_operations.driver create|delete|change LAB [containerd|docker [CONTROL-PLANES]]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from groundplane.api.cluster import Cluster
from groundplane.api.distribution import Distribution
from groundplane.api.facts import ClusterFacts, MachineFacts, OSFacts
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.operation import Plan, StepStatus
from groundplane.api.target import Desired, resolve
from groundplane.artifacts.cache import Cache
from groundplane.artifacts.delivery import ArtifactDelivery
from groundplane.artifacts.sources import Depot
from groundplane.base.clock import utc_now
from groundplane.clusters.api import KubernetesDoor, observe
from groundplane.hosts.facts import survey
from groundplane.hosts.ssh import HostAccess, HostPool
from groundplane.operations import ACTIONS, Doors, Limits, Outcome, Runner, Scopes, make_scopes
from groundplane.plan.change import plan_change, without_hold
from groundplane.plan.create import plan_create
from groundplane.plan.delete import plan_delete
from groundplane_lab import Lab, ensure_artifacts, ensure_stamped, load
from groundplane_lab.model import state_folder

_IGNORED = [
    "SystemVerification",
    "FileContent--proc-sys-net-bridge-bridge-nf-call-iptables",
    "NumCPU",
    "Mem",
]


def distribution(name: str = "native") -> Distribution:
    """A distribution of the lab's, native or tke; its artifacts are made when they are not there."""
    folder = ensure_stamped() if name == "tke" else ensure_artifacts()
    text = (folder / "distribution.yaml").read_text()
    return msgspec.convert(yaml.safe_load(text), Distribution)


def desired(
    lab: Lab,
    *,
    runtime: Literal["containerd", "docker"] = "containerd",
    labels: Mapping[str, dict[str, str]] | None = None,
    control_planes: int = 1,
    **spec: Any,
) -> Desired:
    """The first machines are control planes, the rest workers; `spec` is laid over the Cluster's spec, as in YAML.

    `labels` are by machine name.
    """
    wanted: dict[str, Any] = {
        "runtime": {"name": runtime},
        "network": {"podCIDR": "10.244.0.0/16", "serviceCIDR": "10.96.0.0/16", "plugin": "routed"},
        "addons": {"dns": "None"},
        "settings": {"timeSync": "Ignored"},
        "components": {"kubeProxy": {"config": {"conntrack": {"maxPerCore": 0, "min": 0}}}},
        "kubeadm": {"ignorePreflightErrors": _IGNORED},
        "kubernetes": {"distribution": "native", "version": "v1.20.2"},
    } | spec
    cluster = msgspec.convert({"metadata": {"name": lab.name, "namespace": "default"}, "spec": wanted}, Cluster)
    machines = [
        msgspec.convert(
            {
                "metadata": {"name": machine.name, "namespace": "default"},
                "spec": {
                    "address": machine.address,
                    "role": "ControlPlane" if index < control_planes else "Worker",
                    "labels": (labels or {}).get(machine.name, {}),
                },
            },
            Machine,
        )
        for index, machine in enumerate(lab.machines)
    ]
    target = resolve(cluster, Foundation(), distribution(cluster.spec.kubernetes.distribution), machines)
    return Desired(target=target, machines={machine.metadata.name: machine for machine in machines})


@dataclass
class Record:
    """Journal, Recorder and kubeconfig in one: everything that an Operation leaves outside the machines."""

    notes: dict[str, str] = field(default_factory=dict)
    steps: dict[str, StepStatus] = field(default_factory=dict)
    lines: list[tuple[str, str]] = field(default_factory=list)
    kubeconfig: bytes | None = None
    verbose: bool = False
    journal: Path | None = None
    began: float = field(default_factory=time.monotonic)

    def get(self, key: str) -> str | None:
        return self.notes.get(key)

    async def put(self, key: str, value: str) -> None:
        self.notes[key] = value
        if self.journal is not None:
            _write(self.journal, json.dumps(self.notes).encode())

    async def step(self, status: StepStatus) -> None:
        self.steps[status.name] = status
        if self.journal is not None:
            _write(self.journal.with_suffix(".steps"), msgspec.json.encode(self.steps))
        self._say(f"{status.name}: {status.state} {status.message}")

    def log(self, step: str, line: str) -> None:
        self.lines.append((step, line))
        self._say(f"    {step} | {line}")

    async def published(self) -> bytes | None:
        return self.kubeconfig

    async def publish(self, content: bytes) -> None:
        self.kubeconfig = content

    def _say(self, text: str) -> None:
        if self.verbose:
            sys.stdout.write(f"{time.monotonic() - self.began:7.1f} {text}\n")
            sys.stdout.flush()


@dataclass
class Site:
    """A lab with a wanted cluster: the doors to its machines stay open while the site does."""

    wanted: Desired
    doors: Doors
    scopes: Scopes
    record: Record

    @property
    def host(self) -> dict[str, Any]:
        return dict(self.doors.hosts)

    def plan(self, action: Literal["Create", "Delete"]) -> Plan:
        """A plan that takes nothing for granted: each step finds out by itself what is to do."""
        nothing = MachineFacts(os=OSFacts(id="debian", architecture="amd64"))
        if action == "Create":
            return plan_create(self.wanted, dict.fromkeys(self.wanted.machines, nothing), ClusterFacts())
        ours = msgspec.structs.replace(
            nothing,
            kubeadm=msgspec.structs.replace(nothing.kubeadm, owner=self.wanted.target.key, joined=True),
        )
        return plan_delete(self.wanted, dict.fromkeys(self.wanted.machines, ours), ClusterFacts())

    def runner(self, plan: Plan, *, cancel: asyncio.Event | None = None, limits: Limits | None = None) -> Runner:
        return Runner(
            plan,
            steps=ACTIONS[plan.action],
            scopes=self.scopes,
            recorder=self.record,
            cancel=cancel,
            limits=limits,
            previous=self.record.steps,
        )

    async def run(self, action: Literal["Create", "Delete"]) -> Outcome:
        return await self.runner(self.plan(action)).run()

    async def look(self) -> tuple[dict[str, MachineFacts], ClusterFacts]:
        """Survey the machines and the cluster, as a controller does before it plans."""
        facts = {name: await survey(host, now=utc_now) for name, host in self.doors.hosts.items()}
        kubeconfig = self.record.kubeconfig
        if kubeconfig is None:
            return facts, ClusterFacts()
        async with KubernetesDoor(kubeconfig) as door:
            seen = await observe(door)
        return facts, msgspec.structs.replace(seen, kubeconfig_published=True)

    async def plan_change(self) -> Plan:
        """What the planner makes of what is there now."""
        facts, cluster = await self.look()
        return plan_change(self.wanted, facts, cluster)


def only(plan: Plan, *keys: str) -> Plan:
    """The plan with nothing but the steps of these keys."""
    steps = [step for step in plan.steps if step.step in keys]
    names = {step.name for step in steps}
    kept = [msgspec.structs.replace(step, after=[name for name in step.after if name in names]) for step in steps]
    return msgspec.structs.replace(plan, steps=kept)


@asynccontextmanager
async def site(lab: Lab, *, record: Record | None = None, **spec: Any) -> AsyncIterator[Site]:
    """Open the doors to a lab's machines."""
    record = record or Record()
    wanted = desired(lab, **spec)
    key = lab.private_key.read_bytes()
    async with HostPool() as pool:
        hosts = {
            machine.name: pool.connect(
                HostAccess(name=machine.name, address=machine.address, private_keys=(key,), host_key=machine.host_key)
            )
            for machine in lab.machines
        }
        depot = Depot(Cache(Path.home() / ".cache/groundplane"))
        doors = Doors(
            hosts=hosts,
            delivery=ArtifactDelivery(depot, wanted.target.sources),
            journal=record,
            log=record.log,
            published_kubeconfig=record.published,
            publish_kubeconfig=record.publish,
        )
        async with make_scopes(wanted, doors) as scopes:
            yield Site(wanted, doors, scopes, record)


async def _frozen(opened: Site, path: Path) -> Plan:
    """The plan of the run that was cut off, or a new one."""
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Plan)
    plan = await opened.plan_change()
    _write(path, msgspec.json.encode(plan))
    return plan


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: whoever writes it may be killed."""
    path.with_suffix(".part").write_bytes(content)
    path.with_suffix(".part").replace(path)


async def _by_hand(action: str, name: str, runtime: str, control_planes: int) -> None:
    """Keep what an Operation leaves behind beside the lab: a run that is killed is gone on with by the next one."""
    home = state_folder(name)
    record, kept = Record(verbose=True, journal=home / "driver.journal"), home / "driver.kubeconfig"
    record.kubeconfig = kept.read_bytes() if kept.exists() and action == "change" else None
    if action == "change" and record.journal is not None and record.journal.exists():
        record.notes = json.loads(record.journal.read_text())
    if action == "change" and (kept_steps := home / "driver.steps").exists():
        record.steps = msgspec.json.decode(kept_steps.read_bytes(), type=dict[str, StepStatus])
    async with site(load(name), record=record, runtime=runtime, control_planes=control_planes) as opened:
        if action == "change":
            held = os.environ.get("HELD_BACK", "").split()
            opened.wanted = without_hold(opened.wanted, [name for name in opened.wanted.machines if name not in held])
            plan = await _frozen(opened, home / "driver.plan")
            sys.stdout.write(f"{plan.summary}\n")
            outcome = await opened.runner(plan).run()
        else:
            outcome = await opened.run("Create" if action == "create" else "Delete")
        sys.stdout.write(f"{outcome.phase}: {outcome.message} {outcome.remedy}\n")
        for path in (home / "driver.journal", home / "driver.steps", home / "driver.plan"):
            path.unlink(missing_ok=True)
        if opened.record.kubeconfig:
            kept.write_bytes(opened.record.kubeconfig)


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    asyncio.run(_by_hand(given[1], given[2], given.get(3, "containerd"), int(given.get(4, "1"))))
