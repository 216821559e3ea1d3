"""What `fleet` reads: one list of Clusters and one of Foundations, and of their objects only the fields that it shows.

A thousand Clusters are some ten megabytes; whatever is not named here is skipped, not built.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from groundplane.api.assessment import Assessment, FeatureDecision, StackShare, Uniformity, UniformityPoint
from groundplane.api.meta import Condition, NameReference
from groundplane.client.contract import Resource
from groundplane.client.http import HttpClient

_CLUSTERS = Resource(group="groundplane.dev", version="v1alpha1", plural="clusters", kind="Cluster")
_FOUNDATIONS = Resource(group="groundplane.dev", version="v1alpha1", plural="foundations", kind="Foundation")


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of what is read: unknown fields are skipped."""


class Meta(_Wire, frozen=True):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}


class Platform(_Wire, frozen=True):
    name: str = "unknown"


class Stack(_Wire, frozen=True):
    count: int = 0
    ready: int = 0


class Facts(_Wire, frozen=True):
    observed_at: str = ""
    reachable: bool = False
    version: str = ""
    platform: Platform = Platform()
    stacks: list[Stack] = []


class Declared(_Wire, frozen=True):
    """A DeclaredException; the module of the whole Cluster is not loaded for it."""

    dimension: str = ""
    until: str = ""


class Spec(_Wire, frozen=True):
    provider: str = "Machines"
    foundation_ref: NameReference | None = None
    exceptions: list[Declared] = []


class Status(_Wire, frozen=True):
    phase: str | None = None
    version: str = ""
    distribution: str = ""
    runtime: str = ""
    machines: int = 0
    ready_nodes: int = 0
    facts: Facts | None = None
    assessment: Assessment | None = None
    conditions: list[Condition] = []


class FleetCluster(_Wire, frozen=True):
    """A Cluster, as far as the matrix needs it."""

    metadata: Meta = Meta()
    spec: Spec = Spec()
    status: Status = Status()


class FoundationStatus(_Wire, frozen=True):
    uniformity: Uniformity = Uniformity()
    stacks: list[StackShare] = []
    features: list[FeatureDecision] = []
    history: list[UniformityPoint] = []


class _Network(_Wire, frozen=True):
    features: list[str] = []


class FoundationSpec(_Wire, frozen=True):
    network: _Network = _Network()


class FleetFoundation(_Wire, frozen=True):
    """A Foundation, as far as report and explanations need it."""

    metadata: Meta = Meta()
    spec: FoundationSpec = FoundationSpec()
    status: FoundationStatus = FoundationStatus()


class _Clusters(_Wire, frozen=True):
    items: list[FleetCluster] = []


class _Foundations(_Wire, frozen=True):
    items: list[FleetFoundation] = []


@dataclass(frozen=True, slots=True)
class Fleet:
    """All that was read."""

    clusters: list[FleetCluster]
    foundations: list[FleetFoundation]


async def read(client: HttpClient, namespace: str | None, *, selector: str = "", foundations: bool = False) -> Fleet:
    """Read the Clusters of a namespace (None: of all) that the label selector meets, and the Foundations if wanted."""
    clusters = client.read(_CLUSTERS, _Clusters, namespace=namespace, label_selector=selector)
    if not foundations:
        return Fleet((await clusters).items, [])
    both = await asyncio.gather(clusters, client.read(_FOUNDATIONS, _Foundations, namespace=namespace))
    return Fleet(both[0].items, both[1].items)
