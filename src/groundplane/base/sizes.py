"""Sizes as people read them."""

from __future__ import annotations

MIB = 2**20


def mib(size: int, *, up: bool = False) -> int:
    """Return bytes as MiB: what is free rounded down, what is needed rounded up."""
    return -(-size // MIB) if up else size // MIB
