"""The front of the server, put together from its settings: who is let in, what is recorded, which limits hold.

It lives as long as the server: the audit log is written in the background until the last request is over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from .audit.log import AuditLog, RotatingFile, Rotation
from .audit.middleware import Audit
from .audit.policy import load_policy
from .authn.bearer import Bearer
from .authn.chain import Chain
from .authn.client_certificate import ClientCertificates
from .authn.contract import TokenAuthenticator
from .config import AuditConfig, LimitsConfig, ServerConfig
from .connection import ConnectionLimits
from .http import Limits
from .inflight import InFlightLimits

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Front:
    """What the server and its connections are built with."""

    authn: Chain
    bearer: Bearer
    audit: Audit | None
    limits: Limits
    connections: ConnectionLimits


@asynccontextmanager
async def front(home: Path, config: ServerConfig, *tokens: TokenAuthenticator) -> AsyncIterator[Front]:
    """Give the front for the length of the block. `tokens`: the kinds of bearer tokens, in order."""
    async with AsyncExitStack() as stack:
        bearer = Bearer(*tokens)
        chain = Chain(ClientCertificates(), bearer)
        audit = _audit(home, config.audit)
        if audit is not None:
            await stack.enter_async_context(audit.log.writing())
        yield Front(chain, bearer, audit, _limits(config.limits), _connections(config.limits))


def _audit(home: Path, config: AuditConfig) -> Audit | None:
    if not config.enabled:
        return None
    path = Path(config.log_file) if config.log_file else home / "logs" / "audit" / "audit.log"
    rotation = Rotation(config.max_size * _MIB, config.max_age_days, config.max_backups)
    policy = load_policy(Path(config.policy_file) if config.policy_file else None)
    return Audit(policy, AuditLog(RotatingFile(path, rotation), on_failure=config.on_failure))


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
