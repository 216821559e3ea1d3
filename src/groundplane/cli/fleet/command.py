"""`groundplane fleet`: the matrix of clusters by dimension, for the screen, for a spreadsheet and as a report."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from groundplane.cli.session import Target, pass_target

if TYPE_CHECKING:
    from datetime import datetime

    from .choose import Chosen
    from .matrix import Paint
    from .wire import Fleet

_FORMS = ("table", "wide", "csv", "json", "html")
# As in `choose`, which is not loaded for `--help`.
_SORTS = ("name", "platform", "version", "nodes", "uniform", "drift", "findings", "age")


def _form_of(output: Path | None) -> str:
    """Return the form that a file's name asks for."""
    suffix = output.suffix.lower().removeprefix(".") if output else ""
    return suffix if suffix in ("csv", "json", "html") else "table"


@click.command()
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Clusters of all namespaces.")
@click.option("--foundation", default="", help="Only clusters of this Foundation.")
@click.option("-l", "--selector", default="", help="Only clusters with these labels, such as team=a,site!=b.")
@click.option(
    "--filter", "filters", multiple=True, help="Only clusters that meet it, such as drift=Kernel; repeatable."
)
@click.option("--sort", type=click.Choice(_SORTS), default="name", show_default=True, help="Order.")
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option(
    "-o", "--format", "form", type=click.Choice(_FORMS), help="Form; the default is table, or what --output ends in."
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
@pass_target
def fleet(target: Target, /, **flags: Any) -> None:
    """Show every cluster: where it stands on its Foundation, where not, and what needs a person first."""
    from groundplane.base.collecting import not_looked_through

    from . import choose, wire
    from .rows import row

    flags["form"] = flags["form"] or _form_of(flags["output"])
    filters = [choose.parse(text) for text in flags["filters"]]
    if flags["foundation"]:
        filters.append(choose.parse(f"foundation={flags['foundation']}"))

    async def work() -> None:
        from groundplane.base.clock import utc_now
        from groundplane.cli.show import put

        async with target.connect() as api:
            namespace = None if flags["everywhere"] else api.namespace
            report = flags["form"] == "html"
            found = await wire.read(api.client, namespace, selector=flags["selector"], foundations=report)
            # A command to type next needs the namespace when this one was given it, or when it is another.
            home = "" if target.namespace else api.namespace
        now = utc_now()
        rows = choose.arrange([row(each, now) for each in found.clusters], flags["sort"], reverse=flags["reverse"])
        shown = _Shown(found, choose.choose(rows, filters), home, _scope(flags, namespace))
        put(
            shown.text(flags["form"], now, everywhere=flags["everywhere"], paint=painter(flags["output"])),
            flags["output"],
        )

    with not_looked_through():
        target.run(work())


def _scope(flags: dict[str, Any], namespace: str | None) -> str:
    """Say which clusters were asked for."""
    where = f"Clusters of namespace {namespace}" if namespace else "Clusters of all namespaces"
    parts = [
        f"of Foundation {flags['foundation']}" if flags["foundation"] else "",
        f"with labels {flags['selector']}" if flags["selector"] else "",
        f"that meet {' and '.join(flags['filters'])}" if flags["filters"] else "",
    ]
    return " ".join([where, *(part for part in parts if part)])


@dataclass(frozen=True, slots=True)
class _Shown:
    """What was read and chosen, to be put into a form."""

    found: Fleet
    chosen: Chosen
    home: str
    scope: str

    def text(self, form: str, now: datetime, *, everywhere: bool, paint: Paint) -> str:
        """Return the form as text."""
        from . import exports
        from .rows import total

        rows = self.chosen.rows
        if form == "csv":
            return exports.as_csv(rows)
        if form == "html":
            from groundplane.cli.report.page import page

            return page(self.found, rows, now, scope=self.scope)
        if form == "json":
            from groundplane.cli.show import document

            return document(exports.as_data(rows, total(rows), now), "json")
        return "\n".join(self._matrix(form, everywhere=everywhere, paint=paint)) + "\n"

    def _matrix(self, form: str, *, everywhere: bool, paint: Paint) -> list[str]:
        from . import matrix
        from .rows import total

        rows = self.chosen.rows
        if not rows:
            which = " that meet the filters" if self.found.clusters else ""
            where = "" if everywhere else f" in {f'namespace {self.home}' if self.home else 'this namespace'}"
            hint = [] if self.found.clusters else ["next: groundplane import --kubeconfig FILE --all-contexts"]
            return [f"there are no clusters{where}{which}", *hint]
        wide = form == "wide"
        shown = matrix.lines(rows, wide=wide, everywhere=everywhere, paint=paint)
        legend = [] if wide else ["", matrix.LEGEND]
        return [*shown, *legend, *matrix.footer(self.chosen, total(rows), home=self.home)]


def painter(output: Path | None) -> Paint:
    """Return what colours words on a terminal; elsewhere they stay plain, as with NO_COLOR."""
    if output or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return lambda text, colour: text
    return lambda text, colour: click.style(text, fg=colour) if colour else text
