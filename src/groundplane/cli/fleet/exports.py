"""The matrix as CSV (RFC 4180) and JSON. Columns and keys are documented in docs/fleet.md and only ever added to."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from importlib import metadata
from typing import Any

import msgspec

from groundplane.api.assessment import DIMENSIONS, SEVERITIES
from groundplane.base.clock import rfc3339

from .rows import Row, Totals, row
from .wire import FleetCluster

# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def record(shown: Row) -> dict[str, Any]:
    """Return one cluster as flat values, in the order of the columns."""
    status, uniformity = shown.cluster.status, shown.assessment.uniformity
    values: dict[str, Any] = {
        "namespace": shown.namespace,
        "name": shown.name,
        "foundation": shown.foundation,
        "provider": shown.cluster.spec.provider,
        "platform": shown.platform,
        "distribution": status.distribution,
        "version": shown.version,
        "runtime": status.runtime,
        "phase": status.phase or "",
        "nodes": shown.nodes,
        "nodesReady": shown.ready,
    }
    for dimension in DIMENSIONS:
        key, cell = dimension[0].lower() + dimension[1:], shown.cells[dimension]
        values |= {f"{key}State": cell.state, f"{key}Nodes": cell.count, f"{key}Found": cell.found}
    values |= {
        "uniformNodes": uniformity.uniform,
        "assessedNodes": shown.assessed,
        "uniformPercent": uniformity.percent.removesuffix("%"),
        "stacks": uniformity.stacks,
    }
    values |= {f"findings{severity}": shown.counts[severity] for severity in SEVERITIES}
    values |= {
        "findings": " ".join(dict.fromkeys(finding.type for finding in shown.assessment.findings)),
        "factsAt": status.facts.observed_at if status.facts else "",
        "factsAgeSeconds": "" if shown.facts_age is None else int(shown.facts_age),
        "reachable": {True: "yes", False: "no", None: "unknown"}[shown.reachable],
        "reason": shown.reason,
        "message": shown.message,
    }
    return values


def as_csv(rows: list[Row]) -> str:
    """Return the rows as CSV: a heading, commas, CRLF; nothing in it is a formula to a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for each in rows:
        writer.writerow([_safe(value) for value in record(each).values()])
    return out.getvalue()


def _safe(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def as_data(rows: list[Row], totals: Totals, now: datetime) -> dict[str, Any]:
    """Return the rows, with drift and findings in full, and what they add up to."""
    return {
        "generatedAt": rfc3339(now),
        "groundplane": metadata.version("groundplane"),
        "totals": {
            "clusters": totals.clusters,
            "nodes": totals.nodes,
            "assessedNodes": totals.assessed,
            "uniformNodes": totals.uniform,
            "unreachable": totals.unreachable,
            "notSurveyed": totals.unseen,
            "drift": totals.drift,
            "findings": totals.findings,
            "stacks": msgspec.to_builtins(totals.stacks),
        },
        "clusters": [_data(each) for each in rows],
    }


def _data(shown: Row) -> dict[str, Any]:
    values = record(shown)
    values["factsAgeSeconds"] = None if shown.facts_age is None else int(shown.facts_age)
    values["labels"] = shown.cluster.metadata.labels
    values["drift"] = msgspec.to_builtins(shown.assessment.drift)
    values["findings"] = msgspec.to_builtins(shown.assessment.findings)
    values["features"] = msgspec.to_builtins(shown.assessment.features)
    return values


COLUMNS = tuple(record(row(FleetCluster(), datetime.min)))
