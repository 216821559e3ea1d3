"""Swap lines of /etc/fstab: commented out with our mark, and back. Pure.

The lines are changed in place rather than restored from a backup: what others wrote since must not be lost.
"""

from __future__ import annotations

FSTAB = "/etc/fstab"
_MARK = "# off by groundplane: "


def without_swap(fstab: bytes) -> bytes:
    """Return fstab with its swap lines commented out, each with our mark."""
    lines = []
    for line in fstab.decode("utf-8", "surrogateescape").splitlines(keepends=True):
        fields = line.split()
        is_swap = len(fields) >= 3 and not fields[0].startswith("#") and fields[2] == "swap"
        lines.append(_MARK + line if is_swap else line)
    return "".join(lines).encode("utf-8", "surrogateescape")


def with_swap(fstab: bytes) -> bytes:
    """Return fstab with the lines that we commented out as they were; what others wrote since stays."""
    return b"".join(line.removeprefix(_MARK.encode()) for line in fstab.splitlines(keepends=True))
