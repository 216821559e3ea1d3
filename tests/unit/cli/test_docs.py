"""docs/cli.md is true: every command, option and exit code is in it, and nothing that does not exist."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from groundplane.cli import main
from groundplane.cli.exits import MEANINGS, Exit

from .conftest import run_cli

DOC = (Path(__file__).parents[3] / "docs" / "cli.md").read_text("utf-8")
SECTIONS = {
    re.sub(r" [\[A-Z].*", "", title): text
    for title, text in re.findall(r"^## `groundplane ([^`]+)`\n(.*?)(?=^## |\Z)", DOC, re.S | re.M)
}


def _commands() -> Iterator[tuple[str, click.Command]]:
    for name, (module, attribute, _) in main._COMMANDS.items():
        command = getattr(importlib.import_module(module), attribute)
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", found) for inner, found in command.commands.items())
        else:
            yield name, command


COMMANDS = dict(_commands())


def _options(command: click.Command) -> set[str]:
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    return {flag for option in options for flag in (*option.opts, *option.secondary_opts)}


def test_the_documented_commands_are_those_that_exist() -> None:
    assert set(SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_documented_options_of_a_command_are_those_that_exist(name: str) -> None:
    rows = re.findall(r"^\| (`-.*?) \|", SECTIONS[name], re.M)
    documented = {flag for row in rows for flag in re.findall(r"`(--?[a-zA-Z-]+)", row)}
    assert documented == _options(COMMANDS[name])


def test_the_global_options_are_documented() -> None:
    text = DOC.split("## Global flags")[1].split("\n## ")[0]
    assert all(f"`{flag}" in text for flag in _options(main.cli))


def test_the_exit_codes_are_documented_as_they_are() -> None:
    rows = re.findall(r"^\| (\d) \| `(\w+)` \| (.*) \|$", DOC, re.M)
    assert rows == [(str(int(code)), code.name, MEANINGS[code]) for code in Exit]


@pytest.mark.parametrize("name", sorted(main._COMMANDS))
def test_the_list_of_commands_says_of_each_what_the_command_says_of_itself(name: str) -> None:
    module, attribute, listed = main._COMMANDS[name]
    command = getattr(importlib.import_module(module), attribute)
    assert (command.help or "").splitlines()[0] == listed


def test_help_loads_nothing_but_click() -> None:
    program = (
        "import sys; from groundplane.cli import main; main.run(['--help']); "
        "print([m for m in sys.modules if m.split('.')[0] in ('httpx2', 'msgspec', 'asyncssh', 'rich', 'asyncio')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments", [["nope"], ["get"], ["get", "--nope", "x"], ["apply", "-f", "-", "--timeout", "1x"]]
)
def test_a_wrong_command_line_is_a_usage_error(arguments: list[str]) -> None:
    outcome = run_cli(arguments, stdin="{apiVersion: v1, kind: Secret, metadata: {name: x}}")
    assert outcome.code == Exit.USAGE
    assert outcome.err


def test_a_kubeconfig_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    outcome = run_cli(["--kubeconfig", str(tmp_path / "none"), "get", "clusters"])
    assert outcome.code == Exit.REFUSED
    assert str(tmp_path / "none") in outcome.err
    assert "remedy: " in outcome.err
