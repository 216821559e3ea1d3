"""Signing in at the issuer with a browser: the authorization code flow with PKCE, state and nonce (OpenID Connect Core,
RFC 9700). What the issuer vouches for is an ID token, judged as one that a caller brings; other tokens are not kept.

The code goes to the issuer over TLS that is verified as for its keys, once, and the answer is bounded in time and size.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx2
import msgspec

from groundplane.base.files import NO_FILE, private_stamp

from ..config import OidcConfig
from ..users import User
from .contract import CredentialsRefused
from .flows import CALLBACK, LOGIN, Answer, Flow, Flows, SignInFailed
from .oidc import REQUEST_SECONDS, TROUBLES, UNREADABLE, IssuerUnreachable, Oidc, OidcRefused, document

SCOPES = ("openid", "profile", "email")
# RFC 6749, section 3.3.
_SCOPE = re.compile(r"[!#-\[\]-~]+")
_LONGEST_TOLD = 300


@dataclass(frozen=True, slots=True)
class _Endpoints:
    """What the issuer says of itself. `names_itself`: each answer of it has `iss` (RFC 9207)."""

    authorization: str
    token: str
    basic: bool
    names_itself: bool


class CodeFlow:
    """Sign-ins of one client at one issuer; without a secret it is a public client."""

    def __init__(self, config: OidcConfig, oidc: Oidc, secret: str, flows: Flows) -> None:
        self._config = config
        self._oidc = oidc
        self._secret = secret
        self.flows = flows
        self.name = config.display_name or urlsplit(config.issuer_url).netloc
        self.address = config.redirect_url.removesuffix(CALLBACK) + LOGIN
        # Whoever signed in under other settings might be somebody else under these.
        self.fingerprint = hashlib.sha256(msgspec.json.encode(config)).hexdigest()[:16]

    async def begin(self, to: str) -> tuple[str, str]:
        """Return where at the issuer the browser goes, and the cookie that it takes along. Raises SignInFailed."""
        endpoints = await self._endpoints()
        flow, sealed = self.flows.begin(to)
        asked = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": self._config.redirect_url,
            "scope": " ".join(self._config.scopes or SCOPES),
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": flow.challenge,
            "code_challenge_method": "S256",
        }
        return str(httpx2.URL(endpoints.authorization).copy_merge_params(asked)), sealed

    async def finish(self, flow: Flow, answer: Answer) -> User:
        """Return whom the issuer vouches for. Raises SignInFailed."""
        self.flows.use(flow, answer.state)
        endpoints = await self._endpoints()
        if answer.issuer != self._config.issuer_url and (answer.issuer or endpoints.names_itself):
            raise SignInFailed("issuer", f"another one answers: {answer.issuer[:_LONGEST_TOLD]!r}")
        if answer.error:
            why = _told(answer.error, answer.description, answer.code)
            raise SignInFailed("denied" if answer.error == "access_denied" else "issuer", why)
        if not answer.code:
            raise SignInFailed("issuer", "its answer has no code")
        token = await self._exchange(endpoints, flow, answer.code)
        try:
            return await self._oidc.user_of_sign_in(token, flow.nonce)
        except CredentialsRefused as error:
            raise SignInFailed("token", error.message) from error

    async def _endpoints(self) -> _Endpoints:
        try:
            discovered = await self._oidc.issuer.discovered()
        except IssuerUnreachable as error:
            raise SignInFailed("unreachable", error.message) from error
        if "S256" not in _listed(discovered, "code_challenge_methods_supported", "S256"):
            raise SignInFailed("issuer", "it does not take PKCE with S256")
        ways = _listed(discovered, "token_endpoint_auth_methods_supported", "client_secret_basic")
        if self._secret and not {"client_secret_basic", "client_secret_post"} & set(ways):
            raise SignInFailed("issuer", "it takes a client's secret neither by client_secret_basic nor _post")
        return _Endpoints(
            _address(discovered, "authorization_endpoint"),
            _address(discovered, "token_endpoint"),
            "client_secret_basic" in ways,
            discovered.get("authorization_response_iss_parameter_supported") is True,
        )

    async def _exchange(self, endpoints: _Endpoints, flow: Flow, code: str) -> str:
        """Return the ID token that the issuer gives for the code."""
        fields, auth = self._asked(endpoints, flow, code)
        try:
            async with (
                asyncio.timeout(REQUEST_SECONDS),
                httpx2.AsyncClient(verify=self._oidc.issuer.trust, headers={"accept": "application/json"}) as http,
                http.stream("POST", endpoints.token, data=fields, auth=auth) as answer,
            ):
                if answer.status_code >= 500 or answer.status_code == 429:
                    raise SignInFailed("unreachable", f"it answers {answer.status_code} for a code")
                found = await document(answer)
        except UNREADABLE as error:
            raise SignInFailed("exchange", "its answer for a code cannot be read") from error
        except TROUBLES as error:
            raise SignInFailed("unreachable", f"it cannot be asked for a token ({type(error).__name__})") from error
        token = found.get("id_token")
        if answer.status_code != 200 or not isinstance(token, str):
            hidden = (flow.verifier, code, quote_plus(code), self._secret, quote_plus(self._secret))
            why = _told(found.get("error"), found.get("error_description"), *hidden)
            raise SignInFailed("exchange", f"it answers {answer.status_code} for a code, without an ID token: {why}")
        return token

    def _asked(self, endpoints: _Endpoints, flow: Flow, code: str) -> tuple[dict[str, str], httpx2.BasicAuth | None]:
        name, secret = self._config.client_id, self._secret
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._config.redirect_url,
            "code_verifier": flow.verifier,
        }
        if secret and endpoints.basic:
            # Both are form-encoded before they are joined (RFC 6749, section 2.3.1).
            return fields, httpx2.BasicAuth(quote_plus(name), quote_plus(secret))
        return {**fields, "client_id": name, **({"client_secret": secret} if secret else {})}, None


def _listed(discovered: dict[str, Any], name: str, otherwise: str) -> list[Any]:
    """Return a list of the issuer's; what it does not say, its standard or its documentation does."""
    found = discovered.get(name)
    return found if isinstance(found, list) else [otherwise]


