"""A small OpenID Connect issuer on loopback: discovery and keys over https, tokens signed with any of its keys, and a
page where one signs in, after which the authorization code flow goes as its standards say: PKCE, one use of a code, the
client's secret when it has one.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

from joserfc import jwk, jws, jwt

from groundplane.server import certificates

_ENDPOINTS = (("authorization", "authorize?tenant=one"), ("token", "token"))


@dataclass
class Door:
    """The part that browsers come to. `says` changes what the issuer says of itself, `claims` its tokens, `answers`
    what it answers for a code; `codes`, `fields` and `tokens` are what was given out and sent to it."""

    client: str = "groundplane"
    secret: str = ""
    redirect_url: str = ""
    says: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    answers: Callable[[dict[str, str]], tuple[int, Any]] | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    fields: list[dict[str, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def page(self, asked: dict[str, str]) -> str | None:
        """Return the page where one signs in, None for a request that is not one of the client."""
        wanted = {"response_type": "code", "client_id": self.client, "redirect_uri": self.redirect_url, "tenant": "one"}
        if any(asked.get(name) != value for name, value in wanted.items()) or "openid" not in asked["scope"].split():
            return None
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in asked.items()
        )
        return (
            '<!doctype html><title>Issuer</title><link rel="icon" href="data:,">'
            f'<form method="post" action="/authorize">{hidden}'
            '<label>User <input name="user"></label> <button name="decision" value="allow">Allow</button>'
            '<button name="decision" value="refuse">Refuse</button></form>'
        )

    def knows(self, fields: dict[str, str], authorization: str) -> bool:
        """Whether the client has shown that it is the client."""
        if not self.secret:
            return fields.get("client_id") == self.client and not authorization
        if "client_secret_post" in self.says.get("token_endpoint_auth_methods_supported", ()):
            return (fields.get("client_id"), fields.get("client_secret")) == (self.client, self.secret)
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode().split(":")
        return "client_secret" not in fields and [unquote_plus(one) for one in pair] == [self.client, self.secret]


@dataclass
class Issuer:
    """A running issuer. `published` are the keys that it shows, `asked` counts requests by path."""

    url: str
    ca: Path
    published: list[jwk.Key] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)
    claims_to_be: str = ""
    door: Door = field(default_factory=Door)

    def key(self, name: str, *, publish: bool = True, curve: str = "") -> jwk.Key:
        """Make a key, an EC one with `curve`."""
        parameters = {"kid": name, "use": "sig"}
        made: jwk.Key = (
            jwk.ECKey.generate_key(curve, parameters) if curve else jwk.RSAKey.generate_key(2048, parameters)
        )
        if publish:
            self.published.append(made)
        return made

    def token(
        self, key: jwk.Key, *, algorithm: str = "RS256", header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """Return a token that is good for the client "groundplane" unless `claims` say otherwise; None removes one."""
        usual = {"iss": self.url, "aud": "groundplane", "sub": "ada", "exp": int(time.time()) + 600}
        kept = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        head = {"alg": algorithm, "kid": key.kid, **(header or {})}
        registry = jws.JWSRegistry(algorithms=[algorithm])
        return jwt.encode(head, kept, key, algorithms=[algorithm], registry=registry)

    def document(self, path: str) -> dict[str, Any] | None:
        self.asked[path] = self.asked.get(path, 0) + 1
        if path == "/.well-known/openid-configuration":
            itself = {"issuer": self.claims_to_be or self.url, "jwks_uri": f"{self.url}/keys"}
            ends = {f"{name}_endpoint": f"{self.url}/{path}" for name, path in _ENDPOINTS}
            return {**itself, **ends, **self.door.says}
        if path == "/keys":
            return {"keys": [key.as_dict(private=False) for key in self.published]}
        return None

    def decided(self, asked: dict[str, str]) -> str:
        """Return where the browser goes when somebody has filled in the page."""
        told = {"state": asked["state"], "iss": self.url}
        if asked["decision"] == "allow":
            told["code"] = secrets.token_urlsafe(16)
            self.door.codes[told["code"]] = asked
        else:
            told |= {"error": "access_denied", "error_description": "somebody said no"}
        return f"{asked['redirect_uri']}?{urlencode(told)}"

    def exchanged(self, fields: dict[str, str], authorization: str) -> tuple[int, Any]:
        """Return status and answer for a code: text as it is, anything else as JSON."""
        self.door.fields.append(fields)
        if self.door.answers is not None:
            return self.door.answers(fields)
        asked = self.door.codes.pop(fields.get("code", ""), None)
        if not self.door.knows(fields, authorization):
            return 401, {"error": "invalid_client"}
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked["redirect_uri"] != fields.get("redirect_uri")
            or (asked.get("code_challenge_method"), asked.get("code_challenge")) != ("S256", challenge)
        ):
            return 400, {"error": "invalid_grant", "error_description": f"no good: {urlencode(fields)}"}
        claims = {"sub": asked["user"], "nonce": asked["nonce"], **self.door.claims}
        token = self.token(self.published[0], **claims)
        self.door.tokens.append(token)
        return 200, {"token_type": "Bearer", "access_token": secrets.token_urlsafe(16), "id_token": token}


class _Handler(BaseHTTPRequestHandler):
    issuer: Issuer

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/authorize":
            page = self.issuer.door.page(dict(parse_qsl(query)))
            self._send(200 if page else 400, page or "no", "text/html")
            return
        document = self.issuer.document(self.path)
        self._send(404 if document is None else 200, json.dumps(document or {}))

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["content-length"])).decode()
        fields = {name: values[0] for name, values in parse_qs(sent).items()}
        if urlsplit(self.path).path == "/authorize":
            self.send_response(302)
            self.send_header("location", self.issuer.decided(fields))
            self.send_header("content-length", "0")
            self.end_headers()
            return
        status, document = self.issuer.exchanged(fields, self.headers.get("authorization", ""))
        self._send(status, document if isinstance(document, str) else json.dumps(document))

    def _send(self, status: int, text: str, media_type: str = "application/json") -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that ends a connection because it does not know our authority."""
        if not isinstance(sys.exception(), ssl.SSLError | ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def issuing(folder: Path, *, host: str = "127.0.0.1") -> Iterator[Issuer]:
    """Run an issuer for the length of the block; its CA is kept in `folder`."""
    files = certificates.ensure(folder)

    class Handler(_Handler):
        pass

    server = _Server(("127.0.0.1", 0), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.server, files.server_key)
    # In the thread of the request: a browser opens connections before it needs them.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    Handler.issuer = Issuer(f"https://{host}:{server.server_address[1]}", files.ca)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Handler.issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
