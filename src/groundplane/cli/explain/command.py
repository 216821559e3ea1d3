"""`groundplane explain`: reads one object and its surroundings, and tells its story."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from groundplane.cli.session import Api, Target, pass_target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from groundplane.client.contract import Resource

    from .feature import FeatureStory
    from .story import Story

_KINDS = {"cluster": "cluster", "clusters": "cluster", "gpc": "cluster",
          "machine": "machine", "machines": "machine", "gpm": "machine",
          "feature": "feature", "features": "feature"}  # fmt: skip


@click.command()
@click.argument("what", metavar="KIND/NAME")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="For a feature: clusters of all namespaces.")
@click.option("--foundation", default="", help="For a feature: only clusters of this Foundation.")
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(("text", "json", "yaml")),
    default="text",
    show_default=True,
    help="Form.",
)
@click.option("--full", is_flag=True, help="Leave nothing out, however long it gets.")
@pass_target
def explain(target: Target, /, *, what: str, **flags: Any) -> None:
    """Explain a cluster, a machine or a network feature on one screen.

    KIND/NAME is cluster/shop, machine/shop-3 or feature/BandwidthManager; a name alone is a cluster's. It reads only.
    """
    word, _, name = what.rpartition("/")
    kind = _KINDS.get(word.lower() or "cluster")
    if kind is None or not name:
        raise click.BadParameter(f"{what!r} is not cluster/NAME, machine/NAME or feature/NAME")
    scope = flags["everywhere"], flags["foundation"]
    if kind != "feature" and any(scope):
        raise click.UsageError("--all-namespaces and --foundation are for features")

    async def work() -> None:
        async with target.connect() as api:
            if kind == "feature":
                told: Story | FeatureStory = await _feature(api, target, name, scope)
            else:
                told = await (_cluster if kind == "cluster" else _machine)(api, target, name)
        _put(told, flags["form"], full=flags["full"])

    target.run(work())


def _put(told: Story | FeatureStory, form: str, *, full: bool) -> None:
    from . import feature, lines
    from .story import Story

    if form == "text":
        shown = lines.lines(told, full=full) if isinstance(told, Story) else feature.lines(told, full=full)
        click.echo("\n".join(shown))
        return
    import msgspec

    from groundplane.cli.show import document

    click.echo(document(msgspec.to_builtins(told), form), nl=False)


def _prefix(api: Api, target: Target) -> str:
    """Return how a command to type next begins; it needs the namespace when this one did."""
    return f"groundplane -n {api.namespace}" if target.namespace else "groundplane"


async def _cluster(api: Api, target: Target, name: str) -> Story:
    from groundplane.base.clock import utc_now

    from .story import of_cluster

    cluster = await _object(api, "Cluster", name)
    return of_cluster(cluster, await _foundation(api, cluster), utc_now(), prefix=_prefix(api, target))


async def _machine(api: Api, target: Target, name: str) -> Story:
    from groundplane.base.clock import utc_now
    from groundplane.client.errors import NotFound

    from .story import of_machine

    machine = await _object(api, "Machine", name)
    cluster, foundation = None, None
    if machine.spec.cluster_ref:
        try:
            cluster = await _read(api, "Cluster", machine.spec.cluster_ref.name)
            foundation = await _foundation(api, cluster)
        except NotFound:
            # Its cluster is still to come, or has gone: the machine has a story all the same.
            pass
    return of_machine(machine, cluster, foundation, utc_now(), prefix=_prefix(api, target))


async def _foundation(api: Api, cluster: Any) -> Any:
    from groundplane.client.errors import NotFound

    if cluster.spec.foundation_ref is None:
        return None
    try:
        return await _read(api, "Foundation", cluster.spec.foundation_ref.name)
    except NotFound:
        return None


async def _feature(api: Api, target: Target, name: str, scope: tuple[bool, str]) -> FeatureStory:
    from groundplane.cli.fleet import wire
    from groundplane.client.errors import NotFound

    from .feature import known, of_feature

    everywhere, foundation = scope
    fleet = await wire.read(api.client, None if everywhere else api.namespace, foundations=True)
    names = known(fleet)
    found = next((each for each in names if each.lower() == name.lower()), None)
    if found is None:
        raise NotFound(
            f"cannot explain feature/{name}: no Foundation here wants it and no assessment decides on it",
            remedy=suggestion("feature", name, names),
        )
    if foundation:
        clusters = [c for c in fleet.clusters if c.spec.foundation_ref and c.spec.foundation_ref.name == foundation]
        fleet = wire.Fleet(clusters, [each for each in fleet.foundations if each.metadata.name == foundation])
    return of_feature(found, fleet, prefix=_prefix(api, target))


async def _object(api: Api, kind: str, name: str) -> Any:
    """Read an object; of one that is not there, say which names are near."""
    from groundplane.client.errors import NotFound

    try:
        return await _read(api, kind, name)
    except NotFound as exc:
        listed = await api.client.list(_resource(kind), namespace=api.namespace)
        names = [str(item["metadata"]["name"]) for item in listed.items]
        raise NotFound(
            f"cannot explain {kind.lower()}/{name}: there is none in namespace {api.namespace}",
            remedy=suggestion(kind.lower(), name, names),
        ) from exc


async def _read(api: Api, kind: str, name: str) -> Any:
    from groundplane.api.registry import BY_KIND
    from groundplane.client.typed import to_struct

    return to_struct(await api.client.get(_resource(kind), api.namespace, name), BY_KIND[kind].struct)


def _resource(kind: str) -> Resource:
    from groundplane.cli.kinds import OURS

    return OURS[kind]


def suggestion(kind: str, name: str, names: Iterable[str]) -> str:
    """Return what may have been meant, else what there is."""
    from difflib import get_close_matches

    there = sorted(names)
    folded = {each.lower(): each for each in there}
    within = [folded[each] for each in folded if name.lower() in each][:3]
    near = within or [folded[each] for each in get_close_matches(name.lower(), folded, n=3, cutoff=0.5)]
    if near:
        return f"did you mean {' or '.join(f'{kind}/{each}' for each in near)}?"
    shown = ", ".join(there[:10]) + (", …" if len(there) > 10 else "")
    return f"there are {shown}" if there else f"there is no {kind} here at all; -n names another namespace"
