"""What a check says of a ground: nothing differs, it is not known, or these differences."""

from __future__ import annotations

from dataclasses import dataclass

from groundplane.api.assessment import Remedy, Severity


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference of a ground from the standard, before nodes are counted. Equal ones are one drift."""

    found: str
    wanted: str
    cost: str
    remedy: Remedy
    subject: str = ""
    severity: Severity = "Medium"


# None: it is not known whether the ground differs.
Differences = tuple[Difference, ...] | None
NOTHING: tuple[Difference, ...] = ()
