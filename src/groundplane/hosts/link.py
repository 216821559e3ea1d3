"""One SSH connection to one machine: opened when needed, verified, kept alive, opened again after a cut.

Nothing of the caller's own SSH set-up is used: no ~/.ssh, no agent, no configuration file. The host key is
compared before any credential is sent. Errors of asyncssh end here; what leaves is a HostError.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import asyncssh
from asyncssh.public_key import get_default_public_key_algs

from .access import HostAccess
from .dialing import dialed
from .errors import HostDenied, HostError, HostKeyMismatch, HostTimeout, HostUnreachable

# OpenSSH allows 10 sessions on a connection unless told otherwise (sshd_config(5), MaxSessions).
# Two are kept free: for the lifeline and for ending a command that was given up.
SESSIONS = 8
# AES-GCM first: with 32 KiB packets it moved 116-161 MB/s over loopback, chacha20-poly1305 about 80.
CIPHERS = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr", "aes128-ctr"]
_SLOW_CIPHERS = ["chacha20-poly1305@openssh.com"]

_SEE_THAT_IT_IS_UP = (
    "see that the machine is up, that its address is right, and that sshd answers there; it is tried again"
)


class _Verifier(asyncssh.SSHClient):
    """Compares the host key that a server shows with the pinned one, and remembers what it saw."""

    def __init__(self, pinned: str) -> None:
        self.pinned = pinned
        self.seen = ""
        self.lost = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.seen = key_line(key)
        return not self.pinned or self.seen == self.pinned


def key_line(key: asyncssh.SSHKey) -> str:
    """Return a public key as "algorithm base64", without a comment."""
    return " ".join(key.export_public_key().decode("ascii").split()[:2])


def fingerprint(line: str) -> str:
    """Return the fingerprint of a key line as `ssh-keygen -l` prints it, with the key's type."""
    return f"{line.split(maxsplit=1)[0]} {asyncssh.import_public_key(line).get_fingerprint()}"


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every connection of a pool. Times are seconds; `handshakes` bounds logins under way at once,
    `dials` the machines that are waited for."""

    connect_timeout: float
    keepalive: float
    dials: asyncio.Semaphore
    handshakes: asyncio.Semaphore
    on_host_key: Callable[[HostAccess, str], None]


class Link:
    """The connection to one machine. `pinned` is the host key that is accepted, empty until the first one is seen."""

    def __init__(
        self,
        access: HostAccess,
        *,
        jump: Link | None,
        terms: Terms,
    ) -> None:
        self.access = access
        self.pinned = _normal(access)
        self.sessions = asyncio.Semaphore(SESSIONS)
        # Others are reached through it: it is kept open as long as they are.
        self.is_jump = False
        self.jump = jump
        self._terms = terms
        self._opening = asyncio.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._verifier = _Verifier(self.pinned)
        self._keys: list[asyncssh.SSHKey] | None = None
        self._leaving: weakref.ref[asyncssh.SSHClientConnection] | None = None
        if jump is not None:
            jump.is_jump = True

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection is not None

    @property
    def depth(self) -> int:
        """How many jump hosts lie before the machine."""
        return self.jump.depth + 1 if self.jump else 0

    @property
    def patience(self) -> float:
        """Seconds after which a machine that says nothing is given up."""
        return self._terms.connect_timeout

    async def pin(self, access: HostAccess) -> None:
        """Accept only `access.host_key` from now on; an open connection to another key is closed."""
        line = _normal(access)
        if self.pinned != line:
            self.pinned = line
            await self.close()

    async def open(self) -> asyncssh.SSHClientConnection:
        """Return the open connection, connecting first when there is none."""
        async with self._opening:
            # A connection that was lost just now is known to be so one turn of the loop later.
            await asyncio.sleep(0)
            if self._connection is None or self._connection.is_closed() or self._verifier.lost:
                await self.close()
                self._connection = await self._connect()
            return self._connection

    def let_go(self) -> None:
        """Close a connection that nobody uses, without waiting for its end; `close` still does."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            # Not kept: of thousands of machines, most have been let go.
            self._leaving = weakref.ref(connection)

    async def close(self) -> None:
        """Close the connection and wait until it is gone; the next `open` connects again."""
        leaving = self._leaving() if self._leaving else None
        if leaving is not None:
            leaving.abort()
            await leaving.wait_closed()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            # A dead peer never confirms: after a moment the connection is dropped without its consent.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(connection.wait_closed(), 2)
                return
            connection.abort()
            await connection.wait_closed()

    async def _connect(self) -> asyncssh.SSHClientConnection:
        place = self.access.place
        self._verifier = verifier = _Verifier(self.pinned)
        try:
            connection = await self._logged_in(verifier)
        except asyncssh.HostKeyNotVerifiable as exc:
            raise self._mismatch(verifier.seen) from exc
        except asyncssh.PermissionDenied as exc:
            raise self._denied() from exc
        except TimeoutError as exc:
            silence = f"no answer in {self.patience:g} s"
            raise HostTimeout(f"cannot connect to {place}: {silence}", remedy=_SEE_THAT_IT_IS_UP) from exc
        except (OSError, asyncssh.Error) as exc:
            raise HostUnreachable(f"cannot connect to {place}: {_reason(exc)}", remedy=_SEE_THAT_IT_IS_UP) from exc
        if not self.pinned:
            self.pinned = verifier.seen
            self._terms.on_host_key(self.access, verifier.seen)
        return connection

    async def _logged_in(self, verifier: _Verifier) -> asyncssh.SSHClientConnection:
        """Connect and log in. A place among the handshakes is taken only when the server has spoken."""
        options = await self._options()
        if self.jump is not None:
            tunnel = await self.jump.open()
            # What lies behind a jump host cannot be waited for without its help: the handshake begins at once.
            async with self._terms.handshakes, asyncio.timeout(self.patience):
                connection, _ = await asyncssh.create_connection(
                    lambda: verifier, self.access.address, self.access.port, tunnel=tunnel, options=options
                )
            return connection
        async with self._terms.dials, asyncio.timeout(self.patience):
            sock = await dialed(self.access.address, self.access.port)
        try:
            async with self._terms.handshakes, asyncio.timeout(self.patience):
                connection, _ = await asyncssh.create_connection(lambda: verifier, sock=sock, options=options)
        except BaseException:
            sock.close()
            raise
        return connection

    async def _options(self) -> asyncssh.SSHClientConnectionOptions:
        access = self.access
        if self._keys is None:
            self._keys = await asyncio.to_thread(_load_keys, access)
        return asyncssh.SSHClientConnectionOptions(
            username=access.user,
            client_keys=self._keys or None,
            password=access.password or None,
            preferred_auth=["publickey", "keyboard-interactive", "password"],
            # Knows nobody, so that the verifier decides about every host key.
            known_hosts=asyncssh.import_known_hosts(""),
            server_host_key_algs=_host_key_algorithms(self.pinned),
            encryption_algs=CIPHERS + _SLOW_CIPHERS,
            compression_algs=None,
            keepalive_interval=self._terms.keepalive,
            keepalive_count_max=3,
            login_timeout=self.patience,
            config=[],
            agent_path=None,
            pkcs11_provider=None,
            host_based_auth=False,
            client_host_keysign=False,
            gss_host=None,
            x509_trusted_certs=None,
            x509_trusted_cert_paths=[],
        )

    def _mismatch(self, seen: str) -> HostKeyMismatch:
        if not seen:
            return HostKeyMismatch(f"cannot trust {self.access.place}: it shows a host key that cannot be read")
        return HostKeyMismatch(
            f"cannot trust {self.access.place}: its host key is {fingerprint(seen)}, "
            f"but the pinned one is {fingerprint(self.pinned)}",
            remedy=f'if the machine was reinstalled, set {self.access.key_field} to its new key, "{seen}"; if not, '
            "someone may be answering in its place",
        )

    def _denied(self) -> HostDenied:
        access = self.access
        offered = [word for word, given in (("key", access.private_keys), ("password", access.password)) if given]
        what = " and ".join(offered) or "no credentials"
        return HostDenied(
            f"cannot log in to {access.place} as {access.user}: the machine did not accept the {what}"
            if offered
            else f"cannot log in to {access.place} as {access.user}: no key and no password were given",
            remedy="check spec.ssh.user and the Secret named in spec.ssh.secretRef",
        )


