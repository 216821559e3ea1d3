"""Where the programs of Kubernetes are on a node, whoever put them there, and where new ones go.

Programs of a package manager are left to it: ours are laid beside them, in /usr/local/bin, which comes first in PATH,
and kubelet's unit is told by a drop-in. So a package is neither broken nor, at its next update, quietly put over ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from groundplane.hosts.contract import ReadHost

from .places import BIN, STAGE

NAMES = ("kubeadm", "kubelet", "kubectl")
DROPIN = "/etc/systemd/system/kubelet.service.d/90-groundplane-program.conf"


@dataclass(frozen=True, slots=True)
class Program:
    """`now` is where it is, "" when it is nowhere; `place` where a new one goes; `package` whose it is, or ""."""

    name: str
    now: str
    place: str
    package: str = ""


async def program(host: ReadHost, name: str) -> Program:
    """Find a program: kubelet by its unit, the others by PATH."""
    now = started(await unit(host)) if name == "kubelet" else ""
    now = now or (await host.query(["which", name])).text.strip().split("\n")[0]
    package = await owner(host, now) if now and not now.startswith("/usr/local/") else ""
    return Program(name, now, BIN + "/" + name if package or not now else now, package)


async def owner(host: ReadHost, path: str) -> str:
    """Return the package that a file belongs to, or ""."""
    debian = await host.query(["dpkg-query", "-S", path])
    if debian.ok and ":" in debian.text:
        return debian.text.split(":")[0]
    red_hat = await host.query(["rpm", "-qf", path])
    return red_hat.text.strip() if red_hat.ok else ""


async def unit(host: ReadHost) -> str:
    """Return kubelet's unit with its drop-ins, as systemd reads them."""
    return (await host.query(["systemctl", "cat", "kubelet.service"])).text


def command(text: str) -> str:
    """Return the command line that holds in a unit and its drop-ins: an empty one takes away those before it."""
    joined = text.replace("\\\n", " ")
    lines = [line.partition("=")[2].strip() for line in joined.splitlines() if line.startswith("ExecStart=")]
    return lines[-1] if lines else ""


def started(text: str) -> str:
    """Return the program that a unit starts; what stands before its path tells systemd how."""
    return command(text).split(" ")[0].lstrip("-@:+!")


def dropin(text: str, place: str) -> bytes:
    """Return the drop-in that has a unit start the program at `place`, with the arguments that it has now."""
    arguments = command(text).partition(" ")[2].strip()
    return (
        "# Written by groundplane: the package's kubelet stays as it is.\n[Service]\nExecStart=\n"
        f"ExecStart={place} {arguments}\n"
    ).encode()


def stage_folder(version: str) -> str:
    """Return where the programs of a version wait on the machine."""
    return f"{STAGE}/kubernetes-{version}"


def staged(version: str, name: str) -> str:
    """Return where a program of a version waits on the machine."""
    return f"{stage_folder(version)}/{name}"
