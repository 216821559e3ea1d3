"""How far apart the versions of Kubernetes components may be, by the project's version-skew policy.

Every question is answered with "" when the versions are allowed, else with one sentence for people. Only the numbers of
a version count: a vendor's suffix does not change what a component speaks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

import msgspec

from groundplane.base import versions
from groundplane.base.words import counted

from .releases import Minor, minor_of
from .sources import Line, Sourced, kept, read

Count = Annotated[int, msgspec.Meta(ge=0, le=9)]
APISERVER = "kube-apiserver"


class SkewRule(Sourced, frozen=True, kw_only=True):
    """How many minors `component` may be behind and ahead of `against`, for component minors from `since` on."""

    component: str
    against: str
    since: Line
    behind: Count
    ahead: Count

    key: ClassVar[tuple[str, ...]] = ("component", "against", "since")


@kept
def skew_rules() -> dict[tuple[str, str], tuple[SkewRule, ...]]:
    """The rules by component and what it is held against, oldest first."""
    found: dict[tuple[str, str], tuple[SkewRule, ...]] = {}
    for row in sorted(read("skew", SkewRule), key=lambda row: minor_of(row.since)):
        pair = (row.component, row.against)
        found[pair] = (*found.get(pair, ()), row)
    return found


def kubelet_behind(apiserver: str, kubelet: str) -> str:
    """Say what is wrong with a kubelet's version beside the API server's; "" when it is allowed."""
    return component_skew("kubelet", apiserver, kubelet)


def component_skew(name: str, apiserver: str, version: str) -> str:
    """Say what is wrong with a component's version beside the API server's; "" when it is allowed.

    `name` is that of the component, such as kube-scheduler; one that the policy does not name is always allowed.
    """
    return _between((name, version), (APISERVER, apiserver))


def proxy_skew(kubelet: str, proxy: str) -> str:
    """Say what is wrong with kube-proxy's version beside the kubelet's of its node; "" when it is allowed."""
    return _between(("kube-proxy", proxy), ("kubelet", kubelet))


def apiservers_skew(found: Iterable[str]) -> str:
    """Say what is wrong with the versions of a cluster's API servers; "" when they may stand side by side."""
    texts = list(found)
    cores = {text: versions.core_of(text) for text in texts}
    for text, core in cores.items():
        if core is None:
            return _unreadable(APISERVER, text)
    ordered = sorted(texts, key=lambda text: cores[text] or (0, 0, 0))
    return component_skew(APISERVER, ordered[-1], ordered[0]) if ordered else ""


def _between(one: tuple[str, str], other: tuple[str, str]) -> str:
    mine, theirs = versions.core_of(one[1]), versions.core_of(other[1])
    if mine is None or theirs is None:
        return _unreadable(*(one if mine is None else other))
    rule = _rule(one[0], other[0], mine[:2])
    if rule is None:
        return ""
    pair = f"{one[0]} {one[1]} is %s {other[0]} {other[1]}"
    if mine[0] != theirs[0]:
        return pair % "of another major version than" + ": no skew between major versions is supported"
    behind = theirs[1] - mine[1]
    if behind > rule.behind:
        return pair % f"{counted(behind, 'minor')} behind" + f": at most {rule.behind} {_are(rule.behind)} supported"
    if -behind > rule.ahead:
        allowed = f"at most {rule.ahead} {_are(rule.ahead)} supported" if rule.ahead else "it may not be newer"
        return pair % f"{counted(-behind, 'minor')} ahead of" + f": {allowed}"
    return ""


def _rule(component: str, against: str, minor: Minor) -> SkewRule | None:
    rows = [row for row in skew_rules().get((component, against), ()) if minor_of(row.since) <= minor]
    return rows[-1] if rows else None


def _unreadable(name: str, text: str) -> str:
    return f'the version of {name} cannot be read: "{text}" is not of the form vX.Y.Z'


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
