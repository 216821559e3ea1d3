"""Wrong input and unfit machines: one clear word naming host and remedy, and nothing touched."""

import base64
import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplane_lab import PASSWORD, start, stop

from .world import World, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.e2e]


def secret(name: str, **data: str | bytes) -> dict[str, Any]:
    encoded = {
        key.replace("_", "-"): base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode()
        for key, value in data.items()
    }
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Secret", "type": "groundplane.dev/ssh", "metadata": meta, "data": encoded}


def blocked(world: World, condition: str, *, about: str = "") -> str:
    """Wait until a condition of the Cluster is False (and speaks of `about`), and return its message."""

    def look() -> str:
        found = world.engine.condition("cluster", "e2e", condition)
        message = str(found.get("message", ""))
        return message if found.get("status") == "False" and about in message else ""

    return wait_for(f"{condition} to be False", look, seconds=90)


def untouched(world: World) -> None:
    for machine in world.lab.machines:
        assert world.on(machine.name, "sh", "-c", "ls /etc/groundplane 2>/dev/null || true") == ""
    assert world.operations() == []


def test_logins_that_fail_are_told_by_host_with_the_remedy(world: World) -> None:
    machines = world.lab.machines
    documents = world.manifests()
    wrong_password, wrong_key, no_sudo = (documents[index]["spec"]["ssh"] for index in (2, 3, 4))
    wrong_password |= {"user": "admin", "secretRef": {"name": "wrong"}}
    wrong_key["hostKey"] = machines[0].host_key
    no_sudo |= {"user": "nosudo", "secretRef": {"name": "nosudo"}}
    world.apply([secret("wrong", password="not-" + PASSWORD), secret("nosudo", password=PASSWORD), *documents])

    message = blocked(world, "MachinesReachable")
    for machine in machines:
        assert machine.name in message
    expected = dict(zip((m.name for m in machines), ("HostDenied", "HostKeyMismatch", "HostDenied"), strict=True))

    def reasons() -> dict[str, str]:
        return {m.name: world.engine.condition("machine", m.name, "Reachable").get("reason", "") for m in machines}

    wait_for(f"the reasons {expected}", lambda: reasons() == expected, seconds=60)
    assert PASSWORD not in world.engine.kubectl("get", "clusters,machines,events", "-o", "yaml").stdout
    untouched(world)


def test_passwords_and_sudo_users_make_a_survey(world: World) -> None:
    documents = world.manifests()[2:]
    for document in documents:
        document["spec"]["ssh"] |= {"user": "admin", "secretRef": {"name": "password"}}
        del document["spec"]["clusterRef"], document["spec"]["role"]
    del documents[0]["spec"]["ssh"]["hostKey"]
    world.apply([secret("password", password=PASSWORD), *documents])
    for machine in world.lab.machines:
        world.engine.kubectl("wait", "--for=condition=Ready", f"machine/{machine.name}", "--timeout=60s")
    seen = world.engine.get("machine", world.lab.machines[0].name)["status"]
    assert seen["hostKey"] == world.lab.machines[0].host_key
    assert seen["facts"]["os"]["id"] == "debian"


def test_a_host_that_is_down_is_named_and_the_work_starts_when_it_is_up(world: World) -> None:
    down = world.lab.machines[2].name
    stop(world.lab, down)
    world.apply(world.manifests(change={"approval": "Manual"}))
    message = blocked(world, "MachinesReachable")
    assert down in message
    assert world.lab.machines[0].name not in message
    start(world.lab, down)
    wait_for("an Operation", lambda: world.operation("Create"), seconds=120)


def test_preflight_lists_every_problem_at_once_with_its_remedy_and_touches_nothing(world: World) -> None:
    first, second, third = (machine.name for machine in world.lab.machines)
    world.on(first, "systemd-run", "--quiet", "--unit=squatter", "socat", "TCP-LISTEN:6443,fork", "EXEC:true")
    kubelet_conf = "clusters:\n- cluster:\n    server: https://10.1.2.3:6443\n  name: elsewhere"
    world.on(second, "sh", "-c", f"mkdir -p /etc/kubernetes && echo '{kubelet_conf}' > /etc/kubernetes/kubelet.conf")
    world.on(
        third,
        "sh",
        "-c",
        'mkdir -p /etc/groundplane && echo \'{"owner": "default/other"}\' > /etc/groundplane/machine.json',
    )
    world.apply(world.manifests())
    message = blocked(world, "PreflightPassed")
    assert first in message
    assert "6443" in message
    assert "10.1.2.3" in message
    assert "default/other" in message
    assert world.operations() == []
    assert world.on(second, "cat", "/etc/kubernetes/kubelet.conf").strip() == kubelet_conf
    assert "default/other" in world.on(third, "cat", "/etc/groundplane/machine.json")


def test_a_typo_is_refused_by_name_at_both_command_lines(world: World) -> None:
    wrong = copy.deepcopy(world.manifests()[1])
    wrong["spec"]["runtme"] = {"name": "docker"}
    text = yaml.safe_dump(wrong)
    for done in (
        world.engine.kubectl("apply", "-f", "-", stdin=text, check=False),
        world.engine.cli("apply", "-f", "-", stdin=text, check=False),
    ):
        assert done.returncode != 0
        assert "spec.runtme" in done.stderr + done.stdout
    assert world.engine.get("clusters")["items"] == []


def test_a_corrupt_artifact_fails_the_step_by_name_and_a_retry_does_only_the_rest(world: World, tmp_path: Path) -> None:
    broken = tmp_path / "artifacts"
    broken.mkdir()
    for path in world.artifacts.iterdir():
        (broken / path.name).symlink_to(path)
    distribution = yaml.safe_load((world.artifacts / "distribution.yaml").read_text())
    good = copy.deepcopy(distribution)
    kubelet = next(a for a in distribution["spec"]["releases"][0]["artifacts"] if a["name"] == "kubelet")
    kubelet["sha256"] = "0" * 64
    world.apply([distribution])
    world.apply(world.manifests())
    operation = world.finished("Create")
    assert operation["status"]["phase"] == "Failed"
    assert "kubelet" in operation["status"]["progress"]
    assert "sha256" in operation["status"]["progress"]
    finished = {s["name"] for s in operation["status"]["steps"] if s["state"] == "Succeeded"}
    assert finished

    world.apply([good])
    wait_for("a second Operation", lambda: len(world.operations()) == 2, seconds=60)
    second = world.finished("Create", seconds=300)
    assert second["status"]["phase"] == "Succeeded", second["status"]["progress"]
    planned = {step["name"] for step in second["spec"]["plan"]["steps"]}
    assert not planned & {name for name in finished if name.startswith(("claim/", "host-settings/"))}
    world.wait_ready()
