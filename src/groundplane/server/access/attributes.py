"""What a request asks for, in the words of the rules: kube-apiserver's RequestInfo, read from the route that matched.

The same parts of the path that the handler works with are judged, so no way of writing a path leads around a check.
"""

from __future__ import annotations

import re

from starlette.types import Scope

from ..http import Incoming
from ..requestinfo import info_of
from .rules import Asked

_ONE_NAME = re.compile(r"metadata\.name==?([^=!\s/%]+)")


def of_path(method: str, path: str) -> Asked:
    """Return what a request to a path outside of the resources asks for."""
    return Asked(method.lower(), path=path)


def of_resource(incoming: Incoming) -> Asked:
    """Return what a request to a resource asks for."""
    part = incoming.scope["path_params"].get
    resource, namespace, name = part("resource", ""), part("namespace", ""), part("name", "")
    verb = incoming.verb
    if resource == "namespaces" and name:
        # As in kube-apiserver a namespace is in itself, so that a role in it can allow to read it.
        namespace = name
    if verb in ("list", "watch"):
        name = _only_name(incoming.query.get("fieldSelector", ""))
    return Asked(verb, part("group", ""), resource, part("subresource", ""), namespace, name)


def of_nothing(scope: Scope) -> Asked:
    """Return what a request asks for that no row of the table answers."""
    info = info_of(scope)
    if not info.resource:
        return of_path(scope["method"], scope["path"])
    return Asked(info.verb, info.group, info.resource, info.subresource, info.namespace, info.name)


def _only_name(selector: str) -> str:
    """Return the one name that a field selector leaves: a rule for that name then allows the list."""
    if "\\" in selector:
        # An escaped comma is part of a value, which must not be taken for a term of its own.
        return ""
    found = (_ONE_NAME.fullmatch(term) for term in selector.split(","))
    return next((match[1] for match in found if match), "")
