"""The server's certificate authorities and its certificate: made once, kept in the home, renewed before they expire.

Keys have mode 0600 from their first byte. A new CA makes every kubeconfig stale, so it lives long; the server's
certificate is short-lived and made anew when it nears its end or lacks a name. Clients have a CA of their own: what
vouches for users can then never pass for the server, nor the server's certificate for a user.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from groundplane.base.clock import Now, utc_now
from groundplane.base.errors import Denied
from groundplane.base.files import write_private

CA_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=60)
_BACKDATE = timedelta(minutes=5)
ALWAYS_NAMED = ("localhost", "127.0.0.1", "::1")


class KeyRefused(Denied):
    """A key or certificate in the home cannot be used as it is."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the files are."""

    ca: Path
    ca_key: Path
    server: Path
    server_key: Path
    client_ca: Path
    client_ca_key: Path


def ensure(home: Path, *, names: tuple[str, ...] = (), now: Now = utc_now) -> Certificates:
    """Return the certificates of `home`, made or renewed as needed. `names`: further DNS names and addresses."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = Certificates(home / "ca.crt", home / "ca.key", home / "server.crt", home / "server.key",
                         home / "client-ca.crt", home / "client-ca.key")  # fmt: skip
    wanted = tuple(dict.fromkeys((*ALWAYS_NAMED, *names)))
    moment = now()
    renewed = not _good(files.ca, files.ca_key, moment)
    if renewed:
        _make_authority(files.ca, files.ca_key, "groundplane", moment)
    if not _good(files.client_ca, files.client_ca_key, moment):
        _make_authority(files.client_ca, files.client_ca_key, "groundplane-clients", moment)
    if renewed or not _good(files.server, files.server_key, moment) or not _covers(files, wanted):
        _make_server(files, wanted, moment)
    return files


def until(path: Path) -> datetime:
    """Return when the certificate of this file ends."""
    return _load(path).not_valid_after_utc


def issue_client(
    files: Certificates, user: str, groups: tuple[str, ...], ttl: timedelta, *, now: Now = utc_now
) -> tuple[bytes, bytes]:
    """Return a client certificate and its key as PEM; neither is kept. It ends no later than the client CA."""
    authority, authority_key = _load(files.client_ca), _load_key(files.client_ca_key)
    key = ec.generate_private_key(ec.SECP256R1())
    moment = now()
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, user)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(moment, moment + ttl) - _BACKDATE)
        .not_valid_after(min(moment + ttl, authority.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), _private(key)


def _good(certificate: Path, key: Path, now: datetime) -> bool:
    if not certificate.exists() or not key.exists():
        return False
    if key.stat().st_mode & 0o077:
        raise KeyRefused(
            f"cannot use {key}: others may read it", remedy=f"chmod 600 {key}, or remove it to have a new one made"
        )
    return _load(certificate).not_valid_after_utc - now > RENEW_BEFORE


def _load(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        message = f"cannot read {path}: it is no certificate"
        raise KeyRefused(message, remedy=f"remove {path} and start again") from error


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyRefused(f"cannot use {path}: it is no EC key", remedy=f"remove {path} and start again")
    return key


def _covers(files: Certificates, wanted: tuple[str, ...]) -> bool:
    certificate = _load(files.server)
    if certificate.issuer != _load(files.ca).subject:
        return False
    named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    have = {str(name.value) for name in named}
    return have >= set(wanted)


def _make_authority(path: Path, key_path: Path, title: str, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    # A number in the name keeps an old and a new CA of the same home apart.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{title}-ca-{int(now.timestamp())}")])
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(key_path, _private(key))
    write_private(path, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)


def _make_server(files: Certificates, names: tuple[str, ...], now: datetime) -> None:
    authority, authority_key = _load(files.ca), _load_key(files.ca_key)
    key = ec.generate_private_key(ec.SECP256R1())
    end = min(now + SERVER_LIFE, authority.not_valid_after_utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "groundplane")]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    write_private(files.server_key, _private(key))
    write_private(files.server, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
