"""Random ids."""

from __future__ import annotations

import os

# Two bits of the digit that opens the fourth part are given.
_VARIANTS = {f"{digit:x}": f"{digit & 3 | 8:x}" for digit in range(16)}


def new_uid() -> str:
    """Return a random UUID (RFC 9562, version 4): `str(uuid.uuid4())` without the object in between."""
    digits = os.urandom(16).hex()
    variant = _VARIANTS[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
