"""Artifacts: from sources, verified by sha256, through one cache, to machines; and bundles of them."""

from .cache import Cache
from .delivery import ArtifactDelivery
from .errors import ArtifactCorrupt, ArtifactMissing, BundleBroken, CacheFailed, SourceUnavailable
from .http import Retry
from .sources import Depot

__all__ = [
    "ArtifactCorrupt",
    "ArtifactDelivery",
    "ArtifactMissing",
    "BundleBroken",
    "Cache",
    "CacheFailed",
    "Depot",
    "Retry",
    "SourceUnavailable",
]
