"""`groundplane unify`: shows what would bring a fleet to its Foundation, and begins, holds and follows it.

Without a verb nothing is changed. Each verb is one write of `Foundation.spec.unify`; the controller does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import click

from .session import Api, Target, pass_target

if TYPE_CHECKING:
    from groundplane.api.foundation import Foundation
    from groundplane.api.unify_plan import UnifyPlan

_FORMS = ("text", "json", "yaml")
_APPROVALS = {"once": "Once", "per-wave": "PerWave"}
Verb = Literal["start", "pause", "resume", "cancel", "approve", ""]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the flags ask for; settings that are not given stay as the Foundation has them."""

    foundation: str
    verb: Verb
    wave: int
    settings: dict[str, Any]
    yes: bool
    operations: bool


@click.command()
@click.option("--foundation", required=True, help="The Foundation whose clusters are brought to it.")
@click.option("--start", is_flag=True, help="Begin a run; asks first.")
@click.option("--pause", is_flag=True, help="Begin nothing more; what runs ends as it does.")
@click.option("--resume", is_flag=True, help="Go on with a run that is paused.")
@click.option("--cancel", is_flag=True, help="End the run; what runs ends as it does.")
@click.option("--operations", is_flag=True, help="With --cancel: cancel the run's operations that are under way, too.")
@click.option("--approve-wave", "wave", type=click.IntRange(min=1), help="Approve the waves up to this one.")
@click.option("--watch", is_flag=True, help="Follow the run to its end; the exit code says how it ended.")
@click.option("--waves", default="", help='With --start: sizes of the waves, such as "1,10%,100%".')
@click.option("--approval", type=click.Choice(list(_APPROVALS)), help="With --start: one approval, or one a wave.")
@click.option("--max-clusters", type=click.IntRange(min=1), help="With --start: how many are changed at once.")
@click.option("--max-failures", type=click.IntRange(min=0), help="With --start: how many may fail before it stops.")
@click.option(
    "--window",
    "windows",
    multiple=True,
    help='With --start: when operations may begin, as "[Sat,Sun] 22:00 4h [Europe/Berlin]"; may be given often.',
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("-o", "--output", "form", type=click.Choice(_FORMS), default="text", show_default=True, help="Form.")
@pass_target
def unify(target: Target, /, *, foundation: str, watch: bool, form: str, **flags: Any) -> None:
    """Bring all clusters of a Foundation to it, in waves.

    Without --start it shows what would be done, or how the run stands; nothing is changed.
    """
    wish = _read(foundation, flags)

    async def work() -> None:
        from .unify_runs import watch_run

        async with target.connect() as api:
            if wish.verb:
                await _do(api, wish)
            elif not watch:
                click.echo(await _shown(api, wish, form), nl=False)
            if watch:
                await watch_run(api, wish.foundation)

    target.run(work())


def _read(foundation: str, flags: dict[str, Any]) -> _Wish:
    from .values import reference

    verbs: list[Verb] = [verb for verb in ("start", "pause", "resume", "cancel") if flags[verb]]
    verbs += ["approve"] if flags["wave"] else []
    if len(verbs) > 1:
        raise click.UsageError("one of --start, --pause, --resume, --cancel and --approve-wave at a time")
    settings = _settings(flags)
    verb = verbs[0] if verbs else ""
    if settings and verb not in ("start", ""):
        raise click.UsageError(f"{', '.join(settings)} can be set with --start only; later in the Foundation itself")
    if flags["operations"] and verb != "cancel":
        raise click.UsageError("--operations goes with --cancel")
    name = reference(foundation, "foundation")
    return _Wish(name, verb, flags["wave"] or 0, settings, yes=flags["yes"], operations=flags["operations"])


def _settings(flags: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of spec.unify that flags give."""
    given = {
        "waves": [
            int(size) if size.isdecimal() else size for size in flags["waves"].replace(" ", "").split(",") if size
        ],
        "approval": _APPROVALS.get(flags["approval"] or "", ""),
        "maxClusters": flags["max_clusters"],
        "maxFailures": flags["max_failures"],
        "windows": [_window(text) for text in flags["windows"]],
    }
    return {name: value for name, value in given.items() if value not in (None, "", [])}


def _window(text: str) -> dict[str, Any]:
    """Return a window of "[Sat,Sun] 22:00 4h [Europe/Berlin]"; the API judges its parts."""
    words = text.split()
    days = words.pop(0).split(",") if words and ":" not in words[0] else []
    if not 2 <= len(words) <= 3:
        raise click.BadParameter(f'{text!r} is not a window such as "Sat,Sun 22:00 4h Europe/Berlin"')
    zone = {"timeZone": words[2]} if len(words) > 2 else {}
    return {"days": days, "start": words[0], "duration": words[1]} | zone


async def _shown(api: Api, wish: _Wish, form: str) -> str:
    """Return the run that is under way, or what one would do."""
    import msgspec

    from . import unifying
    from .show import document
    from .unify_runs import run_lines, under_way

    foundation, plan = await unifying.in_waves(api, wish.foundation, wish.settings.get("waves", ()))
    if form != "text":
        status = msgspec.to_builtins(foundation.status.unify) if foundation.status.unify else None
        return document({"plan": msgspec.to_builtins(plan), "run": status}, form)
    lines = run_lines(foundation) if under_way(foundation) else _plan_lines(foundation, plan)
    return "".join(f"{line}\n" for line in lines)


def _plan_lines(foundation: Foundation, plan: UnifyPlan) -> list[str]:
    from .unify_runs import last_run
    from .unifying import in_words

    begin = f"groundplane unify --foundation {plan.foundation} --start"
    head = [f"Foundation {plan.foundation}: {plan.summary}. Nothing has been done.", *last_run(foundation)]
    tail = ["", f"to begin: {begin}"] if plan.steps else []
    return [*head, *in_words(plan), *tail]


async def _do(api: Api, wish: _Wish) -> None:
    """Make the one write that the verb means; the version that was read is the one that is written."""
    from .kinds import OURS
    from .unify_runs import wanted

    foundation, plan = await _judged(api, wish)
    patch: dict[str, Any] = wanted(foundation, wish.verb, wave=wish.wave) | wish.settings
    if wish.verb == "cancel" and wish.operations:
        patch["cancelOperations"] = True
    if wish.verb == "start":
        click.echo("".join(f"{line}\n" for line in _plan_lines(foundation, plan)[:-2]))
        if not wish.yes:
            click.confirm(_question(foundation, plan, patch), abort=True)
    version = {"resourceVersion": foundation.metadata.resource_version}
    await api.client.patch(
        OURS["Foundation"], api.namespace, wish.foundation, {"metadata": version, "spec": {"unify": patch}}
    )
    command = f"groundplane unify --foundation {wish.foundation}"
    click.echo(f"{_SAID[wish.verb].format(wave=wish.wave)}; follow it with: {command} --watch")


async def _judged(api: Api, wish: _Wish) -> tuple[Foundation, UnifyPlan]:
    """Return the Foundation and the plan; Refused when there is nothing to begin."""
    from groundplane.base.errors import Refused

    from .unifying import in_waves

    foundation, plan = await in_waves(api, wish.foundation, wish.settings.get("waves", ()))
    if wish.verb == "start" and all(step.blocked for step in plan.steps):
        raise Refused(
            f"cannot begin: there is nothing for Groundplane to do on Foundation {wish.foundation}: {plan.summary}",
            remedy=f"groundplane plan --foundation {wish.foundation} says why of each cluster",
        )
    return foundation, plan


def _question(foundation: Foundation, plan: UnifyPlan, patch: dict[str, Any]) -> str:
    from groundplane.base.words import counted
    from groundplane.plan.unify import waves_of

    waves = waves_of(plan)
    clusters = counted(sum(len(wave) for wave in waves), "cluster")
    approval = patch.get("approval") or foundation.spec.unify.approval
    how = "each wave waits for your approval" if approval == "PerWave" else "this approves all of it"
    return f"Begin with {clusters} in {counted(len(waves), 'wave')}; {how}?"


_SAID = {
    "start": "the run begins",
    "pause": "nothing more begins; what runs ends as it does",
    "resume": "the run goes on",
    "cancel": "the run is cancelled",
    "approve": "the waves up to {wave} are approved",
}
