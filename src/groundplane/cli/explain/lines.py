"""A story as one screen of text, pure. The gravest stands first; nothing is told twice."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from groundplane.api.assessment import Drift, FeatureDecision, Finding, Nodes, Remedy
from groundplane.cli.fleet.matrix import age
from groundplane.cli.show import Table

from .story import Command, DimensionStory, Freshness, Story

WIDTH = 120
_NAMES_SHOWN = 6
_STACKS_SHOWN = 6


def lines(story: Story) -> list[str]:
    """Return the screen."""
    result = [f"{story.kind.lower()}/{story.name}: {story.title}", *_head(story)]
    of = story.uniformity.nodes
    sections = (
        (f"stacks ({story.uniformity.stacks or len(story.stacks)})", _stacks(story)),
        ("findings", [line for finding in story.findings for line in _finding(finding, of)]),
        ("dimensions", _dimensions(story.dimensions, of)),
        ("features", [line for feature in story.features for line in decision(feature, of=of)]),
        ("lately", [_change(story, i) for i in range(len(story.history))]),
        ("what to type (all of these only read)", commands(story.commands)),
    )
    for title, body in sections:
        if body:
            result += ["", title, *body]
    return result


def _head(story: Story) -> Iterator[str]:
    yield from freshness(story.freshness)
    for condition in story.conditions:
        if condition.status == "False" and condition.type not in ("Reachable", "MachinesReachable"):
            yield from wrapped(f"  {condition.type} is False ({condition.reason}): ", condition.message)
    against = f"Foundation {story.foundation}" if story.foundation else "no Foundation: nothing is compared"
    share = story.uniformity
    told = f": {share.uniform} of {share.nodes} nodes uniform ({share.percent})" if share.nodes else ""
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


def _stacks(story: Story) -> list[str]:
    rows = [
        f"  {stack.nodes:>5}  " + " | ".join(
            part for part in (
                stack.operating_system, stack.kernel, f"{stack.distribution} {stack.version}".strip(), stack.runtime
            ) if part
        )
        for stack in story.stacks[:_STACKS_SHOWN]
    ]  # fmt: skip
    more = len(story.stacks) - _STACKS_SHOWN
    return [*rows, f"         and {more} more"] if more > 0 else rows


def _finding(finding: Finding, of: int) -> Iterator[str]:
    yield from wrapped(f"  {finding.severity.upper()} {finding.type}: ", finding.message)
    yield from _detail("on", nodes(finding.nodes, of=of))
    yield from _detail("seen", finding.evidence)
    yield from _detail("remedy", remedy(finding.remedy))


def _dimensions(stories: Sequence[DimensionStory], of: int) -> list[str]:
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
        for difference in each.differences:
            result += _difference(difference, of)
    return result


def _state(story: DimensionStory) -> str:
    return f"{story.state} ({story.nodes})" if story.state in ("drift", "exception") and story.nodes else story.state


def _difference(drift: Drift, of: int) -> Iterator[str]:
    if drift.subject:
        yield from _detail(drift.subject, f"found {drift.found or 'nothing'}, wanted {drift.wanted or 'nothing'}")
    yield from _detail("on", nodes(drift.nodes, of=of))
    yield from _detail("costs", drift.cost)
    if drift.state == "Drift":
        yield from _detail("remedy", remedy(drift.remedy))


def decision(feature: FeatureDecision, *, of: int) -> Iterator[str]:
    """Say whether a feature can be had, what blocks it, and what would unlock it."""
    needs = f"needs {feature.needs}; " if feature.needs and feature.needs not in feature.message else ""
    yield from wrapped(f"  {feature.feature} {feature.state.upper()}: ", f"{needs}{feature.message}")
    if feature.blockers.count:
        yield from _detail("blocked by", nodes(feature.blockers, of=of))
    if feature.unlocked_by:
        yield from _detail("unlocks", f"kernel {feature.unlocked_by} or later on these nodes")
    elif feature.state == "Blocked":
        yield from _detail("unlocks", "no kernel release alone")
    yield from _detail("source", feature.source)


def _change(story: Story, number: int) -> str:
    change = story.history[number]
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
