"""The Machine controller: is the host reachable, and what stands on it."""

from .reconcile import MachineReconciler

__all__ = ["MachineReconciler"]
