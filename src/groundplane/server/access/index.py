"""Roles and bindings, indexed by subject. Kept from the store without a task and without a delay.

Invariant: whatever the store has acknowledged is in the index when the next decision is made, because the store
puts a change in front of us before it answers the write, and every look takes what is there first.

Rules of an aggregated ClusterRole are gathered here at once; what its object shows is written later, by `keeper`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from groundplane.store.contract import Entry, Key, Store

from ..status import Json
from ..users import User
from .labels import selects
from .rules import GROUP, Rule

ROLES = f"roles.{GROUP}"
CLUSTER_ROLES = f"clusterroles.{GROUP}"
ROLE_BINDINGS = f"rolebindings.{GROUP}"
CLUSTER_ROLE_BINDINGS = f"clusterrolebindings.{GROUP}"
RESOURCES = (ROLES, CLUSTER_ROLES, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS)


@dataclass(frozen=True, slots=True)
class Role:
    """A Role or ClusterRole; `selectors` is None unless it has an aggregationRule."""

    rules: tuple[Rule, ...]
    labels: Json
    selectors: list[Json] | None


@dataclass(frozen=True, slots=True)
class Grant:
    """What one subject of one binding gives: the rules of `role`, wherever the binding holds."""

    binding: Key
    subject: Json
    role: Key

    def __str__(self) -> str:
        """Say what allows it, in kube-apiserver's words."""
        if self.binding.namespace:
            bound = f'RoleBinding "{self.binding.name}/{self.binding.namespace}"'
        else:
            bound = f'ClusterRoleBinding "{self.binding.name}"'
        kind = "ClusterRole" if self.role.resource == CLUSTER_ROLES else "Role"
        return f'RBAC: allowed by {bound} of {kind} "{self.role.name}" to {self._who()}'

    def _who(self) -> str:
        kind, name = self.subject["kind"], self.subject["name"]
        if kind == "ServiceAccount":
            return f'ServiceAccount "{name}/{self.subject.get("namespace") or self.binding.namespace}"'
        return f'{kind} "{name}"'


@dataclass(slots=True)
class _Scope:
    """The grants of one namespace, or of the whole cluster."""

    users: dict[str, dict[tuple[Key, int], Grant]] = field(default_factory=dict)
    groups: dict[str, dict[tuple[Key, int], Grant]] = field(default_factory=dict)


def account_name(namespace: str, name: str) -> str:
    """Return the user name of a ServiceAccount."""
    return f"system:serviceaccount:{namespace}:{name}"


def role_key(reference: Json, namespace: str) -> Key:
    """Return where the role of a roleRef is, seen from a binding in `namespace`."""
    if reference["kind"] == "ClusterRole":
        return Key(CLUSTER_ROLES, "", reference["name"])
    return Key(ROLES, namespace, reference["name"])


def read_rules(found: Any) -> tuple[Rule, ...]:
    """Return the rules of a role's object."""
    return msgspec.convert(found or (), type=tuple[Rule, ...])


class RoleIndex:
    """Looks up grants and rules. Belongs to the event loop of its store."""

    def __init__(self, store: Store) -> None:
        self._news = store.follow(RESOURCES)
        self._roles: dict[Key, Role] = {}
        self._gathered: dict[Key, tuple[Rule, ...]] = {}
        self._bindings: dict[Key, list[tuple[dict[str, dict[tuple[Key, int], Grant]], str, int]]] = {}
        self._scopes: dict[str, _Scope] = {}

    def grants(self, user: User, namespace: str) -> Iterator[Grant]:
        """Yield what the user has in the namespace ("": at the cluster scope), from the cluster's bindings first."""
        self._catch_up()
        for name in ("", namespace) if namespace else ("",):
            scope = self._scopes.get(name)
            if scope is None:
                continue
            if found := scope.users.get(user.name):
                yield from found.values()
            groups = scope.groups
            for group in user.groups:
                if found := groups.get(group):
                    yield from found.values()

    def rules(self, role: Key) -> tuple[Rule, ...] | None:
        """Return the rules of a role, None when it is not there."""
        self._catch_up()
        known = self._roles.get(role)
        if known is None:
            return None
        if known.selectors is None:
            return known.rules
        if role not in self._gathered:
            self._gathered[role] = tuple(self._gather(role, set()))
        return self._gathered[role]

    def aggregated(self) -> list[Key]:
        """Return the ClusterRoles that gather the rules of others."""
        self._catch_up()
        return [key for key, role in self._roles.items() if role.selectors is not None]

    def _gather(self, key: Key, seen: set[Key]) -> dict[Rule, None]:
        """Collect the rules of all that the selectors choose, each once; a circle of roles ends where it began."""
        seen.add(key)
        role, found = self._roles[key], dict[Rule, None]()
        if role.selectors is None:
            return dict.fromkeys(role.rules)
        for other in sorted(self._roles):
            if other.resource != CLUSTER_ROLES or other in seen:
                continue
            if any(selects(selector, self._roles[other].labels) for selector in role.selectors):
                found.update(self._gather(other, seen))
        return found

    def _catch_up(self) -> None:
        if not self._news.changed:
            return
        for key, entry in self._news.take().items():
            if key.resource in (ROLES, CLUSTER_ROLES):
                self._see_role(key, entry)
            else:
                self._see_binding(key, entry)

    def _see_role(self, key: Key, entry: Entry | None) -> None:
        if key.resource == CLUSTER_ROLES:
            self._gathered.clear()
        if entry is None:
            self._roles.pop(key, None)
            return
        obj = msgspec.json.decode(entry.value)
        aggregation = obj.get("aggregationRule")
        selectors = None if aggregation is None else aggregation.get("clusterRoleSelectors") or []
        self._roles[key] = Role(read_rules(obj.get("rules")), obj["metadata"].get("labels") or {}, selectors)

    def _see_binding(self, key: Key, entry: Entry | None) -> None:
        for table, name, number in self._bindings.pop(key, ()):
            del table[name][key, number]
            if not table[name]:
                del table[name]
        if entry is None:
            return
        obj = msgspec.json.decode(entry.value)
        self._bindings[key] = list(self._place(key, role_key(obj["roleRef"], key.namespace), obj.get("subjects") or ()))

    def _place(
        self, key: Key, role: Key, subjects: Iterable[Json]
    ) -> Iterator[tuple[dict[str, dict[tuple[Key, int], Grant]], str, int]]:
        scope = self._scopes.setdefault(key.namespace, _Scope())
        for number, subject in enumerate(subjects):
            name = subject["name"]
            if subject["kind"] == "ServiceAccount":
                name = account_name(subject.get("namespace") or key.namespace, name)
            table = scope.groups if subject["kind"] == "Group" else scope.users
            table.setdefault(name, {})[key, number] = Grant(key, subject, role)
            yield table, name, number
