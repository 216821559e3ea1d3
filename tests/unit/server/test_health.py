"""Health checks in the words of kube-apiserver; metrics that Prometheus reads."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from groundplane.server.app import build
from groundplane.server.health import Check, Health
from groundplane.server.metrics import Counter, Gauge, Histogram, Registry
from groundplane.store.contract import StoreFailed
from groundplane.store.sqlite import open_sqlite

from .conftest import SECRET, Running, Start

SECRETS = "/api/v1/namespaces/default/secrets"
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')


def failing(running: Running, *names: str) -> httpx2.AsyncClient:
    """Return a client of the same server with checks that fail."""
    health = Health()
    for name in names:
        health.add(name, lambda: "the reason", live=name.startswith("live"))
    server = replace(running.server, health=health)
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(build(server)), base_url="https://gp", headers=running.bearer
    )


async def test_all_checks_are_answered_in_a_word_or_by_name(start: Start) -> None:
    async with start() as running:
        for endpoint in ("livez", "healthz", "readyz"):
            answer = await running.http.get(f"/{endpoint}")
            assert (answer.status_code, answer.text) == (200, "ok")
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        verbose = await running.http.get("/readyz?verbose")
        assert verbose.text == "[+]ping ok\n[+]store ok\n[+]shutdown ok\nreadyz check passed\n"
        assert (await running.http.get("/livez?verbose")).text == "[+]ping ok\nlivez check passed\n"


async def test_a_failing_check_is_named_without_its_reason_and_can_be_excluded(start: Start) -> None:
    async with start() as running, failing(running, "broken") as http:
        answer = await http.get("/readyz")
        assert answer.status_code == 500
        lines = ["[+]ping ok", "[-]broken failed: reason withheld", "[+]store ok", "[+]shutdown ok"]
        assert answer.text.splitlines() == [*lines, "readyz check failed"]
        assert (await http.get("/readyz?exclude=broken")).text == "ok"
        verbose = (await http.get("/readyz?verbose&exclude=broken&exclude=nonsense&exclude=other")).text
        assert "[+]broken excluded: ok" in verbose
        assert 'warn: some health checks cannot be excluded: no matches for "nonsense", "other"' in verbose
        assert (await http.get("/livez")).text == "ok"


async def test_one_check_is_asked_alone_with_its_reason_by_those_who_may(start: Start) -> None:
    async with start() as running, failing(running, "broken", "lively") as http:
        assert (await http.get("/readyz/ping")).text == "ok"
        answer = await http.get("/readyz/broken")
        assert (answer.status_code, answer.text) == (500, "internal server error: the reason\n")
        assert (await http.get("/livez/lively")).status_code == 500
        assert (await http.get("/livez/broken")).status_code == 404
        assert (await http.get("/readyz/nonsense")).status_code == 404
        async with running.anonymous() as stranger:
            assert (await stranger.get("/readyz/ping")).status_code == 401
            assert (await stranger.get("/metrics")).status_code == 401


async def test_a_server_that_stops_is_alive_and_not_ready(start: Start) -> None:
    async with start() as running:
        running.server.stopping.set()
        assert "[-]shutdown failed" in (await running.http.get("/readyz")).text
        assert (await running.http.get("/livez")).status_code == 200


async def test_a_check_that_does_not_answer_fails_by_itself() -> None:
    async def forever() -> str:
        await asyncio.Event().wait()
        return ""

    assert await Check("slow", forever, seconds=0.01).failure() == "no answer within 0.01 seconds"


async def test_many_who_ask_at_once_make_one_check() -> None:
    asked: list[int] = []

    async def look() -> str:
        asked.append(1)
        return ""

    check = Check("store", look)
    assert await asyncio.gather(*(check.failure() for _ in range(50))) == [""] * 50
    assert len(asked) == 1


async def test_a_disk_that_takes_no_write_fails_the_probe_and_one_that_does_is_left_as_it_was(tmp_path: Path) -> None:
    store = await open_sqlite(tmp_path / "state.db")
    before = store.numbers()
    await store.probe()
    assert store.numbers() == before
    await store.work("read", lambda db: db.execute("PRAGMA query_only = 1").fetchall())
    with pytest.raises(StoreFailed):
        await store.probe()
    await store.probe()
    await store.close()


def samples(text: str) -> dict[tuple[str, str], float]:
    """Read the text format; every line must be one."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            found[(match[1], match[2] or "")] = float(match[3])
    return found


async def test_requests_are_counted_by_what_they_ask_and_how_they_end(start: Start) -> None:
    async with start() as running:
        await running.http.post(SECRETS, json=SECRET)
        await running.http.post(SECRETS, json=SECRET)
        await running.http.get(f"{SECRETS}/s")
        answer = await running.http.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        found = samples(answer.text)
        what = 'group="",version="v1",resource="secrets",subresource="",scope='
        post = f'verb="POST",{what}"namespace"'
        assert found[("apiserver_request_total", f'{post},code="201"')] == 1
        assert found[("apiserver_request_total", f'{post},code="409"')] == 1
        assert found[("apiserver_request_total", f'verb="GET",{what}"resource",code="200"')] == 1
        assert found[("apiserver_request_duration_seconds_count", post)] == 2
        assert found[("apiserver_request_duration_seconds_bucket", f'{post},le="+Inf"')] == 2
        assert found[("apiserver_current_inflight_requests", 'request_kind="readOnly"')] == 1
        assert found[("apiserver_storage_objects", 'resource="secrets"')] == 1
        assert found[("groundplane_store_revision", "")] == await running.service.store.revision()


async def test_paths_that_somebody_invents_do_not_make_new_series(start: Start) -> None:
    async with start() as running:

        async def invent(word: str) -> None:
            await running.http.get(f"/apis/{word}/v1/{word}")
            await running.http.get(f"/{word}")
            await running.http.get("/metrics")

        await invent("first")
        before = samples((await running.http.get("/metrics")).text).keys()
        for n in range(5):
            await invent(f"invented{n}")
        assert samples((await running.http.get("/metrics")).text).keys() == before


def test_values_and_labels_are_written_as_prometheus_reads_them() -> None:
    registry, counter = Registry(), Counter("c_total", "Counts.", ("path",))
    counter.add(('a"b\\c\nd',), 2)
    histogram = Histogram("h", "Observes.", (), (0.5, 1))
    for value in (0.5, 0.7, 9):
        histogram.observe((), value)
    registry.add(histogram)
    registry.add(counter)
    read: Callable[[], dict[tuple[str, ...], float]] = lambda: {(): 0.25}  # noqa: E731
    registry.add(Gauge("a", "Is.", read))
    assert registry.text().splitlines() == [
        "# HELP a Is.",
        "# TYPE a gauge",
        "a 0.25",
        "# HELP c_total Counts.",
        "# TYPE c_total counter",
        'c_total{path="a\\"b\\\\c\\nd"} 2',
        "# HELP h Observes.",
        "# TYPE h histogram",
        'h_bucket{le="0.5"} 1',
        'h_bucket{le="1"} 2',
        'h_bucket{le="+Inf"} 3',
        "h_sum 10.2",
        "h_count 3",
    ]
