"""One machine: a container that behaves like a host, and the things that can happen to a host.

systemd is PID 1, sshd listens, both runtimes are installed and off. The container has every capability but
CAP_SYS_RESOURCE, which some outer hosts do not have to give; the image's quirks make up for it. Its runtime folders
are volumes, because an overlay file system cannot lie upon another.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from groundplane_lab.errors import LabError
from groundplane_lab.model import LABEL
from groundplane_lab.shell import attempt, docker, run, wait_until

READY_SECONDS = 60
_VOLUMES = ("docker", "containerd", "kubelet", "etcd")
_LIKE_A_HOST = (
    *("--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"),
    *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
    *("--security-opt", "systempaths=unconfined", "--device-cgroup-rule", "a *:* rwm", "--cgroupns", "private"),
    *("--device", "/dev/kmsg", "--tmpfs", "/run", "--tmpfs", "/tmp:exec"),
    # `reboot` inside ends PID 1; a machine that was not switched off from outside then starts again.
    *("--restart", "unless-stopped"),
    # Docker turns forwarding on in a container; a fresh Debian host has it off.
    *("--sysctl", "net.ipv4.ip_forward=0"),
)


@dataclass(frozen=True, slots=True)
class MachinePlan:
    """Everything that a machine is made from."""

    lab: str
    name: str
    address: str
    network: str
    image: str
    authorized_key: str


def container(name: str) -> str:
    """The Docker name of a machine's container. A machine's name starts with its lab's."""
    return f"groundplane-lab-{name}"


def volume_names(name: str) -> list[str]:
    """The Docker names of a machine's volumes."""
    return [f"{container(name)}-{volume}" for volume in _VOLUMES]


def create(plan: MachinePlan) -> None:
    """Make the machine and its volumes, and start it; does not wait until it is ready."""
    label = f"{LABEL}={plan.lab}"
    mounts: list[str] = []
    for volume, folder in zip(volume_names(plan.name), _VOLUMES, strict=True):
        docker("volume", "create", "--label", label, volume)
        mounts += ["--volume", f"{volume}:/var/lib/{folder}"]
    docker(
        *("run", "--detach", "--name", container(plan.name), "--hostname", plan.name, "--label", label),
        *("--network", plan.network, "--ip", plan.address, "--env", f"LAB_AUTHORIZED_KEY={plan.authorized_key}"),
        *_LIKE_A_HOST,
        *mounts,
        plan.image,
    )


def remove(name: str) -> None:
    """Remove the machine and its volumes; fine when they are not there."""
    if exists(name):
        docker("rm", "--force", "--volumes", container(name))
    docker("volume", "rm", "--force", *volume_names(name))


def exists(name: str) -> bool:
    """Whether the machine's container is there, running or not."""
    return attempt(["docker", "container", "inspect", container(name)]).returncode == 0


def running(name: str) -> bool:
    """Whether the machine is switched on."""
    asked = attempt(["docker", "container", "inspect", "--format", "{{.State.Running}}", container(name)])
    return asked.stdout.strip() == "true"


def start(name: str) -> None:
    """Switch the machine on; fine when it is on."""
    docker("start", container(name))


def stop(name: str) -> None:
    """Shut the machine down in order, as `poweroff` does."""
    docker("stop", "--time", "30", container(name))


def power_off(name: str) -> None:
    """Cut the machine's power, if it is on: no process of it gets to say goodbye."""
    if running(name):
        docker("kill", "--signal", "KILL", container(name))


def execute(name: str, argv: Sequence[str]) -> str:
    """Run a program on the machine as root, past its network and sshd; returns what it printed."""
    return docker("exec", container(name), *argv)


def wait_ready(name: str, address: str, *, seconds: float = READY_SECONDS) -> None:
    """Wait until sshd answers and systemd has finished starting; LabError says which of the two did not."""
    wait_until(f"sshd of {name} at {address}:22", lambda: _ssh_answers(address) or None, seconds=seconds)

    def started() -> str | None:
        state = attempt(["docker", "exec", container(name), "systemctl", "is-system-running"]).stdout.strip()
        return state if state in ("running", "degraded") else None

    wait_until(f"systemd of {name} to finish starting", started, seconds=seconds)


def host_key(name: str) -> str:
    """The machine's SSH host key as `ssh-ed25519 AAAA…`."""
    return " ".join(execute(name, ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]).split()[:2])


def shift_clock(name: str, seconds: int) -> None:
    """Give every session of the machine another clock, by SSH or sudo; `seconds` are ahead, or behind when negative.

    The kernel's clock is one for all machines and this host, so the C library's is shifted. Not for sshd itself: its
    sandbox ends a process that reads a file to learn the time.
    """
    library = execute(name, ["sh", "-c", "echo /usr/lib/*/faketime/libfaketime.so.1"]).strip()
    execute(name, ["sh", "-c", 'echo "$1" > /etc/faketimerc', "sh", f"{seconds:+d}s"])
    execute(name, ["sh", "-c", 'echo "LD_PRELOAD=$1" > /etc/environment', "sh", library])
    # PAM gives the environment to sessions of sshd; sudo forgets it and has to be told.
    execute(name, ["sh", "-c", "echo Defaults env_file=/etc/environment > /etc/sudoers.d/clock"])


def disconnect(name: str) -> None:
    """Pull the machine's network cable; addresses and routes stay, nothing passes."""
    run(["ip", "link", "set", _cable(name), "down"])


def reconnect(name: str) -> None:
    """Plug the machine's network cable in again."""
    run(["ip", "link", "set", _cable(name), "up"])


def _cable(name: str) -> str:
    """The outer end of the machine's network interface."""
    index = int(execute(name, ["cat", "/sys/class/net/eth0/iflink"]))
    # One answer of the kernel: files of /sys vanish between two looks while other machines come and go.
    for interface in json.loads(run(["ip", "-json", "link", "show"])):
        if interface["ifindex"] == index:
            return str(interface["ifname"])
    raise LabError(f"cannot find the network interface of machine {name}: no interface of this host has index {index}")


def _ssh_answers(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=1) as connection:
            connection.settimeout(2)
            return connection.recv(8).startswith(b"SSH-2.0")
    except OSError:
        return False
