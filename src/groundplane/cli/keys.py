"""`groundplane keys rotate|status`: the keys that seal Secrets. Keys are shown by their ids, which are no secret."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from groundplane.base.errors import Refused

if TYPE_CHECKING:
    from groundplane.store.keys import KeyFile

_HOME = click.Path(file_okay=False, path_type=Path)
_HOME_HELP = "Directory of the engine; the default is GROUNDPLANE_HOME."


@click.group()
def keys() -> None:
    """Rotate the keys that seal Secrets, and show where that stands."""


@keys.command()
@click.option("--home", type=_HOME, help=_HOME_HELP)
@click.option("--keep", type=click.Path(dir_okay=False, path_type=Path), help="New file that takes the old key.")
@click.option("--forget", is_flag=True, help="Keep the old key nowhere: backups sealed under it are lost.")
def rotate(*, home: Path | None, keep: Path | None, forget: bool) -> None:
    """Seal under a new key from now on, and all that is there too."""
    from groundplane.store.keys import KeyFile, key_id

    from .backup import read_home, seal_keys
    from .process import running

    settings = read_home(home)
    source = seal_keys(settings)
    if isinstance(source, KeyFile):
        _say_where_the_old_goes(source, keep, forget=forget)
        fresh = source.add_first(keep=keep).hex()
        click.echo(f"key {fresh} was put first into {source.path}")
        if keep is not None:
            click.echo(f"the old key is in {keep} too: restore earlier backups with --seal-key {keep}")
    else:
        fresh = key_id(source.read()[0]).hex()
        source.ask_again()
        click.echo(f"{source.name} gives {fresh} as the first key")
    pid = running(settings.home)
    when = f"process {pid} seals" if pid else "the next start seals"
    click.echo(f"{when} everything under it; see: groundplane keys status --home {settings.home}")


def _say_where_the_old_goes(source: KeyFile, keep: Path | None, *, forget: bool) -> None:
    """Backups made until now open only with the old key, so where it goes is for the operator to say."""
    if (keep is None) != forget:
        raise Refused(
            f"cannot rotate the keys of {source.path}: the old key leaves it, and earlier backups open only with that",
            remedy="give --keep FILE to put it there, or --forget when no backup needs it",
        )


@keys.command()
@click.option("--home", type=_HOME, help=_HOME_HELP)
def status(*, home: Path | None) -> None:
    """Show the keys and what is still sealed under each."""
    from groundplane.store import snapshot
    from groundplane.store.backup import DATABASE
    from groundplane.store.keys import key_id

    from .backup import read_home, seal_keys
    from .show import Table

    settings = read_home(home)
    source = seal_keys(settings)
    with snapshot.reading(settings.home / DATABASE) as db:
        counts = snapshot.keys_in_use(db)
    ids = [key_id(key).hex() for key in source.read()]
    rows = [(one, "unseals" if place else "seals", counts.pop(one, 0)) for place, one in enumerate(ids)]
    rows += [(one, "MISSING", count) for one, count in counts.items()]
    for line in Table(("key", "use", "values")).lines(rows, heading=True):
        click.echo(line)
    click.echo(f"the keys come from {source.name}")
    click.echo(_verdict(rows))


def _verdict(rows: list[tuple[str, str, int]]) -> str:
    left = sum(count for _, use, count in rows if use != "seals")
    if any(use == "MISSING" for _, use, _ in rows):
        return f"{left} values are under keys that are not there: put these keys back before the next start"
    if left:
        return f"a rotation is under way: {left} values are to be sealed anew"
    if len(rows) > 1:
        return "nothing is sealed under the other keys: a running server takes them out of its key file"
    return "everything is sealed under one key"
