"""What nodes stand on: the view of a stack that all judgements take, whichever way it was observed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from groundplane.api.facts import MachineFacts, StackFacts

from . import reading
from .reading import System


@dataclass(frozen=True, slots=True)
class Ground:
    """Nodes that stand on the same ground. `machine` is there when it was looked at over SSH (then it is one node)."""

    names: tuple[str, ...]
    count: int
    system: System
    system_text: str
    kernel: str
    kubelet: str
    runtime: str
    runtime_version: str
    machine: MachineFacts | None = None


def of_stack(stack: StackFacts) -> Ground:
    """Return the ground of Nodes as the cluster's API shows them."""
    name, version = reading.runtime(stack.runtime)
    return Ground(
        names=tuple(stack.nodes),
        count=stack.count,
        system=reading.system_of(stack.os_image),
        system_text=stack.os_image,
        kernel=stack.kernel,
        kubelet=stack.kubelet,
        runtime=name,
        runtime_version=version,
    )


def of_machine(name: str, facts: MachineFacts) -> Ground:
    """Return the ground of one host. A runtime that runs nothing does not count; the kubelet says which one it uses."""
    used = facts.runtime(facts.kubelet.runtime) if facts.kubelet.runtime else None
    if used is None:
        used = next((runtime for runtime in facts.runtimes if runtime.active), None)
    version = facts.kubelet.version
    return Ground(
        names=(name,),
        count=1,
        system=System(facts.os.id, facts.os.version_id),
        system_text=facts.os.pretty_name,
        kernel=facts.kernel.release,
        kubelet=f"v{version}" if version else "",
        runtime=used.name if used else "",
        runtime_version=used.version if used else "",
        machine=facts,
    )


def grounds(stacks: Iterable[StackFacts], machines: Mapping[str, MachineFacts]) -> list[Ground]:
    """Return the ground of every node once: of those looked at over SSH from there, of the others from the API."""
    found = [of_machine(name, facts) for name, facts in sorted(machines.items())]
    for stack in stacks:
        ground = of_stack(stack)
        kept = tuple(name for name in ground.names if name not in machines)
        left = ground.count - (len(ground.names) - len(kept))
        if left > 0:
            found.append(ground if left == ground.count else replace(ground, names=kept, count=left))
    return found
