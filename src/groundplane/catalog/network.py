"""What a network plugin needs of the kernel: its base, and each of its features, by version of the plugin.

A table holds from the version that it names up to the next one. A version between two tables is judged by the older
one, and `basis` says so; the base may be known for more versions than the features are. Options are kernel build
options without the CONFIG_ prefix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from groundplane.base import versions

from .releases import Minor, minor_of
from .sources import Line, Sourced, kept, read

Plugin = Literal["cilium"]
_NEWEST: Minor = (10**6, 0)


class NetworkBase(Sourced, frozen=True, kw_only=True):
    """What every installation of the plugin needs, from `version` on. `kernel` is a KernelRule's text."""

    plugin: Plugin
    version: Line
    kernel: str
    options: list[str]

    key: ClassVar[tuple[str, ...]] = ("plugin", "version")


class NetworkFeature(Sourced, frozen=True, kw_only=True):
    """What one feature needs, in the table of `version`. `title` is the documentation's name for it."""

    name: str
    title: str
    plugin: Plugin
    version: Line
    kernel: str
    options: list[str] = []

    key: ClassVar[tuple[str, ...]] = ("plugin", "version", "name")


@dataclass(frozen=True, slots=True)
class PluginTable:
    """The features of the table of `version`, and the base; `basis` says why these."""

    plugin: str
    version: str
    basis: str
    base: NetworkBase
    features: dict[str, NetworkFeature]


@kept
def network_bases() -> dict[tuple[str, Minor], NetworkBase]:
    """The bases by plugin and version, oldest first."""
    rows = sorted(read("network_bases", NetworkBase), key=lambda row: (row.plugin, minor_of(row.version)))
    return {(row.plugin, minor_of(row.version)): row for row in rows}


@kept
def network_features() -> tuple[NetworkFeature, ...]:
    """The features of all tables."""
    return read("network_features", NetworkFeature)


def plugin_table(plugin: str, version: str) -> PluginTable | None:
    """Return the table for a plugin's version, the newest for ""; None for another plugin or an older version.

    Raises UnknownVersion.
    """
    wanted = _NEWEST
    if version.strip():
        found = versions.loose(version)
        wanted = (found.major, found.minor)
    feature_minors = {minor_of(row.version) for row in network_features() if row.plugin == plugin}
    of_features = max((minor for minor in feature_minors if minor <= wanted), default=None)
    of_base = max((minor for name, minor in network_bases() if name == plugin and minor <= wanted), default=None)
    if of_features is None or of_base is None:
        return None
    rows = [row for row in network_features() if row.plugin == plugin and minor_of(row.version) == of_features]
    return PluginTable(
        plugin=plugin,
        version=_spell(of_features),
        basis=_basis(wanted, of_features, of_base),
        base=network_bases()[plugin, of_base],
        features={row.name: row for row in rows},
    )


def known_features(plugin: str) -> tuple[str, ...]:
    """Return the names of the plugin's features in any table, sorted."""
    return tuple(sorted({row.name for row in network_features() if row.plugin == plugin}))


def _basis(wanted: Minor, of_features: Minor, of_base: Minor) -> str:
    if wanted == _NEWEST:
        return f"no version is known, so that the newest table, of {_spell(of_features)}, is used"
    if wanted == of_features:
        return f"the table of {_spell(of_features)}"
    basis = f"the table of {_spell(of_features)}, the last one known before {_spell(wanted)}"
    return basis if of_base == of_features else f"{basis}; the base of {_spell(of_base)}"


def _spell(minor: Minor) -> str:
    return f"{minor[0]}.{minor[1]}"
