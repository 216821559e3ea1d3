"""A person's terminal on a machine, against a real sshd on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import pwd
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from groundplane.hosts.contract import Size
from groundplane.hosts.errors import HostDenied, HostKeyMismatch, HostUnreachable
from groundplane.hosts.ssh import HostAccess, HostPool
from groundplane.hosts.terminal import Terminal
from support.sshd import Sshd, running_sshd

SIZE = Size(80, 24)


async def seen(terminal: Terminal, wanted: str) -> str:
    """Read until `wanted` is on the screen, and return all of it."""
    text = ""
    async with asyncio.timeout(20):
        while wanted not in text:
            data = await terminal.read()
            assert data, f"it ended before {wanted!r}: {text!r}"
            text += data.decode()
    return text


async def rest(terminal: Terminal) -> str:
    text = b""
    async with asyncio.timeout(20):
        while data := await terminal.read():
            text += data
    return text.decode()


def alive(pids: Iterable[int]) -> list[int]:
    """Those that are there and not only waited for by nobody, as after their end in a container."""
    return [pid for pid in pids if (found := Path(f"/proc/{pid}/cmdline")).exists() and found.read_bytes()]


async def gone(pids: Iterable[int]) -> None:
    """Wait until none of the processes is there any more."""
    waited = list(pids)
    async with asyncio.timeout(20):
        while alive(waited):
            await asyncio.sleep(0.01)


async def started(terminal: Terminal, folder: Path) -> list[int]:
    """Start what does not mind that its terminal is gone, and return its process ids and the shell's."""
    await terminal.write(b"trap '' HUP TERM; (sleep 600 & echo $! > %b; wait) &\n" % bytes(folder / "a"))
    await terminal.write(b"setsid -f sh -c 'echo $$ > %b; exec sleep 600'\n" % bytes(folder / "b"))
    await terminal.write(b"echo $$ > %b; echo all-$((1+1))\n" % bytes(folder / "c"))
    await seen(terminal, "all-2")
    async with asyncio.timeout(20):
        while not all((folder / name).exists() and (folder / name).read_text().strip() for name in "abc"):
            await asyncio.sleep(0.01)
    return [int((folder / name).read_text()) for name in "abc"]


async def test_a_shell_answers_what_is_typed_and_ends_with_its_status(access: HostAccess) -> None:
    async with HostPool() as pool, pool.terminal(access, [], SIZE) as terminal:
        await terminal.write(b"tty; echo $TERM $((6*7)); exit 3\n")
        screen = await rest(terminal)
        assert "/dev/pts/" in screen
        assert "xterm-256color 42" in screen
        assert await terminal.ended() == 3


async def test_the_shell_is_a_login_shell_of_the_user(access: HostAccess) -> None:
    async with HostPool() as pool, pool.terminal(access, [], SIZE) as terminal:
        await terminal.write(b"pwd; echo $0 $SHELL; echo locale-$LANG; exit\n")
        screen = await rest(terminal)
    root = pwd.getpwuid(0)
    assert f"{root.pw_dir}\r\n" in screen
    assert f"{root.pw_shell} {root.pw_shell}" in screen
    assert "locale-" in screen


async def test_a_size_is_told_at_the_beginning_and_later(access: HostAccess) -> None:
    async with HostPool() as pool, pool.terminal(access, ["sh"], Size(101, 31)) as terminal:
        await terminal.write(b"stty size\n")
        await seen(terminal, "31 101")
        terminal.resize(Size(77, 22))
        await terminal.write(b"stty size\n")
        await seen(terminal, "22 77")
        terminal.end_input()


async def test_ctrl_c_reaches_what_runs_in_the_terminal(access: HostAccess) -> None:
    script = "trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.1; done"
    async with HostPool() as pool, pool.terminal(access, ["sh", "-c", script], SIZE) as terminal:
        await seen(terminal, "ready")
        await terminal.write(b"\x03")
        await seen(terminal, "interrupted")
        await rest(terminal)
        assert await terminal.ended() == 5


