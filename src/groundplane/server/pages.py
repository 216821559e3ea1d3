"""The console's files at /console/: the page for every address that is none of a file, so that a reload stays there.

Nobody needs credentials for them: they hold nothing, and the page asks for a sign-in by itself. The page's policy lets
nothing run and nothing load that is not a file of ours; styles that a library writes need the page's nonce.
"""

from __future__ import annotations

from starlette.responses import Response

from groundplane import console

from .http import Incoming
from .status import StatusError, no_such_path

PREFIX = "/console/"
_FOREVER = "public, max-age=31536000, immutable"


async def serve(incoming: Incoming) -> Response:
    """Answer with the file, or with the page."""
    name = incoming.scope["path"].removeprefix(PREFIX.rstrip("/")).lstrip("/")
    found = console.file(name)
    if found is None:
        if name.startswith("assets/"):
            raise no_such_path()
        return _page()
    headers = {"content-type": found.media_type, "cache-control": _FOREVER, "vary": "accept-encoding"}
    if found.packed and "gzip" in incoming.header(b"accept-encoding"):
        return Response(found.packed, headers={**headers, "content-encoding": "gzip"})
    return Response(found.content, headers=headers)


async def home(incoming: Incoming) -> Response:
    """Lead a browser to the console."""
    return Response(status_code=302, headers={"location": PREFIX})


def _page() -> Response:
    page = console.page()
    if page is None:
        message = "the console was not built: make console, or install a wheel, which brings it"
        raise StatusError(503, "ServiceUnavailable", message)
    return Response(
        page.content,
        headers={
            "content-type": "text/html; charset=utf-8",
            "cache-control": "no-store",
            "content-security-policy": _policy(page.nonce),
        },
    )


def _policy(nonce: str) -> str:
    return (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; "
        f"style-src 'self' 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
