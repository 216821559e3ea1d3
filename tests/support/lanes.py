"""How `make test` shares the tests out between its two processes: what waits for machines beside what computes.

Tests that share something expensive (a lab, a server, a cluster) stay in one process, as one piece: a folder of
`tests`, or a module of `tests/unit`. The first process takes pieces from the front of `ORDER`, the other from its
back, so that the labs, which wait for machines most of the time, run beside tests that need none.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# The long pieces stand at both ends; the short ones between them make both processes end at nearly the same time.
SHORT = "any other"
ORDER = (
    "tests/e2e",
    "tests/lab_operations",
    "tests/lab",
    "tests/unit/hosts/test_lab.py",
    SHORT,
    "tests/integration",
    "tests/clients",
    "tests/conformance",
    "tests/durability",
    "tests/kubectl",
)


def piece(nodeid: str) -> str:
    """The tests that stay together with this one: its module in tests/unit, else its folder."""
    module = nodeid.partition("::")[0]
    return module if module.startswith("tests/unit/") else "/".join(module.split("/")[:2])


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
