"""Label and field selectors: text to a predicate over objects.

Grammar and messages are Kubernetes' own (k8s.io/apimachinery: pkg/labels, pkg/fields, as of v1.20), odd corners
included, for a selector that means something else here would choose, or delete, the wrong objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from groundplane.base.gotext import quoted

from . import names
from .status import Json, bad_request

Predicate = Callable[[Json], bool]

_IDENTIFIER, _END = "identifier", "end"
_WORDS = ("in", "notin")
# The longest operator wins; a run of special characters is cut into those that there are.
_TOKEN = re.compile(r"[ \t\r\n]*(?:(==|!=|[=!<>(),])|([^=!<>(), \t\r\n]+)|\Z)")
_COMPARE = {"=": "in", "==": "in", "!=": "notin", "in": "in", "notin": "notin", ">": ">", "<": "<"}
_INT64 = range(-(2**63), 2**63)


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
        if value is None or not _is_int64(value):
            return False
        bound = int(next(iter(self.values)))
        return int(value) > bound if self.operator == ">" else int(value) < bound


def _is_int64(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]+", text) is not None and int(text) in _INT64


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Parse a label selector; raises a 400 Status naming what is wrong."""
    return _Parser(text).requirements()


class _Parser:
    """Reads one label selector from left to right. A token is (what it is, its text)."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def requirements(self) -> tuple[Requirement, ...]:
        found: list[Requirement] = []
        while True:
            kind, text = self._look()
            if kind == _END:
                return tuple(found)
            if kind not in (_IDENTIFIER, "!"):
                raise bad_request(f"found '{text}', expected: !, identifier, or 'end of string'")
            found.append(self._requirement())
            kind, text = self._take()
            if kind == _END:
                return tuple(found)
            if kind != ",":
                raise bad_request(f"found '{text}', expected: ',' or 'end of string'")
            kind, text = self._look()
            if kind not in (_IDENTIFIER, "!"):
                raise bad_request(f"found '{text}', expected: identifier after ','")

    def _look(self) -> tuple[str, str]:
        kind, text = self._tokens[self._at]
        # "in" and "notin" may be keys and values too.
        return (_IDENTIFIER, text) if kind in _WORDS else (kind, text)

    def _take(self) -> tuple[str, str]:
        found = self._look()
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return found

    def _requirement(self) -> Requirement:
        kind, key = self._take()
        absent = kind == "!"
        if absent:
            kind, key = self._take()
        if kind != _IDENTIFIER:
            _refuse(f"found '{key}', expected: identifier")
        if problems := names.qualified_name(key):
            _refuse(f"invalid label key {quoted(key)}: {'; '.join(problems)}")
        if absent or self._look()[0] in (_END, ","):
            return Requirement(key, "absent" if absent else "exists")
        return self._comparison(key)

    def _comparison(self, key: str) -> Requirement:
        word = self._tokens[self._at]
        self._take()
        if word[0] not in _COMPARE:
            _refuse(f"found '{word[1]}', expected: '=', '!=', '==', 'in', notin'")
        operator = word[0]
        values = self._values() if operator in _WORDS else {self._value()}
        for value in sorted(values):
            if operator in "<>" and not _is_int64(value):
                _refuse("for 'Gt', 'Lt' operators, the value must be an integer")
            if problems := names.label_value(value):
                _refuse(f"invalid label value: {quoted(value)}: at key: {quoted(key)}: {'; '.join(problems)}")
        return Requirement(key, _COMPARE[operator], frozenset(values))

    def _value(self) -> str:
        kind, text = self._look()
        if kind in (_END, ","):
            return ""
        self._take()
        if kind != _IDENTIFIER:
            _refuse(f"found '{text}', expected: identifier")
        return text

    def _values(self) -> set[str]:
        kind, text = self._take()
        if kind != "(":
            _refuse(f"found '{text}' expected: '('")
        kind, text = self._look()
        if kind == ")":
            self._take()
            return {""}
        if kind not in (_IDENTIFIER, ","):
            _refuse(f"found '{text}', expected: ',', ')' or identifier")
        return self._listed()

    def _listed(self) -> set[str]:
        """Read the members of a set up to its closing bracket; nothing between two commas is the empty value."""
        found: set[str] = set()
        while True:
            kind, text = self._take()
            if kind == _IDENTIFIER:
                found.add(text)
                kind, text = self._look()
                if kind not in (",", ")"):
                    _refuse(f"found '{text}', expected: ',' or ')'")
                if kind == ")":
                    break
            elif kind == ",":
                found |= set() if found and self._look()[0] == _IDENTIFIER else {""}
                if self._look()[0] == ")":
                    break
            else:
                _refuse(f"found '{text}', expected: ',', or identifier")
        self._take()
        return found


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for match in _TOKEN.finditer(text):
        symbol, word = match.groups()
        if symbol or word:
            found.append((symbol or (word if word in _WORDS else _IDENTIFIER), symbol or word))
    return [*found, (_END, "")]


def _refuse(why: str) -> NoReturn:
    raise bad_request(f"unable to parse requirement: {why}")


_TERM = re.compile(r"(?:[^\\,]|\\.|\\\Z)+", re.DOTALL)
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)


def parse_fields(text: str, known: Mapping[str, Callable[[Json], str]]) -> tuple[tuple[str, bool, str], ...]:
    """Parse a field selector to (field, equal, value) terms; a field that is not in `known` is refused by name."""
    found: list[tuple[str, bool, str]] = []
    for term in sorted(_TERM.findall(text)):
        match = re.search(r"==|!=|=", term)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        field, value = term[: match.start()], _unescaped(term[match.end() :])
        if field not in known:
            raise bad_request(f"field label not supported: {field}")
        found.append((field, match[0] != "!=", value))
    return tuple(found)


def _unescaped(value: str) -> str:
    for escape in _ESCAPE.finditer(value):
        if escape[1] not in ("\\", ",", "=") or not escape[1]:
            raise bad_request(f"invalid field selector: invalid escape sequence: {escape[0]}")
    if "=" in _ESCAPE.sub("", value):
        raise bad_request("invalid field selector: unescaped character in value: 61")
    return _ESCAPE.sub(r"\1", value)


def build(labels: str, fields: str, known: Mapping[str, Callable[[Json], str]]) -> Predicate | None:
    """Return the predicate of both selectors, or None when everything matches."""
    return select(labels, fields, known)[0]


def select(labels: str, fields: str, known: Mapping[str, Callable[[Json], str]]) -> tuple[Predicate | None, str]:
    """Return the predicate as `build` does, and the one name that the selectors let through, "" when there is none."""
    requirements = parse_labels(labels)
    terms = parse_fields(fields, known)
    name = next((value for field, equal, value in terms if field == "metadata.name" and equal), "")
    if not requirements and not terms:
        return None, name

    def matches(obj: Json) -> bool:
        given = obj["metadata"].get("labels") or {}
        return all(r.holds(given) for r in requirements) and all((known[f](obj) == v) is e for f, e, v in terms)

    return matches, name
