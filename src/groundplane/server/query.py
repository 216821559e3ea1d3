"""Parameters of a query, read as kube-apiserver reads them (apimachinery/pkg/conversion/queryparams)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .status import bad_request

_NUMBER = re.compile(r"-?[0-9]{1,18}\Z")
_REVISION = re.compile(r"[0-9]{1,18}\Z")


def flag(query: Mapping[str, str], name: str) -> bool:
    """Tell whether a flag is set: it is there, and is neither 0 nor false."""
    return name in query and query[name].lower() not in ("0", "false")


def number(query: Mapping[str, str], name: str) -> int:
    """Read a number; 0 when it is not there or negative. Raises 400."""
    text = query.get(name, "") or "0"
    if not _NUMBER.match(text):
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return max(int(text), 0)


def revision(text: str) -> int | None:
    """Read a resourceVersion; None when it is empty. Raises 400."""
    if not text:
        return None
    if not _REVISION.match(text):
        why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise bad_request(f'resourceVersion: Invalid value: "{text}": {why}')
    return int(text)
