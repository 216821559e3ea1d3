"""The served certificate, renewed before it ends while the server runs: new connections get the new one.

Another process may renew it too (a command that needs the certificates): what is served follows the file.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path

from groundplane.base.clock import Now, rfc3339, utc_now
from groundplane.base.errors import GroundplaneError
from groundplane.base.logs import get_logger

from . import certificates
from .certificates import Certificates

_log = get_logger(__name__)
LOOK_SECONDS = 3600.0


@dataclass(slots=True)
class Renewal:
    """Keeps one TLS context's certificate good. `names` are those of the certificate."""

    home: Path
    names: tuple[str, ...]
    context: ssl.SSLContext
    seconds: float = LOOK_SECONDS
    now: Now = utc_now
    _served: bytes = b""

    async def run(self) -> None:
        """Look again and again."""
        while True:
            self.look()
            await asyncio.sleep(self.seconds)

    def look(self) -> None:
        """Renew the certificate when it nears its end, and serve what the file holds."""
        try:
            files = certificates.ensure(self.home, names=self.names, now=self.now)
            content = files.server.read_bytes()
            if content != self._served:
                self._serve(files)
                self._served = content
        except (GroundplaneError, OSError, ssl.SSLError) as error:
            # The old one is good for weeks yet, and the next look may succeed.
            _log.error("certificate cannot be renewed", why=str(error))

    def _serve(self, files: Certificates) -> None:
        self.context.load_cert_chain(files.server, files.server_key)
        self.context.load_verify_locations(files.client_ca)
        if self._served:
            _log.info("certificate renewed", until=rfc3339(certificates.until(files.server)))
