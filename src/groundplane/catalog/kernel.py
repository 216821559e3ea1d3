"""What Kubernetes needs of the kernel: versions, and the build options that a survey asks every machine about."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from groundplane.base import versions

from .network import network_bases, network_features
from .releases import minor_of
from .sources import Line, Sourced, kept, read

Severity = Literal["Required", "Recommended", "Feature"]


class KernelOptions(Sourced, frozen=True, kw_only=True):
    """Options by who needs them, without the CONFIG_ prefix."""

    needed_by: str
    options: list[str]

    key: ClassVar[tuple[str, ...]] = ("needed_by",)


class KernelNeed(Sourced, frozen=True, kw_only=True):
    """What needs which kernel, for Kubernetes minors from `since` to `until` ("": still).

    `name` is stable; `kernel` is a KernelRule's text. Required: without it kubeadm refuses or the node does not work;
    Recommended: upstream advises it; Feature: only who uses the feature needs it.
    """

    name: str
    what: str
    kernel: str
    since: Line
    until: Annotated[str, msgspec.Meta(pattern=r"^([0-9]+\.[0-9]+)?$")] = ""
    severity: Severity
    options: list[str] = []

    key: ClassVar[tuple[str, ...]] = ("name", "since")


@kept
def option_groups() -> dict[str, KernelOptions]:
    """The groups by who needs them."""
    return {row.needed_by: row for row in read("kernel_options", KernelOptions)}


@kept
def kernel_table() -> tuple[KernelNeed, ...]:
    """The needs of all minors."""
    return read("kernel_needs", KernelNeed)


def kernel_needs(kubernetes: str) -> tuple[KernelNeed, ...]:
    """Return the needs of a Kubernetes version, judged by its numbers; raises UnknownVersion."""
    core = versions.core_of(kubernetes)
    minor = core[:2] if core is not None else versions.minor(kubernetes)
    return tuple(row for row in kernel_table() if _holds(row, minor))


def _holds(row: KernelNeed, minor: tuple[int, int]) -> bool:
    return minor_of(row.since) <= minor and (not row.until or minor <= minor_of(row.until))


def surveyed_options() -> tuple[str, ...]:
    """Return every option that any table mentions, as CONFIG_NAME, sorted."""
    groups = [
        *(row.options for row in option_groups().values()),
        *(row.options for row in kernel_table()),
        *(row.options for row in network_bases().values()),
        *(row.options for row in network_features()),
    ]
    return tuple(sorted({f"CONFIG_{option}" for options in groups for option in options}))
