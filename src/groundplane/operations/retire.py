"""Taking the pods of a drained node off the runtime that it leaves: gracefully, and with their network given back.

What is left on a drained node are static pods and those of DaemonSets. Their containers are stopped, never removed: the
way back needs none of them, and the old runtime's own collector clears them away. Containers that are not of Kubernetes
are not touched.
"""

from __future__ import annotations

from collections.abc import Collection

from . import cni, cri, living
from .errors import StepRefused
from .runtimes import CONTAINERD, DOCKER, Runtime
from .scope import Scope

# What does not end by then is killed.
_GRACE = 10
# An API server that has lost its etcd takes all the grace that it is given; one that has it ends at once.
_API_SERVER = "kube-apiserver"
_PODS = "name=^/k8s_"


async def retire(scope: Scope, runtime: Runtime) -> None:
    """Stop every pod of Kubernetes on `runtime`; kubelet must not run."""
    await (_docker(scope) if runtime is DOCKER else _containerd(scope))


async def _docker(scope: Scope) -> None:
    host = scope.door
    if not (await host.run(["docker", "info", "--format", "{{.ServerVersion}}"], check=False)).ok:
        return
    running = await _ids(scope, "--filter", "status=running")
    if not running:
        return
    # First, while the pods run: their network can only be given back as long as they have it.
    sandboxes = await _docker_sandboxes(scope)
    inside = {identity: netns for identity, netns in sandboxes.items() if netns != "host"}
    await cni.give_back(scope, inside, folders=await living.cni_folders(scope.host))
    for ids in (await _ids(scope, "--filter", f"name=^/k8s_{_API_SERVER}_", "--filter", "status=running"), running):
        if ids:
            await host.run(["docker", "stop", "--time", str(_GRACE), *ids], timeout=_GRACE * 12)


async def _ids(scope: Scope, *filters: str) -> list[str]:
    own = () if any(one.startswith("name=") for one in filters) else ("--filter", _PODS)
    listed = await scope.door.run(["docker", "ps", "--no-trunc", "--quiet", *own, *filters])
    return listed.text.split()


async def _docker_sandboxes(scope: Scope) -> dict[str, str]:
    """Return the running sandboxes: id to the path of the network namespace, or "host"."""
    labelled = ["--filter", "label=io.kubernetes.docker.type=podsandbox"]
    ids = await _ids(scope, *labelled)
    if not ids:
        return {}
    shown = "{{.Id}} {{.State.Pid}} {{.HostConfig.NetworkMode}}"
    looked = await scope.door.run(["docker", "inspect", "--format", shown, *ids], check=False)
    rows = [line.split() for line in looked.text.splitlines() if len(line.split()) == 3]
    return {row[0]: "host" if row[2] == "host" else f"/proc/{row[1]}/ns/net" for row in rows}


async def _containerd(scope: Scope) -> None:
    host = scope.door
    try:
        runtime = await cri.connect(host)
        found = await runtime.sandboxes()
        for sandbox in sorted(found, key=lambda one: not found[one].startswith(_API_SERVER)):
            await runtime.remove_sandbox(sandbox)
        return
    except StepRefused as error:
        scope.log(f"pods are not stopped through the CRI, but one by one: {error}")
    if not (await host.run(["ctr", "version"], check=False)).ok:
        scope.log("containerd does not answer: nothing of its pods is left to stop")
        return
    tasks = (await host.run(["ctr", "-n", "k8s.io", "tasks", "ls", "-q"])).text.split()
    await cni.give_back(scope, dict.fromkeys(tasks, ""), folders=await living.cni_folders(scope.host))
    for task in tasks:
        await host.run(["ctr", "-n", "k8s.io", "tasks", "rm", "--force", task], check=False)


async def end_static_pods(scope: Scope, names: Collection[str]) -> None:
    """Remove these pods of kube-system from the runtime that kubelet is set up for; kubelet must not run.

    kubelet makes them anew when it starts, and finds none that holds their ports.
    """
    host = scope.door
    if await living.runtime_of(scope.host) == "docker":
        for name in names:
            # Two filters of one kind would mean either of them.
            chosen = ["--all", "--quiet", "--no-trunc", "--filter", f"name=^/k8s_[^_]+_{name}_kube-system_"]
            listed = await host.run(["docker", "ps", *chosen])
            if ids := listed.text.split():
                await host.run(["docker", "rm", "--force", *ids], timeout=120)
        return
    runtime = await cri.connect(host)
    for sandbox, name in (await runtime.sandboxes()).items():
        if name in names:
            await runtime.remove_sandbox(sandbox)


def unit_names(runtime: Runtime) -> list[str]:
    """Return the units of a runtime that end with it; containerd stays where Docker stands on it."""
    return ["docker.socket", "docker.service"] if runtime is DOCKER else []


def other(runtime: Runtime) -> Runtime:
    """Return the runtime that is left when `runtime` is wanted."""
    return DOCKER if runtime is CONTAINERD else CONTAINERD
