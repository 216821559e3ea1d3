"""The door to a machine, against a real sshd on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import time
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from groundplane.base.errors import Refused
from groundplane.hosts.errors import (
    CommandFailed,
    HostDenied,
    HostKeyMismatch,
    HostTimeout,
    HostUnreachable,
    WriteRefused,
)
from groundplane.hosts.ssh import HostAccess, HostPool, Limits
from support.sshd import Sshd, free_port, running_sshd


def new_key() -> bytes:
    return asyncssh.generate_private_key("ssh-ed25519").export_private_key()


async def until(path: Path) -> None:
    """Wait until a command on the machine made `path`."""
    async with asyncio.timeout(20):
        while not path.exists():
            await asyncio.sleep(0.01)


async def test_a_command_returns_its_status_and_both_outputs(access: HostAccess) -> None:
    async with HostPool() as pool:
        result = await pool.connect(access).run(["sh", "-c", "cat; echo bad >&2; exit 3"], stdin=b"in", check=False)
    assert (result.status, result.stdout, result.stderr) == (3, b"in", b"bad\n")


async def test_arguments_arrive_as_they_were_given(access: HostAccess) -> None:
    words = ["a b", "$HOME", "it's", '"', "*", "", "line\nbreak", "ü", "\\", "-n"]
    async with HostPool() as pool:
        result = await pool.connect(access).run(["printf", "%s|", *words])
    assert result.stdout.decode() == "".join(f"{word}|" for word in words)


async def test_large_input_and_output_pass_at_the_same_time(access: HostAccess) -> None:
    content = os.urandom(5_000_000)
    async with HostPool() as pool:
        result = await pool.connect(access).run(["cat"], stdin=content)
    assert result.stdout == content


async def test_a_failed_command_names_machine_command_and_what_it_said_but_not_its_input(access: HostAccess) -> None:
    async with HostPool() as pool:
        with pytest.raises(CommandFailed) as caught:
            await pool.connect(access).run(["sh", "-c", "cat > /dev/null; echo no space >&2; exit 5"], stdin=b"s3cret")
    text = str(caught.value)
    assert "shop-1 (127.0.0.1" in text
    assert "no space" in text
    assert "status 5" in text
    assert "s3cret" not in text


async def test_a_command_may_end_without_reading_its_input(access: HostAccess) -> None:
    async with HostPool() as pool:
        result = await pool.connect(access).run(["false"], stdin=bytes(3_000_000), check=False)
    assert result.status == 1


async def test_a_script_runs_whole_and_its_status_counts(access: HostAccess) -> None:
    async with HostPool() as pool:
        host = pool.connect(access)
        result = await host.script("set -eu\nx=$(cat <<'END'\na 'b' \"c\"\nEND\n)\necho \"$x\"\n")
        assert result.text == "a 'b' \"c\""
        with pytest.raises(CommandFailed, match="status 4"):
            await host.script("exit 4\n")


async def test_commands_speak_the_c_locale_and_find_system_programs(access: HostAccess) -> None:
    async with HostPool() as pool:
        text = (await pool.connect(access).run(["sh", "-c", 'echo "$LC_ALL $PATH"'])).text
    assert text.startswith("C ")
    assert "/usr/sbin" in text


async def test_a_command_that_does_not_end_is_ended_on_the_machine(access: HostAccess, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    async with HostPool() as pool:
        with pytest.raises(HostTimeout, match="shop-1"):
            await pool.connect(access).run(["sh", "-c", f"echo $$ > {pid_file}; exec sleep 100"], timeout=1)
    assert not alive(pid_file)


async def test_a_cancelled_command_is_ended_on_the_machine(access: HostAccess, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    async with HostPool() as pool:
        host = pool.connect(access)
        task = asyncio.create_task(host.run(["sh", "-c", f"echo $$ > {pid_file}; exec sleep 100"]))
        await until(pid_file)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not alive(pid_file)
        assert (await host.run(["echo", "still here"])).text == "still here"


async def test_a_command_cancelled_while_it_is_being_started_leaves_nothing_behind(access: HostAccess) -> None:
    word = f"7{os.getpid()}{time.monotonic_ns()}"
    async with HostPool() as pool:
        host = pool.connect(access)
        await host.run(["true"])
        for step in range(40):
            task = asyncio.create_task(host.run(["sh", "-c", "cat; sleep 100", word]))
            await asyncio.sleep(step * 0.0005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (await host.run(["echo", "still here"])).text == "still here"
        assert running_with(word) == []


def running_with(word: str) -> list[str]:
    """Pids of the processes that have a word among their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if word.encode() in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
    return found


