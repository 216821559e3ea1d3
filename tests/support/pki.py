"""A CA of a test, its certificates, and a server's TLS that demands them of its clients."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Pki:
    """A CA, and certificates of it."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])
        self.ca = self._sign("test CA", self._key.public_key(), ca=True)

    def issue(self, name: str, *, until: timedelta = timedelta(hours=1), address: str = "") -> tuple[bytes, bytes]:
        """Return a certificate and its key; `until` is how far from now it ends, before now too.

        It is for the name, and for the IP address if one is given.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self._sign(name, key.public_key(), ca=False, until=until, address=address), pem

    def _sign(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        *,
        ca: bool,
        until: timedelta = timedelta(hours=1),
        address: str = "",
    ) -> bytes:
        names: list[x509.GeneralName] = [x509.DNSName(name.replace(" ", "-"))]
        names += [x509.IPAddress(ipaddress.ip_address(address))] if address else []
        now = datetime.now(UTC)
        authority = self._key.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=2))
            .not_valid_after(now + until)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def server_tls(pki: Pki, folder: Path, *, address: str = "") -> ssl.SSLContext:
    certificate, key = pki.issue("kube.example.dev", address=address)
    (folder / "server.pem").write_bytes(certificate + key)
    (folder / "ca.pem").write_bytes(pki.ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context
