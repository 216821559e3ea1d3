"""What init and join share: kubeadm's own half on a machine, how to tell, and how to clear it away.

The note `kubeadm` on the machine says what Groundplane began and whether it ended. Only a half that was begun by
Groundplane, on a machine with this cluster's mark, and never ended, is ever cleared away: once a control plane has
ended its init, a silent API is waited for, never reset.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from groundplane.api.operation import PlannedChange
from groundplane.hosts.contract import Host, ReadHost

from . import claim, ledger
from .cleanup import wipe
from .errors import StepRefused
from .jobs import Job, run_job, running
from .kubeadm import minor_of
from .places import ADMIN_CONF, BIN, KUBELET_CONF, KUBERNETES, RUN
from .runtimes import DOCKER, runtime_of
from .scope import ReadScope, Scope

_NOTE = "kubeadm"
Verb = Literal["init", "join"]
State = Literal["none", "half", "ended"]


async def state(host: ReadHost) -> State:
    """Return how far kubeadm got: nothing there, a half, or ended."""
    found = await host.query(["ls", "-1", f"{KUBERNETES}/manifests", f"{KUBERNETES}/pki", ADMIN_CONF, KUBELET_CONF])
    noted = await ledger.note(host, _NOTE)
    if noted is not None and noted.get("ended") and await host.stat(KUBELET_CONF) is not None:
        return "ended"
    names = [line for line in found.text.splitlines() if line.strip() and not line.endswith(":")]
    return "half" if names else "none"


async def begin(scope: Scope, verb: Verb) -> None:
    """Write down that the half that is about to be there is ours."""
    if not await claim.ours(scope.host, scope.target.key):
        raise StepRefused(f"cannot run kubeadm {verb} on host {scope.name}: it does not carry this cluster's mark")
    await ledger.write_note(scope.door, _NOTE, {"verb": verb, "ended": False})


async def end(scope: Scope, verb: Verb) -> None:
    """Write down that kubeadm ended well: from now on nothing of it is cleared away by a create."""
    await ledger.write_note(scope.door, _NOTE, {"verb": verb, "ended": True})


async def follow_earlier(scope: Scope, verb: Verb) -> None:
    """Let a kubeadm that an earlier run started come to its end, well or not."""
    job = kubeadm(verb, "")
    if await running(scope.door, job):
        try:
            await run_job(scope, scope.door, job)
        except StepRefused as error:
            scope.log(f"the earlier kubeadm {verb} failed: {error.message}")
    await remove_config(scope.door, verb)


async def clear_half(scope: Scope) -> None:
    """Clear away a half that Groundplane began; refuses one that it did not begin."""
    noted = await ledger.note(scope.host, _NOTE)
    if noted is None or noted.get("ended") or not await claim.ours(scope.host, scope.target.key):
        raise StepRefused(
            f"cannot set up kubeadm on host {scope.name}: {KUBERNETES} holds files that Groundplane did not put there",
            remedy="if the machine is no node of another cluster, run `kubeadm reset` on it, then try again",
        )
    scope.log("clearing away the half that an interrupted run left")
    await wipe(scope, scope.door)


def kubeadm(verb: Verb, config: str, *options: str) -> Job:
    """Return the job that runs kubeadm; what is secret is in the file."""
    argv = [f"{BIN}/kubeadm", verb, "--config", config, *options]
    return Job(name=f"kubeadm-{verb}", argv=argv, seconds=900)


async def run_with_config(scope: Scope, verb: Verb, content: bytes, options: Sequence[str] = ()) -> None:
    """Run kubeadm with a configuration that only root can read, on tmpfs, gone when kubeadm has ended."""
    host, path = scope.door, f"{RUN}/kubeadm-{verb}.yaml"
    await host.run(["mkdir", "-p", "-m", "700", RUN])
    await host.write(path, content, mode=0o600)
    await run_job(scope, host, kubeadm(verb, path, *options))
    await remove_config(host, verb)


async def remove_config(host: Host, verb: Verb) -> None:
    """Remove the configuration file of an earlier run too."""
    await host.run(["rm", "-f", f"{RUN}/kubeadm-{verb}.yaml"])


async def has_crictl(host: ReadHost) -> bool:
    """Tell whether kubeadm will find crictl on the machine."""
    found = await host.query(["ls", f"{BIN}/crictl", "/usr/bin/crictl", "/usr/sbin/crictl"])
    return bool(found.text.strip())


async def ignored(scope: ReadScope) -> list[str]:
    """Return the preflight errors that this machine brings along: crictl is needed by kubeadm, not by kubelet."""
    if runtime_of(scope.target) is DOCKER or await has_crictl(scope.host):
        return []
    return ["FileExisting-crictl"]


async def preflight_skipped(scope: ReadScope) -> str:
    """Return why `kubeadm init` must leave its preflight phase out, or "".

    The phase also pulls images. Without crictl that ends with an error that cannot be ignored (until v1.31, where
    kubeadm asks the CRI itself), and without CoreDNS it would pull an image that nobody wants. Groundplane has made
    its own preflight and loaded the images by then.
    """
    if scope.target.addons.dns == "None":
        return "it would pull the image of CoreDNS, which this cluster leaves out"
    if await ignored(scope) and minor_of(scope.target.version) < 31:
        return "it needs crictl, which is not on the machine"
    return ""


def taken(what: str, verb: Verb) -> PlannedChange:
    """The one change that init and join plan."""
    return PlannedChange(what=what, after=f"kubeadm {verb}")
