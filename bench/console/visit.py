"""A visit of the console in Debian's Chromium: when something is there, what came over the wire, and how it scrolls.

Times are taken in the page, by its own clock, in the frame that shows what is waited for.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page

_PATIENCE = 120_000
# Notes the moment at which the page has painted the first frame with what `name` selects and takes input again.
_WATCH = """
(() => {
  const wanted = %s;
  globalThis.shownAt = {};
  const look = () => {
    for (const [name, selector] of Object.entries(wanted)) {
      if (name in shownAt || !document.querySelector(selector)) continue;
      shownAt[name] = 0;
      setTimeout(() => { shownAt[name] = performance.now(); });
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();
"""
_SEARCH = """
async (text) => {
  const input = document.querySelector('input[type=search]');
  const count = () => document.querySelector('.table-count').textContent;
  const before = count();
  const begun = performance.now();
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, text);
  input.dispatchEvent(new Event('input', {bubbles: true}));
  while (count() === before) await new Promise(requestAnimationFrame);
  await new Promise((done) => setTimeout(done));
  return performance.now() - begun;
}
"""
_SCROLL = """
async (step) => {
  const outside = document.querySelector('.table-outside');
  outside.scrollTop = 0;
  const frame = () => new Promise(requestAnimationFrame);
  for (let n = 0; n < 10; n++) await frame();
  const frames = [];
  let rows = 0;
  let last = await frame();
  while (outside.scrollTop + outside.clientHeight < outside.scrollHeight - 1) {
    outside.scrollTop += step;
    const now = await frame();
    frames.push(now - last);
    last = now;
    rows = Math.max(rows, document.querySelectorAll('.table tr').length);
  }
  outside.scrollTop = 0;
  return {frames, rows};
}
"""
# Nine rows a frame: as fast as somebody who throws the list.
_STEP = 400
_FRAME = 1000 / 60


# Without slots: Playwright keeps something of its own at whoever listens.
@dataclass
class Wire:
    """What a page took over the wire, in bytes, by kind of resource and by path."""

    by_kind: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    by_path: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _known: dict[str, tuple[str, str]] = field(default_factory=dict)

    def follow(self, session: CDPSession) -> None:
        """Count from now on. Watches do not end, and are not counted."""
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.loadingFinished", self._finished)
        session.send("Network.enable")

    def _sent(self, event: dict[str, Any]) -> None:
        path = event["request"]["url"].split("/", 3)[3].partition("?")[0]
        self._known[event["requestId"]] = (event.get("type", ""), path)

    def _finished(self, event: dict[str, Any]) -> None:
        kind, path = self._known.pop(event["requestId"], ("", ""))
        self.by_kind[kind] += int(event["encodedDataLength"])
        self.by_path[path] += int(event["encodedDataLength"])


@dataclass(frozen=True, slots=True)
class Scrolled:
    """How a list scrolled from its first row to its last: `work` is the processor time of its thread, ms a frame."""

    work: float
    longest: float
    dropped: float
    rows: int


class Visit:
    """One page in a browser that has kept nothing from before. `wanted` names selectors to wait for."""

    def __init__(self, browser: Browser, url: str, wanted: dict[str, str]) -> None:
        options: Any = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", "ignore_https_errors": True}
        self._context = browser.new_context(**options)
        self._url = url
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(_PATIENCE)
        self.page.add_init_script(_WATCH % wanted)
        self.cdp = self._context.new_cdp_session(self.page)
        self.wire = Wire()
        self.wire.follow(self.cdp)
        self.cdp.send("Performance.enable")

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    def open(self, path: str) -> None:
        """Load a page of the console from its address."""
        self.page.goto(f"{self._url}/console{path}", wait_until="commit")

    def when(self, name: str) -> float:
        """Return after how many seconds from the beginning of the navigation it was shown."""
        self.page.wait_for_function("(name) => globalThis.shownAt?.[name] > 0", arg=name, timeout=_PATIENCE)
        return float(self.page.evaluate("(name) => shownAt[name]", name)) / 1000

    def sign_in(self, token: str) -> None:
        """Sign in by token, from a page that needs no list."""
        self.open("/nowhere")
        self.page.locator(".ways button").nth(1).click()
        self.page.locator("input[name=token]").fill(token)
        self.page.locator("form button[type=submit]").click()
        self.page.locator("nav.menu").wait_for(state="attached")

    def search(self, text: str) -> float:
        """Type into the search of a list; return the seconds until the list was another one."""
        return float(self.page.evaluate(_SEARCH, text)) / 1000

    def scroll(self) -> Scrolled:
        """Scroll a list through."""
        before = self.metric("ThreadTime")
        found = self.page.evaluate(_SCROLL, _STEP)
        work = 1000 * (self.metric("ThreadTime") - before)
        frames: list[float] = found["frames"] or [0.0]
        late = sum(max(0, round(frame / _FRAME) - 1) for frame in frames)
        return Scrolled(work / len(frames), max(frames), 100 * late / (len(frames) + late), found["rows"])

    def metric(self, name: str) -> float:
        """Return one of the browser's own figures of the page."""
        metrics = self.cdp.send("Performance.getMetrics")["metrics"]
        return next(float(each["value"]) for each in metrics if each["name"] == name)

    def heap(self) -> float:
        """Return what the page's scripts hold after a collection of garbage, in MiB."""
        for _ in range(2):
            self.cdp.send("HeapProfiler.collectGarbage")
        return self.metric("JSHeapUsedSize") / 2**20
