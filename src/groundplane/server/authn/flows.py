"""Sign-ins that are under way at the issuer: what each has to remember is in a cookie of the browser that began it.

The cookie is sealed under a key of this process and good for ten minutes, so that nothing waits in memory for browsers
that never come back, and nobody can crowd out the sign-ins of others. Each is good once: those that were used are
remembered until they would be over anyway.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from groundplane.base.errors import Denied

LOGIN = "/login/oidc"
CALLBACK = "/login/oidc/callback"
FLOW_COOKIE = "__Host-groundplane-login"
FLOW_SECONDS = 600
HOME = "/console/"
_MOST_USED = 10_000
# With what is beside it in the cookie, less than the 4096 bytes that a browser keeps.
_LONGEST_PLACE = 2000
_PLACE = re.compile(r"/console(?:[/?][!-~]*)?")
_STEPS = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)

# Why a sign-in failed, as the console's sign-in page knows it.
Reason = Literal["denied", "exchange", "expired", "issuer", "state", "token", "unreachable", "wait"]


class SignInFailed(Denied):
    """A sign-in at the issuer led nowhere: `reason` is for the page, the message for our log."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"cannot sign in at the issuer: {message}")
        self.reason: Reason = reason


class Flow(msgspec.Struct, frozen=True):
    """One sign-in; `to` is where it leads in the console."""

    state: str
    nonce: str
    verifier: str
    to: str

    @property
    def challenge(self) -> str:
        """What the issuer is told of the verifier (RFC 7636, S256)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Answer(msgspec.Struct, frozen=True):
    """What the issuer has the browser bring back; "" for what is not there."""

    state: str
    code: str = ""
    issuer: str = ""
    error: str = ""
    description: str = ""


class Flows:
    """Begins them, and knows them again."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._seal = Fernet(Fernet.generate_key())
        self._used: OrderedDict[str, float] = OrderedDict()

    def begin(self, to: str) -> tuple[Flow, str]:
        """Return a new one, and the cookie that it is in."""
        flow = Flow(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(32), to)
        sealed = self._seal.encrypt_at_time(msgspec.json.encode(flow), int(self._clock()))
        return flow, sealed.decode()

    def open(self, sealed: str) -> Flow:
        """Return what is in the cookie. Raises SignInFailed."""
        try:
            content = self._seal.decrypt_at_time(sealed, FLOW_SECONDS, int(self._clock()))
        except InvalidToken as error:
            raise SignInFailed("expired", "the browser began none in the last minutes") from error
        return msgspec.json.decode(content, type=Flow)

    def use(self, flow: Flow, state: str) -> None:
        """Take the only turn of a flow, which the issuer's answer has to name. Raises SignInFailed."""
        if not secrets.compare_digest(flow.state.encode(), state.encode()):
            raise SignInFailed("state", "the answer is for another one than the browser began last")
        now = self._clock()
        while self._used and (len(self._used) >= _MOST_USED or next(iter(self._used.values())) <= now):
            self._used.popitem(last=False)
        if state in self._used:
            raise SignInFailed("state", "the answer was used before")
        self._used[state] = now + FLOW_SECONDS


def local_place(to: str) -> str | None:
    """Return an address in the console as a redirect may have it, None for one that leads elsewhere."""
    if len(to) > _LONGEST_PLACE or _PLACE.fullmatch(to) is None or "#" in to:
        return None
    path = to.partition("?")[0]
    # A browser takes a backslash for a slash, and goes up where a path has two dots, also when they are escaped.
    if "\\" in path or any(_STEPS.fullmatch(segment) for segment in path.split("/")):
        return None
    return to
