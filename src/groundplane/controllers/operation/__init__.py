"""The Operation controller: approval, freshness, the run, its record."""

from .execution import Uploads
from .reconcile import OperationReconciler

__all__ = ["OperationReconciler", "Uploads"]
