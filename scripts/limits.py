"""Limits of size that the project holds itself to: functions of 50 lines, files of 800, five arguments by ruff."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES = 800
FUNCTION_LINES = 50
FOLDERS = ("src", "lab", "bench", "tests", "scripts")


def _too_long(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield f"{path}: {lines} lines, at most {FILE_LINES}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{path}:{node.lineno}: function {node.name} has {length} lines, at most {FUNCTION_LINES}"


def main() -> int:
    """Print what is too long; the exit status is 1 when anything is."""
    root = Path(__file__).parent.parent
    found = [
        line
        for folder in FOLDERS
        for path in sorted((root / folder).rglob("*.py"))
        for line in _too_long(path.relative_to(root) if path.is_relative_to(Path.cwd()) else path)
    ]
    for line in found:
        sys.stdout.write(line + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
