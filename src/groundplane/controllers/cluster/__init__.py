"""The Cluster controller: compare, plan, hand the work to an Operation, look again."""

from .adopted import Adoption, Memberships
from .identities import Identities
from .imported import ImportedReconciler
from .reconcile import ClusterReconciler

__all__ = ["Adoption", "ClusterReconciler", "Identities", "ImportedReconciler", "Memberships"]
