"""A wheel brings the console along: it is not made without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConsoleHook(BuildHookInterface):  # type: ignore[type-arg]
    """Refuses to make a wheel without a built console."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Look for the page; an editable install works on the repository, where it may be built later."""
        page = Path(self.root) / "src" / "groundplane" / "console" / "dist" / "index.html"
        if version != "editable" and not page.is_file():
            raise FileNotFoundError("the console was not built: run `make console` first")
