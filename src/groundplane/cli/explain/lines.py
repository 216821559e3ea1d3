"""A story as one screen of text, pure. The gravest stands first; nothing is told twice."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from groundplane.api.assessment import Drift, FeatureDecision, Finding, Nodes, Remedy, risks
from groundplane.api.facts import AbilityFacts, FactChange
from groundplane.cli.fleet.matrix import age
from groundplane.cli.show import Table

from .story import Command, DimensionStory, Freshness, Story

WIDTH = 120
_NAMES_SHOWN = 6
# So many names a sentence of an assessment holds itself.
_NAMES_IN_MESSAGE = 4
_STACKS_SHOWN = 4
_FINDINGS_SHOWN = 6
_HISTORY_SHOWN = 4


def lines(story: Story, *, full: bool = False) -> list[str]:
    """Return the screen; `full` leaves nothing out, however long it gets."""
    of = story.uniformity.nodes
    decided = frozenset(each.feature for each in story.features)
    limit = len(story.findings) if full else _FINDINGS_SHOWN
    result = [f"{story.kind.lower()}/{story.name}: {story.title}", *_head(story)]
    sections = (
        (f"stacks ({story.uniformity.stacks or len(story.stacks)})", _stacks(story, full=full)),
        ("findings", _findings(story.findings, of, limit)),
        ("dimensions", _dimensions(story.dimensions, of, frozenset() if full else decided)),
        ("features", [line for feature in story.features for line in decision(feature, of=of, full=full)]),
        ("abilities", _abilities(story.abilities, full=full)),
        ("lately", [_change(change) for change in story.history[: None if full else _HISTORY_SHOWN]]),
        ("what to type (all of these only read)", commands(story.commands)),
    )
    for title, body in sections:
        if body:
            result += ["", title, *body]
    return result


def _head(story: Story) -> Iterator[str]:
    yield from freshness(story.freshness)
    said = {story.freshness.trouble.partition(": ")[2], ""}
    for condition in story.conditions:
        # What Uniform says, the rest of the screen says at length.
        if condition.status == "False" and condition.type != "Uniform" and condition.message not in said:
            said.add(condition.message)
            yield from wrapped(f"  {condition.type} is False ({condition.reason}): ", condition.message)
    against = f"Foundation {story.foundation}" if story.foundation else "no Foundation: nothing is compared"
    share = story.uniformity
    told = f": {share.uniform} of {share.nodes} nodes uniform ({share.percent})" if share.percent else ""
    if story.foundation and any(condition.reason == "NoFoundation" for condition in story.conditions):
        told = ", which is not there: nothing is compared"
    yield f"  held against {against}{told}"
    if story.summary:
        yield from wrapped("  ", story.summary)


def freshness(facts: Freshness) -> Iterator[str]:
    """Say how old the facts are, from where, and why nothing newer is known."""
    if facts.trouble:
        yield from wrapped("  CANNOT BE REACHED: ", facts.trouble)
    if facts.age_seconds is None:
        yield "  never surveyed: nothing below was observed"
    else:
        yield f"  facts {age(facts.age_seconds)} old ({facts.observed_at}) from {facts.source or 'unknown'}"


def _stacks(story: Story, *, full: bool) -> list[str]:
    limit = len(story.stacks) if full else _STACKS_SHOWN
    rows = [
        f"  {stack.nodes:>5}  " + " | ".join(
            part for part in (
                stack.operating_system, stack.kernel, f"{stack.distribution} {stack.version}".strip(), stack.runtime
            ) if part
        )
        for stack in story.stacks[:limit]
    ]  # fmt: skip
    more = len(story.stacks) - limit
    return [*rows, f"         and {more} more"] if more > 0 else rows


def _findings(found: Sequence[Finding], of: int, limit: int) -> list[str]:
    shown = [line for finding in found[:limit] for line in _finding(finding, of)]
    return [*shown, f"  and {risks(list(found[limit:]))} more: --full shows them"] if len(found) > limit else shown


def _finding(finding: Finding, of: int) -> Iterator[str]:
    yield from wrapped(f"  {finding.severity.upper()} {finding.type}: ", finding.message)
    yield from _detail("on", nodes(finding.nodes, of=of))
    yield from _detail("seen", finding.evidence)
    yield from _detail("remedy", remedy(finding.remedy))


def _dimensions(stories: Sequence[DimensionStory], of: int, decided: frozenset[str]) -> list[str]:
    """Return each dimension with its differences; kernels that block the features in `decided` stand with those."""
    table = Table(["  dimension", "state", "found", "wanted"])
    rows = [
        [f"  {each.dimension}", _state(each), _short(each.found, 34) or "-", _short(each.wanted, 46) or "-"]
        for each in stories
    ]
    heading, *shown = table.lines(rows, heading=True)
    result = [heading]
    for each, line in zip(stories, shown, strict=True):
        result.append(line)
        if each.state == "exception":
            end = f" until {each.until}" if each.until else " without end"
            result += _detail("exception", f"{each.reason or 'no reason given'};{end}")
        elif each.state == "drift" and each.until:
            said = f"{each.reason or 'no reason given'}; declared until {each.until} only, so it counts as drift"
            result += _detail("exception", said)
        told = [one for one in each.differences if one.subject not in decided or one.remedy.action != "UpgradeKernel"]
        for group in _alike(told):
            result += _differences(group, of)
        if len(told) < len(each.differences):
            result.append("      see also: features, below")
    return result


def _state(story: DimensionStory) -> str:
    return f"{story.state} ({story.nodes})" if story.state in ("drift", "exception") and story.nodes else story.state


def _alike(found: Sequence[Drift]) -> list[list[Drift]]:
    """Return differences together that cost the same and are mended by the same."""
    groups: dict[object, list[Drift]] = {}
    for each in found:
        groups.setdefault((each.subject, each.state, each.cost, each.remedy.text, each.remedy.action), []).append(each)
    return list(groups.values())


def _differences(group: Sequence[Drift], of: int) -> Iterator[str]:
    first = group[0]
    if len(group) > 1:
        for each in group:
            yield from _detail(f"{first.subject} {each.found or 'nothing'} on".strip(), nodes(each.nodes, of=of))
    else:
        if first.subject:
            yield from _detail(first.subject, f"found {first.found or 'nothing'}, wanted {first.wanted or 'nothing'}")
        seen = first.found if not first.subject else ""
        yield from _detail(f"{seen} on".strip(), nodes(first.nodes, of=of))
    yield from _detail("costs", first.cost)
    if first.state == "Drift":
        yield from _detail("remedy", remedy(first.remedy))


def decision(feature: FeatureDecision, *, of: int, full: bool) -> Iterator[str]:
    """Say whether a feature can be had, what blocks it, and what would unlock it."""
    needs = f"needs {feature.needs}; " if full or not feature.message else ""
    yield from wrapped(f"  {feature.feature} {feature.state.upper()}: ", f"{needs}{feature.message}")
    yield from blocked(feature.blockers, feature.message, of=of)
    if feature.unlocked_by:
        yield from _detail("unlocks", f"kernel {feature.unlocked_by} or later on these nodes")
    elif feature.state == "Blocked":
        yield from _detail("unlocks", "no kernel release alone")
    yield from _detail("source", feature.source)


def blocked(blockers: Nodes, message: str, *, of: int) -> list[str]:
    """Name the nodes that block a feature, unless the message has named as many as one reads."""
    first = blockers.names[:_NAMES_IN_MESSAGE]
    if not blockers.count or (first and all(name in message for name in first)):
        return []
    return _detail(f"blocked by {blockers.count} of {of} nodes", nodes(blockers, of=of))


def _abilities(found: Sequence[AbilityFacts], *, full: bool) -> list[str]:
    """Return what the operating system can do, one line for each state; in full each with its evidence."""
    if full:
        return [line for one in found for line in wrapped(f"  {one.name} {one.state}: ", one.evidence)]
    states = ("Present", "Absent", "Unknown")
    by_state = {state: [one.name for one in found if one.state == state] for state in states}
    return [line for state, names in by_state.items() if names for line in wrapped(f"  {state}: ", ", ".join(names))]


def _change(change: FactChange) -> str:
    before, after = change.before or "nothing", change.after or "gone"
    return f"  {change.time}  {change.what}: {_short(before, 40)} -> {_short(after, 40)}"


def commands(found: Sequence[Command]) -> list[str]:
    """Return commands with what they are for, lined up."""
    width = max((len(each.command) for each in found), default=0)
    rest = max((len(each.purpose) for each in found), default=0)
    if 2 + width + 3 + rest > WIDTH:
        return [line for each in found for line in (f"  {each.command}", f"      {each.purpose}")]
    return [f"  {each.command.ljust(width)}   {each.purpose}" for each in found]


def nodes(found: Nodes, *, of: int = 0) -> str:
    """Return so many names as one reads, and how many there are in all; `of` is the number of all nodes, if known."""
    if not found.count and not found.names:
        return ""
    if of > 1 and found.count == of:
        return f"all {of} nodes"
    shown = ", ".join(found.names[:_NAMES_SHOWN])
    more = max(found.count, len(found.names)) - min(len(found.names), _NAMES_SHOWN)
    return f"{shown} and {more} more" if shown and more > 0 else shown or f"{found.count} nodes"


def remedy(found: Remedy) -> str:
    """Return the remedy with the action that Groundplane calls it."""
    if found.action == "None":
        return found.text
    return f"{found.text} ({found.action})" if found.text else found.action


def _detail(word: str, text: str) -> list[str]:
    return list(wrapped(f"      {word}: ", text)) if text else []


def wrapped(start: str, text: str) -> list[str]:
    """Return a text after its beginning, in lines of the screen's width; later lines are indented a little more."""
    indent = " " * (len(start) - len(start.lstrip()) + 2)
    return textwrap.wrap(
        start + " ".join(text.split()), WIDTH, subsequent_indent=indent, break_long_words=False, drop_whitespace=True
    ) or [start.rstrip()]


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
