"""How to log in to one machine: a plain value, whose printed form shows no secret."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAccess:
    """Address and credentials of one machine.

    `private_keys` are keys in OpenSSH or PEM form, all under `passphrase` where they are encrypted. `password`
    answers password and keyboard-interactive logins. A user other than root becomes root by sudo, with
    `sudo_password` or, when that is empty, with `password` where sudo asks for one; `sudo=False` stays the user.
    `host_key` is the pinned key ("ssh-ed25519 AAAA…"); empty means: trust the first one seen, then pin it.
    `key_field` is where a person sets it, for messages.
    """

    name: str
    address: str
    port: int = 22
    user: str = "root"
    private_keys: tuple[bytes, ...] = field(default=(), repr=False)
    passphrase: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    sudo: bool = True
    sudo_password: str = field(default="", repr=False)
    host_key: str = ""
    key_field: str = "spec.ssh.hostKey"
    jump: HostAccess | None = None

    @property
    def place(self) -> str:
        """The machine as messages name it: name, address, port when unusual, and the jump host."""
        port = "" if self.port == 22 else f" port {self.port}"
        through = f" through {self.jump.name}" if self.jump else ""
        return f"{self.name} ({self.address}{port}{through})"

    @property
    def becomes_root(self) -> bool:
        """Whether commands need sudo to run as root."""
        return self.sudo and self.user != "root"
