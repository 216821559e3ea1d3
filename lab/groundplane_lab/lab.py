"""Labs: bring one up, take it down, and let a machine of it fail.

`up` is idempotent: what is there stays, what is missing is made, and a second call returns the same machines.
`down` works from labels alone, so it also removes what a run left that was cut off half-way.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256

from groundplane_lab import balancer, machines
from groundplane_lab.errors import LabError
from groundplane_lab.image import ensure_machine_image
from groundplane_lab.model import LABEL, Lab, LabMachine, LabSpec, find, save, state_folder
from groundplane_lab.paths import lab_home, locked
from groundplane_lab.prerequisites import engine_answers, ensure_prerequisites, stop_engine
from groundplane_lab.progress import Report, timed, to_stderr
from groundplane_lab.shell import attempt, docker, run


def up(spec: LabSpec, report: Report = to_stderr) -> Lab:
    """Bring a lab up, ready to be logged in to: sshd answers and systemd has finished starting on every machine."""
    ensure_prerequisites(report)
    with locked(state_folder(spec.name)), timed(report, f"lab {spec.name} is up"):
        _refuse_another_shape(spec)
        image = ensure_machine_image(report, debian=spec.debian)
        public_key = _ensure_key(spec.name)
        _ensure_network(spec)
        plans = [_plan(spec.name, host, image=image, public_key=public_key) for host in spec.hosts()]
        with ThreadPoolExecutor(max_workers=len(plans)) as pool:
            ready = tuple(pool.map(lambda plan: _ensure_machine(plan, report), plans))
        lab = Lab(spec.name, spec.subnet, ready, state_folder(spec.name) / "id_ed25519", debian=spec.debian)
        save(lab)
    return lab


def down(name: str, report: Report = to_stderr) -> None:
    """Remove everything that carries the lab's name; fine when there is nothing."""
    with locked(state_folder(name)):
        if not engine_answers() and state_folder(name).exists():
            # The engine was stopped, and not the lab: its containers are still on disk.
            ensure_prerequisites(report)
        if engine_answers():
            left = _objects(name)
            with timed(report, f"lab {name} is down ({sum(map(len, left.values()))} Docker objects removed)"):
                for kind, ids in left.items():
                    if ids:
                        docker(*_REMOVE[kind], *ids)
        balancer.stop(name)
        shutil.rmtree(state_folder(name), ignore_errors=True)


def down_all(report: Report = to_stderr) -> None:
    """Take every lab down, and stop the Docker engine if the lab had started it."""
    for name in names():
        down(name, report)
    stop_engine(report)


def names() -> list[str]:
    """The names of all labs that left something: a Docker object or a state folder."""
    found = {folder.name for folder in lab_home().glob("*") if folder.is_dir()}
    if engine_answers():
        for listing in _LIST.values():
            listed = docker(*listing, "--filter", f"label={LABEL}", "--format", f'{{{{.Label "{LABEL}"}}}}')
            found.update(listed.split())
    return sorted(found)


# --- what can happen to a machine ----------------------------------------------------------------------------------


def stop(lab: Lab, machine: str) -> None:
    """Shut a machine down in order."""
    machines.stop(lab.machine(machine).name)


def power_off(lab: Lab, machine: str) -> None:
    """Cut a machine's power."""
    machines.power_off(lab.machine(machine).name)


def start(lab: Lab, machine: str) -> None:
    """Switch a machine on and wait until it is ready."""
    found = lab.machine(machine)
    machines.start(found.name)
    machines.wait_ready(found.name, found.address)


def restart(lab: Lab, machine: str) -> None:
    """Shut a machine down in order, switch it on and wait until it is ready."""
    stop(lab, machine)
    start(lab, machine)


def disconnect(lab: Lab, machine: str) -> None:
    """Pull a machine's network cable."""
    machines.disconnect(lab.machine(machine).name)


def reconnect(lab: Lab, machine: str) -> None:
    """Plug a machine's network cable in again and wait until it is ready."""
    found = lab.machine(machine)
    machines.reconnect(found.name)
    machines.wait_ready(found.name, found.address)


def shift_clock(lab: Lab, machine: str, seconds: int) -> None:
    """Let a machine's clock be this much ahead of this host's, or behind it, for everybody who logs in from now on."""
    machines.shift_clock(lab.machine(machine).name, seconds)


def execute(lab: Lab, machine: str, argv: Sequence[str]) -> str:
    """Run a program on a machine as root, past its network and sshd; returns what it printed."""
    return machines.execute(lab.machine(machine).name, argv)


