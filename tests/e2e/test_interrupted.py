"""What happens in the middle: Groundplane killed, connections cut, machines stopped. The same Operation completes."""

import threading

import pytest

from groundplane_lab import disconnect, power_off, reconnect, start

from .world import World, node_ready, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.e2e]

_DONE = ("Succeeded", "Unchanged")


def states(world: World, action: str = "Create") -> dict[str, str]:
    """The states of the steps of the newest Operation, by name; {} while there is none."""
    operation = world.operation(action)
    steps = operation.get("status", {}).get("steps", []) if operation else []
    return {step["name"]: step["state"] for step in steps}


def done(world: World, action: str = "Create") -> set[str]:
    return {name for name, state in states(world, action).items() if state in _DONE}


def ended(world: World, action: str) -> bool:
    operation = world.operation(action)
    return bool(operation and operation.get("status", {}).get("finishedAt"))


def kill_at_each_boundary(world: World, action: str) -> int:
    """Kill Groundplane whenever another step is done, start it again, until the Operation ends; count the kills."""
    seen: set[str] = set()
    kills = 0
    while not ended(world, action):
        now = done(world, action)
        if now - seen:
            seen |= now
            world.engine.kill()
            world.engine.start()
            kills += 1
    return kills


def test_killed_at_every_step_boundary_the_same_operation_completes_and_so_does_the_deletion(world: World) -> None:
    world.apply(world.manifests())
    kills = kill_at_each_boundary(world, "Create")
    creations = [each for each in world.operations() if each["spec"]["plan"]["action"] == "Create"]
    assert len(creations) == 1
    assert creations[0]["status"]["phase"] == "Succeeded", creations[0]["status"]["progress"]
    assert kills >= 6
    world.wait_ready()
    assert all(node_ready(node) for node in world.nodes().values())
    assert len(world.workload_answers()) == 2

    world.engine.kubectl("delete", "cluster", "e2e", "--wait=false")
    deletions = kill_at_each_boundary_of_deletion(world)
    assert deletions >= 2
    world.engine.kubectl("wait", "--for=delete", "cluster/e2e", "--timeout=120s")
    assert world.on(world.lab.machines[0].name, "sh", "-c", "ls -A /etc/kubernetes 2>/dev/null || true") == ""


def kill_at_each_boundary_of_deletion(world: World) -> int:
    """As above; the Operation may be gone together with its Cluster when it has ended."""
    seen: set[str] = set()
    kills = 0
    while world.engine.get("clusters")["items"]:
        now = done(world, "Delete")
        if now - seen:
            seen |= now
            world.engine.kill()
            world.engine.start()
            kills += 1
    return kills


def test_killed_in_the_middle_of_the_long_steps_nothing_is_done_twice(world: World) -> None:
    world.apply(world.manifests())
    first, workers = world.lab.machines[0].name, [machine.name for machine in world.lab.machines[1:]]

    def running(step: str) -> bool:
        return states(world).get(step) == "Running"

    for step in (f"images/{first}", f"init/{first}", f"join/{workers[0]}"):
        wait_for(f"{step} to run", lambda step=step: running(step) or step in done(world))
        world.engine.kill()
        world.engine.start()
    operation = world.finished("Create")
    assert operation["status"]["phase"] == "Succeeded", operation["status"]["progress"]
    world.wait_ready()
    assert all(node_ready(node) for node in world.nodes().values())
    log = world.engine.cli("operation", "logs", operation["metadata"]["name"], "--step", f"init/{first}").stdout
    assert log.count("Your Kubernetes control-plane has initialized successfully") <= 1


def test_a_cut_connection_and_a_machine_that_was_switched_off_are_waited_for(world: World) -> None:
    world.apply(world.manifests())
    first, second, third = (machine.name for machine in world.lab.machines)

    wait_for("init to run", lambda: states(world).get(f"init/{first}") == "Running")
    disconnect(world.lab, first)
    threading.Timer(12, reconnect, (world.lab, first)).start()
    power_off(world.lab, second)
    wait_for("the wait to be told", lambda: "waiting: " in str(world.operation("Create")), seconds=120)
    progress = world.operation("Create")["status"]["progress"]
    assert first in progress or second in progress
    wait_for("init to be done", lambda: f"init/{first}" in done(world))
    start(world.lab, second)

    operation = world.finished("Create")
    assert operation["status"]["phase"] == "Succeeded", operation["status"]["progress"]
    world.wait_ready()
    assert set(world.nodes()) == {first, second, third}
    assert all(node_ready(node) for node in world.nodes().values())
