"""A boot is asked for though the timer of an earlier one has failed."""

from __future__ import annotations

from pathlib import Path

from groundplane.operations import reboot

from .here import Here

# As systemd: a unit that failed is there until it is reset, and systemd-run makes none of a name that is there.
SYSTEMCTL = """#!/bin/sh
case "$1" in is-active) exit 3 ;; reset-failed) rm -f "$(dirname "$0")/failed" ;; esac
"""
SYSTEMD_RUN = """#!/bin/sh
[ -e "$(dirname "$0")/failed" ] && exit 1
: > "$(dirname "$0")/asked"
"""


async def test_a_timer_that_failed_is_reset_before_the_next(tmp_path: Path) -> None:
    for name, text in {"systemctl": SYSTEMCTL, "systemd-run": SYSTEMD_RUN, "failed": ""}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "boot").write_text("now")
    for boot, asked in (("another", False), ("now", True)):
        script = reboot._ASK.format(path=tmp_path / "boot", boot=boot, unit="groundplane-reboot")
        await Here().script(f"PATH={tmp_path}:$PATH\n{script}")
        assert (tmp_path / "asked").exists() is asked
