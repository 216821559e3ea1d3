"""Paths of the Kubernetes API: group, version, plural, namespace, name → path, each part escaped."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Address:
    """Where one resource is served; group "" is the core group. `plural` is the path segment."""

    group: str
    version: str
    plural: str
    namespaced: bool = True

    @property
    def root(self) -> str:
        """Path of the group and version, where discovery answers."""
        return group_path(self.group, self.version)

    def collection(self, namespace: str | None = None) -> str:
        """Path of all objects, or of those of one namespace."""
        scope = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        return f"{self.root}{scope}/{self.plural}"

    def object(self, namespace: str, name: str, subresource: str = "") -> str:
        """Path of one object, or of its subresource."""
        path = f"{self.collection(namespace)}/{quote(name, safe='')}"
        return f"{path}/{subresource}" if subresource else path


def group_path(group: str, version: str) -> str:
    """Path of a group and version."""
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


def split_api_version(api_version: str) -> tuple[str, str]:
    """Return group and version of an apiVersion: "v1" has group ""."""
    group, _, version = api_version.rpartition("/")
    return group, version
