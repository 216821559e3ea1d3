"""How long the release lines of container runtimes live, what they serve, and which security fixes they lack.

A line is major.minor, except Docker's from 27 on, which is the whole major and written X.0. A security fix names the
first release of each line that has it; other lines have it when they are newer than all of those, else they lack it.
Releases before `since` need none.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from groundplane.base import versions

from .releases import Minor, Support, minor_of
from .sources import Line, OptionalDay, Sourced, kept, read

Program = Literal["containerd", "docker", "runc", "kata", "cri-o"]
_DOCKER_MAJORS = 27


class RuntimeLine(Sourced, frozen=True, kw_only=True):
    """A release line. `basis`: the policy behind its end; `serves`: program -> versions that it is made for."""

    name: Program
    line: Line
    released: OptionalDay = ""
    end_of_life: OptionalDay = ""
    newest: str = ""
    basis: str
    serves: dict[str, str] = {}

    key: ClassVar[tuple[str, ...]] = ("name", "line")


class SecurityFix(Sourced, frozen=True, kw_only=True):
    """A vulnerability and the releases that first lack it, one for each line, lowest first.

    `since`: the first release that has the vulnerability; empty: all older ones have it.
    """

    name: Program
    id: str
    title: str
    since: str = ""
    fixed: list[str]

    key: ClassVar[tuple[str, ...]] = ("name", "id")


@kept
def runtime_lines() -> dict[tuple[str, Minor], RuntimeLine]:
    """The lines by program and major.minor."""
    return {(row.name, minor_of(row.line)): row for row in read("runtime_lines", RuntimeLine)}


@kept
def security_fixes() -> tuple[SecurityFix, ...]:
    """The fixes, as the data file orders them."""
    return read("security_fixes", SecurityFix)


def runtime_end_of_life(name: str, version: str) -> Support | None:
    """Return until when the line of a program's version is supported; None when not known. Raises UnknownVersion."""
    found = versions.loose(version)
    line = (found.major, 0) if name == "docker" and found.major >= _DOCKER_MAJORS else (found.major, found.minor)
    row = runtime_lines().get((name, line))
    return None if row is None else Support(row.end_of_life, row.basis, row.source)


def security_gaps(name: str, version: str) -> tuple[SecurityFix, ...]:
    """Return the known fixes that a program's version lacks; raises UnknownVersion."""
    return tuple(fix for fix in security_fixes() if fix.name == name and _lacks(version, fix))


def _lacks(version: str, fix: SecurityFix) -> bool:
    found = versions.loose(version)
    if fix.since and found < versions.loose(fix.since):
        return False
    firsts = sorted(versions.loose(first) for first in fix.fixed)
    for first in firsts:
        if (first.major, first.minor) == (found.major, found.minor):
            return found < first
    return found < firsts[-1]
