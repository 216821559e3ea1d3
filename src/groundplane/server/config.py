"""The settings file of the API server: YAML, every field optional, an unknown one refused by name.

Read once at start. What is here has no environment variable; docs/settings.md lists every field, held by a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from groundplane.base.documents import document as read_document
from groundplane.base.errors import Refused, one_line


class ConfigRefused(Refused):
    """The settings file cannot be used."""


class AuditConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Where the audit log is and what is done when it cannot be written; sizes in MiB."""

    enabled: bool = True
    policy_file: str = ""
    log_file: str = ""
    max_size: int = 100
    max_age_days: int = 30
    max_backups: int = 10
    on_failure: Literal["continue", "refuse"] = "continue"

    def path(self, home: Path) -> Path:
        """Return where the audit log is written."""
        return Path(self.log_file) if self.log_file else home / "logs" / "audit" / "audit.log"


class LimitsConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Sizes in bytes, times in seconds."""

    max_connections: int = 10_000
    max_requests_in_flight: int = 400
    max_mutating_requests_in_flight: int = 200
    request_timeout: float = 60.0
    body_timeout: float = 30.0
    header_timeout: float = 10.0
    handshake_timeout: float = 10.0
    slow_reader_timeout: float = 30.0
    max_url_bytes: int = 32 * 1024
    max_header_bytes: int = 128 * 1024
    max_headers: int = 128


class SessionsConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Sessions of browsers, in seconds."""

    idle_timeout: float = 1800.0
    lifetime: float = 12 * 3600.0


class OidcConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One issuer, with the meaning of kube-apiserver's --oidc-* flags; with `redirect_url` browsers sign in there."""

    issuer_url: str
    client_id: str
    ca_file: str = ""
    username_claim: str = "sub"
    username_prefix: str = ""
    groups_claim: str = ""
    groups_prefix: str = ""
    required_claims: dict[str, str] = {}
    signing_algs: tuple[str, ...] = ("RS256",)
    redirect_url: str = ""
    client_secret_file: str = ""
    scopes: tuple[str, ...] = ()
    display_name: str = ""


class ServerConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The whole file."""

    audit: AuditConfig = AuditConfig()
    limits: LimitsConfig = LimitsConfig()
    sessions: SessionsConfig = SessionsConfig()
    oidc: OidcConfig | None = None


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A settings file as it was read. `given`: the fields that it says something of, such as audit.maxSize."""

    config: ServerConfig
    given: frozenset[str] = frozenset()


def read_config(path: Path | None) -> ServerConfig:
    """Return the settings of a file, the defaults without one. Raises ConfigRefused."""
    return read_config_file(path).config


def read_config_file(path: Path | None) -> ConfigFile:
    """Return the settings of a file and what it gives of them, the defaults without one. Raises ConfigRefused."""
    if path is None:
        return ConfigFile(ServerConfig())
    try:
        document = read_document(path.read_bytes()) or {}
        return ConfigFile(msgspec.convert(document, ServerConfig), frozenset(_given(document)))
    except OSError as error:
        raise ConfigRefused(f"cannot read settings file {path}: {error.strerror}") from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigRefused(f"cannot use settings file {path}: {one_line(error)}") from error


def _given(document: dict[str, Any]) -> Iterator[str]:
    for section, fields in document.items():
        yield from (f"{section}.{name}" for name in fields or ())
