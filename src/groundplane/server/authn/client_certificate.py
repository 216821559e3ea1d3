"""Client certificates: the subject's common name is the user, its organizations are the groups, as in Kubernetes.

TLS asks for a certificate and does not demand one; OpenSSL verifies what comes against the client CA, its dates and
that it is meant for clients, so what reaches us here is good at the time of the handshake. A connection may outlive
its certificate: the end is looked at again with every request.

A browser shows a certificate as it sends a cookie: unasked. So what another site's page makes it do is refused.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID

from groundplane.base.clock import Now, rfc3339, utc_now

from ..users import User
from .contract import Asking, CredentialsRefused, Peer
from .origin import check_origin, does_something


def read_peer(der: bytes) -> Peer:
    """Return whom a verified certificate names."""
    certificate = x509.load_der_x509_certificate(der)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    groups = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    user = str(names[0].value) if names else ""
    return Peer(user, tuple(str(group.value) for group in groups), certificate.not_valid_after_utc)


class ClientCertificates:
    """The authenticator."""

    def __init__(self, *, now: Now = utc_now) -> None:
        self._now = now

    async def authenticate(self, asking: Asking) -> User | None:
        peer = asking.peer
        if peer is None or not peer.user:
            return None
        if peer.until <= self._now():
            raise CredentialsRefused(
                f"cannot authenticate by certificate of {peer.user}: it ended at {rfc3339(peer.until)}"
            )
        if does_something(asking):
            check_origin(asking)
        return User(peer.user, peer.groups)
