"""The pin of a cluster's certificate authority, as `kubeadm join` checks it. Pure.

kubeadm before v1.22 gives its authority the serial number 0, which X.509 libraries refuse or are about to. So the
public key is taken out of the certificate's DER by position (RFC 5280, section 4.1).
"""

from __future__ import annotations

import base64
import hashlib
import re

from ..errors import StepRefused

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE = 0x30
_VERSION = 0xA0
# tbsCertificate: [version], serial number, signature, issuer, validity, subject, subjectPublicKeyInfo.
_BEFORE_KEY = 5


def ca_hash(certificate: bytes) -> str:
    """Return "sha256:" and the hash of the first certificate's SubjectPublicKeyInfo."""
    found = _PEM.search(certificate)
    if found is None:
        raise StepRefused("cannot read the cluster's certificate authority: it is not a PEM certificate")
    try:
        return f"sha256:{hashlib.sha256(_public_key(base64.b64decode(found.group(1)))).hexdigest()}"
    except (ValueError, IndexError) as exc:
        raise StepRefused("cannot read the cluster's certificate authority: it is not an X.509 certificate") from exc


def _public_key(der: bytes) -> bytes:
    _, start, _ = _element(der, 0)
    _, at, _ = _element(der, start)
    tag, _, end = _element(der, at)
    if tag == _VERSION:
        at = end
    for _ in range(_BEFORE_KEY):
        _, _, at = _element(der, at)
    tag, _, end = _element(der, at)
    if tag != _SEQUENCE or end > len(der):
        raise ValueError("no public key where it has to be")
    return der[at:end]


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Return tag, start of the content and end of the element at `at`."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        octets = length & 0x7F
        length = int.from_bytes(der[start : start + octets])
        start += octets
    return tag, start, start + length
