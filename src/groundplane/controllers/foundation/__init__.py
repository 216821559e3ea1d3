"""The Foundation controller: how many clusters stand on it."""

from .reconcile import FoundationReconciler

__all__ = ["FoundationReconciler"]
