"""Admission of Distributions: sources, releases and artifacts can be found and verified."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from groundplane.base import versions

from ..cause import Cause, Verdict, forbidden, invalid, required
from ..distribution import Artifact, Distribution, Release, Source
from . import values
from .shared import metadata_causes, repeated

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DAY = re.compile(r"20\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NATIVE = "native"


def admit_distribution(distribution: Distribution) -> Verdict:
    """Judge a Distribution that is created or changed."""
    spec = distribution.spec
    verdict = Verdict(metadata_causes(distribution.metadata.name, distribution.metadata.generate_name))
    for index, source in enumerate(spec.sources):
        verdict.extend(_source_causes(f"spec.sources[{index}]", source))
    verdict.extend(repeated("spec.releases", [r.version for r in spec.releases], "release", field="version"))
    for index, release in enumerate(spec.releases):
        path = f"spec.releases[{index}]"
        if cause := values.kubernetes_version(f"{path}.version", release.version):
            verdict.add(cause)
        elif (vendor := versions.parse(release.version).vendor or _NATIVE) != spec.vendor:
            verdict.warn(f"{path}.version", f"{release.version} is of vendor {vendor}, not {spec.vendor}")
        verdict.extend(_release_causes(path, release))
    return verdict


def _source_causes(path: str, source: Source) -> Iterator[Cause]:
    used, unused = ("url", "path") if source.type == "HTTP" else ("path", "url")
    if getattr(source, unused):
        rule = f"type {source.type} has `{used}`; leave `{unused}` out"
        yield forbidden(f"{path}.{unused}", getattr(source, unused), rule)
    value = getattr(source, used)
    if not value:
        yield required(f"{path}.{used}", f"type {source.type} needs it")
    elif used == "path" and not value.startswith("/"):
        yield invalid(f"{path}.path", value, "must be an absolute path on the host of Groundplane")
    elif used == "url" and (cause := _url(f"{path}.url", value)):
        yield cause


def _url(path: str, value: str) -> Cause | None:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return invalid(path, value, "must be an http or https URL, such as https://dl.k8s.io")
    if parts.username or parts.password:
        return forbidden(path, "…", "a URL must not hold credentials: objects are shown to everyone who may read them")
    return None


def _release_causes(path: str, release: Release) -> Iterator[Cause]:
    if release.end_of_life and not _DAY.fullmatch(release.end_of_life):
        yield invalid(f"{path}.endOfLife", release.end_of_life, "must be a day as YYYY-MM-DD")
    names = [f"{a.type} {a.name} for {a.architecture}" for a in release.artifacts]
    yield from repeated(f"{path}.artifacts", names, "artifact")
    for index, artifact in enumerate(release.artifacts):
        yield from _artifact_causes(f"{path}.artifacts[{index}]", artifact)


def _artifact_causes(path: str, artifact: Artifact) -> Iterator[Cause]:
    if not _FILE.fullmatch(artifact.name):
        yield invalid(f"{path}.name", artifact.name, "must be a file name of letters, digits, . _ and -")
    if not _SHA256.fullmatch(artifact.sha256):
        rule = "must be 64 lower case hex digits, as sha256sum prints; a file is never used unverified"
        yield invalid(f"{path}.sha256", artifact.sha256, rule)
    place = PurePosixPath(artifact.path)
    if not artifact.path or place.is_absolute() or ".." in place.parts:
        yield invalid(f"{path}.path", artifact.path, "must be a path below the source, without ..")
    if artifact.size < 0:
        yield invalid(f"{path}.size", artifact.size, "must be a size in bytes, or 0 when it is not known")
    if artifact.type == "Image" and not artifact.image:
        yield required(f"{path}.image", "type Image needs the name of the image in the archive")
    elif artifact.type != "Image" and artifact.image:
        yield forbidden(f"{path}.image", artifact.image, f"type {artifact.type} holds no image; leave it out")
