"""Distribution: a kind of Kubernetes build, its releases and where their files come from."""

from __future__ import annotations

from typing import Literal

from .machine import Role
from .meta import Condition, ObjectMeta, Struct

ArtifactType = Literal["Binary", "Archive", "Image"]


class Source(Struct, frozen=True):
    """Where artifacts are looked for, in order. Directory and Bundle have `path`, HTTP has `url`."""

    type: Literal["HTTP", "Directory", "Bundle"]
    path: str = ""
    url: str = ""


class Artifact(Struct, frozen=True):
    """One file. `path` is relative to the source; `sha256` in hex, `size` in bytes (0 = unknown).

    Binary: installed as an executable called `name`. Archive: tar.gz; `cni-plugins` unpacks into /opt/cni/bin.
    Image: a docker-archive tar that holds `image`. Empty `roles`: every machine needs it.
    """

    name: str
    type: ArtifactType
    path: str
    sha256: str
    architecture: Literal["amd64", "arm64"] = "amd64"
    size: int = 0
    image: str = ""
    roles: list[Role] = []


class Release(Struct, frozen=True):
    version: str
    artifacts: list[Artifact] = []
    end_of_life: str = ""


class DistributionSpec(Struct, frozen=True):
    vendor: str = "native"
    description: str = ""
    sources: list[Source] = []
    releases: list[Release] = []


class DistributionStatus(Struct, frozen=True):
    observed_generation: int = 0
    conditions: list[Condition] = []


class Distribution(Struct, frozen=True):
    """A kind of Kubernetes build."""

    api_version: str = "groundplane.dev/v1alpha1"
    kind: str = "Distribution"
    metadata: ObjectMeta = ObjectMeta()
    spec: DistributionSpec = DistributionSpec()
    status: DistributionStatus = DistributionStatus()

    def release(self, version: str) -> Release | None:
        """Return the release called `version`, or None."""
        return next((r for r in self.spec.releases if r.version == version), None)
