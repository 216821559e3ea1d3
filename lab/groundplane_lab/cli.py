"""`groundplane lab`: machines and a real Kubernetes for tests and demos, on this host alone.

Thin: flags in, one call of the lab, lines out.
"""

from __future__ import annotations

import os

import click

from groundplane_lab import lab as labs
from groundplane_lab.artifacts import ensure_artifacts
from groundplane_lab.errors import LabError
from groundplane_lab.machines import running
from groundplane_lab.model import LabSpec, find, load
from groundplane_lab.plain import Runtime, plain_cluster
from groundplane_lab.prerequisites import ensure_prerequisites
from groundplane_lab.stamped import ensure_stamped

_DEFAULT = LabSpec()


class _LabGroup(click.Group):
    """A command group that shows the lab's errors as errors of the command line."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except LabError as exc:
            raise click.ClickException(str(exc)) from exc


@click.group("lab", cls=_LabGroup)
def lab() -> None:
    """Lab machines with real systemd and sshd, on this host."""


@lab.command()
@click.option("--name", default=_DEFAULT.name, show_default=True, help="The lab's name; machines are NAME-1, …")
@click.option("--machines", default=_DEFAULT.machines, show_default=True, help="How many machines.")
@click.option("--subnet", default=_DEFAULT.subnet, show_default=True, help="Their network; the first has address .11.")
@click.option("--debian", default=_DEFAULT.debian, show_default=True, help="Which Debian they run: 11, 12 or 13.")
def up(name: str, machines: int, subnet: str, debian: str) -> None:
    """Bring a lab up; installs what is missing."""
    brought = labs.up(LabSpec(name=name, machines=machines, subnet=subnet, debian=debian))
    click.echo(f"log in with: groundplane lab ssh {brought.machines[0].name}")


@lab.command()
@click.option("--name", default=_DEFAULT.name, show_default=True, help="The lab to take down.")
@click.option("--all", "everything", is_flag=True, help="Every lab, and the Docker engine if the lab started it.")
def down(name: str, everything: bool) -> None:
    """Take a lab down and remove all that it made."""
    if everything:
        labs.down_all()
    else:
        labs.down(name)


@lab.command()
def status() -> None:
    """Show every lab and its machines."""
    names = labs.names()
    if not names:
        click.echo("no lab")
    for name in names:
        found = find(name)
        if found is None:
            click.echo(f"{name}\tincomplete: an earlier run was cut off; bring it up again or take it down")
            continue
        for machine in found.machines:
            state = "running" if running(machine.name) else "stopped"
            click.echo(f"{name}\t{machine.name}\t{machine.address}\t{state}")


@lab.command()
def artifacts() -> None:
    """Make the Kubernetes binaries and images available, and print the folders of both distributions.

    In each is a distribution.yaml: apply it, and machines of the lab can become clusters and join them.
    """
    click.echo(str(ensure_artifacts()))
    click.echo(str(ensure_stamped()))


@lab.command()
@click.option("--name", default=_DEFAULT.name, show_default=True, help="The lab; it is up, and its machines are fresh.")
@click.option("--runtime", type=click.Choice(["docker", "containerd"]), default="docker", show_default=True)
@click.option("--control-planes", type=click.IntRange(1, 3), default=1, show_default=True, help="The first machines.")
def plain(name: str, runtime: Runtime, control_planes: int) -> None:
    """Make a cluster by plain kubeadm, without Groundplane, and print its kubeconfig's path."""
    click.echo(str(plain_cluster(load(name), runtime=runtime, control_planes=control_planes).kubeconfig))


@lab.command()
def prerequisites() -> None:
    """Install what lab machines need on this host, and see that a Docker engine answers."""
    ensure_prerequisites()


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("machine")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(machine: str, command: tuple[str, ...]) -> None:
    """Log in to MACHINE as root, or run COMMAND there."""
    found = load(machine.rpartition("-")[0])
    host = found.machine(machine)
    known = found.private_key.with_name("known_hosts")
    known.write_text("".join(f"{each.address} {each.host_key}\n" for each in found.machines))
    options = ["-i", str(found.private_key), "-o", f"UserKnownHostsFile={known}", "-o", "IdentitiesOnly=yes"]
    os.execvp("ssh", ["ssh", *options, f"{found.user}@{host.address}", *command])
