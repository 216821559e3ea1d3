"""Which headers go through. Pure: what is not named here stays behind, for it may be meant for us or for a browser."""

from __future__ import annotations

from collections.abc import Iterable

from groundplane.kube.passage import Headers

_UPGRADE = (b"sec-websocket-", b"x-stream-protocol-version")
_THERE = frozenset((
    b"accept", b"accept-encoding", b"content-encoding", b"content-length", b"content-type", b"if-match",
    b"if-modified-since", b"if-none-match", b"if-unmodified-since", b"range", b"user-agent",
))  # fmt: skip
_BACK = frozenset((
    b"allow", b"content-encoding", b"content-length", b"content-range", b"content-type", b"etag", b"last-modified",
    b"retry-after", b"vary", b"warning", b"x-kubernetes-pf-flowschema-uid", b"x-kubernetes-pf-prioritylevel-uid",
))  # fmt: skip
# What a cluster answers is shown by nobody as a page of ours: no script, no form, no origin.
_SANDBOX = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox")


def there(given: Iterable[tuple[bytes, bytes]], *, upgrade: bytes) -> Headers:
    """Return the headers of a request that the cluster is to see; `upgrade`: to which protocol, b"" for none."""
    if not upgrade:
        return [header for header in given if header[0] in _THERE]
    passed = [header for header in given if header[0] in _THERE or header[0].startswith(_UPGRADE)]
    return [*passed, (b"connection", b"Upgrade"), (b"upgrade", upgrade)]


def back(given: Iterable[tuple[bytes, bytes]], *, upgraded: bool) -> Headers:
    """Return the headers of an answer that the caller is to see."""
    lower = [(name.lower(), value) for name, value in given]
    if not upgraded:
        return [*(header for header in lower if header[0] in _BACK), _SANDBOX]
    passed = [header for header in lower if header[0].startswith(_UPGRADE) or header[0] == b"upgrade"]
    return [*passed, (b"connection", b"Upgrade")]
