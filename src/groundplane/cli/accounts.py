"""`groundplane token|certificate|user`: who may log in, in the files of a home.

They work on the files, not over the API: whoever may read the home may log in as anybody anyway, and the way back in
must not need a way in. A running server sees a change with the next request.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from groundplane.base.settings import Settings
    from groundplane.server.authn.passwords import Users
    from groundplane.server.authn.tokens import Tokens

_HOME = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the engine; the default is GROUNDPLANE_HOME.",
)
_GROUPS = click.option("--group", "groups", multiple=True, metavar="NAME", help="A group of the user; repeatable.")


def _settings(home: Path | None) -> Settings:
    """Return the settings of a home that exists."""
    import os

    from groundplane.base.errors import Refused
    from groundplane.base.settings import read_settings

    settings = read_settings(os.environ | ({"GROUNDPLANE_HOME": str(home)} if home else {}))
    if not settings.home.is_dir():
        raise Refused(
            f"cannot find the home {settings.home}: there is no such directory",
            remedy="start Groundplane there once with `groundplane up`, or name another --home",
        )
    return settings


def _tokens(home: Path | None) -> Tokens:
    from groundplane.server.authn.tokens import Tokens

    return Tokens(_settings(home).home / "tokens.json")


def _users(home: Path | None) -> Users:
    from groundplane.server.authn.passwords import Users

    return Users(_settings(home).home / "users.json")


@click.group()
def token() -> None:
    """Issue, show and revoke bearer tokens."""


@token.command("create")
@click.argument("name", metavar="USER")
@_GROUPS
@click.option("--ttl", default="720h", help="How long it is good, such as 24h; the default is 720h.")
@_HOME
def create_token(*, name: str, groups: tuple[str, ...], ttl: str, home: Path | None) -> None:
    """Issue a token and print it, this once."""
    from datetime import timedelta

    from .values import seconds

    click.echo(_tokens(home).issue_token(name, groups, timedelta(seconds=seconds(ttl))))


@token.command("list")
@_HOME
def list_tokens(*, home: Path | None) -> None:
    """Show the tokens, without the tokens themselves."""
    for record in _tokens(home).records():
        click.echo(f"{record.id}  {record.expires}  {record.user}  {','.join(record.groups)}".rstrip())


@token.command()
@click.argument("token_id", metavar="ID")
@_HOME
def revoke(*, token_id: str, home: Path | None) -> None:
    """Take a token away, from the next request on."""
    record = _tokens(home).revoke(token_id)
    click.echo(f"revoked token {record.id} of {record.user}")


@click.group()
def certificate() -> None:
    """Issue client certificates."""


@certificate.command("create")
@click.argument("name", metavar="USER")
@_GROUPS
@click.option("--ttl", default="24h", help="How long it is good, such as 1h; the default is 24h.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file (mode 0600).")
@_HOME
def create_certificate(*, name: str, groups: tuple[str, ...], ttl: str, output: Path | None, home: Path | None) -> None:
    """Issue a client certificate and print a kubeconfig with it."""
    from datetime import timedelta

    from groundplane.kube.kubeconfig import Access, Kubeconfig, render_kubeconfig, write_kubeconfig
    from groundplane.server import certificates

    from .values import seconds

    settings = _settings(home)
    files = certificates.ensure(settings.home)
    made, key = certificates.issue_client(files, name, groups, timedelta(seconds=seconds(ttl)))
    known = Kubeconfig.load([settings.home / "admin.kubeconfig"]).access()
    access = Access(server=known.server, ca=files.ca.read_bytes(), certificate=made, key=key)
    document = render_kubeconfig(access, name="groundplane", user=name)
    if output is None:
        click.echo(document.decode(), nl=False)
    else:
        write_kubeconfig(output, document)


@click.group()
def user() -> None:
    """Password users of the console."""


@user.command()
@click.argument("name", metavar="NAME")
@_GROUPS
@_HOME
def add(*, name: str, groups: tuple[str, ...], home: Path | None) -> None:
    """Add a user; the password is asked for, or read from standard input."""
    users = _users(home)
    users.add(name, groups, _password())
    click.echo(f"added user {name}")


@user.command()
@click.argument("name", metavar="NAME")
@_HOME
def passwd(*, name: str, home: Path | None) -> None:
    """Set another password; sessions under the old one end."""
    users = _users(home)
    users.change_password(name, _password())
    click.echo(f"changed the password of {name}")


@user.command()
@click.argument("name", metavar="NAME")
@_HOME
def remove(*, name: str, home: Path | None) -> None:
    """Remove a user; the user's sessions end."""
    _users(home).remove(name)
    click.echo(f"removed user {name}")


@user.command("list")
@_HOME
def list_users(*, home: Path | None) -> None:
    """Show the users and their groups."""
    for account in _users(home).list():
        click.echo(f"{account.name}  {','.join(account.groups)}".rstrip())


def _password() -> str:
    """Ask at a terminal, twice; else read one line. Never from the command line: process lists show that."""
    if sys.stdin.isatty():
        asked: str = click.prompt("password", hide_input=True, confirmation_prompt=True)
        return asked
    return sys.stdin.readline().rstrip("\r\n")