async def test_a_cut_connection_ends_its_commands_and_the_next_call_connects_again(
    sshd: Sshd, access: HostAccess, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    async with HostPool() as pool:
        host = pool.connect(access)
        task = asyncio.create_task(host.run(["sh", "-c", f"echo $$ > {pid_file}; exec sleep 100"]))
        await until(pid_file)
        sshd.cut()
        with pytest.raises(HostUnreachable, match=r"shop-1 \(127.0.0.1"):
            await task
        assert (await host.run(["echo", "again"])).text == "again"
        async with asyncio.timeout(20):
            while alive(pid_file):
                await asyncio.sleep(0.05)


def alive(pid_file: Path) -> bool:
    pid = pid_file.read_text().strip()
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_a_silent_peer_is_taken_for_dead(sshd: Sshd, access: HostAccess) -> None:
    async with HostPool(keepalive=0.3) as pool:
        host = pool.connect(access)
        await host.run(["true"])
        sshd.freeze()
        started = time.monotonic()
        with pytest.raises(HostUnreachable):
            await host.run(["true"], timeout=60)
    assert time.monotonic() - started < 20


async def test_one_connection_serves_all_who_have_the_same_access(sshd: Sshd, access: HostAccess) -> None:
    async with HostPool() as pool:
        hosts = [pool.connect(replace(access)) for _ in range(5)]
        await asyncio.gather(*(host.run(["true"]) for host in hosts for _ in range(6)))
        assert len(sshd.sessions()) == 1
    async with asyncio.timeout(10):
        while sshd.sessions():
            await asyncio.sleep(0.01)


async def test_no_more_commands_than_the_limit_run_at_once(access: HostAccess, tmp_path: Path) -> None:
    # Each command waits until three were started, so fewer than three at once would not end.
    script = (
        f"cd {tmp_path}; touch started.$$ running.$$; "
        "while [ $(ls started.* | wc -l) -lt 3 ]; do sleep 0.02; done; ls running.* | wc -l; rm running.$$"
    )
    async with HostPool(limits=Limits(commands=3)) as pool:
        host = pool.connect(access)
        results = await asyncio.gather(*(host.run(["sh", "-c", script], timeout=20) for _ in range(9)))
    assert max(int(result.text) for result in results) <= 3


async def test_more_commands_than_sshd_has_sessions_for_wait_their_turn(tmp_path: Path) -> None:
    with running_sshd(tmp_path / "sshd", max_sessions=10) as server:
        access = HostAccess(name="m", address="127.0.0.1", port=server.port, private_keys=(server.client_key,))
        async with HostPool() as pool:
            host = pool.connect(access)
            results = await asyncio.gather(*(host.run(["echo", str(n)]) for n in range(40)))
    assert [result.text for result in results] == [str(n) for n in range(40)]


async def test_a_wrong_key_is_denied_with_a_remedy(access: HostAccess) -> None:
    async with HostPool() as pool:
        with pytest.raises(HostDenied, match="shop-1") as caught:
            await pool.connect(replace(access, private_keys=(new_key(),))).run(["true"])
    assert "secretRef" in caught.value.remedy


async def test_a_wrong_password_is_denied_and_never_shown(access: HostAccess) -> None:
    wrong = replace(access, private_keys=(), password="hunter2-wrong")
    async with HostPool() as pool:
        with pytest.raises(HostDenied) as caught:
            await pool.connect(wrong).run(["true"])
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(wrong)
    assert "cannot log in to shop-1" in caught.value.message
    assert "secretRef" in caught.value.remedy


async def test_a_key_that_cannot_be_read_is_denied_without_a_connection(access: HostAccess) -> None:
    async with HostPool() as pool:
        with pytest.raises(HostDenied, match="private key cannot be read"):
            await pool.connect(replace(access, private_keys=(b"nonsense",))).run(["true"])


async def test_an_encrypted_key_needs_its_passphrase(sshd: Sshd, access: HostAccess) -> None:
    key = asyncssh.import_private_key(sshd.client_key).export_private_key(passphrase="open sesame", rounds=64)
    async with HostPool() as pool:
        good = pool.connect(replace(access, private_keys=(key,), passphrase="open sesame"))
        assert (await good.run(["echo", "in"])).text == "in"
        with pytest.raises(HostDenied) as caught:
            await pool.connect(replace(access, private_keys=(key,), passphrase="wrong word")).run(["true"])
    assert "wrong word" not in str(caught.value)


async def test_another_host_key_than_the_pinned_one_is_never_talked_to(sshd: Sshd, access: HostAccess) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    async with HostPool() as pool:
        with pytest.raises(HostKeyMismatch) as caught:
            await pool.connect(replace(access, host_key=other)).run(["true"])
    for line in (other, sshd.host_key):
        assert asyncssh.import_public_key(line).get_fingerprint() in str(caught.value)
    assert "Accepted" not in (sshd.folder / "log").read_text()
    assert "cannot trust shop-1" in caught.value.message
    shown = " ".join(sshd.host_key.split()[:2])
    assert f'set spec.ssh.hostKey to its new key, "{shown}"' in caught.value.remedy, "as the field takes it"


async def test_a_pinned_key_of_another_type_is_a_mismatch_too(access: HostAccess) -> None:
    other = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode()
    async with HostPool() as pool:
        with pytest.raises(HostKeyMismatch, match="ssh-ed25519"):
            await pool.connect(replace(access, host_key=other)).run(["true"])


async def test_the_first_host_key_is_reported_and_pinned_at_once(sshd: Sshd, access: HostAccess) -> None:
    seen: list[tuple[str, str]] = []
    async with HostPool(on_host_key=lambda access, line: seen.append((access.name, line))) as pool:
        host = pool.connect(replace(access, host_key=""))
        await asyncio.gather(host.run(["true"]), host.run(["true"]))
        assert seen == [("shop-1", " ".join(sshd.host_key.split()[:2]))]
        (sshd.folder / "host_key").unlink()
        await asyncio.to_thread(sshd.stop)
        with running_sshd(sshd.folder, port=sshd.port) as imposter:
            known = replace(access, private_keys=(imposter.client_key,), host_key="")
            with pytest.raises(HostKeyMismatch):
                await host.run(["true"])
            await pool.forget(access)
            assert (await pool.connect(known).run(["echo", "accepted anew"])).text == "accepted anew"


async def test_a_closed_port_is_unreachable(access: HostAccess) -> None:
    async with HostPool() as pool:
        with pytest.raises(HostUnreachable, match=r"shop-1 \(127.0.0.1 port \d+\)") as caught:
            await pool.connect(replace(access, port=free_port())).run(["true"])
    assert "see that the machine is up" in caught.value.remedy


async def test_a_machine_that_does_not_answer_times_out(access: HostAccess) -> None:
    async with HostPool(connect_timeout=0.5) as pool:
        with pytest.raises((HostTimeout, HostUnreachable), match=r"198\.18\.255\.1"):
            await pool.connect(replace(access, address="198.18.255.1")).run(["true"])


async def test_a_server_that_accepts_and_stays_silent_times_out(access: HostAccess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with HostPool(connect_timeout=0.5) as pool:
            with pytest.raises(HostTimeout, match=r"shop-1 .*no answer in 0\.5 s") as caught:
                await pool.connect(replace(access, port=silent.getsockname()[1])).run(["true"])
    assert "see that the machine is up" in caught.value.remedy


async def test_a_machine_is_reached_through_a_jump_host(access: HostAccess, tmp_path: Path) -> None:
    with running_sshd(tmp_path / "inner") as inner:
        target = HostAccess(
            name="inner",
            address="127.0.0.1",
            port=inner.port,
            private_keys=(inner.client_key,),
            host_key=inner.host_key,
            jump=access,
        )
        async with HostPool() as pool:
            assert (await pool.connect(target).run(["echo", "through"])).text == "through"
            lost = replace(target, port=free_port())
            with pytest.raises(HostUnreachable, match="through shop-1"):
                await pool.connect(lost).run(["true"])


async def test_nothing_of_the_callers_own_ssh_setup_is_used(
    sshd: Sshd, access: HostAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ".ssh"
    folder.mkdir(mode=0o700)
    (folder / "id_ed25519").write_bytes(sshd.client_key)
    (folder / "id_ed25519").chmod(0o600)
    (folder / "config").write_text("Host *\n  Port 1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    async with HostPool() as pool:
        assert (await pool.connect(access).run(["echo", "ok"])).text == "ok"
        with pytest.raises(HostDenied, match="no key and no password"):
            await pool.connect(replace(access, private_keys=())).run(["true"])


async def test_only_reading_commands_pass_the_query(access: HostAccess, tmp_path: Path) -> None:
    async with HostPool() as pool:
        host = pool.connect(access)
        assert (await host.query(["uname", "-s"])).text == "Linux"
        assert (await host.query(["cat", "/nowhere"])).status == 1
        with pytest.raises(WriteRefused, match="touch"):
            await host.query(["touch", str(tmp_path / "made")])
    assert not (tmp_path / "made").exists()


async def test_files_are_read_and_missing_ones_are_none(access: HostAccess, tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.write_bytes(b"\0binary\n\n")
    file.chmod(0o640)
    async with HostPool() as pool:
        host = pool.connect(access)
        assert await host.read(str(file)) == b"\0binary\n\n"
        assert await host.digest(str(file)) == hashlib.sha256(b"\0binary\n\n").hexdigest()
        stat = await host.stat(str(file))
        assert stat is not None
        assert (stat.mode, stat.size, stat.owner) == (0o640, 9, "root")
        missing = str(tmp_path / "missing")
        assert await host.read(missing) is None
        assert await host.stat(missing) is None
        assert await host.digest(missing) is None
        with pytest.raises(CommandFailed):
            await host.read(str(tmp_path))


async def test_a_written_file_has_content_and_mode_and_leaves_nothing_beside_it(
    access: HostAccess, tmp_path: Path
) -> None:
    path = tmp_path / "new folder" / "file"
    async with HostPool() as pool:
        host = pool.connect(access)
        await host.write(str(path), b"one\n", mode=0o600)
        await host.write(str(path), b"two\0\n", mode=0o755)
        with pytest.raises(Refused, match="directory"):
            await host.write(str(tmp_path), b"")
    assert path.read_bytes() == b"two\0\n"
    assert path.stat().st_mode & 0o7777 == 0o755
    assert os.listdir(path.parent) == ["file"]
