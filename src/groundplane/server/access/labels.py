"""metav1.LabelSelector: which labels it chooses, and what is wrong with one."""

from __future__ import annotations

from groundplane.api.cause import Cause, forbidden, invalid, required

from ..selectors import Requirement
from ..status import Json

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}


def selects(selector: Json, labels: Json) -> bool:
    """Tell whether the selector chooses something with these labels; an empty one chooses everything."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_requirement(expression).holds(labels) for expression in selector.get("matchExpressions") or ())


def _requirement(expression: Json) -> Requirement:
    return Requirement(expression["key"], _OPERATORS[expression["operator"]], frozenset(expression.get("values") or ()))


def check_selector(selector: Json, path: str) -> list[Cause]:
    """Return what is wrong with a selector."""
    causes: list[Cause] = []
    for number, expression in enumerate(selector.get("matchExpressions") or ()):
        where = f"{path}.matchExpressions[{number}]"
        operator, values = expression.get("operator"), expression.get("values") or []
        if operator not in _OPERATORS:
            causes.append(invalid(f"{where}.operator", operator or "", "not a valid selector operator"))
        elif operator in ("In", "NotIn") and not values:
            causes.append(required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator not in ("In", "NotIn") and values:
            rule = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            causes.append(forbidden(f"{where}.values", values, rule))
        if not expression.get("key"):
            causes.append(invalid(f"{where}.key", "", "name part must be non-empty"))
    if causes:
        message = 'Invalid value: "null": invalid label selector.'
        causes.append(Cause(path, "FieldValueInvalid", None, message))
    return causes
