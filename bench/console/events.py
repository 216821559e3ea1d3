"""Changes of Clusters at a steady rate, as surveys of a fleet make them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import httpx2

from bench.assess import CLUSTERS

_CLUSTERS = "/apis/groundplane.dev/v1alpha1/namespaces/default/clusters"
_MERGE = {"content-type": "application/merge-patch+json"}


@contextmanager
def events(url: str, token: str, *, rate: float) -> Iterator[list[int]]:
    """Change `rate` Clusters a second, one after another, while the block lasts; the list has how many there were."""
    done, ending = [0], threading.Event()

    def run() -> None:
        begun = time.monotonic()
        headers = {"authorization": f"Bearer {token}"}
        with httpx2.Client(base_url=url, verify=False, headers=headers, timeout=60) as client:
            for number in count(1):
                if ending.wait(max(0.0, begun + number / rate - time.monotonic())):
                    return
                client.patch(_path(number), json=_change(number), headers=_MERGE).raise_for_status()
                done[0] = number

    thread = threading.Thread(target=run, name="events")
    thread.start()
    try:
        yield done
    finally:
        ending.set()
        thread.join()


def _path(number: int) -> str:
    return f"{_CLUSTERS}/c{number * 7 % CLUSTERS:04}/status"


def _change(number: int) -> dict[str, object]:
    """Return what a survey changes: the time, and whether a node is ready."""
    observed = f"2026-11-28T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z"
    ready = 9 + number % 2
    return {
        "status": {"readyNodes": ready, "phase": ("Degraded", "Ready")[ready - 9], "facts": {"observedAt": observed}}
    }