def fresh(lab: Lab, machine: str, report: Report = to_stderr) -> Lab:
    """Replace a machine by a clean one of the same name and address, with a new host key; returns the new lab."""
    return _replace(lab, {lab.machine(machine).name}, report)


def fresh_all(lab: Lab, report: Report = to_stderr) -> Lab:
    """Replace every machine of the lab by a clean one; returns the new lab."""
    return _replace(lab, {machine.name for machine in lab.machines}, report)


def _replace(lab: Lab, chosen: set[str], report: Report) -> Lab:
    with locked(state_folder(lab.name)):
        image = ensure_machine_image(report, debian=lab.debian)
        public_key = _ensure_key(lab.name)

        def renew(machine: LabMachine) -> LabMachine:
            if machine.name not in chosen:
                return machine
            machines.remove(machine.name)
            host = (machine.name, machine.address)
            return _ensure_machine(_plan(lab.name, host, image=image, public_key=public_key), report)

        with ThreadPoolExecutor(max_workers=len(lab.machines)) as pool:
            renewed = replace(lab, machines=tuple(pool.map(renew, lab.machines)))
        save(renewed)
    return renewed


# --- the parts of a lab --------------------------------------------------------------------------------------------

_BRIDGE = "com.docker.network.bridge"
# Containers first: they hold the volumes and the network.
_LIST = {
    "containers": ("ps", "--all", "--no-trunc"),
    "volumes": ("volume", "ls"),
    "networks": ("network", "ls", "--no-trunc"),
}
_REMOVE = {
    "containers": ("rm", "--force", "--volumes"),
    "volumes": ("volume", "rm", "--force"),
    "networks": ("network", "rm"),
}


def _objects(name: str) -> dict[str, list[str]]:
    """The Docker objects that carry the lab's label, by kind."""
    chosen = ("--quiet", "--filter", f"label={LABEL}={name}")
    return {kind: docker(*listing, *chosen).split() for kind, listing in _LIST.items()}


def _refuse_another_shape(spec: LabSpec) -> None:
    there = find(spec.name)
    if there is None:
        return
    hosts = [(machine.name, machine.address) for machine in there.machines]
    if (there.subnet, there.debian) != (spec.subnet, spec.debian) or hosts != spec.hosts():
        raise LabError(
            f"cannot bring lab {spec.name} up with {spec.machines} machines of Debian {spec.debian} in {spec.subnet}: "
            f"it is up with {len(hosts)} of Debian {there.debian} in {there.subnet}; choose another name, "
            f"or take it down first with `groundplane lab down --name {spec.name}`"
        )


def _ensure_key(name: str) -> str:
    """The lab's public key; makes the pair when there is none. ssh-keygen gives the private key mode 0600."""
    folder = state_folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    private = folder / "id_ed25519"
    if not private.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"groundplane-lab-{name}", "-f", str(private)])
    return private.with_suffix(".pub").read_text().strip()


def _network(name: str) -> str:
    return f"groundplane-lab-{name}-net"


def _ensure_network(spec: LabSpec) -> None:
    """The lab's bridge, without masquerading: machines reach one another and this host, and no internet."""
    name = _network(spec.name)
    if attempt(["docker", "network", "inspect", name]).returncode == 0:
        return
    bridge = f"gpl-{sha256(spec.name.encode()).hexdigest()[:8]}"
    options = ("--subnet", spec.subnet, "--label", f"{LABEL}={spec.name}", "--opt", f"{_BRIDGE}.name={bridge}")
    try:
        docker("network", "create", *options, "--opt", f"{_BRIDGE}.enable_ip_masquerade=false", name)
    except LabError as exc:
        raise LabError(
            f"cannot make the network {spec.subnet} of lab {spec.name}: {exc}; try another --subnet"
        ) from exc


def _plan(lab: str, host: tuple[str, str], *, image: str, public_key: str) -> machines.MachinePlan:
    return machines.MachinePlan(
        lab=lab, name=host[0], address=host[1], network=_network(lab), image=image, authorized_key=public_key
    )


def _ensure_machine(plan: machines.MachinePlan, report: Report) -> LabMachine:
    if not machines.running(plan.name):
        with timed(report, f"machine {plan.name} at {plan.address} is ready"):
            if machines.exists(plan.name):
                machines.start(plan.name)
            else:
                machines.create(plan)
            machines.wait_ready(plan.name, plan.address)
    else:
        machines.wait_ready(plan.name, plan.address)
    return LabMachine(plan.name, plan.address, machines.host_key(plan.name))
