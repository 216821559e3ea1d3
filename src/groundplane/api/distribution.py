"""Distribution: a kind of Kubernetes build, its releases and where their files come from."""

from __future__ import annotations

from typing import Annotated, Literal

from .machine import Role
from .meta import Conditions, ObjectMeta, Struct, says

ArtifactType = Literal["Binary", "Archive", "Image"]
Architecture = Literal["amd64", "arm64"]


class Source(Struct, frozen=True):
    """Where artifacts are looked for, in order. Directory and Bundle have `path`, HTTP has `url`."""

    type: Annotated[Literal["HTTP", "Directory", "Bundle"], says("HTTP, Directory or Bundle")]
    path: Annotated[str, says("directory or bundle file on the host of Groundplane")] = ""
    url: Annotated[str, says("base URL; artifact paths are appended")] = ""


class Artifact(Struct, frozen=True):
    """One file. `path` is relative to the source; `sha256` in hex, `size` in bytes (0 = unknown).

    Binary: installed as an executable called `name`. Archive: tar.gz; `cni-plugins` unpacks into /opt/cni/bin.
    Image: a docker-archive tar that holds `image`. Empty `roles`: every machine needs it.
    """

    name: Annotated[str, says("name of the file in use: executable or archive")]
    type: Annotated[ArtifactType, says("Binary (installed), Archive (unpacked) or Image (loaded)")]
    path: Annotated[str, says("path below the source")]
    sha256: Annotated[str, says("checksum in hex; a file that differs is refused")]
    architecture: Annotated[Architecture, says("CPU architecture")] = "amd64"
    size: Annotated[int, says("size in bytes; 0: unknown")] = 0
    image: Annotated[str, says("image name that the archive holds; type Image only")] = ""
    roles: Annotated[list[Role], says("roles that need it; empty: all")] = []


class Release(Struct, frozen=True):
    version: Annotated[str, says("Kubernetes version, with the vendor's suffix if there is one")]
    artifacts: Annotated[list[Artifact], says("files that the release needs")] = []
    end_of_life: Annotated[str, says("day (YYYY-MM-DD) on which support ends; empty: not known")] = ""


class DistributionSpec(Struct, frozen=True):
    vendor: Annotated[str, says("vendor word of the versions: native, tke, eks, …")] = "native"
    description: Annotated[str, says("the Distribution in one sentence")] = ""
    sources: Annotated[list[Source], says("where artifacts are looked for, in order")] = []
    releases: Annotated[list[Release], says("versions that can be installed", key="version")] = []


class DistributionStatus(Struct, frozen=True):
    observed_generation: Annotated[int, says("generation of the spec that this status is about")] = 0
    conditions: Conditions = []


class Distribution(Struct, frozen=True):
    """A kind of Kubernetes build."""

    api_version: Annotated[str, says("group and version of the kind")] = "groundplane.dev/v1alpha1"
    kind: Annotated[str, says("the kind: Distribution")] = "Distribution"
    metadata: Annotated[ObjectMeta, says("standard object metadata")] = ObjectMeta()
    spec: Annotated[DistributionSpec, says("releases and sources")] = DistributionSpec()
    status: Annotated[DistributionStatus, says("what was observed; written by Groundplane")] = DistributionStatus()

    def release(self, version: str) -> Release | None:
        """Return the release called `version`, or None."""
        return next((r for r in self.spec.releases if r.version == version), None)
