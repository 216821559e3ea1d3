"""Documents that somebody else wrote: YAML, and text that people are shown.

PyYAML's C loader calls itself for every level of nesting and overruns its stack, which ends the process. Its events
come one after another, so the depth is counted on those before anything is loaded.
"""

from __future__ import annotations

from typing import Any

import yaml

# Schemas of CustomResourceDefinitions are the deepest that people write, at some forty levels.
DEEPEST = 200


def too_deep(text: bytes | str, *, deepest: int = DEEPEST) -> bool:
    """Tell whether the YAML is nested deeper than anything that is meant to be; raises yaml.YAMLError."""
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > deepest:
                return True
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return False


def aliased(text: bytes | str) -> bool:
    """Tell whether the YAML has aliases: a few, one in another, stand for more text than there is memory."""
    return any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.CSafeLoader))


def documents(text: bytes | str) -> list[Any]:
    """Return the documents of a YAML text; raises yaml.YAMLError, also for a day or a number that is none."""
    try:
        return list(yaml.load_all(text, yaml.CSafeLoader))
    except ValueError as error:
        # PyYAML reads 2026-13-01 as a day and trips over it.
        raise yaml.YAMLError(str(error)) from error


def document(text: bytes | str) -> Any:
    """Return the one document of a YAML text, None when there is none; raises yaml.YAMLError as `documents` does."""
    found = documents(text)
    if len(found) > 1:
        raise yaml.YAMLError("expected a single document and found several")
    return found[0] if found else None


def printable(text: str) -> str:
    """Return the text with a mark for whatever a terminal would act upon: control characters, line ends, directions."""
    return text if text.isprintable() else "".join(one if one.isprintable() else "\ufffd" for one in text)