@contextlib.asynccontextmanager
async def translated(access: HostAccess, doing: str) -> AsyncIterator[None]:
    """Turn what asyncssh raises on an open connection into HostErrors."""
    try:
        yield
    except HostError:
        raise
    except asyncssh.ChannelOpenError as exc:
        raise HostUnreachable(
            f"cannot {doing} on {access.place}: {_reason(exc)}",
            remedy="if this stays, check MaxSessions in the machine's sshd_config",
        ) from exc
    except (OSError, asyncssh.Error) as exc:
        raise HostUnreachable(f"cannot {doing} on {access.place}: the connection was lost: {_reason(exc)}") from exc


def _load_keys(access: HostAccess) -> list[asyncssh.SSHKey]:
    try:
        return [asyncssh.import_private_key(key, access.passphrase or None) for key in access.private_keys]
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as exc:
        raise HostDenied(
            f"cannot log in to {access.place} as {access.user}: the private key cannot be read: {exc}",
            remedy="check ssh-privatekey and passphrase in the Secret named in spec.ssh.secretRef",
        ) from exc


def _normal(access: HostAccess) -> str:
    if not access.host_key:
        return ""
    try:
        return key_line(asyncssh.import_public_key(access.host_key))
    except asyncssh.KeyImportError as exc:
        raise HostDenied(
            f"cannot trust {access.place}: the pinned host key cannot be read: {exc}",
            remedy=f'{access.key_field} is a line such as "ssh-ed25519 AAAA…"',
        ) from exc


def _host_key_algorithms(pinned: str) -> list[str]:
    """Return the algorithms to ask for, those of the pinned key first, so that a server with several keys shows it."""
    usual = [algorithm.decode("ascii") for algorithm in get_default_public_key_algs()]
    if not pinned:
        return usual
    wanted = [algorithm.decode("ascii") for algorithm in asyncssh.import_public_key(pinned).sig_algorithms]
    return wanted + [algorithm for algorithm in usual if algorithm not in wanted]


def _reason(exc: Exception) -> str:
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror.lower()
    return (str(exc) or type(exc).__name__).lower()
