"""Wrong input and unfit machines: one clear word naming host and remedy, and nothing touched."""

import base64
import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplane_lab import PASSWORD, shift_clock, start, stop
from support.swap import swap_on

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
    first, second, third = (f"{machine.name} ({machine.address})" for machine in machines)
    login = "(check spec.ssh.user and the Secret named in spec.ssh.secretRef)"
    assert f"cannot log in to {first} as admin: the machine did not accept the password {login}" in message
    assert f"cannot trust {second}: its host key is " in message
    assert "(if the machine was reinstalled, set spec.ssh.hostKey to its new key, " in message
    assert f"cannot become root on {third} as nosudo: sudo refused: " in message
    assert "(allow the user sudo for all commands, or give its password as sudo-password in the Secret " in message
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
    assert seen["hostKey"] == f"[{world.lab.machines[0].address}]:22 {world.lab.machines[0].host_key}"
    assert seen["facts"]["os"]["id"] == "debian"


def test_a_host_that_is_down_is_named_and_the_work_starts_when_it_is_up(world: World) -> None:
    down = world.lab.machines[2].name
    stop(world.lab, down)
    world.apply(world.manifests(change={"approval": "Manual"}))
    message = blocked(world, "MachinesReachable")
    assert f"cannot connect to {down} (" in message
    assert "(see that the machine is up, that its address is right, and that sshd answers there – " in message
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
    assert f"machine {first}: port 6443 is taken by socat (stop socat, or choose another machine)" in message
    leave = "(take it out of that cluster first – Groundplane leaves it untouched)"
    assert f"machine {second}: is already a node of the cluster at https://10.1.2.3:6443 {leave}" in message
    assert f"machine {third}: belongs to cluster default/other {leave}" in message
    assert world.operations() == []
    assert world.on(second, "cat", "/etc/kubernetes/kubelet.conf").strip() == kubelet_conf
    assert "default/other" in world.on(third, "cat", "/etc/groundplane/machine.json")


def test_a_wrong_clock_a_small_disk_and_swap_that_kubelet_minds_are_told_by_host_with_the_remedy(world: World) -> None:
    first, second, third = (machine.name for machine in world.lab.machines)
    shift_clock(world.lab, first, -3600)
    world.on(second, "mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", "/usr/local/bin")
    with swap_on(world.lab, third):
        kubelet = {"config": {"failSwapOn": True}}
        world.apply(world.manifests(settings={"swap": "Ignored"}, components={"kubelet": kubelet}))
        message = blocked(world, "PreflightPassed")
    assert re.search(rf"machine {first}: its clock is 3\d\d\d s behind Groundplane's \(set the clock, ", message)
    assert re.search(
        rf"machine {second}: /usr/local/bin has 64 MiB free and \d+ MiB are needed "
        r"\(free \d+ MiB or enlarge the file system\)",
        message,
    )
    remedy = r"\(set settings.swap to Disabled, or take failSwapOn out of "
    assert re.findall(rf"machine (\S+): swap is on, [^(]* {remedy}", message) == [third]
    untouched(world)


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
    progress = operation["status"]["progress"]
    assert any(f"step binaries/{machine.name} failed" in progress for machine in world.lab.machines)
    assert f"cannot use artifact kubelet from directory {world.artifacts}" in progress
    assert f"wanted {'0' * 64} (replace the file at the source, or correct sha256 in the Distribution" in progress
    finished = {s["name"] for s in operation["status"]["steps"] if s["state"] == "Succeeded"}
    assert finished

    world.apply([good])
    wait_for("a second Operation", lambda: len(world.operations()) == 2, seconds=60)
    second = world.finished("Create", seconds=300)
    assert second["status"]["phase"] == "Succeeded", second["status"]["progress"]
    planned = {step["name"] for step in second["spec"]["plan"]["steps"]}
    assert not planned & {name for name in finished if name.startswith(("claim/", "host-settings/"))}
    world.wait_ready()
