"""The Distribution controller: are the files of its releases to be had."""

from .reconcile import DistributionReconciler

__all__ = ["DistributionReconciler"]
