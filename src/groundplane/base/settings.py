"""Settings: documented data, read once at start from the environment.

`SETTINGS_HELP` is what the docs are checked against; a setting that is not listed there does not exist.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from . import durations
from .errors import Refused

LEAST_SURVEY_SECONDS = 30
# What set a setting; one that nothing set has its default.
Origin = Literal["Environment", "Flag"]
NOTHING: Mapping[str, str] = MappingProxyType({})

SETTINGS_HELP = {
    "GROUNDPLANE_HOME": "directory of the embedded engine: database, keys, logs, administrator kubeconfig",
    "GROUNDPLANE_CACHE": "directory of artifacts, content-addressed; safe to delete",
    "GROUNDPLANE_KUBECONFIG": "kubeconfig of the Groundplane API that the command line talks to",
    "GROUNDPLANE_LISTEN": "address and port of the API, such as 127.0.0.1:7443",
    "GROUNDPLANE_SEAL_COMMAND": "command that prints the keys which seal Secrets, in place of `seal.key` in the home",
    "GROUNDPLANE_CONFIG": "file with the settings of the built-in API server: OIDC, audit, sessions, limits",
    "GROUNDPLANE_SURVEY_EVERY": "how often machines and clusters are surveyed, such as 10m; at least 30s",
    "GROUNDPLANE_EXEC_PLUGINS": "commands that imported kubeconfigs may log in with, as full paths joined by colons",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are. All paths are absolute. `origins`: what was set, by variable, and by what."""

    home: Path
    cache: Path
    kubeconfig: Path
    host: str
    port: int
    seal_command: tuple[str, ...] = ()
    config: Path | None = None
    survey_every: float = 600.0
    exec_plugins: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)


def read_settings(environment: Mapping[str, str] = os.environ, flags: Mapping[str, str] = NOTHING) -> Settings:
    """Read the settings from environment variables (see SETTINGS_HELP); `flags`, by variable, win over them."""
    origins = _origins(environment, flags)
    environment = {**environment, **{name: value for name, value in flags.items() if value}}
    share = Path("/var/lib") if os.geteuid() == 0 else Path.home() / ".local/share"
    home = Path(environment.get("GROUNDPLANE_HOME") or share / "groundplane").absolute()
    cache = Path(environment.get("GROUNDPLANE_CACHE") or Path.home() / ".cache/groundplane").absolute()
    kubeconfig = Path(environment.get("GROUNDPLANE_KUBECONFIG") or home / "admin.kubeconfig").absolute()
    host, _, port = (environment.get("GROUNDPLANE_LISTEN") or "127.0.0.1:7443").rpartition(":")
    command = tuple(shlex.split(environment.get("GROUNDPLANE_SEAL_COMMAND") or ""))
    config = environment.get("GROUNDPLANE_CONFIG") or (home / "server.yaml" if (home / "server.yaml").exists() else "")
    return Settings(
        home=home,
        cache=cache,
        kubeconfig=kubeconfig,
        host=host.strip("[]"),
        port=int(port),
        seal_command=command,
        config=Path(config).absolute() if config else None,
        survey_every=_survey_every(environment.get("GROUNDPLANE_SURVEY_EVERY") or "10m"),
        exec_plugins=_exec_plugins(environment.get("GROUNDPLANE_EXEC_PLUGINS") or ""),
        origins=origins,
    )


def _origins(environment: Mapping[str, str], flags: Mapping[str, str]) -> dict[str, Origin]:
    found: dict[str, Origin] = {}
    for name in SETTINGS_HELP:
        if flags.get(name):
            found[name] = "Flag"
        elif environment.get(name):
            found[name] = "Environment"
    return found


def _survey_every(text: str) -> float:
    found = durations.seconds(text)
    if found is None or found < LEAST_SURVEY_SECONDS:
        raise Refused(
            f"cannot use GROUNDPLANE_SURVEY_EVERY: {text!r} is no duration of {LEAST_SURVEY_SECONDS} s or more",
            remedy="write it like 90s, 10m or 1h",
        )
    return float(found)


def _exec_plugins(text: str) -> tuple[str, ...]:
    commands = tuple(part for part in text.split(":") if part)
    for command in commands:
        if not Path(command).is_absolute():
            raise Refused(
                f"cannot use GROUNDPLANE_EXEC_PLUGINS: {command!r} is no absolute path",
                remedy="name each command in full, such as /usr/local/bin/aws",
            )
    return commands
