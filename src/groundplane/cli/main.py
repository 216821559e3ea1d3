"""The command line's entry: `groundplane COMMAND`.

Commands are loaded when they are called, so that `groundplane --help` costs only click. Errors end here: one or
two lines of what, where and remedy, and an exit code from `exits`; a traceback means a defect.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

# command -> (module, attribute, its one line of help); a test holds the help equal to the command's own.
_COMMANDS: dict[str, tuple[str, str, str]] = {
    "up": ("groundplane.cli.up", "up", "Start Groundplane with the embedded engine."),
    "down": ("groundplane.cli.up", "down", "Stop the Groundplane that `up --detach` started."),
    "apply": ("groundplane.cli.apply", "apply", "Create or change objects from manifests."),
    "import": ("groundplane.cli.imports", "import_clusters", "Import clusters that exist, from a kubeconfig."),
    "adopt": ("groundplane.cli.adopt", "adopt", "Make an imported kubeadm cluster changeable."),
    "get": ("groundplane.cli.get", "get", "Show objects."),
    "delete": ("groundplane.cli.change", "delete", "Delete an object."),
    "fleet": (
        "groundplane.cli.fleet.command",
        "fleet",
        "Show every cluster: where it stands on its Foundation, where not, and what needs a person first.",
    ),
    "explain": (
        "groundplane.cli.explain.command",
        "explain",
        "Explain a cluster, a machine or a network feature on one screen.",
    ),
    "survey": ("groundplane.cli.survey", "survey", "Look at clusters and machines again now."),
    "plan": ("groundplane.cli.plan", "plan", "Show what Groundplane is about to do to a cluster, or what stops it."),
    "unify": ("groundplane.cli.unify", "unify", "Bring all clusters of a Foundation to it, in waves."),
    "approve": ("groundplane.cli.change", "approve", "Approve an operation that waits for it."),
    "clean-up": (
        "groundplane.cli.change",
        "clean_up",
        "Remove what a runtime migration left for its rollback: Docker's packages and data.",
    ),
    "retry": ("groundplane.cli.change", "retry", "Plan a cluster anew after a failed operation."),
    "update-packages": (
        "groundplane.cli.change",
        "update_packages",
        "Update the packages of a cluster's nodes, node by node, each drained.",
    ),
    "renew-certificates": (
        "groundplane.cli.renew",
        "renew_certificates",
        "Renew what kubeadm signed on every control plane of a cluster.",
    ),
    "operation": ("groundplane.cli.operation", "operation", "Watch, read, cancel and roll back operations."),
    "kubeconfig": ("groundplane.cli.kubeconfig", "kubeconfig", "Print the kubeconfig of the API or of a cluster."),
    "token": ("groundplane.cli.accounts", "token", "Issue, show and revoke bearer tokens."),
    "certificate": ("groundplane.cli.accounts", "certificate", "Issue client certificates."),
    "user": ("groundplane.cli.accounts", "user", "Password users of the console."),
    "bundle": ("groundplane.cli.bundle", "bundle", "Make and read bundles for sites without internet."),
    "catalog": (
        "groundplane.cli.catalog",
        "catalog",
        "What Groundplane knows of versions, kernels and systems, with sources.",
    ),
    "backup": ("groundplane.cli.backup", "backup", "Write all data into one file, or check such a file."),
    "restore": ("groundplane.cli.backup", "restore", "Put a backup in place of the data of a stopped Groundplane."),
    "keys": ("groundplane.cli.keys", "keys", "Rotate the keys that seal Secrets, and show where that stands."),
    "lab": ("groundplane_lab.cli", "lab", "Lab machines with real systemd and sshd, on this host."),
    "version": ("groundplane.cli.version", "version", "Print the version."),
}


class _LazyGroup(click.Group):
    """A group that imports a command when it runs, and lists all from the table alone."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{attribute} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in _COMMANDS.items()])


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--kubeconfig", help="Kubeconfig of the Groundplane API; the default is GROUNDPLANE_KUBECONFIG.")
@click.option("--context", help="Context of that kubeconfig; the default is its current one.")
@click.option("-n", "--namespace", help="Namespace; the default is that of the context, else default.")
@click.pass_context
def cli(ctx: click.Context, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
    """Groundplane: one uniform foundation under every Kubernetes cluster."""
    from .session import Target

    ctx.obj = Target(kubeconfig=kubeconfig, context=context, namespace=namespace)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; expected errors are printed, defects raise."""
    from groundplane.base.errors import GroundplaneError

    from .exits import Exit, code_of
    from .show import show_error

    try:
        # Out of standalone mode click returns the code of an Exit, and else what the command returned.
        ended = cli.main(args=list(arguments), prog_name="groundplane", standalone_mode=False)
    except click.UsageError as exc:
        exc.show()
        return Exit.USAGE
    except click.ClickException as exc:
        exc.show()
        return Exit.FAILED
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; what was started goes on by itself", err=True)
        return Exit.STOPPED
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; what is left to flush goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except GroundplaneError as exc:
        show_error(exc)
        return code_of(exc)
    return ended if isinstance(ended, int) else Exit.OK


def main() -> None:
    """Entry point of the `groundplane` command."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
