"""Why an imported cluster could not be surveyed, in the words of its conditions: reason, sentence, remedy."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from cryptography import x509

from groundplane.base.clock import rfc3339
from groundplane.base.documents import printable
from groundplane.base.errors import GroundplaneError, Refused
from groundplane.clusters.errors import (
    AccessForbidden,
    CertificateUntrusted,
    ClusterHungUp,
    ClusterRefused,
    ClusterUnavailable,
    CredentialsRefused,
    PluginRefused,
)
from groundplane.kube.kubeconfig import Access, CommandNotAllowed, KubeconfigInvalid

_RENEW = "import it again with --renew and a kubeconfig that is valid, or replace the content of its Secret"


class KubeconfigMissing(Refused):
    """The Secret that an imported Cluster points to is not there, or has no kubeconfig."""


class AlreadyImported(Refused):
    """Another Cluster is this cluster."""


class ClusterReplaced(Refused):
    """Behind the kubeconfig there is another cluster than the one that was imported."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """`reason` for machines, `message` for people, remedy included."""

    reason: str
    message: str


# In this order: what is more special comes first.
_REASONS: tuple[tuple[type[GroundplaneError], str], ...] = (
    (KubeconfigMissing, "KubeconfigMissing"),
    (AlreadyImported, "AlreadyImported"),
    (ClusterReplaced, "ClusterReplaced"),
    (CommandNotAllowed, "ExecPluginNotAllowed"),
    (KubeconfigInvalid, "KubeconfigInvalid"),
    (PluginRefused, "ExecPluginFailed"),
    (CredentialsRefused, "CredentialsRefused"),
    (AccessForbidden, "AccessForbidden"),
    (CertificateUntrusted, "CertificateUntrusted"),
    (ClusterRefused, "NotKubernetes"),
    (ClusterUnavailable, "Unreachable"),
)
REASONS = ("CredentialsExpired", *(reason for _, reason in _REASONS))


def trouble_of(error: GroundplaneError, access: Access | None, *, now: datetime) -> Trouble:
    """Put an error into the words of a condition. `access` is what was tried, if it came to that."""
    found = _trouble_of(error, access, now=now)
    # Names and hints of a kubeconfig are in it as they came.
    return Trouble(found.reason, printable(found.message))


def _trouble_of(error: GroundplaneError, access: Access | None, *, now: datetime) -> Trouble:
    expired = expired_at(access, now=now) if access is not None else ""
    # Many a server hangs up at the sight of an expired certificate, and says nothing.
    if expired and isinstance(error, CredentialsRefused | ClusterHungUp):
        return Trouble("CredentialsExpired", f"the credentials expired at {expired}: {error.message} ({_RENEW})")
    if isinstance(error, CredentialsRefused):
        return Trouble("CredentialsRefused", f"{error.message} ({_RENEW})")
    if isinstance(error, AccessForbidden):
        remedy = "give its user the ClusterRole of docs/import.md"
        return Trouble("AccessForbidden", f"{error.message} ({remedy})")
    reason = next((reason for kind, reason in _REASONS if isinstance(error, kind)), "Unreachable")
    return Trouble(reason, str(error))


def expired_at(access: Access, *, now: datetime) -> str:
    """Return when the client certificate or the token expired, as far as they say; "" when they have not."""
    ends = [end for end in (_certificate_end(access.certificate), _token_end(access.token)) if end is not None]
    past = [end for end in ends if end <= now]
    return rfc3339(min(past)) if past else ""


def _certificate_end(pem: bytes) -> datetime | None:
    try:
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc if pem else None
    except (ValueError, x509.InvalidVersion):
        return None


def _token_end(token: str) -> datetime | None:
    """Return the end that a JSON web token states; not verified, for it decides nothing but the words of a message."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = msgspec.json.decode(payload)
        end = claims.get("exp") if isinstance(claims, dict) else None
        return datetime.fromtimestamp(float(end), UTC) if isinstance(end, int | float) else None
    except (binascii.Error, msgspec.MsgspecError, ValueError, OverflowError, OSError, RecursionError):
        return None
