"""ID tokens of an OpenID Connect issuer, with the meaning of kube-apiserver's --oidc-* flags.

The issuer is asked for its keys when a token first needs them, again when a token names a key that is not known (at
most once in ten seconds: the name is the caller's to choose), and once an hour, so that a key which the issuer has
withdrawn is not trusted for ever. While the issuer does not answer, the keys that are known serve for a day; a token
that needs others is refused, the reason is in our log and /readyz says that the issuer does not answer.

A token of another issuer is not ours to judge. Only asymmetric algorithms are ever accepted: neither `none` nor an HMAC
whose key would be public.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import httpx2
import msgspec
from joserfc import jwk, jws, jwt
from joserfc.errors import InvalidKeyIdError, JoseError, MissingKeyError

from groundplane.base.errors import Denied, Refused
from groundplane.base.logs import get_logger

from ..config import OidcConfig
from ..users import User
from .contract import CredentialsRefused

_log = get_logger(__name__)

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")
REFETCH_SECONDS = 10.0
FRESH_SECONDS = 3600.0
USABLE_SECONDS = 24 * 3600.0
REQUEST_SECONDS = 10.0
# As in kube-apiserver: a clock of the issuer that is a little ahead does no harm.
_NOT_BEFORE_LEEWAY = 300.0
_LARGEST_ANSWER = 1024 * 1024
# What may come of asking an issuer, and of reading JSON that somebody else wrote.
UNREADABLE = (ValueError, RecursionError)
TROUBLES = (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError, *UNREADABLE)


class OidcRefused(Refused):
    """The settings for the issuer cannot be used."""


class IssuerUnreachable(Denied):
    """The issuer's keys cannot be had now."""


@dataclass(slots=True)
class _Keys:
    found: jwk.KeySet | None = None
    discovered: dict[str, Any] = field(default_factory=dict)
    fetched: float = float("-inf")
    tried: float = float("-inf")


