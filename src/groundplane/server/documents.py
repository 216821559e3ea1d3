"""Documents that stay the same while the server runs (discovery, OpenAPI): made once, with an ETag, answered 304.

Caching headers are those of kube-apiserver: a document asked for by the hash of its content may be kept for a year.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from starlette.responses import RedirectResponse, Response

from .http import Incoming
from .negotiation import JSON

Make = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes, and what they are known by."""

    content: bytes
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha512(self.content).hexdigest().upper())


def document(incoming: Incoming, key: str, make: Make) -> Document:
    """Return the document of this server under `key`, made when it is asked for first."""
    known = incoming.server.documents
    found = known.get(key)
    if not isinstance(found, Document):
        found = known[key] = Document(make())
    return found


def answer_document(incoming: Incoming, found: Document, *, media_type: str = JSON, lasting: bool = False) -> Response:
    """Answer with the document, or with 304 when the caller has it; `lasting`: it was asked for by its hash."""
    headers = {"etag": f'"{found.digest}"', "vary": "Accept", "cache-control": "public"}
    if lasting:
        headers["cache-control"] = "public, immutable"
        headers["expires"] = format_datetime(datetime.now(UTC) + timedelta(days=365), usegmt=True)
    if incoming.request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(found.content, headers={**headers, "content-type": media_type})


def answer_hashed(incoming: Incoming, found: Document, *, hashed: str) -> Response:
    """Answer a document whose URL carries a hash; one of other content is sent on to the present one."""
    given = incoming.query.get("hash", "")
    if given and given != hashed:
        return RedirectResponse(f"{incoming.request.url.path}?hash={hashed}", status_code=301)
    return answer_document(incoming, found, lasting=bool(given))
