"""Facts of the certificates that Kubernetes has on a machine. Of their keys nothing ever leaves it.

A certificate that cannot be read is reported as one without a subject and without dates, so that nobody takes it for
one that is not there.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence

from cryptography import x509
from cryptography.x509.oid import NameOID

from groundplane.api.facts import CertificateFacts
from groundplane.base.certificates import as_found
from groundplane.base.clock import rfc3339
from groundplane.base.documents import printable

from .sections import Sections

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_DATA = "client-certificate-data:"
CERTIFICATES_KEPT = 128


def certificate_facts(sections: Sections) -> list[CertificateFacts]:
    """Return the certificates by file; of a chain, all of it."""
    found = [_fact(path, pem) for path, pem in _blocks(sections.get("certificates", ()))]
    return found[:CERTIFICATES_KEPT]


def _blocks(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    path = ""
    block: list[str] = []
    for line in lines:
        if line.startswith("file="):
            if block:
                yield path, ""
            path, block = line[len("file=") :], []
        elif _DATA in line:
            kubeconfig, _, rest = line.partition(":")
            yield kubeconfig, _decoded(rest.partition(_DATA)[2].strip())
        elif line.startswith(_BEGIN):
            block = [line]
        elif block:
            block.append(line)
            if line.startswith(_END):
                yield path, "\n".join(block)
                block = []
    if block:
        yield path, ""


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _fact(path: str, pem: str) -> CertificateFacts:
    try:
        certificate = _loaded(pem)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        subject = str(names[0].value) if names else certificate.subject.rfc4514_string()
        return CertificateFacts(
            path=path,
            subject=printable(subject),
            not_before=rfc3339(certificate.not_valid_before_utc),
            not_after=rfc3339(certificate.not_valid_after_utc),
            authority=_is_authority(certificate),
        )
    except (ValueError, x509.InvalidVersion, x509.DuplicateExtension):
        return CertificateFacts(path=path)


def _loaded(pem: str) -> x509.Certificate:
    with as_found():
        return x509.load_pem_x509_certificate(pem.encode())


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
