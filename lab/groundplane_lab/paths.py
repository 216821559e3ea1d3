"""Where the lab keeps things: everything that is built once lives in the cache home, outside the repository.

<cache>/machine/     base file systems of machine images, by key
<cache>/binaries/    Kubernetes binaries, by version
<cache>/artifacts/   what a distribution's manifest points at
<cache>/lab/<name>/  the state of one lab: lab.json and its SSH key
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
REPOSITORY = PACKAGE.parent.parent


def cache_home() -> Path:
    """The cache home: `$GROUNDPLANE_CACHE`, else `~/.cache/groundplane`."""
    configured = os.environ.get("GROUNDPLANE_CACHE")
    return Path(configured).absolute() if configured else Path.home() / ".cache" / "groundplane"


def lab_home() -> Path:
    """The folder that holds one folder for each lab."""
    return cache_home() / "lab"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock beside `path`, so that two processes do not build the same thing twice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
