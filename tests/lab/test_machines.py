"""A lab machine is a fresh host: who can log in, what runs, and what happens to it when something happens to it."""

from __future__ import annotations

import socket
import time

import asyncssh
import pytest

from groundplane_lab import (
    PASSWORD,
    Lab,
    disconnect,
    execute,
    fresh,
    power_off,
    reconnect,
    restart,
    shift_clock,
    start,
    stop,
)
from groundplane_lab.machines import running, wait_ready
from groundplane_lab.shell import docker, wait_until

pytestmark = pytest.mark.lab


async def _run(lab: Lab, user: str, command: str, password: str | None = None) -> tuple[int | None, str]:
    machine = lab.machines[0]
    connection = await asyncssh.connect(
        machine.address,
        username=user,
        known_hosts=asyncssh.import_known_hosts(f"{machine.address} {machine.host_key}\n"),
        client_keys=[str(lab.private_key)] if password is None else None,
        password=password,
        agent_path=None,
        config=None,
        login_timeout=10,
    )
    try:
        done = await connection.run(command)
    finally:
        connection.close()
        await connection.wait_closed()
    return done.exit_status, str(done.stdout).strip()


async def test_root_logs_in_with_the_labs_key_under_the_reported_host_key(lab: Lab) -> None:
    assert await _run(lab, "root", "id -un") == (0, "root")


@pytest.mark.parametrize("password", [None, PASSWORD])
async def test_admin_logs_in_with_key_or_password_and_may_use_sudo(lab: Lab, password: str | None) -> None:
    assert await _run(lab, "admin", "sudo -n id -un", password) == (0, "root")


@pytest.mark.parametrize("password", [None, PASSWORD])
async def test_nosudo_logs_in_with_key_or_password_and_may_not_use_sudo(lab: Lab, password: str | None) -> None:
    status, _ = await _run(lab, "nosudo", "sudo -n id -un", password)
    assert status != 0


async def test_root_may_not_log_in_with_the_password(lab: Lab) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        await _run(lab, "root", "true", PASSWORD)


def test_a_fresh_machine_has_both_runtimes_and_runs_neither(lab: Lab) -> None:
    name = lab.machines[0].name
    states = execute(lab, name, ["sh", "-c", "systemctl is-enabled docker docker.socket containerd; true"])
    assert states.split() == ["disabled"] * 3
    assert (
        execute(lab, name, ["sh", "-c", "systemctl is-active docker docker.socket containerd; true"]).split()
        == ["inactive"] * 3
    )
    assert execute(lab, name, ["systemctl", "is-system-running"]).strip() == "running"
    assert execute(lab, name, ["cat", "/proc/sys/net/ipv4/ip_forward"]).strip() == "0"


def test_machines_have_ids_and_host_keys_of_their_own(lab: Lab) -> None:
    ids = {execute(lab, machine.name, ["cat", "/etc/machine-id"]) for machine in lab.machines}
    assert len(ids) == len({machine.host_key for machine in lab.machines}) == len(lab.machines)


def test_the_key_can_be_read_by_its_owner_alone(lab: Lab) -> None:
    assert lab.private_key.stat().st_mode & 0o777 == 0o600


_ADD_POD = """
ip netns add pod
ip link add pod0 type veth peer name eth0 netns pod
ip addr add {range}.1/24 dev pod0
ip link set pod0 up
ip -n pod addr add {range}.2/24 dev eth0
ip -n pod link set eth0 up
ip -n pod route add default via {range}.1
ip route add {other}.0/24 via {address}
sysctl -qw net.ipv4.ip_forward=1
"""
_REMOVE_POD = "ip netns delete pod; ip route del {other}.0/24; sysctl -qw net.ipv4.ip_forward=0"


def test_addresses_of_pods_pass_between_machines(lab: Lab) -> None:
    first, second = lab.machines
    ends = [(first, "10.244.1", "10.244.2", second.address), (second, "10.244.2", "10.244.1", first.address)]
    for machine, own, other, address in ends:
        execute(lab, machine.name, ["sh", "-ec", _ADD_POD.format(range=own, other=other, address=address)])
    try:
        answered = execute(lab, first.name, ["ip", "netns", "exec", "pod", "ping", "-c1", "-W5", "10.244.2.2"])
        assert " 0% packet loss" in answered
    finally:
        for machine, _, other, _ in ends:
            execute(lab, machine.name, ["sh", "-c", _REMOVE_POD.format(other=other)])


