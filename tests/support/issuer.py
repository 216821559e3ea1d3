"""A small OpenID Connect issuer on loopback: discovery and keys over https, tokens signed with any of its keys."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from joserfc import jwk, jws, jwt

from groundplane.server import certificates


@dataclass
class Issuer:
    """A running issuer. `published` are the keys that it shows, `asked` counts requests by path."""

    url: str
    ca: Path
    published: list[jwk.Key] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)
    claims_to_be: str = ""

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
            return {"issuer": self.claims_to_be or self.url, "jwks_uri": f"{self.url}/keys"}
        if path == "/keys":
            return {"keys": [key.as_dict(private=False) for key in self.published]}
        return None


@contextmanager
def issuing(folder: Path) -> Iterator[Issuer]:
    """Run an issuer for the length of the block; its CA is kept in `folder`."""
    files = certificates.ensure(folder)
    issuer: list[Issuer] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = issuer[0].document(self.path)
            content = json.dumps(document or {}).encode()
            self.send_response(404 if document is None else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.server, files.server_key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    issuer.append(Issuer(f"https://127.0.0.1:{server.server_address[1]}", files.ca))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield issuer[0]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
