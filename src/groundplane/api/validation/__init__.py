"""Validation beyond the schema: whether an object makes sense, alone and among the others. Pure.

`admit` judges one object when it is written. A reference to an object that is not there yet is no cause (objects of
one apply come in any order); `check_cluster` judges a Cluster with everything it refers to, for its condition.
An update that leaves the spec as it was passes: what is stored must stay deletable, whatever the rules are today.
"""

from __future__ import annotations

from ..cause import Cause, Verdict
from ..cluster import Cluster
from ..distribution import Distribution
from ..foundation import Foundation
from ..machine import Machine
from ..operation import Operation
from .cluster import admit_cluster
from .contract import AdmittingWorld, Runtimes, Support, World
from .distribution import admit_distribution
from .foundation import admit_foundation
from .machine import admit_machine
from .operation import admit_operation
from .together import check_cluster

__all__ = ["AdmittingWorld", "AnyKind", "Cause", "Runtimes", "Support", "Verdict", "World", "admit", "check_cluster"]

AnyKind = Foundation | Cluster | Machine | Operation | Distribution


def admit(obj: AnyKind, old: AnyKind | None, world: AdmittingWorld) -> Verdict:
    """Judge an object that is to be created (`old` None) or updated from `old`, which is of the same kind."""
    if old is not None and old.spec == obj.spec:
        return Verdict()
    match obj:
        case Cluster():
            return admit_cluster(obj, old if isinstance(old, Cluster) else None, world)
        case Machine():
            return admit_machine(obj, old if isinstance(old, Machine) else None, world)
        case Foundation():
            return admit_foundation(obj, world)
        case Distribution():
            return admit_distribution(obj)
        case Operation():
            return admit_operation(obj, old if isinstance(old, Operation) else None)
