"""What is different between two surveys of one cluster, as entries of its history. Pure.

How many nodes there are and how many are Ready is left out: an autoscaler changes it all day, and would push what
matters out of a history of bounded length. What could not be observed in one of the surveys is not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from groundplane.api.facts import ClusterFacts, ComponentFacts, FactChange

_LONGEST = 300

_PROXY = ("daemonsets.apps", "configmap kube-proxy", "configmap kube-proxy-config", "kube-proxy", "version")
# What is compared: its name, how it is said, and the gaps that make it unknown.
_PARTS: tuple[tuple[str, Callable[[ClusterFacts], Iterable[str]], tuple[str, ...]], ...] = (
    ("API server version", lambda f: [f.version], ("version",)),
    ("platform", lambda f: [f.platform.name], ("version", "API groups")),
    ("operating system", lambda f: {s.os_image for s in f.stacks}, ()),
    ("kernel", lambda f: {s.kernel for s in f.stacks}, ()),
    ("kubelet", lambda f: {s.kubelet for s in f.stacks}, ()),
    ("container runtime", lambda f: {s.runtime for s in f.stacks}, ()),
    ("architecture", lambda f: {s.architecture for s in f.stacks}, ()),
    ("network plugin", lambda f: [f"{f.network.plugin} {f.network.version}".strip()], ("daemonsets.apps",)),
    ("network features", lambda f: f.network.features, ("daemonsets.apps", "configmap cilium-config")),
    ("kube-proxy", lambda f: [f.network.kube_proxy], _PROXY),
    ("API groups", lambda f: f.api_groups, ("API groups",)),
)


def changes(before: ClusterFacts | None, after: ClusterFacts) -> list[FactChange]:
    """Return what the later survey found to be different; nothing when there was none before."""
    if before is None or not before.reachable or not after.reachable:
        return []
    unseen = {gap.what for gap in (*before.gaps, *after.gaps)}
    pairs = [(what, set(say(before)), set(say(after))) for what, say, gaps in _PARTS if unseen.isdisjoint(gaps)]
    found = [(what, _said(was - now), _said(now - was)) for what, was, now in pairs if was != now]
    if unseen.isdisjoint(("pods of the control plane", "daemonsets.apps")):
        found += _versions(before.components, after.components)
    if not any(what.startswith(("daemonsets", "deployments")) for what in unseen):
        found += _versions(before.addons, after.addons)
    found += _certificates(before, after)
    return [
        FactChange(time=after.observed_at, source=f"api {after.source}", what=what, before=was, after=now)
        for what, was, now in found
    ]


def _said(values: Iterable[str]) -> str:
    said = ", ".join(sorted(filter(None, values)))
    return said if len(said) <= _LONGEST else said[: _LONGEST - 1] + "…"


def _versions(before: list[ComponentFacts], after: list[ComponentFacts]) -> Iterator[tuple[str, str, str]]:
    was, now = _images(before), _images(after)
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            yield name, _said(was.get(name, ())), _said(now.get(name, ()))


def _images(components: list[ComponentFacts]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in components:
        found.setdefault(f"{one.namespace}/{one.name}", set()).add(one.version or one.image)
    return found


def _certificates(before: ClusterFacts, after: ClusterFacts) -> Iterator[tuple[str, str, str]]:
    was = {(one.path, one.subject): one.not_after for one in before.certificates}
    for one in after.certificates:
        known = was.get((one.path, one.subject))
        if known and known != one.not_after:
            yield f"certificate {one.subject or one.path}", f"until {known}", f"until {one.not_after}"
