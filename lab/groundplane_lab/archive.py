"""Container images written as archives that `docker load` and `ctr images import` read, without any engine.

The same files give the same bytes: names are sorted, times and owners are zero. So an archive's checksum is a property
of its content, and a distribution's manifest stays true when the archive is made again elsewhere.
Format: Docker image specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Image:
    """An image of one layer: files by their absolute path inside, links by path and target, and what it runs."""

    reference: str
    files: Mapping[str, Path]
    links: Mapping[str, str] = field(default_factory=dict)
    entrypoint: Sequence[str] = ()


def write_image(image: Image, target: Path) -> None:
    """Write the image as an archive at `target`; the layer is written beside it first, and removed."""
    layer = target.with_suffix(".layer")
    try:
        with tarfile.open(layer, "w", format=tarfile.GNU_FORMAT) as tar:
            _add_layer(tar, image)
        _write_archive(image, layer, target)
    finally:
        layer.unlink(missing_ok=True)


def write_tarball(files: Iterable[Path], target: Path) -> None:
    """Write files, flat, as a gzip-compressed tar whose bytes depend on the files alone."""
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for file in sorted(files):
            _add_file(tar, file.name, file)


def _write_archive(image: Image, layer: Path, target: Path) -> None:
    with layer.open("rb") as content:
        layer_id = hashlib.file_digest(content, "sha256").hexdigest()
    config = json.dumps(_config(image, layer_id), sort_keys=True).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    layer_name = f"{layer_id}/layer.tar"
    manifest = [{"Config": config_name, "RepoTags": [image.reference], "Layers": [layer_name]}]
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        _add_bytes(tar, "manifest.json", json.dumps(manifest).encode())
        _add_bytes(tar, config_name, config)
        _add_folder(tar, layer_id)
        _add_file(tar, layer_name, layer, mode=0o644)


def _config(image: Image, layer_id: str) -> dict[str, object]:
    return {
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Env": [f"PATH={PATH}"], "Entrypoint": list(image.entrypoint), "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_id}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "groundplane-lab"}],
    }


def _add_layer(tar: tarfile.TarFile, image: Image) -> None:
    paths = {path.lstrip("/") for path in (*image.files, *image.links)}
    folders = {str(parent) for path in paths for parent in Path(path).parents if str(parent) != "."}
    for folder in sorted(folders | {"tmp"}):
        _add_folder(tar, folder, mode=0o1777 if folder == "tmp" else 0o755)
    for path in sorted(image.files):
        _add_file(tar, path.lstrip("/"), image.files[path])
    for path in sorted(image.links):
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.type, entry.linkname = tarfile.SYMTYPE, image.links[path]
        tar.addfile(entry)


def _add_folder(tar: tarfile.TarFile, name: str, *, mode: int = 0o755) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry)


def _add_file(tar: tarfile.TarFile, name: str, source: Path, *, mode: int = 0o755) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = source.stat().st_size, mode
    with source.open("rb") as content:
        tar.addfile(entry, content)


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    tar.addfile(entry, io.BytesIO(content))
