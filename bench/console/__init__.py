"""The web console before a fleet: 1,000 Clusters, 10,000 nodes, 3,000 Machines, 300 Operations and two Foundations.

The API server is a process of its own, over SQLite and TLS, with the audit log on and without controllers, so that what
is shown stays as it was written. Debian's Chromium looks at it as a person would. There is no peer. BENCH_MINUTES says
for how long changes come while the memory of an open page is watched; 2 unless said, 30 for the figure of the docs.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, median

import yaml
from playwright.sync_api import Browser
from tests.support.browser import chromium
from tests.support.running import running_server

from bench.assess import CLUSTERS
from bench.console.events import events
from bench.console.fleet import fill
from bench.console.visit import Scrolled, Visit
from bench.figures import Figure

ROUNDS = 5
RATE = 20.0
_SAMPLES = 30
# By then each Cluster has changed once, and its row is one that came as a change.
_SETTLED = 1.2 * CLUSTERS / RATE / 60
_ROWS = "tr[aria-rowindex]"
WANTED = {
    "form": "form button[type=submit]:not([disabled])",
    "numbers": ".card-count",
    "rows": _ROWS,
    "meters": "meter",
}
# Pages by their addresses; what is typed into their search, one letter more each time.
LISTS = {
    "clusters": ("/clusters", ("c09", "c091")),
    "machines": ("/machines", ("m29", "m291")),
    "operations": ("/operations", ("c02", "c021")),
    "foundations": ("/foundations", ("ed", "edx")),
    "objects (clusters)": ("/objects/groundplane.dev/v1alpha1/clusters", ("c09", "c091")),
    "objects (machines)": ("/objects/groundplane.dev/v1alpha1/machines", ("m29", "m291")),
}
OTHERS = {
    "a cluster": ("/clusters/default/c0500", "dl.facts"),
    "a machine": ("/machines/default/m0500", "dl.facts"),
    "a foundation": ("/foundations/default/production", _ROWS + ", .table.plain tbody tr"),
}
KB = 1000
KIB_OF_A_MIB = 1024


@dataclass(frozen=True, slots=True)
class Site:
    """A filled server and a browser before it."""

    browser: Browser
    url: str
    token: str

    def visit(self, **wanted: str) -> Visit:
        return Visit(self.browser, self.url, WANTED | wanted)


def run() -> list[Figure]:
    """Fill a server, look at every page, then watch one page while changes come."""
    minutes = float(os.environ.get("BENCH_MINUTES", "2"))
    with tempfile.TemporaryDirectory(prefix="groundplane-bench-") as name:
        says = frozenset({"login refused"})
        with running_server(Path(name), may_say=says) as kubeconfig, chromium() as browser:
            _said("filling")
            # Playwright's event loop is this thread's.
            _in_a_thread(lambda: asyncio.run(fill(kubeconfig)))
            document = yaml.safe_load(kubeconfig.read_text())
            url = document["clusters"][0]["cluster"]["server"]
            site = Site(browser, url, document["users"][0]["user"]["token"])
            figures = _first_load(site)
            for title, (path, texts) in LISTS.items():
                figures += _list(site, title, path, texts)
            for title, (path, selector) in OTHERS.items():
                figures.append(_page(site, title, path, selector))
            return figures + _over_time(site, minutes)


def _in_a_thread(work: Callable[[], None]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def _first_load(site: Site) -> list[Figure]:
    """Sign in with a browser that has kept nothing, then load the overview with another one."""
    forms, numbers, scripts, wire = [], [], [], []
    for _ in range(ROUNDS):
        with site.visit() as visit:
            visit.open("/")
            forms.append(visit.when("form"))
            visit.page.locator(".ways button").nth(1).click()
            visit.page.locator("input[name=token]").fill(site.token)
            visit.page.locator("form button[type=submit]").click()
            visit.when("numbers")
            visit.page.locator(".card-count").first.wait_for()
            scripts.append(visit.wire.by_kind["Script"] / KB)
            wire.append(sum(visit.wire.by_kind.values()) / KB)
            # The session is kept; what the browser had of the page is not.
            visit.cdp.send("Network.clearBrowserCache")
            visit.open("/")
            numbers.append(visit.when("meters"))
    return [
        Figure("JavaScript of sign-in and overview, packed", "KB", median(scripts), goal=350),
        Figure("sign-in can be used, nothing cached", "s", median(forms), goal=2),
        Figure("overview shows its numbers, nothing cached", "s", median(numbers), goal=2),
        Figure("sign-in and overview, all over the wire", "KB", median(wire)),
    ]


def _list(site: Site, title: str, path: str, texts: tuple[str, ...]) -> list[Figure]:
    _said(title)
    shown, typed, wire = [], [], []
    scrolled: list[Scrolled] = []
    with site.visit() as visit:
        visit.sign_in(site.token)
        for _ in range(ROUNDS):
            before = sum(visit.wire.by_kind.values())
            visit.open(path)
            shown.append(visit.when("rows"))
            wire.append((sum(visit.wire.by_kind.values()) - before) / KB)
            scrolled.append(visit.scroll())
            typed += [visit.search(text) for text in texts]
    figures = [
        Figure(f"{title}: first rows are shown", "s", median(shown), goal=1),
        Figure(f"{title}: what is typed is found", "s", median(typed), goal=0.1),
        Figure(f"{title}: over the wire", "KB", median(wire)),
    ]
    return figures if scrolled[0].rows == 0 else figures + _smoothness(title, scrolled)


def _smoothness(title: str, scrolled: list[Scrolled]) -> list[Figure]:
    return [
        Figure(
            f"{title}: processor time of a frame while it is scrolled",
            "ms",
            median(each.work for each in scrolled),
            goal=16,
        ),
        Figure(f"{title}: longest frame while it is scrolled", "ms", median(each.longest for each in scrolled)),
        Figure(f"{title}: frames dropped", "%", median(each.dropped for each in scrolled), goal=5),
        Figure(f"{title}: rows in the page, at most", "", max(each.rows for each in scrolled), goal=60),
    ]


def _page(site: Site, title: str, path: str, selector: str) -> Figure:
    _said(title)
    with site.visit(part=selector) as visit:
        visit.sign_in(site.token)
        shown = []
        for _ in range(ROUNDS):
            visit.open(path)
            shown.append(visit.when("part"))
        return Figure(f"{title}: shown", "s", median(shown), goal=1)


def _over_time(site: Site, minutes: float) -> list[Figure]:
    """Leave the list of clusters open while they change, and weigh it again and again."""
    with site.visit() as visit:
        visit.sign_in(site.token)
        visit.open("/clusters")
        visit.when("rows")
        with events(site.url, site.token, rate=RATE) as done:
            begun, busy = time.monotonic(), visit.metric("TaskDuration")
            samples: list[tuple[float, float]] = []
            for number in range(_SAMPLES + 1):
                visit.page.wait_for_timeout(
                    max(0.0, begun + number * 60 * minutes / _SAMPLES - time.monotonic()) * 1000
                )
                samples.append(((time.monotonic() - begun) / 60, visit.heap()))
                _said(f"{samples[-1][0]:.1f} min, {done[0]} events: {samples[-1][1]:.2f} MiB")
            share = 100 * (visit.metric("TaskDuration") - busy) / (time.monotonic() - begun)
            count = done[0]
    steady = [sample for sample in samples if sample[0] > _SETTLED]
    slope = linear_regression([at for at, _ in steady], [held for _, held in steady]).slope
    during = f"{minutes:g} minutes, {count} events"
    return [
        Figure(f"clusters, open for {during}: heap at the start", "MiB", samples[0][1]),
        Figure(f"clusters, open for {during}: heap at the end", "MiB", samples[-1][1]),
        Figure(f"clusters, open for {during}: growth of the heap", "KiB/min", slope * KIB_OF_A_MIB, goal=64),
        Figure(f"clusters, {RATE:g} events a second: the page's thread is busy", "%", share, goal=25),
    ]


def _said(text: str) -> None:
    sys.stderr.write(f"console: {text}\n")
