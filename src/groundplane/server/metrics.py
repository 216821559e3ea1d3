"""Metrics in Prometheus' text format: counters and histograms of requests, gauges read when they are asked for.

One registry belongs to one server; nothing is global. Names and labels of requests are those of kube-apiserver, so
that its dashboards show this server too. Labels come from what the server knows, never from what a caller invents:
a path that is no resource is counted without one, so the number of series stays bounded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, ...]
# A gauge's values by label values; () is the one of a gauge without labels.
Read = Callable[[], Mapping[Labels, float]]


@dataclass(slots=True)
class Counter:
    """Counts up, by label values."""

    name: str
    help: str
    labels: Labels
    values: dict[Labels, float] = field(default_factory=dict)

    def add(self, labels: Labels, by: float = 1.0) -> None:
        self.values[labels] = self.values.get(labels, 0.0) + by

    def lines(self) -> Iterator[str]:
        yield from _head(self.name, self.help, "counter")
        for labels, value in sorted(self.values.items()):
            yield _line(self.name, zip(self.labels, labels, strict=True), value)


@dataclass(slots=True)
class _Observed:
    counts: list[int]
    sum: float = 0.0


@dataclass(slots=True)
class Histogram:
    """Counts observations by upper bound, by label values."""

    name: str
    help: str
    labels: Labels
    bounds: tuple[float, ...]
    values: dict[Labels, _Observed] = field(default_factory=dict)

    def observe(self, labels: Labels, value: float) -> None:
        observed = self.values.get(labels)
        if observed is None:
            observed = self.values[labels] = _Observed([0] * (len(self.bounds) + 1))
        observed.counts[bisect_left(self.bounds, value)] += 1
        observed.sum += value

    def lines(self) -> Iterator[str]:
        yield from _head(self.name, self.help, "histogram")
        for labels, observed in sorted(self.values.items()):
            pairs, total = list(zip(self.labels, labels, strict=True)), 0
            for bound, count in zip((*map(_number, self.bounds), "+Inf"), observed.counts, strict=True):
                total += count
                yield _line(f"{self.name}_bucket", [*pairs, ("le", bound)], total)
            yield _line(f"{self.name}_sum", pairs, observed.sum)
            yield _line(f"{self.name}_count", pairs, total)


@dataclass(frozen=True, slots=True)
class Gauge:
    """Read when it is asked for. `kind` is gauge, or counter for what somebody else counts."""

    name: str
    help: str
    read: Read
    labels: Labels = ()
    kind: str = "gauge"

    def lines(self) -> Iterator[str]:
        yield from _head(self.name, self.help, self.kind)
        for labels, value in sorted(self.read().items()):
            yield _line(self.name, zip(self.labels, labels, strict=True), value)


Metric = Counter | Histogram | Gauge


@dataclass(frozen=True, slots=True)
class Registry:
    """The metrics of one server, by name."""

    metrics: dict[str, Metric] = field(default_factory=dict)

    def add(self, metric: Metric) -> None:
        """Add a metric; one of the same name is replaced."""
        self.metrics[metric.name] = metric

    def text(self) -> str:
        """Return everything in Prometheus' text format."""
        return "".join(f"{line}\n" for _, metric in sorted(self.metrics.items()) for line in metric.lines())


def _head(name: str, text: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _line(name: str, labels: Iterable[tuple[str, str]], value: float) -> str:
    shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    return f"{name}{{{shown}}} {_number(value)}" if shown else f"{name} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
