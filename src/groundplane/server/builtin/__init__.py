"""The kinds that Kubernetes itself defines, each with the schema and rules of Kubernetes; one module per kind.

Only what Groundplane needs of each is here; fields that kube-apiserver has beyond these are refused as unknown.
"""

from __future__ import annotations

from ..resources import Resource
from .config_map import config_map
from .custom_resource_definition import custom_resource_definition
from .event import event
from .lease import lease
from .namespace import DEFAULT_NAMESPACE, KEPT_NAMESPACES, SYSTEM_NAMESPACE, namespace
from .secret import secret
from .service_account import service_account


def builtin_resources() -> tuple[Resource, ...]:
    """Return the resources of Kubernetes' own groups."""
    return (config_map(), event(), namespace(), secret(), service_account(), custom_resource_definition(), lease())


__all__ = ["DEFAULT_NAMESPACE", "KEPT_NAMESPACES", "SYSTEM_NAMESPACE", "builtin_resources"]
