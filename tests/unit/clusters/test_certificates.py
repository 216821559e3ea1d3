"""Certificates that say anything: what is read of them is printable, and a broken one is as good as none."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from groundplane.api.facts import CertificateFacts
from groundplane.clusters.certificates import certificates_of
from groundplane.controllers.cluster.trouble import expired_at
from groundplane.hosts.facts.certificates import _fact
from groundplane.kube.kubeconfig import Access

CONSTRAINTS, OTHER = b"\x06\x03\x55\x1d\x13", b"\x06\x03\x55\x1d\x37"
START, END = datetime(2024, 2, 29, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC)
VERSION = b"\xa0\x03\x02\x01"


def certificate(name: str = "kube") -> bytes:
    """A certificate in DER with two extensions."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, START, END)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.55"), b"\x30\x03\x01\x01\xff")
    return builder.add_extension(unknown, critical=True).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_subject_moves_no_cursor() -> None:
    (found,) = certificates_of(Access("https://x"), certificate("a\x1b[31m\nb"))
    assert (found.subject, found.authority) == ("a\ufffd[31m\ufffdb", True)
    assert (found.not_before, found.not_after) == ("2024-02-29T00:00:00Z", "2025-03-01T00:00:00Z")


@pytest.mark.parametrize(("was", "becomes"), [(OTHER, CONSTRAINTS), (VERSION + b"\x02", VERSION + b"\x05")])
def test_a_certificate_that_breaks_the_rules_is_none(was: bytes, becomes: bytes) -> None:
    broken = certificate().replace(was, becomes)
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(broken) + b"-----END CERTIFICATE-----\n"
    access = Access("https://x", ca=pem, certificate=pem)
    assert certificates_of(access, broken) == []
    assert expired_at(access, now=datetime(2026, 1, 1, tzinfo=UTC)) in ("", "2025-03-01T00:00:00Z")
    assert _fact("/etc/kubernetes/pki/ca.crt", pem.decode()) == CertificateFacts(path="/etc/kubernetes/pki/ca.crt")
