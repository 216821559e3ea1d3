"""kubelet's flags in /var/lib/kubelet/kubeadm-flags.env, edited as data: only what names the runtime. Pure.

The file is one shell assignment: KUBELET_KUBEADM_ARGS="--flag=value …". Which flags belong to which runtime:
https://kubernetes.io/docs/tasks/administer-cluster/migrating-from-dockershim/change-runtime-containerd/
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from groundplane.api.foundation import RuntimeName

from .errors import StepRefused

PATH = "/var/lib/kubelet/kubeadm-flags.env"
CONTAINERD_SOCKET = "unix:///run/containerd/containerd.sock"
_NAME = "KUBELET_KUBEADM_ARGS"
_QUOTED = re.compile(r"[\s\"'\\]")
# Flags of dockershim; gone from kubelet in v1.24.
_DOCKER_ONLY = frozenset(
    {
        "network-plugin",
        "cni-conf-dir",
        "cni-bin-dir",
        "cni-cache-dir",
        "network-plugin-mtu",
        "image-pull-progress-deadline",
        "docker",
        "docker-endpoint",
        "experimental-dockershim-root-directory",
    }
)
# https://github.com/kubernetes/kubernetes/blob/master/CHANGELOG/CHANGELOG-1.24.md and CHANGELOG-1.27.md
_REMOVED: Mapping[int, frozenset[str]] = {24: _DOCKER_ONLY, 27: frozenset({"container-runtime"})}
_REMOTE = frozenset({"container-runtime", "container-runtime-endpoint", "image-service-endpoint"})


def parsed(content: bytes | None) -> dict[str, str]:
    """Return the flags by name without dashes, in their order; of a flag without a value the value is "true".

    Of a flag that is given more than once this shows the last value, which most flags keep.
    """
    return dict(_split(word) for word in _words(content))


def edited(content: bytes | None, runtime: RuntimeName, *, minor: int, former: bytes | None = None) -> bytes | None:
    """Return the file with kubelet on `runtime`, or None when it is already. `minor` is that of the kubelet.

    `former` is the file as it was when kubelet was on `runtime` before: its flags of the runtime come back. Every other
    word stays as it is, also one that is given more than once, in its order.
    """
    before = parsed(content)
    if runtime_of(before) == runtime and not (runtime == "containerd" and _DOCKER_ONLY & before.keys()):
        return None
    kept = [word for word in _words(content) if _split(word)[0] not in _DOCKER_ONLY | _REMOTE]
    about = _DOCKER_ONLY if runtime == "docker" else _REMOTE
    known = [word for word in _words(former) if _split(word)[0] in about - _refused(minor)]
    own = [f"--{name}={value}" for name, value in _flags(runtime, minor).items() if name not in parsed(former)]
    return _rendered(content, [*kept, *own, *known])


def without_removed(content: bytes, minor: int) -> bytes | None:
    """Return the file without the flags that a kubelet of this minor refuses; None when it has none of them."""
    words = _words(content)
    kept = [word for word in words if _split(word)[0] not in _refused(minor)]
    return None if kept == words else _rendered(content, kept)


def runtime_of(flags: Mapping[str, str]) -> RuntimeName | None:
    """Tell which runtime the flags mean; None for one that is neither Docker nor containerd."""
    if flags.get("container-runtime", "docker") == "docker" and "container-runtime-endpoint" not in flags:
        return "docker"
    endpoint = flags.get("container-runtime-endpoint", "")
    if "dockershim" in endpoint:
        return "docker"
    return "containerd" if "containerd" in endpoint else None


def elsewhere(running: Mapping[str, str], content: bytes | None) -> list[str]:
    """Return the runtime's flags that kubelet runs with and that another file gives it."""
    own = parsed(content)
    about = _DOCKER_ONLY | _REMOTE
    return sorted(name for name, value in running.items() if name in about and own.get(name) != value)


def _refused(minor: int) -> set[str]:
    return {name for since, names in _REMOVED.items() if since <= minor for name in names}


def _flags(runtime: RuntimeName, minor: int) -> dict[str, str]:
    if runtime == "docker":
        if minor >= 24:
            raise StepRefused(
                f"cannot put kubelet v1.{minor} on docker: dockershim was removed in v1.24",
                remedy="stay with containerd",
            )
        return {"network-plugin": "cni"}
    # The flag has only this value from v1.24 on, and is gone in v1.27.
    remote = {"container-runtime": "remote"} if minor < 27 else {}
    return {**remote, "container-runtime-endpoint": CONTAINERD_SOCKET}


def _words(content: bytes | None) -> list[str]:
    """Return the words of the last assignment, a value that stands behind its flag joined to it."""
    value = None
    for line in (content or b"").decode().splitlines():
        name, equals, given = line.strip().partition("=")
        if name == _NAME and equals:
            value = given
    try:
        words = shlex.split(" ".join(shlex.split(value or "")))
    except ValueError as error:
        raise StepRefused(f"cannot read {PATH}: {error}", remedy="mend its quotes") from error
    joined: list[str] = []
    for word in words:
        if not word.startswith("-") and joined and "=" not in joined[-1]:
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _split(word: str) -> tuple[str, str]:
    name, equals, value = word.lstrip("-").partition("=")
    return name, value if equals else "true"


def _rendered(content: bytes | None, words: Sequence[str]) -> bytes:
    """Return the file with these flags; every other line stays."""
    value = " ".join(shlex.quote(word) if _QUOTED.search(word) else word for word in words)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    line = f'{_NAME}="{escaped}"'
    others = [one for one in (content or b"").decode().splitlines() if not one.strip().startswith(f"{_NAME}=")]
    return "\n".join([*others, line]).encode() + b"\n"
