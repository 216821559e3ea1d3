"""All cases, by the subject of their file: create/…, watch/…."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from .dsl import Case

SUBJECTS = tuple(sorted(path.stem for path in (Path(__file__).parent / "cases").glob("[a-z]*.py")))


def _load() -> dict[str, Case]:
    found: dict[str, Case] = {}
    for subject in SUBJECTS:
        for case in import_module(f".cases.{subject}", __package__).CASES:
            name = f"{subject}/{re.sub(r'[^a-z0-9]+', '-', case.name.lower()).strip('-')}"
            if name in found:
                raise ValueError(f"two cases are called {name}")
            found[name] = case
    return found


CASES = _load()
NAMESPACES = {name: f"n{number:03}-{name.partition('/')[0]}" for number, name in enumerate(CASES)}
