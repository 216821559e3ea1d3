"""The front of the server, put together from its settings: who is let in, what is recorded, which limits hold.

It lives as long as the server: the audit log is written in the background until the last request is over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from groundplane.base.sizes import MIB

from .audit.log import AuditLog, RotatingFile, Rotation
from .audit.middleware import Audit
from .audit.policy import load_policy
from .authn.bearer import Bearer
from .authn.chain import Chain
from .authn.client_certificate import ClientCertificates
from .authn.contract import TokenAuthenticator
from .authn.passwords import PasswordCheck, Users
from .authn.sessions import Holders, Lifetimes, Sessions
from .authn.tokens import Tokens
from .config import AuditConfig, LimitsConfig, ServerConfig
from .connection import ConnectionLimits
from .http import Limits, Part
from .inflight import InFlightLimits
from .login import Logins

if TYPE_CHECKING:
    from .authn.code_flow import CodeFlow
    from .authn.oidc import Oidc


@dataclass(frozen=True, slots=True)
class Front:
    """What the server and its connections are built with."""

    authn: Chain
    bearer: Bearer
    logins: Logins
    audit: Audit | None
    limits: Limits
    connections: ConnectionLimits
    parts: tuple[Part, ...]


@asynccontextmanager
async def front(home: Path, config: ServerConfig, tokens: Tokens, *others: TokenAuthenticator) -> AsyncIterator[Front]:
    """Give the front for the length of the block. `others`: more kinds of bearer tokens, in order."""
    async with AsyncExitStack() as stack:
        issuer = _issuer(config)
        bearer = Bearer(tokens, *others, *([issuer] if issuer else []))
        users = Users(home / "users.json")
        lifetimes = Lifetimes(config.sessions.idle_timeout, config.sessions.lifetime)
        flow = _code_flow(config, issuer)
        holders = Holders(users, tokens, flow.fingerprint if flow else "")
        sessions = Sessions(home / "sessions.json", holders, lifetimes)
        stack.push_async_callback(sessions.save)
        passwords = PasswordCheck(users)
        stack.callback(passwords.close)
        chain = Chain(ClientCertificates(), bearer, sessions)
        audit = _audit(home, config.audit)
        if audit is not None:
            await stack.enter_async_context(audit.log.writing())
        limits = _limits(config.limits)
        parts = (issuer,) if issuer else ()
        logins = Logins(passwords, sessions, oidc=flow)
        yield Front(chain, bearer, logins, audit, limits, _connections(config.limits), parts)


def _issuer(config: ServerConfig) -> Oidc | None:
    if config.oidc is None:
        return None
    # The HTTP client and JOSE are an eighth of what the server would have to import before it is ready.
    from .authn.oidc import oidc

    return oidc(config.oidc)


def _code_flow(config: ServerConfig, issuer: Oidc | None) -> CodeFlow | None:
    if config.oidc is None or issuer is None:
        return None
    from .authn.code_flow import code_flow

    return code_flow(config.oidc, issuer)


def _audit(home: Path, config: AuditConfig) -> Audit | None:
    if not config.enabled:
        return None
    rotation = Rotation(config.max_size * MIB, config.max_age_days, config.max_backups)
    policy = load_policy(Path(config.policy_file) if config.policy_file else None)
    return Audit(policy, AuditLog(RotatingFile(config.path(home), rotation), on_failure=config.on_failure))


def _limits(config: LimitsConfig) -> Limits:
    in_flight = InFlightLimits(config.max_requests_in_flight, config.max_mutating_requests_in_flight)
    return Limits(config.request_timeout, config.body_timeout, config.slow_reader_timeout, in_flight)


def _connections(config: LimitsConfig) -> ConnectionLimits:
    return ConnectionLimits(
        connections=config.max_connections,
        handshake=config.handshake_timeout,
        head=config.header_timeout,
        slow_reader=config.slow_reader_timeout,
        url_bytes=config.max_url_bytes,
        head_bytes=config.max_header_bytes,
        headers=config.max_headers,
    )
