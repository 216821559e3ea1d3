"""How `make test` shares the tests out between its two processes: what waits for machines beside what computes.

Tests that share something expensive (a server, a cluster) stay in one process, as one piece: a folder of `tests`, or a
module of `tests/unit`. What works on lab machines is two pieces: the machines share this host's kernel, its swap
and its two processors, and a cluster that is being made is best not made beside another. The first process takes pieces
from the front of `ORDER`, the other from its back, so that the labs, which wait most of the time, run beside all the
rest; what changes clusters that live, each on a lab of its own, is left for whoever is done first.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

LABS = ("tests/e2e", "tests/lab_operations", "tests/lab", "tests/unit/hosts/test_lab.py")
LIVING = tuple(
    f"tests/lab_operations/test_{name}.py" for name in ("migrate", "scale", "system", "upgrade", "virtual_ip")
)
# The long pieces stand at both ends; the short ones between them make both processes end at nearly the same time.
MACHINES, CHANGES, SHORT = "machines of labs", "changes of living clusters", "any other"
ORDER = (
    MACHINES,
    CHANGES,
    SHORT,
    "tests/integration",
    "tests/clients",
    "tests/conformance",
    "tests/durability",
    "tests/kubectl",
)


def piece(nodeid: str) -> str:
    """The tests that stay together with this one: those of labs, a module of tests/unit, else a folder of tests."""
    module = nodeid.partition("::")[0]
    if module in LIVING:
        return CHANGES
    found = module if module.startswith("tests/unit/") else "/".join(module.split("/")[:2])
    return MACHINES if found in LABS else found


def place(of: str) -> int:
    """Where a piece stands in `ORDER`; one that is not named there stands among the short ones."""
    return ORDER.index(of if of in ORDER else SHORT)


class Lanes(LoadScopeScheduling):
    """Gives whole pieces to the processes, from both ends of the order."""

    def _split_scope(self, nodeid: str) -> str:
        return piece(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        choose = min if node is self.nodes[0] else max
        self.workqueue.move_to_end(choose(self.workqueue, key=place), last=False)
        super()._assign_work_unit(node)
