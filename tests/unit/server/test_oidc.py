"""ID tokens against a real issuer over https: what kube-apiserver takes is taken, what it refuses is refused."""

from __future__ import annotations

import base64
import hmac
import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwk
from tests.support.issuer import Issuer as RealIssuer
from tests.support.issuer import issuing

from groundplane.server.authn.bearer import Bearer
from groundplane.server.authn.contract import CredentialsRefused
from groundplane.server.authn.oidc import REFETCH_SECONDS, USABLE_SECONDS, Issuer, Oidc, OidcRefused, oidc
from groundplane.server.config import OidcConfig


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("issuer")


@pytest.fixture
def issuer(folder: Path) -> Iterator[RealIssuer]:
    with issuing(folder) as running:
        yield running


@pytest.fixture(scope="module")
def key() -> jwk.Key:
    return jwk.RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


@dataclass(frozen=True)
class FromNow:
    """A time in a claim, so many seconds from when its test runs; when the tests were collected may be long ago."""

    seconds: int


def _timed(claims: dict[str, Any]) -> dict[str, Any]:
    now = int(time.time())
    return {name: now + value.seconds if isinstance(value, FromNow) else value for name, value in claims.items()}


class _Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _oidc(issuer: RealIssuer, *, clock: Any = time.monotonic, **config: Any) -> Oidc:
    settings = OidcConfig(issuer_url=issuer.url, client_id="groundplane", ca_file=str(issuer.ca), **config)
    trust = ssl.create_default_context(cafile=str(issuer.ca))
    return Oidc(settings, Issuer(issuer.url, trust, clock=clock))


async def test_a_good_token_names_its_user(issuer: RealIssuer, key: jwk.Key) -> None:
    issuer.published.append(key)
    checked = _oidc(issuer, groups_claim="groups", groups_prefix="oidc:")
    user = await checked.user_of(issuer.token(key, groups=["a", "b"]))
    assert user is not None
    assert (user.name, user.groups) == (f"{issuer.url}#ada", ("oidc:a", "oidc:b"))
    assert checked.trouble == ""


@pytest.mark.parametrize(
    ("config", "claims", "name"),
    [
        ({"username_prefix": "-"}, {}, "ada"),
        ({"username_prefix": "x:"}, {}, "x:ada"),
        ({"username_claim": "email"}, {"email": "a@b"}, "a@b"),
        ({"username_claim": "email"}, {"email": "a@b", "email_verified": True}, "a@b"),
        ({"username_claim": "name", "username_prefix": "-"}, {"name": "Ada"}, "Ada"),
        ({"username_prefix": "-"}, {"aud": ["other", "groundplane"]}, "ada"),
        ({"username_prefix": "-", "required_claims": {"hd": "x"}}, {"hd": "x"}, "ada"),
        ({"username_prefix": "-"}, {"nbf": FromNow(60)}, "ada"),
    ],
)
async def test_names_and_prefixes_are_those_of_kube_apiserver(
    issuer: RealIssuer, key: jwk.Key, config: dict[str, Any], claims: dict[str, Any], name: str
) -> None:
    issuer.published.append(key)
    user = await _oidc(issuer, **config).user_of(issuer.token(key, **_timed(claims)))
    assert user is not None
    assert user.name == name


@pytest.mark.parametrize(
    ("config", "claims"),
    [
        ({}, {"aud": "other"}),
        ({}, {"aud": None}),
        ({}, {"exp": FromNow(-1)}),
        ({}, {"exp": None}),
        ({}, {"exp": "9999999999"}),
        ({}, {"exp": True}),
        ({}, {"nbf": FromNow(3600)}),
        ({}, {"sub": None}),
        ({}, {"sub": 7}),
        ({}, {"sub": ""}),
        ({"username_claim": "email"}, {"email": "a@b", "email_verified": False}),
        ({"username_claim": "email"}, {"email": "a@b", "email_verified": "true"}),
        ({"required_claims": {"hd": "x"}}, {"hd": "y"}),
        ({"required_claims": {"hd": "x"}}, {}),
        ({"groups_claim": "groups"}, {"groups": {"a": "b"}}),
        ({"groups_claim": "groups"}, {"groups": [1]}),
    ],
    ids=str,
)
async def test_a_token_that_does_not_say_what_it_has_to_is_refused(
    issuer: RealIssuer, key: jwk.Key, config: dict[str, Any], claims: dict[str, Any]
) -> None:
    issuer.published.append(key)
    with pytest.raises(CredentialsRefused):
        await _oidc(issuer, **config).user_of(issuer.token(key, **_timed(claims)))


