"""A cluster of somebody else that Groundplane changes, as a person has it done: by commands, one approval a change."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from groundplane_lab.engine import Engine
from groundplane_lab.errors import LabError
from groundplane_lab.plain import PlainCluster
from groundplane_lab.shell import wait_until

_PLANNED_SECONDS = 120
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """An Operation that has ended: its name, the object, and what `operation watch` printed meanwhile."""

    name: str
    operation: Object
    shown: str

    @property
    def phase(self) -> str:
        return str(self.operation["status"].get("phase", ""))


@dataclass(frozen=True, slots=True)
class Changing:
    """A Cluster called `name` in a Groundplane's namespace default."""

    engine: Engine
    name: str

    def adopt(self, cluster: PlainCluster) -> None:
        """Import the cluster, and give Groundplane the SSH key of its machines."""
        self.engine.cli("import", "--kubeconfig", str(cluster.kubeconfig), "--name", self.name)
        self.engine.cli("adopt", f"cluster/{self.name}", "--ssh-key", str(cluster.lab.private_key))

    def wish(self, spec: Object) -> Change:
        """Lay this over the Cluster's spec; approve the Operation that comes of it, and watch it to its end."""
        patch = json.dumps({"spec": spec})
        return self.after(lambda: self.engine.kubectl("patch", "cluster", self.name, "--type=merge", "-p", patch))

    def apply(self, *objects: Object) -> Change:
        """Apply objects from which an Operation comes, such as Machines that are to join; approve it, and watch it."""
        documents = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        return self.after(lambda: self.engine.kubectl("apply", "-f", "-", stdin=documents))

    def remove(self, *machines: str) -> Change:
        """Delete Machines, and have their nodes taken out."""
        change = self.after(lambda: self.engine.kubectl("delete", "machine", *machines, "--wait=false"))
        self.engine.kubectl("wait", "--for=delete", *(f"machine/{name}" for name in machines), "--timeout=60s")
        return change

    def ask(self, *words: str) -> Change:
        """Give a command that makes an Operation; approve that, and watch it to its end."""
        return self.after(lambda: self.engine.cli(*words))

    def retry(self) -> Change:
        """Have the Cluster planned anew; approve what comes of it, and watch it to its end."""
        return self.ask("retry", f"cluster/{self.name}")

    def situation(self) -> str:
        """What an engineer would look at first."""
        explained = self.engine.cli("plan", self.name, check=False)
        conditions = json.dumps(self.engine.get("cluster", self.name).get("status", {}).get("conditions"), indent=1)
        return f"{conditions}\n{explained.stdout}{explained.stderr}"

    def after(self, begin: Callable[[], object]) -> Change:
        """Do something from which an Operation comes; approve that, and watch it to its end."""
        before = {each["metadata"]["name"] for each in self._operations()}
        begin()

        def waiting() -> str | None:
            new = [each["metadata"]["name"] for each in self._operations() if each["metadata"]["name"] not in before]
            return new[0] if new else None

        try:
            name = wait_until(f"an Operation of cluster {self.name}", waiting, seconds=_PLANNED_SECONDS)
        except LabError as exc:
            raise LabError(f"{exc}\n{self.situation()}") from exc
        self.engine.cli("approve", name)
        watched = self.engine.cli("operation", "watch", name, check=False)
        return Change(name, self.engine.get("operation", name), watched.stdout + watched.stderr)

    def _operations(self) -> Sequence[Object]:
        operations: list[Object] = self.engine.get("operations")["items"]
        return operations
