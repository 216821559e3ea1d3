"""What facts mean: drift from a Foundation, findings, decisions on features, uniformity. Pure: no clock, no I/O."""

from __future__ import annotations

from .cluster import ClusterSubject, assess_cluster, assess_machine
from .fleet import Fleet, next_history
from .standard import Standard, resolve

__all__ = ["ClusterSubject", "Fleet", "Standard", "assess_cluster", "assess_machine", "next_history", "resolve"]
