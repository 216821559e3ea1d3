"""The decision: may this user do this? Administrators may do everything, others what a binding gives them.

A decision reads memory alone (see `index`): it costs a few microseconds and is made for every request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from groundplane.store.contract import Store

from ..status import Json, StatusError, not_found
from ..users import User
from .index import CLUSTER_ROLES, Grant, RoleIndex, role_key
from .rules import GROUP, Asked, Rule, allows, refusal


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` says what allows it, or which of the user's bindings could not be followed."""

    allowed: bool
    reason: str = ""


_ADMINISTRATOR = Decision(allowed=True)


class Authorizer:
    """Decides by the roles and bindings of one store."""

    def __init__(self, store: Store) -> None:
        self._index = RoleIndex(store)

    @property
    def index(self) -> RoleIndex:
        """The roles and bindings behind the decisions."""
        return self._index

    def decide(self, user: User, asked: Asked) -> Decision:
        """Return whether the user may do it, and why."""
        if user.administrator:
            return _ADMINISTRATOR
        what = asked.what
        dangling: list[StatusError] = []
        for grant in self._index.grants(user, "" if asked.path else asked.namespace):
            rules = self._index.rules(grant.role)
            if rules is None:
                dangling.append(_dangling(grant))
                continue
            for rule in rules:
                if allows(rule, asked, what):
                    return Decision(allowed=True, reason=str(grant))
        return Decision(allowed=False, reason=_reason(dangling))

    def require(self, user: User, asked: Asked) -> str:
        """Return what allows it ("" for administrators); raises 403 when nothing does."""
        decision = self.decide(user, asked)
        if not decision.allowed:
            raise refusal(user.name, asked, decision.reason)
        return decision.reason

    def held(self, user: User, namespace: str) -> tuple[list[Rule], list[StatusError]]:
        """Return all rules that hold for the user in a namespace, and what hindered finding them."""
        rules: list[Rule] = []
        dangling: list[StatusError] = []
        for grant in self._index.grants(user, namespace):
            found = self._index.rules(grant.role)
            if found is None:
                dangling.append(_dangling(grant))
            else:
                rules.extend(found)
        return rules, dangling

    def rules_of(self, reference: Json, namespace: str) -> tuple[Rule, ...]:
        """Return the rules of a roleRef seen from `namespace`; raises 404."""
        key = role_key(reference, namespace)
        rules = self._index.rules(key)
        if rules is None:
            raise not_found(GROUP, key.resource.partition(".")[0], key.name)
        return rules


def _dangling(grant: Grant) -> StatusError:
    # In the singular, as kube-apiserver's listers say it.
    return not_found(GROUP, "clusterrole" if grant.role.resource == CLUSTER_ROLES else "role", grant.role.name)


def _reason(dangling: list[StatusError]) -> str:
    if not dangling:
        return ""
    return f"RBAC: {joined(error.message for error in dangling)}"


def joined(messages: Iterator[str]) -> str:
    """Write several errors as one, each text once, as k8s.io/apimachinery's Aggregate does."""
    texts = list(dict.fromkeys(messages))
    return texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
