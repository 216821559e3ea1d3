"""containerd's configuration, edited as data: what was found stays, ours is set. Pure.

Ours: the CRI plugin on, the cgroup driver aligned with kubelet's, the release's pause image, and the CNI folder
that Groundplane fills. Layouts: version 2 (containerd 1.x) and version 3 (containerd 2.x), see
https://github.com/containerd/containerd/blob/main/docs/cri/config.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tomli_w

from .errors import StepRefused

_CRI2 = "io.containerd.grpc.v1.cri"
_RUNTIME3 = "io.containerd.cri.v1.runtime"
_IMAGES3 = "io.containerd.cri.v1.images"
_CRI_NAMES = frozenset({"cri", _CRI2, _RUNTIME3, _IMAGES3})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What Groundplane sets. An empty `sandbox_image` leaves containerd's own."""

    systemd_cgroup: bool
    sandbox_image: str
    cni_bin: str


def edited(found: bytes | None, wanted: Wanted, *, major: int) -> bytes | None:
    """Return the configuration with ours set, or None when it is right as it is.

    `found` is the file's content (None: no file), `major` the installed containerd's major version.
    Raises StepRefused when the file cannot be understood: it is a person's, and is not thrown away.
    """
    try:
        before = tomllib.loads(found.decode()) if found is not None else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise StepRefused(
            f"cannot read containerd's config.toml: {exc}", remedy="mend the file, or move it away"
        ) from exc
    after = _copy(before)
    version = _version(after, major)
    after["version"] = version
    disabled = [name for name in after.get("disabled_plugins", []) if name not in _CRI_NAMES]
    if "disabled_plugins" in after:
        after["disabled_plugins"] = disabled
    for path, value in _settings(wanted, version).items():
        _set(after, path, value)
    return None if after == before else tomli_w.dumps(after).encode()


def _version(config: Mapping[str, Any], major: int) -> int:
    """The layout to write: the file's own; a file without a version may be taken over only when it sets no plugin."""
    version = int(config.get("version", 0))
    if version in (2, 3):
        return version
    if config.get("plugins") or version not in (0, 1):
        raise StepRefused(
            f"cannot edit containerd's config.toml: its layout is version {version or 1}",
            remedy="convert it with `containerd config migrate`, or move the file away",
        )
    return 3 if major >= 2 else 2


def _settings(wanted: Wanted, version: int) -> dict[tuple[str, ...], object]:
    root = ("plugins", _CRI2 if version == 2 else _RUNTIME3)
    runc = (*root, "containerd", "runtimes", "runc")
    settings: dict[tuple[str, ...], object] = {
        # A runtime that is named replaces containerd's own entry as a whole, so its type has to be said too.
        (*runc, "runtime_type"): "io.containerd.runc.v2",
        (*runc, "options", "SystemdCgroup"): wanted.systemd_cgroup,
        (*root, "cni", "bin_dir"): wanted.cni_bin,
    }
    if wanted.sandbox_image and version == 2:
        settings[(*root, "sandbox_image")] = wanted.sandbox_image
    elif wanted.sandbox_image:
        settings[("plugins", _IMAGES3, "pinned_images", "sandbox")] = wanted.sandbox_image
    return settings


def _set(config: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    at = config
    for name in path[:-1]:
        at = at.setdefault(name, {})
    at[path[-1]] = value


def _copy(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(inner) if isinstance(inner, dict) else inner for key, inner in value.items()}
