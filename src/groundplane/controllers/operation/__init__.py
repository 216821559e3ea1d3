"""The Operation controller: approval, freshness, the run, its record."""

from .reconcile import OperationReconciler

__all__ = ["OperationReconciler"]
