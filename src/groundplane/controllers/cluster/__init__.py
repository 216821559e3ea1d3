"""The Cluster controller: compare, plan, hand the work to an Operation, look again."""

from .reconcile import ClusterReconciler

__all__ = ["ClusterReconciler"]