async def test_without_a_terminal_the_outputs_are_two_and_the_input_has_an_end(access: HostAccess) -> None:
    async with HostPool() as pool, pool.terminal(access, ["sh", "-c", "cat; echo bad >&2; exit 7"], None) as terminal:
        await terminal.write(b"typed\0\n")
        terminal.end_input()
        assert await rest(terminal) == "typed\0\n"
        assert await terminal.read("stderr") == b"bad\n"
        assert await terminal.ended() == 7


async def test_what_was_started_ends_with_the_terminal(access: HostAccess, tmp_path: Path) -> None:
    async with HostPool() as pool:
        async with pool.terminal(access, ["sh"], SIZE) as terminal:
            pids = await started(terminal, tmp_path)
            assert alive(pids) == pids
        assert alive(pids) == []


async def test_what_was_started_ends_with_the_shell_too(access: HostAccess, tmp_path: Path) -> None:
    async with HostPool() as pool:
        async with pool.terminal(access, ["sh"], SIZE) as terminal:
            pids = await started(terminal, tmp_path)
            await terminal.write(b"exit\n")
            await rest(terminal)
        assert alive(pids) == []


async def test_what_was_started_ends_when_the_caller_is_cancelled(access: HostAccess, tmp_path: Path) -> None:
    async with HostPool() as pool:
        pids: list[int] = []

        async def work() -> None:
            async with pool.terminal(access, ["sh"], SIZE) as terminal:
                pids.extend(await started(terminal, tmp_path))
                await rest(terminal)

        task = asyncio.create_task(work())
        async with asyncio.timeout(20):
            while not pids:
                await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert alive(pids) == []


async def test_a_cut_connection_is_told_and_ends_what_was_started(
    sshd: Sshd, access: HostAccess, tmp_path: Path
) -> None:
    async with HostPool() as pool:
        with pytest.raises(HostUnreachable, match="connection was lost"):
            async with pool.terminal(access, ["sh"], SIZE) as terminal:
                pids = await started(terminal, tmp_path)
                sshd.cut()
                await rest(terminal)
                await terminal.ended()
        await gone(pids)


async def test_terminals_take_nothing_from_the_work_on_the_machine(access: HostAccess) -> None:
    async with HostPool() as pool, contextlib.AsyncExitStack() as open_now:
        for _ in range(9):
            await open_now.enter_async_context(pool.terminal(access, ["sh"], SIZE))
        results = await asyncio.gather(*(pool.connect(access).run(["echo", "ok"]) for _ in range(8)))
        assert [result.text for result in results] == ["ok"] * 8


async def test_a_terminal_goes_through_the_jump_host(sshd: Sshd, access: HostAccess, tmp_path: Path) -> None:
    with running_sshd(tmp_path / "jump") as other:
        jump = HostAccess(
            name="jump", address="127.0.0.1", port=other.port, private_keys=(other.client_key,), host_key=other.host_key
        )
        async with HostPool() as pool, pool.terminal(replace(access, jump=jump), ["sh"], SIZE) as terminal:
            assert other.sessions()
            await terminal.write(b"echo $((6*7))\n")
            await seen(terminal, "42")


async def test_a_machine_with_another_host_key_gets_nothing(sshd: Sshd, access: HostAccess) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    async with HostPool() as pool:
        with pytest.raises(HostKeyMismatch):
            async with pool.terminal(replace(access, host_key=other), [], SIZE):
                pass


async def test_a_first_key_is_trusted_once_for_the_terminal_and_all_other_work(access: HostAccess) -> None:
    told: list[str] = []
    async with HostPool(on_host_key=lambda _, key: told.append(key)) as pool:
        unknown = replace(access, host_key="")
        for _ in range(2):
            async with pool.terminal(unknown, ["true"], SIZE) as terminal:
                assert await terminal.ended() == 0
        await pool.connect(unknown).run(["true"])
    assert told == [access.host_key]


async def test_a_login_that_is_refused_says_so(access: HostAccess) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519").export_private_key()
    async with HostPool() as pool:
        with pytest.raises(HostDenied, match="did not accept the key"):
            async with pool.terminal(replace(access, private_keys=(key,)), [], SIZE):
                pass
