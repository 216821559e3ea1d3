"""Docker's daemon.json, edited as data: what was found stays, ours is set. Pure.

Ours: the cgroup driver aligned with kubelet's, and logs that cannot fill the disk, unless the file says how to log.
"""

from __future__ import annotations

import json
from typing import Any

from .errors import StepRefused

# dockerd makes it at its first start; on the record beforehand, it goes again with the cluster.
IDENTITY = "/etc/docker/key.json"
_DRIVER = "native.cgroupdriver="


def edited(found: bytes | None, *, driver: str) -> bytes | None:
    """Return daemon.json with ours set, or None when it is right as it is.

    Raises StepRefused when the file cannot be understood: it is a person's, and is not thrown away.
    """
    before = _parsed(found)
    after = dict(before)
    options = [option for option in before.get("exec-opts", []) if not option.startswith(_DRIVER)]
    if f"{_DRIVER}{driver}" not in before.get("exec-opts", []):
        after["exec-opts"] = [*options, f"{_DRIVER}{driver}"]
    if "log-driver" not in before:
        after["log-driver"] = "json-file"
        after["log-opts"] = {"max-size": "100m", "max-file": "3", **before.get("log-opts", {})}
    return None if after == before else json.dumps(after, indent=2).encode() + b"\n"


def _parsed(found: bytes | None) -> dict[str, Any]:
    if found is None or not found.strip():
        return {}
    try:
        value = json.loads(found)
    except ValueError as exc:
        raise StepRefused(f"cannot read Docker's daemon.json: {exc}", remedy="mend the file, or move it away") from exc
    if not isinstance(value, dict):
        raise StepRefused("cannot read Docker's daemon.json: it is not an object", remedy="mend the file")
    return value