class Issuer:
    """The keys of one issuer."""

    def __init__(self, url: str, trust: ssl.SSLContext, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self.trust = trust
        self._clock = clock
        self._keys = _Keys()
        self._fetching = asyncio.Lock()
        self.trouble = ""

    async def discovered(self) -> dict[str, Any]:
        """Return what the issuer says of itself, as old as its keys at most. Raises IssuerUnreachable."""
        await self.keys()
        return self._keys.discovered

    async def keys(self, *, beyond: jwk.KeySet | None = None) -> jwk.KeySet:
        """Return the keys, others than `beyond` if the issuer has them by now. Raises IssuerUnreachable."""
        known = self._keys.found
        if known is not None and known is not beyond and self._age() < FRESH_SECONDS:
            return known
        async with self._fetching:
            # Somebody else may have fetched while we waited.
            if self._keys.found is not known or self._clock() - self._keys.tried < REFETCH_SECONDS:
                return self._usable()
            self._keys.tried = self._clock()
            try:
                await self._fetch()
            except (*TROUBLES, JoseError) as error:
                self._failed(error)
            else:
                self._keys.fetched = self._clock()
                self.trouble = ""
            return self._usable()

    def _age(self) -> float:
        return self._clock() - self._keys.fetched

    def _usable(self) -> jwk.KeySet:
        if self._keys.found is None or self._age() > USABLE_SECONDS:
            raise IssuerUnreachable(f"cannot check tokens of {self._url}: its keys cannot be fetched")
        return self._keys.found

    def _failed(self, error: Exception) -> None:
        if not self.trouble:
            _log.error("issuer cannot be asked for its keys", issuer=self._url, why=f"{type(error).__name__}: {error}")
        self.trouble = "the issuer cannot be asked for its keys; the server's log says why"

    async def _fetch(self) -> None:
        async with asyncio.timeout(REQUEST_SECONDS), httpx2.AsyncClient(verify=self.trust) as http:
            discovered = await _get(http, f"{self._url.rstrip('/')}/.well-known/openid-configuration")
            if discovered.get("issuer") != self._url:
                raise ValueError(f"it says that it is {discovered.get('issuer')!r}")
            where = discovered.get("jwks_uri")
            if not isinstance(where, str) or not where.startswith("https://"):
                raise ValueError("its jwks_uri is no https URL")
            shown = await _get(http, where)
        keys = [key for key in shown.get("keys") or () if isinstance(key, dict) and _signs(key)]
        self._keys.found, self._keys.discovered = jwk.KeySet.import_key_set({"keys": keys}), discovered


def _signs(key: dict[str, Any]) -> bool:
    """Tell whether it is a public key for signatures: what else a set holds is not for us."""
    return key.get("kty") in ("RSA", "EC") and key.get("use", "sig") == "sig"


async def _get(http: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    async with http.stream("GET", url) as answer:
        answer.raise_for_status()
        return await document(answer)


async def document(answer: httpx2.Response) -> dict[str, Any]:
    """Return the JSON object that the issuer answers; raises UNREADABLE when it is none, or too large."""
    content = b""
    async for block in answer.aiter_bytes():
        content += block
        if len(content) > _LARGEST_ANSWER:
            raise ValueError(f"{answer.url} answers more than {_LARGEST_ANSWER} bytes")
    found = msgspec.json.decode(content)
    if not isinstance(found, dict):
        raise ValueError(f"{answer.url} is no JSON object")
    return found


class Oidc:
    """The token authenticator."""

    name = "oidc"

    def __init__(self, config: OidcConfig, issuer: Issuer, *, now: Callable[[], float] = time.time) -> None:
        self._config = config
        self.issuer = issuer
        self._now = now

    @property
    def trouble(self) -> str:
        """What is wrong with the issuer, "" when all is well."""
        return self.issuer.trouble

    async def user_of(self, token: str) -> User | None:
        """Return whom the token names, None when another issuer made it. Raises CredentialsRefused."""
        if not self._ours(token):
            return None
        return self._user(await self._checked(token))

    async def user_of_sign_in(self, token: str, nonce: str) -> User:
        """Return whom a token names that was made for the sign-in with this nonce. Raises CredentialsRefused."""
        if not self._ours(token):
            raise _refused("another issuer made it")
        claims = await self._checked(token)
        if claims.get("nonce") != nonce:
            raise _refused("it was made for another sign-in")
        if claims.get("azp", self._config.client_id) != self._config.client_id:
            raise _refused("it was made for another client")
        return self._user(claims)

    async def _checked(self, token: str) -> dict[str, Any]:
        claims = await self._verified(token)
        self._check(claims)
        return claims

    def _user(self, claims: dict[str, Any]) -> User:
        return User(self._user_name(claims), self._groups(claims))

    def _ours(self, token: str) -> bool:
        try:
            payload = jws.extract_compact(token.encode()).payload
            claims = msgspec.json.decode(payload)
        except (JoseError, *UNREADABLE):
            return False
        return isinstance(claims, dict) and claims.get("iss") == self._config.issuer_url

    async def _verified(self, token: str) -> dict[str, Any]:
        try:
            keys = await self.issuer.keys()
            try:
                return self._decode(token, keys)
            except (InvalidKeyIdError, MissingKeyError):
                return self._decode(token, await self.issuer.keys(beyond=keys))
        except JoseError as error:
            raise _refused(f"its signature cannot be verified ({type(error).__name__})") from error
        except UNREADABLE as error:
            raise _refused("it cannot be read") from error
        except IssuerUnreachable as error:
            raise CredentialsRefused(error.message) from error

    def _decode(self, token: str, keys: jwk.KeySet) -> dict[str, Any]:
        if not keys.keys:
            raise MissingKeyError
        return jwt.decode(token, keys, algorithms=list(self._config.signing_algs)).claims

    def _check(self, claims: dict[str, Any]) -> None:
        audience = claims.get("aud")
        if self._config.client_id not in (audience if isinstance(audience, list) else [audience]):
            raise _refused(f"expected audience {self._config.client_id!r}")
        end, start = claims.get("exp"), claims.get("nbf")
        if not _number(end) or end <= self._now():
            raise _refused("it is over, or has no end")
        if start is not None and (not _number(start) or start > self._now() + _NOT_BEFORE_LEEWAY):
            raise _refused("it is not good yet")
        for claim, value in self._config.required_claims.items():
            if claims.get(claim) != value:
                raise _refused(f"required claim {claim} is missing or has another value")

    def _user_name(self, claims: dict[str, Any]) -> str:
        claim, prefix = self._config.username_claim, self._config.username_prefix
        name = claims.get(claim)
        if not isinstance(name, str) or not name:
            raise _refused(f"claim {claim} is missing or no string")
        if claim == "email":
            if claims.get("email_verified", True) is not True:
                raise _refused("email not verified")
        elif not prefix:
            prefix = f"{self._config.issuer_url}#"
        return name if prefix == "-" else prefix + name

    def _groups(self, claims: dict[str, Any]) -> tuple[str, ...]:
        claim = self._config.groups_claim
        given = claims.get(claim) if claim else None
        if given is None:
            return ()
        groups = [given] if isinstance(given, str) else given
        if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
            raise _refused(f"claim {claim} is no list of strings")
        return tuple(self._config.groups_prefix + group for group in groups)


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refused(why: str) -> CredentialsRefused:
    return CredentialsRefused(f"cannot authenticate by ID token: {why}")


def oidc(config: OidcConfig) -> Oidc:
    """Return the authenticator of the settings; raises OidcRefused for those that cannot work."""
    if not config.issuer_url.startswith("https://"):
        raise OidcRefused(f"cannot use oidc.issuerUrl {config.issuer_url!r}: it is no https URL")
    if not config.client_id:
        raise OidcRefused("cannot use oidc.clientId: it is empty")
    bad = [name for name in config.signing_algs if name not in ALGORITHMS]
    if bad or not config.signing_algs:
        known = ", ".join(ALGORITHMS)
        raise OidcRefused(f"cannot use oidc.signingAlgs {list(config.signing_algs)}: supported are {known}")
    try:
        trust = ssl.create_default_context(cafile=config.ca_file or None)
    except OSError as error:
        raise OidcRefused(f"cannot use oidc.caFile {config.ca_file}: {error}") from error
    return Oidc(config, Issuer(config.issuer_url, trust))