def test_a_disconnected_machine_does_not_answer_until_it_is_reconnected(lab: Lab) -> None:
    machine = lab.machines[1]
    routes = execute(lab, machine.name, ["ip", "route", "show", "default"])
    disconnect(lab, machine.name)
    try:
        with pytest.raises(OSError, match=r"timed out|unreachable|No route"):
            socket.create_connection((machine.address, 22), timeout=1)
    finally:
        reconnect(lab, machine.name)
    assert execute(lab, machine.name, ["ip", "route", "show", "default"]) == routes


def test_a_machine_that_lost_power_comes_back_with_its_disk_and_its_identity(lab: Lab) -> None:
    machine = lab.machines[1]
    execute(lab, machine.name, ["sh", "-c", "echo kept > /root/mark; echo kept > /var/lib/kubelet/mark"])
    before = execute(lab, machine.name, ["cat", "/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub"])
    power_off(lab, machine.name)
    start(lab, machine.name)
    assert execute(lab, machine.name, ["cat", "/root/mark", "/var/lib/kubelet/mark"]) == "kept\nkept\n"
    assert execute(lab, machine.name, ["cat", "/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub"]) == before


def test_a_restarted_machine_is_ready_again(lab: Lab) -> None:
    machine = lab.machines[1]
    restart(lab, machine.name)
    assert execute(lab, machine.name, ["systemctl", "is-system-running"]).strip() in ("running", "degraded")


def test_a_fresh_machine_has_the_same_address_and_nothing_else_of_the_old_one(lab: Lab) -> None:
    old = lab.machines[1]
    execute(lab, old.name, ["sh", "-c", "echo old > /root/mark; echo old > /var/lib/kubelet/mark"])
    new = fresh(lab, old.name).machine(old.name)
    assert (new.name, new.address) == (old.name, old.address)
    assert new.host_key != old.host_key
    assert execute(lab, old.name, ["find", "/root", "/var/lib/kubelet", "-name", "mark"]) == ""


async def test_a_shifted_clock_is_what_every_session_sees_and_is_put_back(lab: Lab) -> None:
    name = lab.machines[0].name
    for seconds in (7200, -90, 0):
        shift_clock(lab, name, seconds)
        for user, command in (("root", "date +%s"), ("admin", "sudo -n date +%s")):
            _, shown = await _run(lab, user, command)
            assert int(shown) - time.time() == pytest.approx(seconds, abs=5)
    execute(lab, name, ["sh", "-c", ": > /etc/environment; rm /etc/faketimerc /etc/sudoers.d/clock"])


def _boot(lab: Lab) -> str:
    return execute(lab, lab.machines[0].name, ["cat", "/proc/sys/kernel/random/boot_id"]).strip()


def test_a_machine_that_reboots_by_itself_comes_back_with_another_boot_id_and_one_that_is_off_stays_off(
    lab: Lab,
) -> None:
    name, container = lab.machines[0].name, f"groundplane-lab-{lab.machines[0].name}"
    seen = [_boot(lab)]
    started = docker("inspect", "--format", "{{.State.StartedAt}}", container)
    # Timers of systemd may be up to a minute late unless told otherwise.
    soon = ["--on-active=0.2", "--timer-property=AccuracySec=10ms"]
    execute(lab, name, ["systemd-run", "--quiet", *soon, "systemctl", "reboot"])

    def again() -> str | None:
        now = docker("inspect", "--format", "{{.State.StartedAt}}", container)
        return now if now != started and running(name) else None

    wait_until("the machine to start again", again, seconds=60)
    wait_ready(name, lab.machines[0].address)
    seen.append(_boot(lab))
    for off in (power_off, stop):
        off(lab, name)
        assert not running(name)
        start(lab, name)
        seen.append(_boot(lab))
    assert len(set(seen)) == 4
    assert execute(lab, lab.machines[1].name, ["cat", "/proc/sys/kernel/random/boot_id"]).strip() not in seen
