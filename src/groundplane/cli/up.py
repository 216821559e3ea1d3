"""`groundplane up` and `down`: the embedded engine, in the foreground or in the background."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .session import Target

if TYPE_CHECKING:
    from groundplane.base.settings import Settings

    from . import embedded
    from .ready import Ready

_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_HOME = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--listen", help="Address and port of the API; the default is GROUNDPLANE_LISTEN, else 127.0.0.1:7443.")
@click.option("--home", type=_HOME, help="Directory of the engine; the default is GROUNDPLANE_HOME.")
@click.option("--config", type=_FILE, help="Settings file of the API server; the default is GROUNDPLANE_CONFIG.")
@click.option("--detach", is_flag=True, help="Run in the background and return when it is ready.")
@click.option("--ready-fd", type=int, hidden=True, help="Descriptor to which the background engine reports.")
def up(*, listen: str | None, home: Path | None, config: Path | None, detach: bool, ready_fd: int | None) -> None:
    """Start Groundplane with the embedded engine."""
    settings = _settings(listen, home, config)
    if detach:
        _detached(settings, _given(settings, listen=listen, home=home, config=config))
        return
    import uvloop

    from groundplane.base.collecting import keep_what_is_there
    from groundplane.base.logs import configure_logging

    from . import process
    from .embedded import run_embedded
    from .ready import Ready

    configure_logging()

    def ready(engine: embedded.Ready) -> None:
        keep_what_is_there()
        told = Ready(url=engine.url, kubeconfig=engine.kubeconfig, token=engine.token)
        if ready_fd is None:
            _tell(told)
        else:
            process.announce(ready_fd, told)

    with process.only_engine(settings.home):
        uvloop.run(run_embedded(settings, ready=ready))


@click.command()
@click.option("--home", type=_HOME, help="Directory of the engine; the default is GROUNDPLANE_HOME.")
def down(*, home: Path | None) -> None:
    """Stop the Groundplane that `up --detach` started."""
    from .process import stop

    settings = _settings(None, home)
    pid = stop(settings.home, patience=_STOP_SECONDS)
    click.echo(f"stopped process {pid}" if pid else f"no Groundplane runs in {settings.home}")


def _settings(listen: str | None, home: Path | None, config: Path | None = None) -> Settings:
    """Flags win over the environment."""
    import os

    from groundplane.base.settings import read_settings

    flags = {"GROUNDPLANE_LISTEN": listen or "", "GROUNDPLANE_HOME": str(home or ""),
             "GROUNDPLANE_CONFIG": str(config or "")}  # fmt: skip
    try:
        return read_settings(os.environ, flags)
    except ValueError as exc:
        raise click.BadParameter(f"{listen or os.environ.get('GROUNDPLANE_LISTEN')!r} is not ADDRESS:PORT") from exc


def _given(settings: Settings, *, listen: str | None, home: Path | None, config: Path | None) -> list[str]:
    """Return the flags once more, with whole paths: what was not given, the background engine finds as we did."""
    flags = {"--listen": listen, "--home": home and settings.home, "--config": config and settings.config}
    return [part for flag, value in flags.items() if value for part in (flag, str(value))]


def _detached(settings: Settings, flags: list[str]) -> None:
    from . import process
    from .ready import Ready

    pid = process.running(settings.home)
    if pid:
        click.echo(f"Groundplane already runs in {settings.home} as process {pid}")
        ready = Ready(url="", kubeconfig=settings.home / "admin.kubeconfig")
    else:
        ready = process.start(settings.home, flags, patience=_START_SECONDS)
    target = Target(kubeconfig=str(ready.kubeconfig))
    target.run(_answers(target))
    _tell(ready)


async def _answers(target: Target) -> None:
    """Raise unless the API answers to the administrator's kubeconfig, as the user's next command will."""
    from groundplane.kube.transport import Call

    # With "verbose" the answer is whole lines.
    call = Call("GET", "/readyz", "ask /readyz", params={"verbose": "1"})
    async with target.connect() as api, api.transport.lines(call) as lines:
        async for _ in lines:
            return


def _tell(ready: Ready) -> None:
    if ready.url:
        click.echo(f"Groundplane answers at {ready.url}")
    if ready.token:
        click.echo(f"the first administrator token, shown this once: {ready.token}")
    click.echo(f"kubeconfig: {ready.kubeconfig}")
    click.echo("next: groundplane apply -f examples/demo, groundplane get clusters, groundplane --help")
