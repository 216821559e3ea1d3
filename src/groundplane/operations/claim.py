"""Whose a machine is: the mark /etc/groundplane/machine.json. Pure reading; the step `claim` writes it.

Every step that takes something away asks here first: on a machine without this cluster's mark nothing is removed.
"""

from __future__ import annotations

import json

from groundplane.hosts.contract import ReadHost

from .errors import ForeignMachine
from .places import CLAIM


def content(owner: str) -> bytes:
    """Return the mark of cluster `owner` (namespace/name)."""
    return json.dumps({"owner": owner}).encode() + b"\n"


async def owner_of(host: ReadHost) -> str:
    """Return the cluster whose mark the machine carries, or ""."""
    found = await host.read(CLAIM)
    if found is None:
        return ""
    try:
        return str(json.loads(found).get("owner", ""))
    except (ValueError, AttributeError) as exc:
        raise ForeignMachine(
            f"cannot read {CLAIM} on host {host.name}: it is not a mark of Groundplane's",
            remedy="find out whose the machine is, then remove the file",
        ) from exc


async def ours(host: ReadHost, owner: str) -> bool:
    """Tell whether the machine carries this cluster's mark; ForeignMachine when it carries another's."""
    found = await owner_of(host)
    if found and found != owner:
        raise ForeignMachine(
            f"cannot use host {host.name} for cluster {owner}: it belongs to cluster {found}",
            remedy=f"take the machine out of {found} first, or choose another one",
        )
    return found == owner
