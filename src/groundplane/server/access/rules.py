"""What one rule allows, and whether rules cover others: the pure part of RBAC, without users and without a store.

The comparisons are those of k8s.io/component-helpers/auth/rbac/validation and of kube-apiserver's authorizer, so the
same roles mean the same here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import msgspec

from groundplane.base.gotext import quoted

from ..status import StatusError, forbidden

GROUP = "rbac.authorization.k8s.io"
ALL = "*"


class Asked(msgspec.Struct, frozen=True):
    """What somebody wants to do: `verb` on a resource, or on `path` when that is set.

    `name` is "" for a collection, `namespace` "" at the cluster scope.
    """

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def what(self) -> str:
        """The resource as rules name it: with its subresource after a slash."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Rule(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A PolicyRule."""

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")

    def __str__(self) -> str:
        """Write the rule as kube-apiserver does in its errors."""
        parts = (
            ("APIGroups", self.api_groups),
            ("Resources", self.resources),
            ("NonResourceURLs", self.non_resource_urls),
            ("ResourceNames", self.resource_names),
            ("Verbs", self.verbs),
        )
        return "{" + ", ".join(f"{name}:{quoted_list(values)}" for name, values in parts if values) + "}"


EVERYTHING = (Rule((ALL,), (ALL,), (ALL,)), Rule((ALL,), non_resource_urls=(ALL,)))


def quoted_list(texts: Iterable[str]) -> str:
    """Write texts as Go's %q writes a slice."""
    return "[" + " ".join(quoted(text) for text in texts) + "]"


def allows(rule: Rule, asked: Asked, what: str) -> bool:
    """Tell whether the rule allows it; `what` is asked.what, made once for all rules."""
    if asked.path:
        return _matches(rule.verbs, asked.verb) and any(_url(own, asked.path) for own in rule.non_resource_urls)
    return (
        _resource(rule.resources, what, asked.subresource)
        and _matches(rule.api_groups, asked.group)
        and _matches(rule.verbs, asked.verb)
        and (not rule.resource_names or asked.name in rule.resource_names)
    )


def _matches(own: tuple[str, ...], wanted: str) -> bool:
    return wanted in own or ALL in own


def _resource(own: tuple[str, ...], what: str, subresource: str) -> bool:
    if what in own or ALL in own:
        return True
    return bool(subresource) and f"*/{subresource}" in own


def _url(own: str, path: str) -> bool:
    return own in (ALL, path) or (own.endswith(ALL) and path.startswith(own.rstrip(ALL)))


def missing(held: Iterable[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """Return what `wanted` allows and `held` does not, each as a rule of one verb on one thing."""
    owned = tuple(held)
    return [part for rule in wanted for part in _parts(rule) if not any(_covers(own, part) for own in owned)]


def _parts(rule: Rule) -> Iterator[Rule]:
    for group, resource, verb in product(rule.api_groups, rule.resources, rule.verbs):
        part = Rule((verb,), (group,), (resource,))
        if not rule.resource_names:
            yield part
        for name in rule.resource_names:
            yield msgspec.structs.replace(part, resource_names=(name,))
    for url, verb in product(rule.non_resource_urls, rule.verbs):
        yield Rule((verb,), non_resource_urls=(url,))


def _covers(own: Rule, part: Rule) -> bool:
    return (
        all(_matches(own.verbs, verb) for verb in part.verbs)
        and all(_matches(own.api_groups, group) for group in part.api_groups)
        and all(_resource(own.resources, what, what.partition("/")[2]) for what in part.resources)
        and all(any(_url(url, path) for url in own.non_resource_urls) for path in part.non_resource_urls)
        and _covers_names(own.resource_names, part.resource_names)
    )


def _covers_names(own: tuple[str, ...], names: tuple[str, ...]) -> bool:
    # A rule without names is about all of them, so only another one without names covers it.
    return not own or (bool(names) and set(names) <= set(own))


def compact(rules: Iterable[Rule]) -> list[Rule]:
    """Join the verbs of rules that are about the same single thing."""
    joined: dict[tuple[object, ...], Rule] = {}
    others = []
    for rule in rules:
        simple = len(rule.api_groups) == len(rule.resources) == 1 and len(rule.resource_names) < 2
        if not simple or rule.non_resource_urls:
            others.append(rule)
            continue
        key = (rule.api_groups, rule.resources, rule.resource_names)
        before = joined[key].verbs if key in joined else ()
        joined[key] = Rule((*before, *rule.verbs), rule.api_groups, rule.resources, rule.resource_names)
    return [*others, *joined.values()]


def cannot(user: str, asked: Asked) -> str:
    """Say that the user cannot do it, as kube-apiserver says it."""
    head = f"User {quoted(user)} cannot {asked.verb}"
    if asked.path:
        return f"{head} path {quoted(asked.path)}"
    where = f"in the namespace {quoted(asked.namespace)}" if asked.namespace else "at the cluster scope"
    return f"{head} resource {quoted(asked.what)} in API group {quoted(asked.group)} {where}"


def refusal(user: str, asked: Asked, reason: str) -> StatusError:
    """Return the 403 for what the user cannot do."""
    why = cannot(user, asked) + (f": {reason}" if reason else "")
    if asked.path:
        return StatusError(403, "Forbidden", f"forbidden: {why}")
    return forbidden(asked.group, asked.resource, asked.name, why)
