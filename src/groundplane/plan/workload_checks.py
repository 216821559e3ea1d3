"""The checks of what runs on nodes that are emptied, and of what is used to Docker. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from groundplane.api.migration import PodFacts, WorkloadFacts
from groundplane.base.words import counted, listed

from .preflight import Problem
from .view import View


def of_drains(view: View, workloads: WorkloadFacts, names: Sequence[str]) -> Iterator[Problem]:
    """What stands against emptying the machines `names`."""
    for name in names:
        yield from _unmanaged(view, name, _on(workloads.unmanaged, name))
        yield from _local(name, _on(workloads.local_storage, name))
        yield from _budgets(view, workloads, name)
        if troubles := workloads.troubled.get(name):
            yield Problem(
                name,
                "NodeProblem",
                f"machine {name}: its Node has {', '.join(troubles)}",
                "mend it first: a node in trouble may not come up again",
                "Warning",
            )
    for gap in workloads.gaps:
        yield Problem("", "NotLookedAt", f"cluster {view.target.name}: {gap}", "see that the API answers", "Warning")


def of_leaving_docker(view: View, workloads: WorkloadFacts, names: Sequence[str]) -> Iterator[Problem]:
    """Pods that use Docker or its files on the machines `names`, and what would bring Docker back."""
    for name in names:
        yield from _sockets(name, _on(workloads.socket_mounts, name))
        yield from _logs(name, workloads)
        if gpus := _on(workloads.gpus, name):
            yield Problem(
                name,
                "GpuRuntime",
                f"machine {name}: {counted(len(gpus), 'pod')} ask for GPUs: {_said(gpus)}",
                "see that the device plugin knows containerd, and try it on the first node",
                "Warning",
            )
    if workloads.templates:
        yield Problem(
            "",
            "WorkerTemplates",
            f"cluster {view.target.name}: new nodes are made by {listed(workloads.templates)}, and would come up on"
            " Docker again",
            "change the template to containerd first, then accept WorkerTemplates",
        )


def _on(pods: Sequence[PodFacts], name: str) -> list[PodFacts]:
    return [pod for pod in pods if pod.node == name]


def _unmanaged(view: View, name: str, pods: list[PodFacts]) -> Iterator[Problem]:
    if not pods:
        return
    deleted = view.target.change.drain.unmanaged_pods == "Delete"
    what = "are deleted for good" if deleted else "would be lost"
    yield Problem(
        name,
        "UnmanagedPods",
        f"machine {name}: {counted(len(pods), 'pod')} that no controller makes anew {what}: {_said(pods)}",
        "move them to a Deployment or StatefulSet, or set change.drain.unmanagedPods to Delete",
        "Warning" if deleted else "Error",
    )


def _local(name: str, pods: list[PodFacts]) -> Iterator[Problem]:
    if pods:
        yield Problem(
            name,
            "LocalStorage",
            f"machine {name}: {counted(len(pods), 'pod')} lose what is in their emptyDir volumes: {_said(pods)}",
            "see that nothing there is kept for longer than the pod",
            "Warning",
        )


def _budgets(view: View, workloads: WorkloadFacts, name: str) -> Iterator[Problem]:
    for budget in workloads.budgets:
        if name in budget.nodes:
            yield Problem(
                name,
                "DisruptionBudgets",
                f"machine {name}: PodDisruptionBudget {budget.namespace}/{budget.name} lets no pod go now"
                f" ({budget.healthy} healthy, {budget.desired} wanted)",
                "add a replica or loosen the budget; the drain waits for"
                f" {view.target.change.drain.timeout} (change.drain.timeout) and then gives up",
                "Warning",
            )


def _sockets(name: str, pods: list[PodFacts]) -> Iterator[Problem]:
    if pods:
        mounts = [f"{pod.said} ({', '.join(pod.what)})" for pod in pods]
        yield Problem(
            name,
            "DockerSocketMounts",
            f"machine {name}: {counted(len(pods), 'pod')} mount Docker's socket or folder: {listed(mounts)}",
            "change them to the CRI or to what needs no runtime, or accept that they fail",
        )


def _logs(name: str, workloads: WorkloadFacts) -> Iterator[Problem]:
    pods = _on(workloads.log_mounts, name)
    known = {pod.said for pod in pods}
    agents = [pod for pod in _on(workloads.agents, name) if pod.said not in known]
    if pods or agents:
        yield Problem(
            name,
            "LogAgents",
            f"machine {name}: {counted(len(pods) + len(agents), 'pod')} read logs or ask the runtime for containers:"
            f" {_said([*pods, *agents])}",
            "see that they know the CRI's log format (time, stream, P or F, text) and containerd's socket",
            "Warning",
        )


def _said(pods: Sequence[PodFacts]) -> str:
    return listed([pod.said for pod in pods])
