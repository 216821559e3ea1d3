"""Nobody gives away what they do not have: a role or binding is written only by who holds all of its permissions.

The verbs `escalate` (on roles) and `bind` (on the role that is bound) lift this, as in kube-apiserver.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from groundplane.base.gotext import quoted

from ..status import Json, StatusError, forbidden
from ..users import User
from .authorizer import Authorizer, joined
from .index import read_rules
from .rules import EVERYTHING, GROUP, Asked, Rule, compact, missing, quoted_list

if TYPE_CHECKING:
    from ..service import Call, Service

# Metadata that the garbage collector writes; a change of nothing else grants nothing.
_COLLECTED = ("ownerReferences", "finalizers")


def guard_role(service: Service, call: Call, obj: Json, old: Json | None) -> None:
    """Raise 403 when the caller writes a Role that allows more than the caller may do."""
    if _lifted(service.authorizer, call) or _only_collected(obj, old):
        return
    _confirm(service.authorizer, call, obj, read_rules(obj.get("rules")))


def guard_cluster_role(service: Service, call: Call, obj: Json, old: Json | None) -> None:
    """As for a Role; and an aggregationRule may gather anything, so it takes all rights to write one."""
    guard_role(service, call, obj, old)
    if _lifted(service.authorizer, call) or _only_collected(obj, old):
        return
    aggregates = obj.get("aggregationRule") is not None or (old or {}).get("aggregationRule") is not None
    if aggregates and _lacking(service.authorizer, call, EVERYTHING):
        why = "must have cluster-admin privileges to use the aggregationRule"
        raise _forbidden(call, obj, why)


def guard_binding(service: Service, call: Call, obj: Json, old: Json | None) -> None:
    """Raise 403 when the caller binds a role that allows more than the caller may do; 404 when there is no role."""
    authorizer, user = service.authorizer, call.user
    reference = obj.get("roleRef") or {}
    if user.administrator or _only_collected(obj, old) or reference.get("kind") not in ("Role", "ClusterRole"):
        return
    plural = f"{reference['kind'].lower()}s"
    name = str(reference.get("name") or "")
    bind = Asked("bind", reference.get("apiGroup") or GROUP, plural, namespace=call.namespace, name=name)
    if authorizer.decide(user, bind).allowed:
        return
    _confirm(authorizer, call, obj, authorizer.rules_of({**reference, "name": name}, call.namespace))


def _lifted(authorizer: Authorizer, call: Call) -> bool:
    asked = Asked("escalate", GROUP, call.resource.plural, namespace=call.namespace, name=call.name)
    return authorizer.decide(call.user, asked).allowed


def _only_collected(obj: Json, old: Json | None) -> bool:
    return old is not None and _kept(obj) == _kept(old)


def _kept(obj: Json) -> Json:
    hidden = (*_COLLECTED, "managedFields", "resourceVersion")
    metadata = {name: value for name, value in obj["metadata"].items() if name not in hidden}
    return {**obj, "metadata": metadata}


def _confirm(authorizer: Authorizer, call: Call, obj: Json, rules: Iterable[Rule]) -> None:
    lacking = _lacking(authorizer, call, rules)
    if not lacking:
        return
    texts = sorted({str(rule) for rule in compact(lacking)})
    why = f"{_who(call.user)} is attempting to grant RBAC permissions not currently held:\n" + "\n".join(texts)
    _, dangling = authorizer.held(call.user, call.namespace)
    if dangling:
        why += f"; resolution errors: [{joined(error.message for error in dangling)}]"
    raise _forbidden(call, obj, why)


def _who(user: User) -> str:
    return f"user {quoted(user.name)} (groups={quoted_list(user.groups)})"


def _lacking(authorizer: Authorizer, call: Call, rules: Iterable[Rule]) -> list[Rule]:
    held, _ = authorizer.held(call.user, call.namespace)
    return missing(held, rules)


def _forbidden(call: Call, obj: Json, why: str) -> StatusError:
    return forbidden(GROUP, call.resource.plural, str(obj["metadata"].get("name") or ""), why)
