"""The crowd of scripted machines: each survey is answered at once."""

from __future__ import annotations

import time
from pathlib import Path

from bench.scripted import Process, serve

CAPTURED = Path(__file__).parents[2] / "tests/data/facts/captured-lab-fresh.txt"
_FACTS = CAPTURED.read_bytes()


def _answer(process: Process) -> None:
    process.stdout.write(b"@@ begin\n@@ clock\n%.6f\n@@ files\n" % time.time() + _FACTS)
    process.exit(0)


if __name__ == "__main__":
    serve(_answer)
