"""Showing progress: one live screen in a terminal, one line a change in a pipe. What to show is in `progress`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import click

from groundplane.api.operation import Operation, StepState
from groundplane.base.clock import utc_now

from . import progress

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

_SIGNS: dict[StepState, tuple[str, str]] = {
    "Pending": ("·", "dim"),
    "Running": ("▶", "bold cyan"),
    "Succeeded": ("✔", "green"),
    "Unchanged": ("=", "green"),
    "Failed": ("✘", "bold red"),
    "Cancelled": ("◼", "yellow"),
    "Undone": ("↶", "yellow"),
    "Skipped": ("»", "yellow"),
}
_CHROME = 8
_REFRESH = 4


class View(Protocol):
    """A place where an Operation's states are shown, one after another."""

    def show(self, operation: Operation) -> None: ...

    def note(self, text: str) -> None:
        """Say something that is not a state of an Operation."""

    def close(self) -> None: ...


class PipeView:
    """One line for each change, with its time; nothing is ever overwritten."""

    def __init__(self) -> None:
        self._seen: dict[str, Operation] = {}

    def show(self, operation: Operation) -> None:
        now = utc_now()
        uid = operation.metadata.uid
        for line in progress.changes(self._seen.get(uid), operation, now):
            click.echo(line)
        self._seen[uid] = operation

    def note(self, text: str) -> None:
        click.echo(text)

    def close(self) -> None:
        """A pipe has nothing to tidy up."""


class TerminalView:
    """One screen that is redrawn in place; the times run on between changes."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._console = console
        self._current: Operation | None = None
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=_REFRESH, transient=False)
        self._live.start()

    def show(self, operation: Operation) -> None:
        self._current = operation
        self._live.refresh()

    def note(self, text: str) -> None:
        self._live.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        self._live.stop()

    def _render(self) -> RenderableType:
        if self._current is None:
            return ""
        return render(self._current, utc_now(), height=self._console.height)


def open_view() -> View:
    """Return the view that suits standard output."""
    from rich.console import Console

    console = Console()
    return TerminalView(console) if console.is_terminal else PipeView()


def render(operation: Operation, now: datetime, *, height: int) -> RenderableType:
    """Return one screen of at most `height` lines: headline, a row a machine, and what failed."""
    from rich.console import Group
    from rich.text import Text

    rows = progress.machines(operation, now)
    trouble = progress.trouble(operation, now)
    room = max(3, height - _CHROME - 2 * len(trouble))
    # Machines that are ready give way first: what still moves or failed has to stay in sight.
    busy = sorted(rows, key=lambda row: row.done == len(row.steps))[:room]
    shown = [row for row in rows if row in busy]
    parts: list[RenderableType] = [Text(progress.headline(operation, now), style="bold"), _grid(shown)]
    if len(shown) < len(rows):
        parts.append(Text(f"and {len(rows) - len(shown)} more", style="dim"))
    parts.extend(Text(line, style="red") for line in trouble)
    return Group(*parts)


def summary(operation: Operation) -> list[str]:
    """Return how long each kind of step took, longest name first in width."""
    times = progress.phase_times(operation, utc_now())
    width = max((len(time.title) for time in times), default=0)
    return [f"  {time.title.ljust(width)}  {progress.duration(time.seconds)}" for time in times]


def _grid(rows: list[progress.MachineRow]) -> Table:
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, show_header=False)
    for overflow in ("ellipsis", "fold", "ellipsis", "ellipsis"):
        grid.add_column(no_wrap=overflow == "ellipsis", overflow="ellipsis" if overflow == "ellipsis" else "fold")
    for row in rows:
        grid.add_row(row.machine, _signs(row), f"{row.done}/{len(row.steps)}", _now_doing(row))
    return grid


def _signs(row: progress.MachineRow) -> Text:
    from rich.text import Text

    return Text.assemble(*(_SIGNS[step.state] for step in row.steps))


def _now_doing(row: progress.MachineRow) -> str:
    step = row.current
    if step is None:
        return "done" if row.done == len(row.steps) else "waiting"
    took = f" {progress.duration(step.seconds)}" if step.seconds is not None else ""
    message = f": {step.message}" if step.message and step.state != "Failed" else ""
    return f"{step.title} ({step.state}{took}){message}"
