"""Which clusters are shown and in which order, pure: filters such as drift=Kernel, version<1.24, unreachable.

A version that cannot be read, or not be compared, is never a reason to leave a cluster out: it stays, and is told of.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, get_args

from groundplane.api.assessment import DIMENSIONS, SEVERITIES, FindingType
from groundplane.base import versions
from groundplane.base.errors import Refused

from .rows import STALE_SECONDS, Row

SORTS = ("name", "platform", "version", "nodes", "uniform", "drift", "findings", "age")
_EXPRESSION = re.compile(r"(?P<not>!?)(?P<key>[a-z]+)(?:(?P<op>!=|<=|>=|=|<|>)(?P<value>.+))?", re.S)
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_WORDS: dict[str, Callable[[Row], bool]] = {
    "unreachable": lambda row: row.reachable is False,
    "stale": lambda row: row.facts_age is None or row.facts_age > STALE_SECONDS,
    "unassessed": lambda row: row.cluster.status.assessment is None,
    "drift": lambda row: bool(row.dimensions("drift")),
    "exception": lambda row: bool(row.dimensions("exception")),
    "unknown": lambda row: bool(row.dimensions("unknown")),
    "finding": lambda row: any(row.counts.values()),
}
_TEXTS: dict[str, Callable[[Row], list[str]]] = {
    "name": lambda row: [row.name],
    "namespace": lambda row: [row.namespace],
    "foundation": lambda row: [row.foundation],
    "provider": lambda row: [row.cluster.spec.provider],
    "platform": lambda row: [row.platform],
    "phase": lambda row: [row.cluster.status.phase or ""],
    "reason": lambda row: [row.reason],
    "runtime": lambda row: [row.cluster.status.runtime, *(stack.runtime for stack in row.assessment.stacks)],
    "drift": lambda row: list(row.dimensions("drift")),
    "exception": lambda row: list(row.dimensions("exception")),
    "unknown": lambda row: list(row.dimensions("unknown")),
    "finding": lambda row: [finding.type for finding in row.assessment.findings],
    "severity": lambda row: [severity for severity in SEVERITIES if row.counts[severity]],
    "blocked": lambda row: [each.feature for each in row.assessment.features if each.state == "Blocked"],
}
_NUMBERS: dict[str, Callable[[Row], float]] = {
    "nodes": lambda row: row.nodes,
    "uniform": lambda row: 100 * row.share,
    "stacks": lambda row: row.assessment.uniformity.stacks,
}
# What the values of a filter are and which there can be; of the other filters any word may be one.
_CLOSED: dict[str, tuple[str, Sequence[str]]] = {
    **dict.fromkeys(("drift", "exception", "unknown"), ("dimension", DIMENSIONS)),
    "finding": ("finding", get_args(FindingType)),
    "severity": ("severity", SEVERITIES),
}
KEYS = sorted({*_WORDS, *_TEXTS, *_NUMBERS, "version"})


@dataclass(frozen=True, slots=True)
class Filter:
    """One expression. `unreadable` tells of a row whose version it cannot judge; such a row is kept."""

    meets: Callable[[Row], bool]
    unreadable: Callable[[Row], bool] = lambda row: False


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows that all filters let through; `unreadable` are those kept only because their version tells nothing."""

    rows: list[Row]
    unreadable: list[Row]


def choose(rows: list[Row], filters: list[Filter]) -> Chosen:
    """Return the rows that meet every filter."""
    kept = [row for row in rows if all(each.meets(row) or each.unreadable(row) for each in filters)]
    return Chosen(kept, [row for row in kept if any(each.unreadable(row) for each in filters)])


def parse(text: str) -> Filter:
    """Read one expression; raises Refused with what there is."""
    match = _EXPRESSION.fullmatch(text.strip())
    key = match["key"] if match else ""
    if match is None or key not in KEYS:
        raise _refused(text, f"choose among {', '.join(KEYS)}, as in drift=Kernel, version<1.24 or unreachable")
    if match["op"] is None:
        return _word(text, key, negated=bool(match["not"]))
    if match["not"]:
        raise _refused(text, f"write {key}!={match['value']}")
    if key == "version":
        return _version(text, match["op"], match["value"])
    if key in _NUMBERS:
        return _number(text, _NUMBERS[key], match["op"], match["value"])
    return _text(text, key, match["op"], match["value"])


