"""Finds the row of the table for a request: by the number of segments first, then by comparing segments.

The table decides: among rows of equal length the first whose path and method fit wins, as the table says. No regular
expression is run and no row is tried that cannot fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from .routes import Row

Target = TypeVar("Target")


@dataclass(frozen=True, slots=True)
class _Pattern(Generic[Target]):
    """One path: which segments are given, which are parameters, and what stands behind each method."""

    given: tuple[tuple[int, str], ...]
    named: tuple[tuple[int, str], ...]
    methods: dict[str, tuple[Target, dict[str, str]]] = field(default_factory=dict)

    def fits(self, segments: Sequence[str]) -> bool:
        # Loops, not all(): this runs several times for every request.
        for at, text in self.given:
            if segments[at] != text:
                return False
        for at, _ in self.named:  # noqa: SIM110
            if not segments[at]:
                return False
        return True


class Found(msgspec.Struct, Generic[Target], frozen=True):
    """What stands behind a path; `target` is None when there is something, but not with this method."""

    target: Target | None
    parameters: Mapping[str, Any]


class Dispatch(Generic[Target]):
    """The table, ready to be looked at; `make` gives what a row leads to."""

    def __init__(self, rows: Sequence[Row], make: Callable[[Row], Target]) -> None:
        self._by_length: dict[int, list[_Pattern[Target]]] = {}
        known: dict[str, _Pattern[Target]] = {}
        for row in rows:
            pattern = known.get(row.path)
            if pattern is None:
                pattern = known[row.path] = _pattern(row.path)
                self._by_length.setdefault(row.path.count("/"), []).append(pattern)
            behind = (make(row), dict(row.fixed))
            # kube-apiserver knows HEAD for health alone; the connection leaves the body out.
            for method in (row.method, "HEAD") if row.head else (row.method,):
                pattern.methods.setdefault(method, behind)

    def find(self, method: str, path: str) -> Found[Target] | None:
        """Return what stands behind a path, None when there is nothing."""
        segments = path.split("/")
        wrong_method: Found[Target] | None = None
        for pattern in self._by_length.get(len(segments) - 1, ()):
            if segments[0] or not pattern.fits(segments):
                continue
            behind = pattern.methods.get(method)
            if behind is not None:
                target, fixed = behind
                return Found(target, {**{name: segments[at] for at, name in pattern.named}, **fixed})
            wrong_method = wrong_method or Found(None, {})
        return wrong_method


def _pattern(path: str) -> _Pattern[Any]:
    segments = list(enumerate(path.split("/")))[1:]
    named = tuple((at, text[1:-1]) for at, text in segments if text.startswith("{"))
    return _Pattern(tuple((at, text) for at, text in segments if not text.startswith("{")), named)
