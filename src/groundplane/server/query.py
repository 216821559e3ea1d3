"""Parameters of a query, read as kube-apiserver reads them (apimachinery/pkg/conversion/queryparams)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from groundplane.base.gotext import quoted

from .status import bad_request

_NUMBER = re.compile(r"[+-]?[0-9]+\Z")
_INT64 = range(-(2**63), 2**63)
_REVISION = re.compile(r"[0-9]{1,18}\Z")


def flag(query: Mapping[str, str], name: str) -> bool:
    """Tell whether a flag is set: it is there, and is neither 0 nor false."""
    return name in query and query[name].lower() not in ("0", "false")


def number(query: Mapping[str, str], name: str) -> int:
    """Read a number; 0 when it is not there or negative. Raises 400."""
    text = query.get(name)
    if text is None:
        return 0
    if not _NUMBER.match(text):
        raise bad_request(f"strconv.ParseInt: parsing {quoted(text)}: invalid syntax")
    if int(text) not in _INT64:
        raise bad_request(f"strconv.ParseInt: parsing {quoted(text)}: value out of range")
    return max(int(text), 0)


def revision(text: str) -> int | None:
    """Read a resourceVersion; None when it is empty. Raises 400."""
    if not text:
        return None
    if not _REVISION.match(text):
        why = f"strconv.ParseUint: parsing {quoted(text)}: invalid syntax"
        raise bad_request(f"resourceVersion: Invalid value: {quoted(text)}: {why}")
    return int(text)
