"""The report as one page, pure: what stands where, what needs a person first, pictures, and tables in words."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from datetime import datetime
from importlib.metadata import version

import msgspec

from groundplane.api.assessment import percent
from groundplane.cli.fleet.matrix import why
from groundplane.cli.fleet.rows import Row, Totals, attention, total
from groundplane.cli.fleet.wire import Fleet

from . import pictures, tables
from .markup import Markup, joined, tag
from .style import style

_FIRST_SHOWN = 8
_READING = (
    "Uniform: stands on the Foundation in every dimension; declared exceptions and unknown nodes do not count."
    " Shares are rounded down. This file holds all it shows, runs no script and loads nothing."
)


def page(fleet: Fleet, rows: list[Row], now: datetime, *, scope: str) -> str:
    """Return the whole file; `scope` says which clusters these are."""
    totals, first = total(rows), _first(rows)
    used = {(row.namespace, row.foundation) for row in rows}
    foundations = [f for f in fleet.foundations if (f.metadata.namespace, f.metadata.name) in used]
    rows = _labelled(rows)
    sections = [
        ("first", "What needs a person first", first),
        ("time", "Uniformity over time", pictures.uniformity(foundations)),
        ("map", "Where clusters stand", joined([pictures.states(rows), pictures.heat(rows)]) if rows else None),
        ("stacks", "Stacks", pictures.stacks(totals)),
        ("findings", "Findings", tables.findings(rows)),
        ("drift", "Drift and what it costs", tables.drift(rows)),
        ("features", "Network features", tables.features(rows)),
        ("exceptions", "Declared exceptions", tables.exceptions(rows)),
        ("unreachable", "Clusters that cannot be reached", tables.unreachable(rows)),
        ("clusters", "Clusters that differ", tables.clusters(rows)),
    ]
    shown = [(key, title, content) for key, title, content in sections if content]
    body = [
        tag("header", _heading(now, scope), _tiles(totals), _contents(shown)),
        tag(
            "main",
            *(tag("section", tag("h2", title, id=key), content, aria_labelledby=key) for key, title, content in shown),
        ),
        tag("footer", _imprint(now)),
    ]
    return "<!DOCTYPE html>\n" + tag("html", _head(now), tag("body", *body), lang="en") + "\n"


def _section(key: str, title: str, content: Markup) -> Markup:
    return tag("section", tag("h2", title, id=key), content, aria_labelledby=key)


def _labelled(rows: list[Row]) -> list[Row]:
    """Return the rows called namespace/name where one name could mean two clusters."""
    if len({row.namespace for row in rows}) < 2:
        return rows

    def named(row: Row) -> Row:
        metadata = msgspec.structs.replace(row.cluster.metadata, name=f"{row.namespace}/{row.name}")
        return dataclasses.replace(row, cluster=msgspec.structs.replace(row.cluster, metadata=metadata))

    return [named(row) for row in rows]


def _head(now: datetime) -> Markup:
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=f"Groundplane {_version()}"),
        tag("title", f"Fleet report of {now:%Y-%m-%d}"),
        tag("style", Markup(style())),
    )


def _heading(now: datetime, scope: str) -> Markup:
    told = f"{scope}; as of {now:%Y-%m-%d %H:%M} UTC, by Groundplane {_version()}"
    return joined([tag("h1", "Fleet report"), tag("p", told, class_="soft")])


def _tiles(totals: Totals) -> Markup:
    tiles = [
        (f"{totals.clusters:,}", "clusters"),
        (f"{totals.nodes:,}", "nodes"),
        (percent(totals.uniform, totals.assessed) or "-", "of nodes uniform"),
        (f"{len(totals.stacks):,}", "distinct stacks"),
        (f"{totals.findings['High']:,}", "high findings"),
        (f"{totals.unreachable:,}", "unreachable clusters"),
    ]
    return tag("dl", *(tag("div", tag("dt", word), tag("dd", number)) for number, word in tiles), class_="tiles")


def _contents(shown: list[tuple[str, str, Markup]]) -> Markup:
    links = (tag("a", title, href=f"#{key}") for key, title, _ in shown)
    return tag("nav", *links, aria_label="Contents")


def _first(rows: list[Row]) -> Markup:
    urgent = attention(rows, _FIRST_SHOWN)
    if not urgent:
        return tag("p", "Nothing here needs a person.")
    items = [
        tag("li", why(row), " ", tag("code", f"groundplane -n {row.namespace} explain cluster/{row.name}"))
        for row in urgent
    ]
    return tag("ol", *items, class_="first")


def _imprint(now: datetime) -> Markup:
    made = f"Made by groundplane {_version()} on {now:%Y-%m-%d %H:%M:%S} UTC from what surveys found."
    return tag("p", f"{made} {_READING}")


def _version() -> str:
    return version("groundplane")
