"""What of a cluster uses versions of the API that are removed on the way to another version. Pure.

Three places tell: the API server counts requests for versions that are to go, with who knows which client behind them;
an object's last-applied annotation says how somebody will apply it again; its managed fields say who wrote it, and
how. What is stored is no trouble by itself: the API server rewrites it. Who goes on asking is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from groundplane.base import versions
from groundplane.base.words import counted
from groundplane.catalog.apis import RemovedAPI, removed_apis

_METRIC = re.compile(r"^apiserver_requested_deprecated_apis\{(?P<labels>[^}]*)\} (?P<value>\S+)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Use:
    """A version of the API that is removed, and who is known to use it."""

    api: RemovedAPI
    resource: str
    users: tuple[str, ...]

    def __str__(self) -> str:
        more = len(self.users) - _SHOWN
        users = [*self.users[:_SHOWN], *([f"{more} more"] if more > 0 else [])]
        instead = f"; instead: {self.api.instead}" if self.api.instead else ""
        return f"{self.api.api_version} {self.resource} (removed in {self.api.removed}): {', '.join(users)}{instead}"


def removed_between(found: str, wanted: str) -> tuple[RemovedAPI, ...]:
    """Return what minor of version `found` serves, or may, and that of `wanted` does not."""
    start, end = versions.minor(found), versions.minor(wanted)
    return tuple(row for row in removed_apis() if start < row.minor <= end)


def requested(metrics: str) -> set[tuple[str, str, str]]:
    """Return group, version and resource of the deprecated versions that the API server was asked for."""
    found = set()
    for match in _METRIC.finditer(metrics):
        labels = dict(_LABEL.findall(match["labels"]))
        if float(match["value"]) > 0:
            found.add((labels.get("group", ""), labels.get("version", ""), labels.get("resource", "")))
    return found


def writers(api_version: str, item: Mapping[str, Any]) -> list[str]:
    """Return who wrote or applied an object in this version of the API."""
    meta = item.get("metadata") or {}
    name = "/".join(filter(None, (meta.get("namespace"), meta.get("name"))))
    managers = {
        str(field.get("manager"))
        for field in meta.get("managedFields") or []
        if field.get("apiVersion") == api_version and field.get("manager")
    }
    try:
        applied = json.loads((meta.get("annotations") or {}).get(_APPLIED) or "{}")
    except ValueError:
        applied = {}
    if isinstance(applied, dict) and applied.get("apiVersion") == api_version:
        managers.add("kubectl apply")
    return [f"{name} by {manager}" for manager in sorted(managers)]


def uses(
    removed: Sequence[RemovedAPI],
    asked: Iterable[tuple[str, str, str]],
    objects: Mapping[str, Sequence[Mapping[str, Any]]],
) -> list[Use]:
    """Return the uses of what is removed; `objects` are those of a resource's plural name, in whatever version."""
    asked, found = set(asked), []
    for api in removed:
        for resource in api.resources:
            users = ["asked for since the API server started"] * ((api.group, api.version, resource) in asked)
            for item in objects.get(resource, ()):
                users += writers(api.api_version, item)
            if users:
                found.append(Use(api, resource, tuple(users)))
    return found


def in_words(found: Sequence[Use], wanted: str) -> str:
    """Say what stands in the way of a version, "" when nothing does."""
    if not found:
        return ""
    return f"{counted(len(found), 'API version')} that {wanted} does not serve in use: {'; '.join(map(str, found))}"


__all__ = ["Use", "in_words", "removed_between", "requested", "uses", "writers"]
