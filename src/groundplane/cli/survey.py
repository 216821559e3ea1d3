"""`groundplane survey`: asks the controllers to look again now. One annotation on each object; nothing else changes.

With --wait it follows the objects until their status says that this very request was answered; the condition then says
how.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from .session import Api, Target, pass_target

if TYPE_CHECKING:
    from groundplane.client.contract import Client, Object, Resource

_REACH = ("Reachable", "Imported", "MachinesReachable")
_KINDS = {"cluster": "Cluster", "clusters": "Cluster", "gpc": "Cluster",
          "machine": "Machine", "machines": "Machine", "gpm": "Machine"}  # fmt: skip


@click.command()
@click.argument("targets", metavar="[KIND/NAME]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All clusters and machines of the namespace.")
@click.option("--wait", is_flag=True, help="Wait until newer facts are there, or it is known why not.")
@click.option("--timeout", default="5m", show_default=True, help="How long --wait waits.")
@pass_target
def survey(target: Target, *, targets: tuple[str, ...], everything: bool, wait: bool, timeout: str) -> None:
    """Look at clusters and machines again now.

    KIND/NAME is cluster/shop or machine/shop-3; a name alone is a cluster's. A survey reads only.
    """
    from .values import seconds

    if bool(targets) == everything:
        raise click.UsageError("name what to survey, such as cluster/shop, or give --all")
    named, patience = [_reference(text) for text in targets], seconds(timeout)

    async def work() -> None:
        from .waiting import patience_of

        async with target.connect() as api:
            found = await _asked(api, named or await _all(api))
            if not wait:
                for each in found:
                    click.echo(f"{each.title} is surveyed again")
                return
            async with patience_of(patience, "the survey"):
                await _settled(api, found)
        _finish(found)

    target.run(work())


def _reference(text: str) -> tuple[str, str]:
    """Return kind and name; a name alone is a cluster's."""
    word, slash, name = text.partition("/")
    kind = _KINDS.get(word.lower()) if slash else "Cluster"
    found = name if slash else word
    if kind is None or not found:
        raise click.BadParameter(f"{text!r} is not cluster/NAME or machine/NAME")
    return kind, found


async def _all(api: Api) -> list[tuple[str, str]]:
    from groundplane.base.errors import Refused

    from .kinds import OURS

    found = []
    for kind in ("Cluster", "Machine"):
        listed = await api.client.list(OURS[kind], namespace=api.namespace)
        found += [(kind, str(item["metadata"]["name"])) for item in listed.items]
    if not found:
        raise Refused(
            f"cannot survey anything: there are no clusters and machines in namespace {api.namespace}",
            remedy="-n names another namespace",
        )
    return found


@dataclass(slots=True)
class _Asked:
    """One object that was asked for, and with which value; `failed`: nothing newer is known."""

    kind: str
    name: str
    asked: str
    answer: str = ""
    failed: bool = False

    @property
    def title(self) -> str:
        return f"{self.kind.lower()}/{self.name}"

    def see(self, item: Object | None) -> None:
        """Take one state of the object (None: it is gone), and settle if it tells."""
        if item is None:
            self.settle("it was deleted", failed=True)
            return
        if (item.get("status") or {}).get("surveyAnswered") != self.asked:
            return
        obstacle, observed_at = _obstacle(item), _observed_at(item)
        if obstacle is None and observed_at:
            self.settle(f"surveyed at {observed_at}", failed=False)
        elif obstacle is None:
            self.settle("not surveyed: there is nothing to look at yet", failed=True)
        else:
            self.settle(f"not surveyed ({obstacle['reason']}): {obstacle.get('message', '')}", failed=True)

    def settle(self, answer: str, *, failed: bool) -> None:
        """Say what came of it, once."""
        self.answer, self.failed = answer, failed
        click.echo(f"{self.title}: {answer}")


def _observed_at(item: Object) -> str:
    facts = (item.get("status") or {}).get("facts") or {}
    return str(facts.get("observedAt") or "")


def _obstacle(item: Object) -> dict[str, Any] | None:
    """Return the condition that keeps newer facts away; without any facts also the one that it is not ready for."""
    conditions = (item.get("status") or {}).get("conditions") or []
    bad: list[dict[str, Any]] = [each for each in conditions if each["status"] == "False"]
    found = [each for kind in _REACH for each in bad if each["type"] == kind]
    found += [each for each in bad if (each["type"], each["reason"]) == ("Ready", "Unreachable")]
    if not _observed_at(item):
        found += [each for each in bad if each["type"] == "Ready"]
    return found[0] if found else None


async def _asked(api: Api, names: list[tuple[str, str]]) -> list[_Asked]:
    """Set the annotation on each; what comes back is the state before the survey."""
    from groundplane.api.meta import ANNOTATION_SURVEY

    from .asking import request
    from .kinds import OURS

    asked, patch = request(ANNOTATION_SURVEY)
    found = []
    for kind, name in dict.fromkeys(names):
        await api.client.patch(OURS[kind], api.namespace, name, patch)
        found.append(_Asked(kind, name, asked))
    return found


@dataclass(slots=True)
class _Waits:
    """What is waited for; `done` once every object has its answer."""

    asked: dict[tuple[str, str], _Asked]
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def see(self, kind: str, name: str, item: Object | None) -> None:
        one = self.asked.get((kind, name))
        if one is not None and not one.answer:
            one.see(item)
            self.check()

    def check(self) -> None:
        if all(one.answer for one in self.asked.values()):
            self.done.set()


async def _settled(api: Api, asked: list[_Asked]) -> None:
    from groundplane.base.tasks import TaskOwner

    from .kinds import OURS

    waits = _Waits({(each.kind, each.name): each for each in asked})
    gate = asyncio.Lock()
    async with TaskOwner("survey") as owner:
        for kind in sorted({each.kind for each in asked}):
            work = _follow(api.client, OURS[kind], api.namespace, (waits, gate))
            owner.start(work, name=kind.lower())
        await waits.done.wait()
        # Whoever holds the gate cancels no follower in the middle of a TLS handshake.
        await gate.acquire()


async def _follow(client: Client, resource: Resource, namespace: str, shared: tuple[_Waits, asyncio.Lock]) -> None:
    from .follow import follow

    waits, gate = shared
    async with aclosing(follow(client, resource, namespace, gate=gate)) as events:
        async for event in events:
            if event.type != "BOOKMARK":
                item = None if event.type == "DELETED" else event.object
                waits.see(resource.kind, str(event.object["metadata"]["name"]), item)


def _finish(asked: list[_Asked]) -> None:
    from groundplane.base.errors import Unavailable

    failed = [each for each in asked if each.failed]
    if failed:
        names = ", ".join(each.title for each in failed[:10])
        raise Unavailable(
            f"cannot survey {len(failed)} of {len(asked)}: {names}",
            remedy=f"groundplane explain {failed[0].title} shows what was known last",
        )
