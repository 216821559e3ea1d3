"""Decisions on network features: which kernel each needs, which nodes block it, and what would unlock it.

A rule of the catalog has back-port points and kernel options. A kernel whose options were not looked at (its node was
seen through the API only) is judged by its release, and the decision says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from groundplane.api.assessment import FeatureDecision, Remedy, RemedyAction, named
from groundplane.api.facts import PodNetworkFacts
from groundplane.base.versions import KernelRule, UnknownVersion, kernel_release
from groundplane.base.words import counted
from groundplane.catalog.network import known_features, plugin_table

from .difference import Difference
from .ground import Ground
from .standard import Standard

_NAMES_IN_SENTENCE = 4


@dataclass(frozen=True, slots=True)
class Need:
    """What one feature needs of a kernel; `rules` must all be met. `absent`: the plugin's version does not have it."""

    feature: str
    title: str
    rules: tuple[KernelRule, ...]
    options: tuple[str, ...]
    source: str
    absent: str = ""

    def __str__(self) -> str:
        return _spelt(self)


@lru_cache(1024)
def _spelt(wanted: Need) -> str:
    kernels = " and ".join(dict.fromkeys(str(rule) for rule in wanted.rules if str(rule)))
    options = ", ".join(f"CONFIG_{name}" for name in wanted.options)
    return "; ".join(part for part in (f"kernel {kernels}" if kernels else "", options) if part)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a ground cannot carry a feature. `unlocked_by` is the lowest kernel that could, "" when none is known."""

    ground: Ground
    reason: str
    unlocked_by: str = ""


@lru_cache(1024)
def need(plugin: str, version: str, feature: str) -> Need | None:
    """Return what a feature needs in a version of the plugin; None when the catalog does not know the two."""
    try:
        table = plugin_table(plugin, version)
    except UnknownVersion:
        table = plugin_table(plugin, "")
    if table is None or feature not in known_features(plugin):
        return None
    base = KernelRule.parse(table.base.kernel)
    row = table.features.get(feature)
    if row is None:
        newest = plugin_table(plugin, "")
        later = newest is not None and feature in newest.features and newest.version != table.version
        absent = f"{plugin} {version or table.version} does not have it" if later else ""
        # What older tables name and this one does not has become part of the base.
        return Need(feature, feature, (base,), tuple(table.base.options), table.base.source, absent)
    options = (*table.base.options, *row.options)
    return Need(feature, row.title, (base, KernelRule.parse(row.kernel)), options, row.source)


def obstacle(ground: Ground, wanted: Need) -> Obstacle | None:
    """Return why the ground cannot carry the feature, or None; raises UnknownVersion when its kernel is unreadable."""
    if not _carries(ground.kernel, wanted.rules):
        return Obstacle(ground, f"kernel {ground.kernel}", _unlock(ground.kernel, wanted.rules))
    config = ground.machine.kernel.config if ground.machine else {}
    missing = [name for name in wanted.options if config.get(f"CONFIG_{name}") not in ("y", "m")] if config else []
    if missing:
        return Obstacle(ground, f"kernel {ground.kernel} without {', '.join(f'CONFIG_{name}' for name in missing)}")
    return None


@lru_cache(4096)
def _carries(release: str, rules: tuple[KernelRule, ...]) -> bool:
    return all(rule.met_by(release) for rule in rules)


@lru_cache(4096)
def _unlock(release: str, rules: tuple[KernelRule, ...]) -> str:
    """Return the lowest release above the kernel that meets all rules, "" when none is known."""
    found = kernel_release(release)
    points = sorted({point for rule in rules for point in rule.points})
    higher = (".".join(map(str, point)) for point in points if point > found)
    return next((text for text in higher if _carries(text, rules)), "")


def blocked_below(kernel: str, standard: Standard) -> list[str]:
    """Return the wanted features that a readable kernel blocks, by the newest table of the wanted plugin."""
    return list(_blocked(kernel, standard.plugin, standard.features))


@lru_cache(4096)
def _blocked(kernel: str, plugin: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
    needs = [found for name in wanted if (found := need(plugin, "", name))]
    return tuple(one.feature for one in needs if not _carries(kernel, one.rules))


def differences(ground: Ground, standard: Standard, found: PodNetworkFacts) -> Iterable[Difference]:
    """Yield the wanted features that this ground blocks, as differences of it."""
    for name in standard.features:
        wanted = need(standard.plugin, _version(standard, found), name)
        if wanted is None or wanted.absent:
            continue
        try:
            blocked = obstacle(ground, wanted)
        except UnknownVersion:
            continue
        if blocked is not None:
            action: RemedyAction = "UpgradeKernel" if blocked.unlocked_by else "None"
            text = f"boot kernel {blocked.unlocked_by} or later" if blocked.unlocked_by else "build the kernel with it"
            yield Difference(
                found=blocked.reason,
                wanted=str(wanted),
                cost=f"{wanted.title} cannot be used in the cluster while this node is in it",
                remedy=Remedy(action=action, text=text),
                subject=name,
                severity="High",
            )


def decide(grounds: Sequence[Ground], standard: Standard, found: PodNetworkFacts) -> list[FeatureDecision]:
    """Return the decision on every wanted feature, over all grounds of a cluster."""
    return [_decide(name, grounds, standard, found) for name in standard.features]


def _decide(name: str, grounds: Sequence[Ground], standard: Standard, found: PodNetworkFacts) -> FeatureDecision:
    wanted = need(standard.plugin, _version(standard, found), name)
    if wanted is None:
        return FeatureDecision(feature=name, message=f"the catalog knows no feature {name} of {standard.plugin}")
    if wanted.absent:
        return FeatureDecision(feature=name, state="Blocked", message=wanted.absent, source=wanted.source)
    blocked, unread = _sort(grounds, wanted)
    names = [name for one in blocked for name in one.ground.names]
    count = sum(one.ground.count for one in blocked)
    if blocked:
        return FeatureDecision(
            feature=name,
            state="Blocked",
            needs=str(wanted),
            message=_sentence(wanted, blocked, count),
            blockers=named(names, count=count),
            unlocked_by=_highest(blocked),
            source=wanted.source,
        )
    return FeatureDecision(
        feature=name,
        state="Unknown" if unread or not grounds else "Available",
        needs=str(wanted),
        message=_carried(wanted, grounds, unread),
        source=wanted.source,
    )


def _sort(grounds: Sequence[Ground], wanted: Need) -> tuple[list[Obstacle], list[Ground]]:
    blocked, unread = [], []
    for ground in grounds:
        try:
            found = obstacle(ground, wanted)
        except UnknownVersion:
            unread.append(ground)
            continue
        if found is not None:
            blocked.append(found)
    return blocked, unread


def _sentence(wanted: Need, blocked: Sequence[Obstacle], count: int) -> str:
    """Such as: "Bandwidth Manager needs kernel 5.1; shop-3 has 4.14.105; these 4 nodes block it: …"."""
    first = blocked[0]
    example = first.ground.names[0] if first.ground.names else "a node"
    kernels = [rule for rule in wanted.rules if str(rule)]
    needs = f"needs kernel {kernels[-1]}" if first.unlocked_by or not wanted.options else "needs more of the kernel"
    names = [name for one in blocked for name in one.ground.names]
    shown = ", ".join(sorted(names)[:_NAMES_IN_SENTENCE])
    more = f" and {count - _NAMES_IN_SENTENCE} more" if count > _NAMES_IN_SENTENCE else ""
    who = "this node blocks it" if count == 1 else f"these {count} nodes block it"
    return f"{wanted.title} {needs}; {example} has {first.reason}; {who}: {shown}{more}"


def _carried(wanted: Need, grounds: Sequence[Ground], unread: Sequence[Ground]) -> str:
    if not grounds:
        return "no node is known"
    if unread:
        return f"the kernel of {counted(sum(ground.count for ground in unread), 'node')} cannot be read"
    unseen = sum(ground.count for ground in grounds if ground.machine is None or not ground.machine.kernel.config)
    if wanted.options and unseen:
        return f"every kernel release carries it; the kernel options of {counted(unseen, 'node')} were not looked at"
    return "every node's kernel carries it"


def _highest(blocked: Sequence[Obstacle]) -> str:
    if any(not one.unlocked_by for one in blocked):
        return ""
    return max((one.unlocked_by for one in blocked), key=kernel_release)


def _version(standard: Standard, found: PodNetworkFacts) -> str:
    return found.version if found.plugin == standard.plugin else ""
