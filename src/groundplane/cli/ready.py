"""Ready: what the embedded engine tells once it answers. The token is there only when it was created just now."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Ready(msgspec.Struct, frozen=True):
    """`url` of the API, the administrator's kubeconfig, and the first administrator token ("" if not the first)."""

    url: str
    kubeconfig: Path
    token: str = ""

    def __repr__(self) -> str:
        return f"Ready(url={self.url!r}, kubeconfig={self.kubeconfig!r})"