def _refused(text: str, remedy: str) -> Refused:
    return Refused(f"cannot read filter {text!r}", remedy=remedy)


def _word(text: str, key: str, *, negated: bool) -> Filter:
    test = _WORDS.get(key)
    if test is None:
        raise _refused(text, f"give it a value, as in {key}=…; alone stand {', '.join(_WORDS)}")
    return Filter(lambda row: test(row) is not negated)


def _text(text: str, key: str, op: str, value: str) -> Filter:
    """Words are compared without regard to case; commas mean any of them, * and ? stand for other letters."""
    if op not in ("=", "!="):
        raise _refused(text, f"compare {key} with = or !=")
    wanted = [part.strip().lower() for part in value.split(",")]
    noun, words = _CLOSED.get(key, ("", ()))
    if wrong := [part for part in wanted if noun and not _is_one_of(part, words)]:
        raise _refused(text, f"{wrong[0]} is no {noun}; there are {', '.join(words)}")
    read = _TEXTS[key]

    def meets(row: Row) -> bool:
        found = any(fnmatchcase(have.lower(), pattern) for have in read(row) for pattern in wanted)
        return found is (op == "=")

    return Filter(meets)


def _is_one_of(part: str, words: Sequence[str]) -> bool:
    return any(fnmatchcase(word.lower(), part) for word in words)


def _number(text: str, read: Callable[[Row], float], op: str, value: str) -> Filter:
    try:
        number = float(value.strip().removesuffix("%"))
    except ValueError as exc:
        raise _refused(text, "compare it with a number") from exc
    return Filter(lambda row: _ORDER[op](read(row), number))


def _version(text: str, op: str, value: str) -> Filter:
    """Two numbers mean the minor release: version<=1.24 lets every 1.24.x through."""
    value = value.strip()
    compare = _ORDER[op]
    if re.fullmatch(r"v?[0-9]+\.[0-9]+", value):
        major, minor = map(int, value.removeprefix("v").split("."))
        return _judged(lambda found: compare(found.minor, (major, minor)))
    wanted = versions.parse(value)
    return _judged(lambda found: compare(found, wanted))


def _judged(test: Callable[[versions.KubernetesVersion], bool]) -> Filter:
    def judge(row: Row) -> bool | None:
        try:
            return test(versions.parse(row.version))
        except (versions.UnknownVersion, versions.Incomparable):
            return None

    return Filter(lambda row: judge(row) is True, lambda row: judge(row) is None)


def readable(version: str) -> bool:
    """Tell whether a version can be put in an order."""
    try:
        versions.parse(version)
    except versions.UnknownVersion:
        return False
    return True


def arrange(rows: list[Row], sort: str, *, reverse: bool) -> list[Row]:
    """Return the rows in an order: what needs a person comes first, names decide between equals."""
    keys: dict[str, Callable[[Row], Any]] = {
        "name": lambda row: row.name,
        "platform": lambda row: row.platform,
        "version": lambda row: _version_key(row.version),
        "nodes": lambda row: -row.nodes,
        "uniform": lambda row: row.share,
        "drift": lambda row: -sum(cell.count or 1 for cell in row.cells.values() if cell.state == "drift"),
        "findings": lambda row: tuple(-row.counts[severity] for severity in SEVERITIES),
        "age": lambda row: -(row.facts_age if row.facts_age is not None else float("inf")),
    }
    named = sorted(rows, key=lambda row: (row.name, row.namespace))
    return sorted(named, key=keys[sort], reverse=reverse)


def _version_key(text: str) -> tuple[object, ...]:
    """Oldest first; builds of one core stand together by vendor; what cannot be read stands before all."""
    try:
        found = versions.parse(text)
    except versions.UnknownVersion:
        return (0, (0, 0, 0), False, "", "", 0, text)
    revision = int(found.revision) if found.revision.isdigit() else 0
    return (1, found.core, not found.prerelease, found.prerelease, found.vendor, revision, found.revision)
