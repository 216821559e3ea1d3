"""containerd's configuration, edited as data: what was found stays, ours is set. Pure.

Ours: the CRI plugin on, the cgroup driver aligned with kubelet's, the release's pause image, the CNI folder that
Groundplane fills, and the OCI runtimes that are wanted beside runc. What is carried over from Docker fills gaps and
replaces nothing. Layouts: version 2 (containerd 1.x) and version 3 (containerd 2.x), see
https://github.com/containerd/containerd/blob/main/docs/cri/config.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tomli_w

from .errors import StepRefused

_CRI2 = "io.containerd.grpc.v1.cri"
_RUNTIME3 = "io.containerd.cri.v1.runtime"
_IMAGES3 = "io.containerd.cri.v1.images"
_CRI_NAMES = frozenset({"cri", _CRI2, _RUNTIME3, _IMAGES3})
RUNC = "io.containerd.runc.v2"
# OCI runtimes that are started in runc's place: the handler and its program.
_LIKE_RUNC = {"crun": "crun", "youki": "youki", "nvidia": "nvidia-container-runtime"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What Groundplane sets. An empty `sandbox_image` leaves containerd's own.

    `carried` is what `carry` made of Docker's settings: of it, only what the file says nothing about is taken.
    """

    systemd_cgroup: bool
    sandbox_image: str
    cni_bin: str
    handlers: Sequence[str] = ("runc",)
    carried: Mapping[str, Any] = field(default_factory=dict)


def edited(found: bytes | None, wanted: Wanted, *, major: int) -> bytes | None:
    """Return the configuration with ours set, or None when it is right as it is.

    `found` is the file's content (None: no file), `major` the installed containerd's major version.
    Raises StepRefused when the file cannot be understood: it is a person's, and is not thrown away.
    """
    before = parsed(found)
    after = _copy(before)
    version = layout(after, major)
    after["version"] = version
    disabled = [name for name in after.get("disabled_plugins", []) if name not in _CRI_NAMES]
    if "disabled_plugins" in after:
        after["disabled_plugins"] = disabled
    _fill(after, wanted.carried)
    for path, value in _settings(wanted, version).items():
        _set(after, path, value)
    runtimes = _table(after, (*cri_path(version), "containerd", "runtimes"))
    # One that is there is a person's, who knows where its program is.
    lacking = [name for name in wanted.handlers if name not in runtimes]
    runtimes.update(containerd_runtimes(lacking, systemd_cgroup=wanted.systemd_cgroup))
    return None if after == before else tomli_w.dumps(after).encode()


def parsed(found: bytes | None) -> dict[str, Any]:
    """Return a config.toml as data; StepRefused when it cannot be understood."""
    try:
        return tomllib.loads(found.decode()) if found is not None else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise StepRefused(
            f"cannot read containerd's config.toml: {exc}", remedy="mend the file, or move it away"
        ) from exc


def cri_path(version: int) -> tuple[str, ...]:
    """Return where the CRI's settings of runtimes are, by the layout's version."""
    return ("plugins", _CRI2 if version == 2 else _RUNTIME3)


def registry_path(version: int) -> tuple[str, ...]:
    """Return where the settings of registries are, by the layout's version."""
    return ("plugins", _CRI2 if version == 2 else _IMAGES3, "registry")


def containerd_runtimes(handlers: Sequence[str], *, systemd_cgroup: bool) -> dict[str, dict[str, Any]]:
    """Return containerd's entries for the OCI runtimes `handlers`; runc's own options are set apart.

    Raises StepRefused for one that it is not known how to start.
    """
    return {name: _runtime(name, systemd_cgroup=systemd_cgroup) for name in handlers if name != "runc"}


def _runtime(name: str, *, systemd_cgroup: bool) -> dict[str, Any]:
    if name in _LIKE_RUNC:
        return {"runtime_type": RUNC, "options": {"BinaryName": _LIKE_RUNC[name], "SystemdCgroup": systemd_cgroup}}
    if name == "kata" or name.startswith("kata-"):
        # Devices of the host are of no use in a virtual machine, and some cannot be given to it.
        return {"runtime_type": f"io.containerd.{name}.v2", "privileged_without_host_devices": True}
    if name in ("gvisor", "runsc"):
        return {"runtime_type": "io.containerd.runsc.v1"}
    raise StepRefused(
        f"cannot set up the runtime handler {name}: it is not known how containerd starts it",
        remedy="add it to /etc/containerd/config.toml yourself, and take it out of runtime.handlers",
    )


def layout(config: Mapping[str, Any], major: int) -> int:
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
    root = cri_path(version)
    runc = (*root, "containerd", "runtimes", "runc")
    settings: dict[tuple[str, ...], object] = {
        # A runtime that is named replaces containerd's own entry as a whole, so its type has to be said too.
        (*runc, "runtime_type"): RUNC,
        (*runc, "options", "SystemdCgroup"): wanted.systemd_cgroup,
        (*root, "cni", "bin_dir"): wanted.cni_bin,
    }
    if wanted.sandbox_image and version == 2:
        settings[(*root, "sandbox_image")] = wanted.sandbox_image
    elif wanted.sandbox_image:
        settings[("plugins", _IMAGES3, "pinned_images", "sandbox")] = wanted.sandbox_image
    return settings


def _set(config: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    _table(config, path[:-1])[path[-1]] = value


def _table(config: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """Return the table at `path`, made where there is none."""
    at = config
    for name in path:
        at = at.setdefault(name, {})
    return at


def _fill(config: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Lay `more` under what is there; `containerd config default` writes out what is empty, which says nothing."""
    for key, value in more.items():
        there = config.get(key)
        if isinstance(there, dict) and isinstance(value, Mapping):
            _fill(there, value)
        elif there in (None, "", [], {}):
            config[key] = _copy(value) if isinstance(value, Mapping) else value


def _copy(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(inner) if isinstance(inner, dict) else inner for key, inner in value.items()}
