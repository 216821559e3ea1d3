"""The door on lab machines: what a plain sshd in a test cannot show (PAM passwords, sudo, sudo refused).

Nothing is left behind on the machine but files under /tmp.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from groundplane.base.clock import utc_now
from groundplane.hosts.contract import Size
from groundplane.hosts.errors import HostDenied, HostFull
from groundplane.hosts.facts import survey
from groundplane.hosts.ssh import HostAccess, HostPool
from groundplane.hosts.terminal import Terminal

pytestmark = pytest.mark.lab
PASSWORD = "lab-password"


@pytest.fixture(scope="module")
def machine() -> Iterator[HostAccess]:
    from groundplane_lab import LabSpec, down, up

    lab = up(LabSpec(name="hosts", machines=1, subnet="198.18.7.0/24"))
    first = lab.machines[0]
    key = Path(lab.private_key).read_bytes()
    yield HostAccess(name=first.name, address=first.address, host_key=first.host_key, private_keys=(key,))
    down("hosts")


@pytest.mark.parametrize("user", ["root", "admin"])
async def test_root_and_sudo_users_do_the_same(machine: HostAccess, user: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(3_000_000))
    async with HostPool() as pool:
        host = pool.connect(replace(machine, user=user))
        assert (await host.run(["id", "-u"])).text == "0"
        await host.write(f"/root/door-{user}", b"content", mode=0o600)
        assert await host.read(f"/root/door-{user}") == b"content"
        stat = await host.stat(f"/root/door-{user}")
        assert stat is not None
        assert (stat.mode, stat.owner) == (0o600, "root")
        await host.upload(str(source), f"/root/big-{user}")
        assert await host.read(f"/root/big-{user}") == source.read_bytes()
        await host.run(["rm", f"/root/door-{user}", f"/root/big-{user}"])


async def test_a_password_logs_in_through_pam(machine: HostAccess) -> None:
    async with HostPool() as pool:
        host = pool.connect(replace(machine, user="admin", private_keys=(), password=PASSWORD))
        assert (await host.run(["id", "-u"])).text == "0"
        with pytest.raises(HostDenied, match="did not accept the password") as caught:
            await pool.connect(replace(machine, user="admin", private_keys=(), password="wrong-word")).run(["true"])
    assert "wrong-word" not in str(caught.value)
    assert machine.name in caught.value.message
    assert "secretRef" in caught.value.remedy


async def test_a_user_without_sudo_is_denied_with_what_sudo_said(machine: HostAccess) -> None:
    async with HostPool() as pool:
        with pytest.raises(HostDenied, match="cannot become root") as caught:
            await pool.connect(replace(machine, user="nosudo", password=PASSWORD)).run(["true"])
        assert PASSWORD not in str(caught.value)
        assert machine.name in caught.value.message
        assert "sudo-password" in caught.value.remedy
        plain = pool.connect(replace(machine, user="nosudo", sudo=False))
        assert (await plain.run(["id", "-un"])).text == "nosudo"


async def test_sudo_with_a_password_works_and_hides_it(machine: HostAccess) -> None:
    rule = "/etc/sudoers.d/door-test"
    async with HostPool() as pool:
        root = pool.connect(machine)
        await root.write(rule, b"nosudo ALL=(ALL) ALL\n", mode=0o440)
        try:
            host = pool.connect(replace(machine, user="nosudo", sudo_password=PASSWORD))
            assert (await host.run(["id", "-u"])).text == "0"
            # What arrives on standard input is the input, and no line of the password's.
            assert (await host.run(["cat"], stdin=b"first line\nrest")).stdout == b"first line\nrest"
            await host.write("/root/door-password", b"go\nx", mode=0o600)
            assert await root.read("/root/door-password") == b"go\nx"
            seen = await host.run(
                ["sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' ' '"], check=False
            )
            assert PASSWORD.encode() not in seen.stdout
            wrong = replace(machine, user="nosudo", sudo_password="wrong-word")
            with pytest.raises(HostDenied, match="sudo refused") as caught:
                await pool.connect(wrong).run(["true"])
            assert "wrong-word" not in str(caught.value)
        finally:
            await root.run(["rm", "-f", rule, "/root/door-password"])


async def screen(terminal: Terminal) -> str:
    shown = b""
    async with asyncio.timeout(30):
        while data := await terminal.read():
            shown += data
    return shown.decode()


@pytest.mark.parametrize("user", ["root", "admin"])
async def test_a_terminal_is_a_login_shell_of_root(machine: HostAccess, user: str) -> None:
    async with HostPool() as pool, pool.terminal(replace(machine, user=user), [], Size(101, 31)) as terminal:
        await terminal.write(b"id -un; pwd; stty size; tty; exit 4\n")
        shown = await screen(terminal)
        assert await terminal.ended() == 4
    assert "root\r\n/root\r\n31 101\r\n/dev/pts/" in shown


async def test_in_a_terminal_sudos_password_is_typed_unseen_and_echo_is_back_then(machine: HostAccess) -> None:
    rule = "/etc/sudoers.d/door-test"
    async with HostPool() as pool:
        root = pool.connect(machine)
        await root.write(rule, b"nosudo ALL=(ALL) ALL\n", mode=0o440)
        try:
            asked = replace(machine, user="nosudo", sudo_password=PASSWORD)
            async with pool.terminal(asked, ["sh"], Size(101, 31)) as terminal:
                await terminal.write(b"echo who-$(id -un) $(stty size)\n")
                await terminal.write(b"cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>&1 | tr '\\0' ' '; exit 4\n")
                shown = await screen(terminal)
                assert await terminal.ended() == 4
            assert "who-root 31 101" in shown
            assert "echo who-$(id -un)" in shown
            assert PASSWORD not in shown
            async with pool.terminal(asked, ["sh", "-c", "cat; id -un"], None) as plain:
                await plain.write(b"typed\n")
                plain.end_input()
                assert await screen(plain) == "typed\nroot\n"
            # What minds no signal of the terminal's user runs as root, and is ended as root.
            async with pool.terminal(asked, ["sh"], Size(80, 24)) as stubborn:
                await stubborn.write(b"setsid -f sh -c \"trap '' HUP TERM; while :; do sleep 7.5; done\"; exit\n")
                await screen(stubborn)
            assert "sleep 7.5" not in (await root.query(["ps", "-eo", "args"])).text
        finally:
            await root.run(["rm", "-f", rule])


async def test_a_full_disk_leaves_the_old_file_and_says_so(machine: HostAccess, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(4_000_000))
    async with HostPool() as pool:
        host = pool.connect(machine)
        await host.script("mkdir -p /tmp/small && mount -t tmpfs -o size=1m tmpfs /tmp/small")
        try:
            await host.write("/tmp/small/file", b"old")
            small = rf"/tmp/small/file on {machine.name} \(.*\): /tmp/small has 0 MiB free and"
            with pytest.raises(HostFull, match=f"cannot write {small} 2 MiB are needed") as written:
                await host.write("/tmp/small/file", bytes(2_000_000))
            assert await host.read("/tmp/small/file") == b"old"
            with pytest.raises(HostFull, match=f"cannot upload {small} 4 MiB are needed") as uploaded:
                await host.upload(str(source), "/tmp/small/file")
            assert await host.read("/tmp/small/file") == b"old"
            assert (await host.run(["ls", "-A", "/tmp/small"])).text == "file"
            assert written.value.remedy.startswith("free 1 MiB on the file system of /tmp/small")
            assert uploaded.value.remedy.startswith("free 3 MiB on the file system of /tmp/small")
        finally:
            await host.run(["umount", "/tmp/small"])


async def test_a_survey_of_a_fresh_machine_is_quick_and_right(machine: HostAccess) -> None:
    async with HostPool() as pool:
        facts = await survey(pool.connect(machine), utc_now)
    assert facts.systemd
    assert facts.network.addresses == [f"{machine.address}/24"]
    assert abs(facts.time.offset_seconds) < 1
    assert facts.runtime("containerd").installed
