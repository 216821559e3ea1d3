"""What is measured on one server at a time. The caller alternates between the servers: both see the same noise."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median, quantiles

from bench.api_server.servers import MACHINES, Started
from bench.api_server.wire import Load, ask, body, check, connected, fan_out, hammer

# With what a server adds (uid, times, managed fields) a stored object has about 1.6 KB.
_NOTE = "0123456789abcdef" * 32
PACE = 0.05


def machine(number: int) -> bytes:
    """Return the manifest of a Machine with a name and an address of its own."""
    document = {
        "apiVersion": "groundplane.dev/v1alpha1",
        "kind": "Machine",
        "metadata": {
            "name": name(number),
            "labels": {"app": "bench", "rack": f"r{number % 40}", "site": "north"},
            "annotations": {"example.com/note": _NOTE, "example.com/owner": "infrastructure"},
        },
        "spec": {
            "address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            "ssh": {"user": "root", "secretRef": {"name": "key"}},
            "labels": {"example.com/rack": f"r{number % 40}"},
            "taints": [{"key": "example.com/dedicated", "effect": "NoSchedule", "value": "bench"}],
        },
    }
    return json.dumps(document).encode()


def name(number: int) -> str:
    """Return the name of the numbered Machine."""
    return f"machine-{number:06d}"


def percentile(values: list[float], share: int) -> float:
    """Return the value below which `share` percent of the values lie."""
    return quantiles(values, n=100)[share - 1]


@dataclass(slots=True)
class Side:
    """One server with what was measured on it; `count` Machines are there, numbered from 0."""

    server: Started
    count: int = 0
    create: list[float] = field(default_factory=list)
    get: list[float] = field(default_factory=list)
    cached_get: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    cached_whole: list[float] = field(default_factory=list)
    watch: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    memory: float = 0.0

    def clear(self) -> None:
        """Forget what was measured with fewer objects."""
        for found in (self.create, self.get, self.cached_get, self.whole, self.cached_whole, self.watch, self.busy):
            found.clear()

    def fill(self, count: int) -> Load:
        """Create Machines with 16 clients until there are `count`."""
        target = self.server.target
        numbers = range(self.count, count)
        load = hammer(target, 16, (target.request("POST", MACHINES, machine(each)) for each in numbers))
        self.count = count
        return load

    def creates(self, count: int) -> None:
        """Measure the rate of `count` more creations."""
        load = self.fill(self.count + count)
        self.create.append(load.rate)
        self.busy.append(load.busy)

    def gets(self, count: int) -> None:
        """Measure the rate of reads of single objects; the second time an answer from a cache will do."""
        for query, found in (("", self.get), ("?resourceVersion=0", self.cached_get)):
            load = hammer(self.server.target, 16, self._reads(count, query))
            found.append(load.rate)
            self.busy.append(load.busy)

    def _reads(self, count: int, query: str) -> Iterator[bytes]:
        choose = random.Random(1)
        for _ in range(count):
            path = f"{MACHINES}/{name(choose.randrange(self.count))}{query}"
            yield self.server.target.request("GET", path)

    def lists(self, count: int) -> None:
        """Measure the time of whole lists; the second time an answer from a cache will do."""
        for query, found in (("", self.whole), ("?resourceVersion=0", self.cached_whole)):
            request = self.server.target.request("GET", MACHINES + query)
            found.append(median(hammer(self.server.target, 1, iter([request] * count)).latencies))

    def watches(self, watchers: int, events: int) -> None:
        """Measure from write to event, for every one of many watchers, at a steady pace of writes."""
        target = self.server.target
        with connected(target) as connection:
            answer = ask(connection, target.request("GET", MACHINES + "?limit=1"))
            check(answer)
        revision = json.loads(body(answer))["metadata"]["resourceVersion"]
        path = f"{MACHINES}?watch=true&resourceVersion={revision}"
        bodies = [target.request("POST", MACHINES, machine(self.count + each)) for each in range(events)]
        load = fan_out(target, path, watchers, bodies, PACE)
        self.count += events
        self.watch.append(percentile(load.latencies, 99))
        self.busy.append(load.busy)
