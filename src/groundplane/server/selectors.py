"""Label and field selectors: text to a predicate over objects. The grammar is Kubernetes' (apimachinery/pkg/labels)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .status import Json, StatusError, bad_request

_KEY = r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?\Z")
_REQUIREMENT = re.compile(
    rf"""\s*(?:
        (?P<absent>!)\s*(?P<absent_key>{_KEY})
      | (?P<key>{_KEY})\s*(?:
            (?P<operator>==|=|!=|<|>)\s*(?P<value>[^,\s]*)
          | (?P<set>in|notin)\s*\((?P<values>[^()]*)\)
        )?
    )\s*(?:,|\Z)""",
    re.VERBOSE,
)

Predicate = Callable[[Json], bool]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term: `operator` is exists, absent, in, notin, < or >."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Tell whether the labels meet this term."""
        value = labels.get(self.key)
        if self.operator == "exists":
            return value is not None
        if self.operator == "absent":
            return value is None
        if self.operator == "in":
            return value in self.values
        if self.operator == "notin":
            return value not in self.values
        return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        if value is None or not re.fullmatch(r"-?\d+", value):
            return False
        bound = int(next(iter(self.values)))
        return int(value) > bound if self.operator == ">" else int(value) < bound


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Parse a label selector; raises a 400 Status naming what is wrong."""
    found: list[Requirement] = []
    position = 0
    while text[position:].strip():
        match = _REQUIREMENT.match(text, position)
        if match is None:
            raise _malformed(text, f"unexpected text at {text[position:]!r}")
        found.append(_requirement(text, match))
        position = match.end()
    return tuple(found)


def _requirement(text: str, match: re.Match[str]) -> Requirement:
    if match["absent"]:
        return Requirement(match["absent_key"], "absent")
    operator = match["operator"] or match["set"]
    if operator is None:
        return Requirement(match["key"], "exists")
    listed = match["values"] if match["set"] else match["value"]
    values = frozenset(part.strip() for part in listed.split(",")) if match["set"] else frozenset({listed})
    for value in values:
        if operator in "<>" and not re.fullmatch(r"-?\d+", value):
            raise _malformed(text, f"{operator} needs an integer, not {value!r}")
        if operator not in "<>" and not _VALUE.match(value):
            raise _malformed(text, f"{value!r} is not a label value")
    names = {"=": "in", "==": "in", "!=": "notin"}
    return Requirement(match["key"], names.get(operator, operator), values)


def _malformed(text: str, why: str) -> StatusError:
    return bad_request(f"unable to parse requirement: {why} in selector {text!r}")


def parse_fields(text: str, known: Mapping[str, Callable[[Json], str]]) -> tuple[tuple[str, bool, str], ...]:
    """Parse a field selector to (field, equal, value) terms; a field that is not in `known` is refused by name."""
    found: list[tuple[str, bool, str]] = []
    for term in filter(None, (part.strip() for part in re.split(r"(?<!\\),", text))):
        match = re.fullmatch(r"([^=!]+)(==|!=|=)(.*)", term)
        if match is None:
            raise bad_request(f"invalid selector: {text!r}; can't understand {term!r}")
        field, operator, value = match.groups()
        if field not in known:
            raise bad_request(f"field label not supported: {field}")
        found.append((field, operator != "!=", re.sub(r"\\([\\,=])", r"\1", value)))
    return tuple(found)


def build(labels: str, fields: str, known: Mapping[str, Callable[[Json], str]]) -> Predicate | None:
    """Return the predicate of both selectors, or None when everything matches."""
    requirements = parse_labels(labels)
    terms = parse_fields(fields, known)
    if not requirements and not terms:
        return None

    def matches(obj: Json) -> bool:
        given = obj["metadata"].get("labels") or {}
        return all(r.holds(given) for r in requirements) and all((known[f](obj) == v) is e for f, e, v in terms)

    return matches
