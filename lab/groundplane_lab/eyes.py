"""Looking at a cluster from outside several times a second, which kubectl is too heavy for.

One connection for each `Eyes`, made anew when it breaks; a cluster that does not answer is None, not an error.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

_TIMEOUT = 2.0


class Eyes:
    """For one thread. Reads with the kubeconfig's first user, who has a client certificate, as kubeadm's has."""

    def __init__(self, kubeconfig: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        server = urlsplit(document["clusters"][0]["cluster"]["server"])
        self._address = (server.hostname or "", server.port or 443)
        self._tls = ssl.create_default_context(
            cadata=_decoded(document["clusters"][0]["cluster"], "certificate-authority")
        )
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as pair:
            user = document["users"][0]["user"]
            pair.write(_decoded(user, "client-certificate") + _decoded(user, "client-key"))
            pair.flush()
            self._tls.load_cert_chain(pair.name)
        self._connection: http.client.HTTPSConnection | None = None

    def close(self) -> None:
        """Close the connection; the next look opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def alive(self) -> bool:
        """Tell whether the API says that it is ready."""
        return self._get("/readyz") is not None

    def nodes(self) -> dict[str, dict[str, Any]] | None:
        """The Nodes by name, None when the API does not answer."""
        said = self._get("/api/v1/nodes")
        return None if said is None else {node["metadata"]["name"]: node for node in json.loads(said)["items"]}

    def _get(self, path: str) -> bytes | None:
        try:
            if self._connection is None:
                self._connection = http.client.HTTPSConnection(*self._address, timeout=_TIMEOUT, context=self._tls)
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return None
        return body if answer.status == 200 else None


def _decoded(of: dict[str, str], name: str) -> str:
    return base64.b64decode(of[f"{name}-data"]).decode()
