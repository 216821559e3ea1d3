"""Kernel build options that matter: what a survey asks every machine about."""

from __future__ import annotations

from functools import cache

from .sources import Sourced, read


class KernelOptions(Sourced, frozen=True):
    """Options by who needs them, without the CONFIG_ prefix."""

    needed_by: str
    options: list[str]


@cache
def option_groups() -> dict[str, KernelOptions]:
    """The groups by who needs them."""
    return {row.needed_by: row for row in read("kernel_options", KernelOptions)}


def surveyed_options() -> tuple[str, ...]:
    """Return every option to ask about, as CONFIG_NAME, sorted."""
    return tuple(sorted({f"CONFIG_{option}" for row in option_groups().values() for option in row.options}))
