"""A browser shows a client certificate unasked, as it sends a cookie: another site's page gets nothing done by it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from groundplane.server.authn.client_certificate import ClientCertificates
from groundplane.server.authn.contract import Asking, Peer
from groundplane.server.status import StatusError

ADA = Peer("ada", ("ops",), datetime(9999, 1, 1, tzinfo=UTC))
HOST = (b"host", b"gp:7443")
OTHER = (b"origin", b"https://evil")
OURS = (b"origin", b"https://gp:7443")
UPGRADE = (b"upgrade", b"websocket")


@pytest.mark.parametrize(
    ("method", "headers"), [("POST", (HOST, OTHER)), ("DELETE", (HOST, OTHER)), ("GET", (HOST, OTHER, UPGRADE))]
)
async def test_what_another_sites_page_does_is_refused(method: str, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    with pytest.raises(StatusError, match="another site"):
        await ClientCertificates().authenticate(Asking(method, headers, ADA))


@pytest.mark.parametrize(
    ("method", "headers"),
    [("POST", (HOST,)), ("POST", (HOST, OURS)), ("GET", (HOST, OTHER)), ("GET", (HOST, OURS, UPGRADE))],
)
async def test_our_own_pages_and_what_is_no_browser_are_let_in(
    method: str, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    user = await ClientCertificates().authenticate(Asking(method, headers, ADA))
    assert user is not None
    assert user.name == "ada"
