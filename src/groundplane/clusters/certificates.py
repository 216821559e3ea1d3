"""Certificates as facts: what a server showed and what a kubeconfig holds. Nothing of a key is looked at."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from cryptography.x509.oid import NameOID

from groundplane.api.facts import CertificateFacts
from groundplane.base.certificates import as_found
from groundplane.base.clock import rfc3339
from groundplane.base.documents import printable
from groundplane.kube.kubeconfig import Access

_BUNDLE_KEPT = 8


def certificates_of(access: Access, shown: bytes) -> list[CertificateFacts]:
    """Return that of the connection (`shown`, DER, empty for none) and those of the kubeconfig, as far as readable."""
    found = _read(shown, lambda data: [x509.load_der_x509_certificate(data)], access.server)
    found += _read(access.ca, x509.load_pem_x509_certificates, "kubeconfig certificate-authority")
    # What comes after the first of a client certificate are those that signed it.
    return found + _read(access.certificate, _first_of_pem, "kubeconfig client-certificate")


def _first_of_pem(data: bytes) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(data)[:1]


def _read(data: bytes, load: Callable[[bytes], list[x509.Certificate]], path: str) -> list[CertificateFacts]:
    if not data:
        return []
    try:
        with as_found():
            return [_facts(certificate, path) for certificate in load(data)[:_BUNDLE_KEPT]]
    except (ValueError, x509.InvalidVersion, x509.DuplicateExtension):
        return []


def _facts(certificate: x509.Certificate, path: str) -> CertificateFacts:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return CertificateFacts(
        path=path,
        subject=printable(str(names[0].value)[:256]) if names else "",
        not_before=rfc3339(certificate.not_valid_before_utc),
        not_after=rfc3339(certificate.not_valid_after_utc),
        authority=_is_authority(certificate),
    )


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