def _coded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_forged_tokens_are_refused(issuer: RealIssuer, key: jwk.Key) -> None:
    issuer.published.append(key)
    good = issuer.token(key)
    head, claims, signature = good.split(".")
    public = key.as_pem(private=False)
    unsigned = f"{_coded({'alg': 'HS256', 'kid': 'one'})}.{claims}"
    mac = hmac.digest(public, unsigned.encode(), "sha256")
    with_hmac = f"{unsigned}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    other = jwk.RSAKey.generate_key(2048, {"kid": "one"})
    eve = {"iss": issuer.url, "aud": "groundplane", "sub": "eve", "exp": 9e9}
    forged = {
        "no algorithm": f"{_coded({'alg': 'none'})}.{claims}.",
        "no signature": f"{head}.{claims}.",
        "hmac of the public key": with_hmac,
        "another key of this name": issuer.token(other),
        "another algorithm": issuer.token(key, algorithm="PS256"),
        "other claims": f"{head}.{_coded(eve)}.{signature}",
        "its own key": issuer.token(other, header={"jwk": other.as_dict(private=False)}),
    }
    checked = _oidc(issuer)
    assert await checked.user_of(good) is not None
    for name, token in forged.items():
        with pytest.raises(CredentialsRefused):
            assert not await Bearer(checked).user_of(token), name


async def test_elliptic_keys_are_taken_when_their_algorithm_is_allowed(issuer: RealIssuer) -> None:
    key = issuer.key("curve", curve="P-256")
    token = issuer.token(key, algorithm="ES256")
    assert await _oidc(issuer, signing_algs=("ES256",)).user_of(token) is not None
    with pytest.raises(CredentialsRefused):
        await _oidc(issuer).user_of(token)


_DEEP = base64.urlsafe_b64encode(b"[" * 60_000).decode()


@pytest.mark.parametrize(
    "token",
    ["x", "a.b.c", "", "....", "\udcff.x.y", f"eyJhbGciOiJSUzI1NiJ9.{_DEEP}.x", f"{_DEEP}.e30.x"],
    ids=lambda token: repr(token[:30]),
)
async def test_what_is_no_token_of_the_issuer_is_left_to_others(issuer: RealIssuer, token: str) -> None:
    assert await _oidc(issuer).user_of(token) is None
    assert issuer.asked == {}


async def test_a_new_key_is_found_and_unknown_ones_do_not_flood_the_issuer(issuer: RealIssuer, key: jwk.Key) -> None:
    issuer.published.append(key)
    clock = _Clock()
    checked = _oidc(issuer, clock=clock)
    assert await checked.user_of(issuer.token(key)) is not None
    second = issuer.key("two")
    with pytest.raises(CredentialsRefused):
        await checked.user_of(issuer.token(second))
    clock.now += REFETCH_SECONDS
    assert await checked.user_of(issuer.token(second)) is not None
    unknown = issuer.key("never", publish=False)
    clock.now += REFETCH_SECONDS
    for _ in range(5):
        with pytest.raises(CredentialsRefused):
            await checked.user_of(issuer.token(unknown))
    assert issuer.asked["/keys"] == 3


async def test_a_withdrawn_key_is_not_trusted_for_ever(issuer: RealIssuer, key: jwk.Key) -> None:
    clock = _Clock()
    issuer.published.append(key)
    checked = _oidc(issuer, clock=clock)
    assert await checked.user_of(issuer.token(key)) is not None
    issuer.published[:] = [issuer.key("two", publish=False)]
    clock.now += 3601
    with pytest.raises(CredentialsRefused):
        await checked.user_of(issuer.token(key))


async def test_without_the_issuer_known_keys_serve_for_a_day_and_it_is_said(folder: Path, key: jwk.Key) -> None:
    clock = _Clock()
    with issuing(folder) as running:
        running.published.append(key)
        checked = _oidc(running, clock=clock)
        assert await checked.user_of(running.token(key)) is not None
    clock.now += 3601
    assert await checked.user_of(running.token(key)) is not None
    assert "cannot be asked" in checked.trouble
    clock.now += USABLE_SECONDS
    with pytest.raises(CredentialsRefused, match="keys cannot be fetched"):
        await checked.user_of(running.token(key))


async def test_an_issuer_that_is_not_verified_or_is_another_one_is_not_believed(
    issuer: RealIssuer, key: jwk.Key
) -> None:
    issuer.published.append(key)
    settings = OidcConfig(issuer_url=issuer.url, client_id="groundplane")
    with pytest.raises(CredentialsRefused):
        await oidc(settings).user_of(issuer.token(key))
    issuer.claims_to_be = "https://elsewhere"
    with pytest.raises(CredentialsRefused):
        await _oidc(issuer).user_of(issuer.token(key))


@pytest.mark.parametrize(
    "config",
    [
        {"issuer_url": "http://issuer"},
        {"client_id": ""},
        {"signing_algs": ("none",)},
        {"signing_algs": ("HS256",)},
        {"signing_algs": ()},
        {"ca_file": "/no/such/file"},
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(OidcRefused):
        oidc(OidcConfig(**{"issuer_url": "https://issuer", "client_id": "groundplane", **config}))
