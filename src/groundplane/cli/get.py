"""`groundplane get`: objects as a table of the server's making, as YAML, JSON or names."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from .session import Api, Target, pass_target

if TYPE_CHECKING:
    from groundplane.client.contract import Object, Resource

    from .show import Table

_FORMS = ("table", "wide", "json", "yaml", "name")


@click.command()
@click.argument("kind")
@click.argument("name", required=False, default="")
@click.option("-o", "--output", "form", type=click.Choice(_FORMS), default="table", show_default=True, help="Form.")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Objects of all namespaces.")
@click.option("-w", "--watch", is_flag=True, help="After that, print each change as it comes.")
@pass_target
def get(target: Target, /, *, kind: str, name: str, form: str, **flags: bool) -> None:
    """Show objects.

    KIND is a kind, its plural or short name, such as cluster, machines or gpo. KIND/NAME works too.
    """
    from .kinds import named

    word, slash, inline = kind.partition("/")
    if slash and name:
        raise click.UsageError("give the name once: KIND NAME or KIND/NAME")
    resource, wanted = named(word), name or inline
    everywhere = flags["everywhere"]
    if wanted and everywhere:
        raise click.UsageError("a name and --all-namespaces exclude each other")

    async def work() -> None:
        async with target.connect() as api:
            namespace = None if everywhere or not resource.namespaced else api.namespace
            printer = _Printer(api, resource, form, everywhere=everywhere)
            version = await printer.first(namespace, wanted)
            if flags["watch"]:
                await _watch(api, resource, namespace, wanted, (printer, version))

    target.run(work())


class _Printer:
    """Prints objects in one form; remembers the table's columns so that later rows line up."""

    def __init__(self, api: Api, resource: Resource, form: str, *, everywhere: bool) -> None:
        self._api = api
        self._resource = resource
        self._form = form
        self._everywhere = everywhere and resource.namespaced
        self._table: Table | None = None

    async def first(self, namespace: str | None, name: str) -> str:
        """Print what there is and return the resourceVersion from which to watch."""
        if self._form in ("table", "wide"):
            found = await self._api.table(self._resource, namespace, name)
            self._rows(found)
            if not found.get("rows"):
                where = f" in namespace {namespace}" if namespace else ""
                click.echo(f"there are no {self._resource.plural}{where}", err=True)
            return str(found.get("metadata", {}).get("resourceVersion", ""))
        if name:
            item = await self._api.client.get(self._resource, namespace or "", name)
            self._object(item)
            return str(item["metadata"]["resourceVersion"])
        listed = await self._api.client.list(self._resource, namespace=namespace)
        self._list(listed.items)
        return listed.resource_version

    async def change(self, item: Object, kind: str) -> None:
        """Print one change that the watch brought."""
        from groundplane.client.errors import NotFound

        name = str(item["metadata"]["name"])
        if self._form not in ("table", "wide"):
            self._object(item)
        elif kind == "DELETED":
            click.echo(f"{name} deleted")
        else:
            try:
                self._rows(await self._api.table(self._resource, item["metadata"].get("namespace"), name))
            except NotFound:
                # It went after this change was sent; the watch is about to say so.
                return

    def _rows(self, found: Object) -> None:
        from .show import Table

        columns = found.get("columnDefinitions", [])
        chosen = [i for i, column in enumerate(columns) if self._form == "wide" or not column.get("priority")]
        fresh = self._table is None
        if self._table is None:
            headings = [str(columns[i]["name"]) for i in chosen]
            self._table = Table(["Namespace", *headings] if self._everywhere else headings)
        rows = []
        for row in found.get("rows", []):
            cells = [row["cells"][i] for i in chosen]
            rows.append([row["object"]["metadata"].get("namespace", ""), *cells] if self._everywhere else cells)
        for line in self._table.lines(rows, heading=fresh and bool(rows)):
            if rows:
                click.echo(line)
        if not rows:
            self._table = None

    def _object(self, item: Object) -> None:
        from .kinds import display
        from .show import document

        if self._form == "name":
            click.echo(display(self._resource, item["metadata"]["name"]))
        else:
            click.echo(("---\n" if self._form == "yaml" else "") + document(item, self._form), nl=False)

    def _list(self, items: list[Object]) -> None:
        from .show import document

        if self._form == "name":
            for item in items:
                self._object(item)
            return
        listed = {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items}
        click.echo(document(listed, self._form), nl=False)


async def _watch(api: Api, resource: Resource, namespace: str | None, name: str, begun: tuple[_Printer, str]) -> None:
    from .follow import follow

    printer, version = begun
    async with aclosing(follow(api.client, resource, namespace, version=version)) as events:
        async for event in events:
            if event.type != "BOOKMARK" and name in ("", event.object["metadata"]["name"]):
                await printer.change(event.object, event.type)