def _address(discovered: dict[str, Any], name: str) -> str:
    found = discovered.get(name)
    try:
        if isinstance(found, str) and httpx2.URL(found).scheme == "https":
            return found
    except httpx2.InvalidURL as error:
        raise SignInFailed("issuer", f"its {name} is no URL") from error
    raise SignInFailed("issuer", f"its {name} is no https URL")


def _told(error: object, description: object, *hidden: str) -> str:
    """Return an error in the issuer's words, without what must not be in a log."""
    text = ": ".join(part for part in (error, description) if isinstance(part, str) and part)
    for secret in filter(None, hidden):
        text = text.replace(secret, "…")
    return repr(text[:_LONGEST_TOLD])


def code_flow(config: OidcConfig, oidc: Oidc) -> CodeFlow | None:
    """Return the sign-in of the settings, None when there is none; raises OidcRefused for one that cannot work."""
    beside = {
        "clientSecretFile": config.client_secret_file,
        "scopes": config.scopes,
        "displayName": config.display_name,
    }
    if not config.redirect_url:
        for field in (field for field, given in beside.items() if given):
            raise OidcRefused(
                f"cannot use oidc.{field}: it is for sign-in with a browser, which needs oidc.redirectUrl"
            )
        return None
    if not _ours(config.redirect_url):
        wanted = f"https://HOST[:PORT]{CALLBACK}, as browsers reach Groundplane"
        raise OidcRefused(f"cannot use oidc.redirectUrl {config.redirect_url!r}: it has to be {wanted}")
    if config.scopes and "openid" not in config.scopes:
        raise OidcRefused(f"cannot use oidc.scopes {list(config.scopes)}: without openid there is no ID token")
    for scope in config.scopes:
        if _SCOPE.fullmatch(scope) is None:
            raise OidcRefused(f"cannot use oidc.scopes: {scope!r} is none")
    return CodeFlow(config, oidc, _secret(config.client_secret_file), Flows())


def _ours(redirect_url: str) -> bool:
    try:
        parts = urlsplit(redirect_url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return usable and "@" not in parts.netloc and redirect_url == f"https://{parts.netloc}{CALLBACK}"


def _secret(name: str) -> str:
    """Return what the file holds, "" without one."""
    if not name:
        return ""
    try:
        if private_stamp(name) == NO_FILE:
            raise OidcRefused(f"cannot use oidc.clientSecretFile {name}: there is no such file")
        secret = Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OidcRefused(f"cannot use oidc.clientSecretFile {name}: it cannot be read") from error
    if not secret:
        raise OidcRefused(f"cannot use oidc.clientSecretFile {name}: it is empty")
    return secret
