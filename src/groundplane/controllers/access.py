"""From a Machine and its Secrets to an open door: who logs in where, with what, and which host key is expected."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TypedDict

from groundplane.api.facts import MachineFacts
from groundplane.api.machine import JumpHost, Machine
from groundplane.api.meta import SECRET_SSH, NameReference
from groundplane.base.clock import Now
from groundplane.base.errors import GroundplaneError, Refused
from groundplane.engine.queue import ObjectKey
from groundplane.hosts.access import HostAccess
from groundplane.hosts.contract import Host, Size
from groundplane.hosts.facts import survey
from groundplane.hosts.ssh import HostPool
from groundplane.hosts.terminal import Terminal

from .objects import Objects


class _Credentials(TypedDict):
    private_keys: tuple[bytes, ...]
    passphrase: str
    password: str
    sudo_password: str


class NoCredentials(Refused):
    """The Secret that a Machine points to is missing or cannot be used."""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """Facts of the machines that answered, errors of those that did not, and the host keys seen; by name."""

    facts: dict[str, MachineFacts]
    errors: dict[str, GroundplaneError]


@dataclass(slots=True)
class _Known:
    """What was opened for one Machine object; a changed login opens another connection beside the first."""

    uid: str
    accesses: set[HostAccess] = field(default_factory=set)


class Access:
    """Opens doors to Machines; connections live in the pool and are shared by all controllers."""

    def __init__(self, objects: Objects, *, now: Now) -> None:
        self._objects = objects
        self._seen: dict[str, dict[str, str]] = {}
        self._known: dict[ObjectKey, _Known] = {}
        self._pool = HostPool(on_host_key=self._trust)
        self._now = now

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def forget(self, key: ObjectKey) -> None:
        """Close the connections to a Machine that is gone, and forget the host key that was trusted for it.

        A Machine that is made again under the name starts anew, for its host may have been installed anew.
        """
        known = self._known.pop(key, None)
        if known is not None:
            self._seen.pop(_host_name(key), None)
            self._seen.pop(_jump_name(key), None)
            for access in known.accesses:
                await self._pool.forget(access)
                if access.jump is not None:
                    await self._pool.forget(access.jump)

    async def host(self, machine: Machine) -> Host:
        """Return the machine's door. Nothing is connected yet; raises NoCredentials."""
        return self._pool.connect(await self._noted(machine))

    @asynccontextmanager
    async def terminal(self, machine: Machine, argv: Sequence[str], size: Size | None) -> AsyncIterator[Terminal]:
        """Start `argv`, or the login shell, for a person; it ends with the block. Raises NoCredentials."""
        async with self._pool.terminal(await self._noted(machine), argv, size) as terminal:
            yield terminal

    async def _noted(self, machine: Machine) -> HostAccess:
        """Return how to log in to a machine, which is forgotten with it."""
        access = await self._access(machine)
        key, uid = _key(machine), machine.metadata.uid
        if key in self._known and self._known[key].uid != uid:
            await self.forget(key)
        self._known.setdefault(key, _Known(uid)).accesses.add(replace(access, host_key=""))
        return access

    async def hosts(self, machines: Sequence[Machine]) -> dict[str, Host]:
        """Return the doors of several machines by name."""
        return {machine.metadata.name: await self.host(machine) for machine in machines}

    async def look(self, machine: Machine) -> MachineFacts:
        """Survey one machine now."""
        return await survey(await self.host(machine), now=self._now)

    async def survey(self, machines: Sequence[Machine]) -> Surveyed:
        """Survey machines side by side; an error of one does not stop the others."""

        async def attempt(machine: Machine) -> MachineFacts | GroundplaneError:
            try:
                return await self.look(machine)
            except GroundplaneError as error:
                return error

        answers = await asyncio.gather(*(attempt(machine) for machine in machines))
        by_name = {m.metadata.name: answer for m, answer in zip(machines, answers, strict=True)}
        return Surveyed(
            facts={name: answer for name, answer in by_name.items() if isinstance(answer, MachineFacts)},
            errors={name: answer for name, answer in by_name.items() if isinstance(answer, GroundplaneError)},
        )

    def trusted_host_key(self, machine: Machine) -> str:
        """Return the host key that is trusted since its first use, as "[address]:port key", or "".

        It is that of the place: a Machine that is somewhere else by now is trusted on first use again.
        """
        place = _place_of(machine)
        key = self._seen_at(_host_name(_key(machine)), place) or _key_at(place, machine.status.host_key)
        return f"{place} {key}" if key else ""

    def seen_jump_host_key(self, machine: Machine) -> str:
        """Return the jump host and its key that was trusted on first use as "[address]:port key", or ""."""
        jump = machine.spec.ssh.jump
        if jump is None:
            return ""
        place = _place(jump.address, jump.port, None)
        key = self._seen_at(_jump_name(_key(machine)), place)
        return f"{place} {key}" if key else ""

    def _seen_at(self, name: str, place: str) -> str:
        return self._seen.get(name, {}).get(place, "")

    def _trust(self, access: HostAccess, key: str) -> None:
        """Remember a host key that the pool trusted on first use, for the place that showed it."""
        self._seen.setdefault(access.name, {})[_place(access.address, access.port, access.jump)] = key

    async def _access(self, machine: Machine) -> HostAccess:
        ssh = machine.spec.ssh
        jump = None
        if ssh.jump is not None:
            # A key is pinned for the jump host that showed it; another one is trusted on first use again.
            place = _place(ssh.jump.address, ssh.jump.port, None)
            jump = HostAccess(
                name=_jump_name(_key(machine)),
                address=ssh.jump.address,
                port=ssh.jump.port,
                user=ssh.jump.user,
                host_key=ssh.jump.host_key or _key_at(place, machine.status.jump_host_key),
                key_field="spec.ssh.jump.hostKey",
                **await self._credentials(machine, ssh.jump.secret_ref),
            )
        return HostAccess(
            name=_host_name(_key(machine)),
            address=machine.spec.address,
            port=ssh.port,
            user=ssh.user,
            sudo=ssh.sudo == "Auto",
            host_key=ssh.host_key or _key_at(_place_of(machine), machine.status.host_key),
            jump=jump,
            **await self._credentials(machine, ssh.secret_ref),
        )

    async def _credentials(self, machine: Machine, reference: NameReference | None) -> _Credentials:
        secret = await self._secret(machine, reference)
        key = secret.get("ssh-privatekey")
        try:
            return {
                "private_keys": (key,) if key else (),
                "passphrase": secret.get("passphrase", b"").decode(),
                "password": secret.get("password", b"").decode(),
                "sudo_password": secret.get("sudo-password", b"").decode(),
            }
        except UnicodeDecodeError:
            # The error holds what it could not decode, so it is not kept as the cause.
            raise NoCredentials(
                f"cannot log in to machine {machine.metadata.namespace}/{machine.metadata.name}: a password in its "
                "Secret is not UTF-8 text",
                remedy="write passwords into the Secret as UTF-8",
            ) from None

    async def _secret(self, machine: Machine, reference: NameReference | None) -> Mapping[str, bytes]:
        who = f"machine {machine.metadata.namespace}/{machine.metadata.name}"
        if reference is None:
            raise NoCredentials(
                f"cannot log in to {who}: no secretRef is set", remedy=f"name a Secret of type {SECRET_SSH}"
            )
        secret = await self._objects.secret(machine.metadata.namespace, reference.name)
        if secret is None:
            raise NoCredentials(
                f"cannot log in to {who}: there is no Secret {reference.name}",
                remedy=f"create a Secret of type {SECRET_SSH} with ssh-privatekey or password",
            )
        try:
            return {key: base64.b64decode(value, validate=True) for key, value in secret.get("data", {}).items()}
        except binascii.Error as error:
            raise NoCredentials(f"cannot log in to {who}: Secret {reference.name} is not base64") from error


def _key(machine: Machine) -> ObjectKey:
    return ObjectKey(machine.metadata.namespace, machine.metadata.name)


def _jump_name(key: ObjectKey) -> str:
    return f"jump host of {_host_name(key)}"


def _place_of(machine: Machine) -> str:
    return _place(machine.spec.address, machine.spec.ssh.port, machine.spec.ssh.jump)


def _place(address: str, port: int, jump: JumpHost | HostAccess | None) -> str:
    """Return where a host shows its key: behind another jump host, the same address may be another host."""
    through = f" through [{jump.address}]:{jump.port}" if jump is not None else ""
    return f"[{address}]:{port}{through}"


def _key_at(place: str, pinned: str) -> str:
    """Return the key of "place key" when it was pinned there; one that has no place, of before, holds anywhere."""
    words = pinned.split()
    return " ".join(words[-2:]) if " ".join(words[:-2]) in ("", place) else ""


def _host_name(key: ObjectKey) -> str:
    """Return the machine's name as messages and host keys know it; machines of all namespaces share the pool."""
    return key.name if key.namespace == "default" else f"{key.namespace}/{key.name}"
