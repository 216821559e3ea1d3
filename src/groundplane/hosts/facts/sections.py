"""The pieces that parsers of the survey share: sections, key=value lines, systemd units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Sections = Mapping[str, Sequence[str]]


def number(text: str) -> int:
    """Return a whole number, or 0 for anything else; ASCII digits of a size that a machine can have."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def pairs(lines: Iterable[str]) -> dict[str, str]:
    """Return the lines of the form name=value; the first of a name counts."""
    found: dict[str, str] = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if equals and name:
            found.setdefault(name.strip(), value.strip())
    return found


@dataclass(frozen=True, slots=True)
class Units:
    """States of systemd units by name, without ".service"."""

    states: Mapping[str, Mapping[str, str]]

    def active(self, name: str) -> bool:
        return self.states.get(name, {}).get("ActiveState") in {"active", "reloading"}

    def enabled(self, name: str) -> bool:
        return self.states.get(name, {}).get("UnitFileState") in {"enabled", "enabled-runtime"}


def units_of(lines: Sequence[str]) -> Units:
    """Return what `systemctl show` printed: blocks of properties, each with an Id, blank lines between."""
    states: dict[str, dict[str, str]] = {}
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
            continue
        found = pairs(block)
        # An alias (chronyd, chrony) shows up twice with one Id; both blocks say the same.
        if "Id" in found:
            states[found["Id"].removesuffix(".service")] = found
        block = []
    return Units(states)
