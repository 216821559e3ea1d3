"""`groundplane backup` and `restore`: all data in one file, and back. Both work on the home, not through the API."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from groundplane.base.settings import Settings
    from groundplane.store.archive import Manifest
    from groundplane.store.keys import KeyCommand, KeyFile, Keys

_FILE = click.Path(dir_okay=False, path_type=Path)
_HOME = click.Path(file_okay=False, path_type=Path)
_PASSPHRASE_HELP = "File with the passphrase of the keys in the backup, - for standard input."  # noqa: S105 - a help text


@click.command()
@click.option("--output", type=_FILE, help="The backup to write.")
@click.option("--verify", "checked", type=_FILE, help="Check this backup as a restore does, and change nothing.")
@click.option("--home", type=_HOME, help="Directory of the engine; the default is GROUNDPLANE_HOME.")
@click.option("--seal-key", type=_FILE, help="With --verify: the key file that opens the Secrets in it.")
@click.option("--passphrase-file", type=click.File("rb"), help=f"{_PASSPHRASE_HELP} Without it no key goes in.")
def backup(
    *,
    output: Path | None,
    checked: Path | None,
    home: Path | None,
    seal_key: Path | None,
    passphrase_file: IO[bytes] | None,
) -> None:
    """Write all data into one file, or check such a file."""
    from groundplane.store import backup as backups

    if (output is None) == (checked is None) or (seal_key and not checked):
        raise click.UsageError("give --output FILE to write a backup, or --verify FILE to check one")
    settings, passphrase = read_home(home), _passphrase(passphrase_file)
    if output is not None:
        click.echo(f"wrote {output}: {_described(backups.create(settings.home, output, passphrase=passphrase))}")
        if not passphrase:
            click.echo(f"the keys are not in it: keep {settings.home}/seal.key and ca.key apart from it", err=True)
    if checked is not None:
        found = backups.verify(checked, keys=_keys(settings, seal_key), passphrase=passphrase)
        click.echo(f"{checked} is whole: {_described(found.manifest)}")
        if not found.unsealed and found.manifest.keys:
            click.echo("its Secrets were not opened: there is no key here (give --seal-key FILE)", err=True)


@click.command()
@click.option("--from", "path", type=_FILE, required=True, help="The backup.")
@click.option("--home", type=_HOME, help="Directory of the engine; the default is GROUNDPLANE_HOME.")
@click.option("--replace", is_flag=True, help="Put the data that is there aside.")
@click.option("--seal-key", type=_FILE, help="The key file that opens the Secrets; it becomes that of the home.")
@click.option("--passphrase-file", type=click.File("rb"), help=_PASSPHRASE_HELP)
def restore(
    *,
    path: Path,
    home: Path | None,
    replace: bool,
    seal_key: Path | None,
    passphrase_file: IO[bytes] | None,
) -> None:
    """Put a backup in place of the data of a stopped Groundplane."""
    from groundplane.store import restore as restoring

    settings = read_home(home)
    keys = _keys(settings, seal_key)
    source = restoring.Source(path, keys, _passphrase(passphrase_file))
    done = restoring.restore(source, settings.home, replace=replace)
    click.echo(f"restored {settings.home}: {_described(done.manifest)}; it goes on at revision {done.revision}")
    if done.aside is not None:
        click.echo(f"what was there before is in {done.aside}")
    click.echo(f"next: groundplane up --home {settings.home}")


def read_home(home: Path | None) -> Settings:
    """Return the settings with the home of the flag, if there is one."""
    import os

    from groundplane.base.settings import read_settings

    return read_settings(os.environ | ({"GROUNDPLANE_HOME": str(home)} if home else {}))


def seal_keys(settings: Settings) -> KeyFile | KeyCommand:
    """Return where the home's keys come from."""
    from groundplane.store.keys import source_of

    return source_of(settings.home, settings.seal_command)


def _keys(settings: Settings, seal_key: Path | None) -> Keys | None:
    """Return what opens Secrets: the file that was named, else what the home has."""
    from groundplane.store.keys import KeyFile

    if seal_key is not None:
        return KeyFile(seal_key)
    keys = seal_keys(settings)
    return None if isinstance(keys, KeyFile) and not keys.path.exists() else keys


def _passphrase(file: IO[bytes] | None) -> bytes:
    if file is None:
        return b""
    content: bytes = file.read()
    first = content.split(b"\n", 1)[0].rstrip(b"\r")
    if len(first) < 8:
        raise click.UsageError("the passphrase is the first line of its file, and has 8 characters at least")
    return first


def _described(manifest: Manifest) -> str:
    secrets = sum(manifest.keys.values())
    held = f"keys under a passphrase ({', '.join(manifest.private)})" if manifest.private else "no keys"
    return (
        f"{manifest.objects} objects at revision {manifest.revision}, schema {manifest.schema}, "
        f"{secrets} sealed values, {held}, written {manifest.created} by {manifest.groundplane}"
    )
