"""The words by which a person names a kind: Cluster, cluster, clusters, gpc; and the core kinds that we show."""

from __future__ import annotations

from groundplane.api.registry import KINDS
from groundplane.base.errors import Refused
from groundplane.client.contract import Resource
from groundplane.client.typed import EVENTS, NAMESPACES, RESOURCES, SECRETS

OURS = {info.kind: RESOURCES[info.struct] for info in KINDS}
CLUSTER = OURS["Cluster"]
DISTRIBUTION = OURS["Distribution"]
OPERATION = OURS["Operation"]

_CORE_WORDS = {
    ("secret", "secrets"): SECRETS,
    ("namespace", "namespaces", "ns"): NAMESPACES,
    ("event", "events", "ev"): EVENTS,
}
_WORDS: dict[str, Resource] = {word: resource for words, resource in _CORE_WORDS.items() for word in words} | {
    word: OURS[info.kind]
    for info in KINDS
    for word in (info.kind.lower(), info.plural, info.singular, f"{info.plural}.{info.group}", *info.short_names)
}
_BY_TYPE = {(resource.group, resource.kind): resource for resource in (*OURS.values(), SECRETS, NAMESPACES, EVENTS)}

# What refers to others comes after what it refers to, so that nothing waits for a later document.
ORDER = ("Namespace", "Secret", "Distribution", "Foundation", "Cluster", "Machine")


def named(word: str) -> Resource:
    """Return the resource that a person means by `word`."""
    found = _WORDS.get(word.lower())
    if found is None:
        raise Refused(f"cannot find kind {word!r}", remedy=f"choose among {', '.join(sorted(k.plural for k in KINDS))}")
    return found


def of_object(api_version: str, kind: str) -> Resource | None:
    """Return the resource of a document, or None when Groundplane does not know the type."""
    group = api_version.rpartition("/")[0]
    found = _BY_TYPE.get((group, kind))
    return found if found is not None and api_version.rpartition("/")[2] == found.version else None


def display(resource: Resource, name: str) -> str:
    """Return "cluster.groundplane.dev/shop", as kubectl writes it."""
    return f"{resource.kind.lower()}{'.' if resource.group else ''}{resource.group}/{name}"
