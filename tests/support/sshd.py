"""A real sshd on 127.0.0.1, in the foreground, with keys and configuration of its own.

It is a child of the test, which may ask for the processes of its sessions in order to cut them. Debian's
openssh-server has to be installed; the repository's set-up does that.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh

CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
AllowTcpForwarding yes
MaxStartups 200
MaxSessions {max_sessions}
SetEnv SHLVL=5
"""
# SHLVL: bash reads ~/.bashrc, whatever the developer keeps there, only in the outermost shell.


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Sshd:
    """A running server. `client_key` may log in as root; `host_key` is the line to pin."""

    port: int
    folder: Path
    client_key: bytes
    host_key: str
    process: subprocess.Popen[bytes]

    def sessions(self) -> list[int]:
        """Process ids of the children that serve one connection each."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def cut(self) -> None:
        """Kill every connection of this server at once, as a lost network or a crash would."""
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Stop the server and every connection of it, and wait until all are gone; may be called again."""
        if self.process.poll() is None:
            killed = set(self.sessions())
            self.cut()
            # On a busy machine a killed process is still there for a while, and its connection is open.
            while killed & set(self.sessions()):
                time.sleep(0.005)
            self.process.terminate()
            self.process.wait(10)

    def freeze(self) -> None:
        """Stop every connection's process: the peer is there, and silent."""
        for pid in self.sessions():
            os.kill(pid, signal.SIGSTOP)


@contextlib.contextmanager
def running_sshd(folder: Path, *, max_sessions: int = 50, port: int = 0, without: Sequence[str] = ()) -> Iterator[Sshd]:
    """Start sshd in `folder` and stop it, with its sessions, at the end. A second start keeps the host key.

    `without` are programs of this machine that its sessions do not find.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    host_key_file = folder / "host_key"
    if not host_key_file.exists():
        host_key_file.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
        host_key_file.chmod(0o600)
    host_key = asyncssh.read_private_key(host_key_file).export_public_key().decode().strip()
    client = asyncssh.generate_private_key("ssh-ed25519")
    (folder / "authorized_keys").write_bytes(client.export_public_key())
    (folder / "config").write_text(CONFIG.format(port=port, folder=folder, max_sessions=max_sessions))
    Path("/run/sshd").mkdir(exist_ok=True)
    program = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin")
    if program is None:
        raise FileNotFoundError("sshd is not installed: apt-get install openssh-server")
    with (folder / "log").open("ab") as log:
        argv = [*_hiding(without), program, "-D", "-e", "-f", str(folder / "config")]
        process = subprocess.Popen(argv, stderr=log)
    server = Sshd(port, folder, client.export_private_key(), host_key, process)
    try:
        _wait_for(server)
        yield server
    finally:
        server.stop()


def _hiding(programs: Sequence[str]) -> list[str]:
    """Return what starts a process from which the programs are hidden, in a mount namespace of its own."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    paths = [found for name in programs for folder in folders if (found := shutil.which(name, path=folder))]
    covered = 'for path; do [ "$path" != -- ] || break; mount --bind /dev/null "$path"; done; '
    rest = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"'
    return ["unshare", "--mount", "sh", "-ec", covered + rest, "sh", *paths, "--"] if paths else []


def _wait_for(server: Sshd) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", server.port), 1).close()
        except ConnectionRefusedError:
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((server.folder / "log").read_text()) from None
            time.sleep(0.02)
        else:
            return
