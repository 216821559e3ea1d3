"""A swap file of one mebibyte on a lab machine, switched on. The kernel is shared, yet no other machine sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from groundplane_lab import Lab, LabError, execute
from groundplane_lab.paths import lab_home, locked

# On a volume: the kernel takes no swap file that lies on an overlay.
_PATH = "/var/lib/docker/swap"


@contextmanager
def swap_on(lab: Lab, machine: str) -> Iterator[str]:
    """Have swap on and yield the file's path on the machine; afterwards it is off and gone, whatever happened.

    One at a time on this host. Where this host swaps by itself the test is skipped: it is not ours to switch off.
    """
    with locked(lab_home() / "swap"):
        if len(Path("/proc/swaps").read_text().splitlines()) > 1:
            pytest.skip("swap is on here already")
        execute(lab, machine, ["umount", "/proc/swaps"])
        try:
            _switch_on(lab, machine)
            yield _PATH
        finally:
            execute(lab, machine, ["sh", "-c", f"! grep -q {_PATH} /proc/swaps || swapoff {_PATH}"])
            execute(lab, machine, ["rm", "-f", _PATH])
            execute(lab, machine, ["mount", "--bind", "/run/lab-swaps", "/proc/swaps"])


def _switch_on(lab: Lab, machine: str) -> None:
    make = f"dd if=/dev/zero of={_PATH} bs=64k count=16 status=none && chmod 600 {_PATH} && mkswap -q {_PATH}"
    execute(lab, machine, ["sh", "-c", make])
    try:
        execute(lab, machine, ["swapon", _PATH])
    except LabError as refused:
        pytest.skip(f"cannot switch swap on: {refused}")
