"""The settings that hold, each with its default and what set it. No secret is among them, whatever was written where.

A command may carry a token among its arguments and an address a password before its host: of these it is told only that
there is one. Files with secrets are told by path.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from groundplane.base import durations
from groundplane.base.settings import Settings, read_settings

from ..config import AuditConfig, ConfigFile, OidcConfig, ServerConfig

Origin = Literal["Default", "Environment", "Flag", "File"]

# In place of a value that may be a secret.
SET = "set"
_SECRETS = frozenset({"GROUNDPLANE_SEAL_COMMAND"})
_FLAGS = {"GROUNDPLANE_HOME": "--home", "GROUNDPLANE_LISTEN": "--listen", "GROUNDPLANE_CONFIG": "--config"}
_ADDRESSES = frozenset({"oidc.issuerUrl", "oidc.redirectUrl"})
_LOGIN = "@"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `name` is a variable of the environment, or a field of the settings file such as audit.maxSize."""

    name: str
    value: str
    default: str
    origin: Origin
    variable: str = ""
    flag: str = ""
    file: str = ""
    secret: bool = False

    @property
    def differs(self) -> bool:
        return self.origin != "Default" and self.value != self.default


def settings_in_force(settings: Settings, file: ConfigFile) -> tuple[Setting, ...]:
    """Return every setting of the server; what the command line alone uses is not among them."""
    return (*_of_process(settings), *_of_file(settings, file))


def _of_process(settings: Settings) -> Iterator[Setting]:
    usual = read_settings({"GROUNDPLANE_HOME": str(settings.home)})
    defaults = {**_values(usual), "GROUNDPLANE_HOME": str(read_settings({}).home)}
    for name, value in _values(settings).items():
        yield Setting(
            name,
            value,
            defaults[name],
            settings.origins.get(name, "Default"),
            variable=name,
            flag=_FLAGS.get(name, ""),
            secret=name in _SECRETS,
        )


def _values(settings: Settings) -> dict[str, str]:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "GROUNDPLANE_HOME": str(settings.home),
        "GROUNDPLANE_CACHE": str(settings.cache),
        "GROUNDPLANE_LISTEN": f"{host}:{settings.port}",
        "GROUNDPLANE_CONFIG": str(settings.config or ""),
        "GROUNDPLANE_SEAL_COMMAND": SET if settings.seal_command else "",
        "GROUNDPLANE_SURVEY_EVERY": durations.written(int(settings.survey_every)),
        "GROUNDPLANE_EXEC_PLUGINS": ":".join(settings.exec_plugins),
    }


def _of_file(settings: Settings, file: ConfigFile) -> Iterator[Setting]:
    path = str(settings.config or settings.home / "server.yaml")
    for section in msgspec.structs.fields(ServerConfig):
        given = getattr(file.config, section.name)
        for one in msgspec.structs.fields(OidcConfig if given is None else type(given)):
            name = f"{section.encode_name}.{one.encode_name}"
            # Without an issuer nothing of it holds.
            value = "" if given is None else _written(getattr(given, one.name))
            default = _written(_left_out(one))
            if name == "audit.logFile":
                value, default = (str(audit.path(settings.home)) for audit in (file.config.audit, AuditConfig()))
            secret = name in _ADDRESSES and _LOGIN in value
            origin: Origin = "File" if name in file.given else "Default"
            yield Setting(name, SET if secret else value, default, origin, file=path, secret=secret)


def _left_out(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return "" if field.required else field.default


def _written(value: Any) -> str:
    """Return a value as it would be written in the settings file."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return msgspec.json.encode(value).decode() if value or isinstance(value, bool | int) else ""
