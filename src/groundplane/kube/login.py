"""Logging in: from an Access to the credentials of the moment, running an exec plugin when they are due.

A plugin's credential is used until its expirationTimestamp, less a margin for the way, and dropped when the server
says 401. Plugins run one at a time, without a terminal, and are killed when they take too long.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from groundplane.base.clock import Now, parse_rfc3339

from .errors import PluginFailed, Unauthorized
from .kubeconfig import Access, ExecPlugin

_GROUP = "client.authentication.k8s.io"
_KNOWN = (f"{_GROUP}/v1", f"{_GROUP}/v1beta1")
_MARGIN = timedelta(seconds=10)
_LONGEST = 60.0
_COMPLAINT_SHOWN = 300
# Shorter settings of a plugin are words such as "us-east", which a reader of an error needs.
_SECRET_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request carries: a bearer token, a client certificate, both or nothing."""

    token: str = field(default="", repr=False)
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)
    expires: datetime | None = None


class Login:
    """Gives the credentials of the moment."""

    def __init__(self, access: Access, *, now: Now) -> None:
        self._access = access
        self._now = now
        self._held: Credentials | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def renewable(self) -> bool:
        """Whether new credentials may be had after a 401."""
        return self._access.exec_plugin is not None or self._access.token_file is not None

    async def credentials(self) -> Credentials:
        """Return credentials that have not expired."""
        access = self._access
        if access.token_file is not None:
            # Read each time: whoever keeps the file renews it.
            token = await asyncio.to_thread(_read_token, access)
            return Credentials(token, access.certificate, access.key)
        if access.exec_plugin is None:
            return Credentials(access.token, access.certificate, access.key)
        async with self._one_at_a_time:
            held = self._held
            if held is None or (held.expires is not None and held.expires - _MARGIN <= self._now()):
                held = self._held = await _run(access.exec_plugin, access)
            return held

    def drop(self, refused: Credentials) -> None:
        """Forget credentials that the server did not accept."""
        if self._held == refused:
            self._held = None


def _read_token(access: Access) -> str:
    try:
        return str(access.token_file and access.token_file.read_text().strip())
    except OSError as exc:
        raise Unauthorized(
            f"cannot log in to {access.server}: cannot read {access.token_file}: {exc.strerror}"
        ) from exc


async def _run(plugin: ExecPlugin, access: Access) -> Credentials:
    what = f"cannot log in to {access.server}: credential plugin {plugin.command}"
    if plugin.interactive_mode == "Always":
        raise PluginFailed(f"{what} wants a terminal (interactiveMode: Always), and it is given none",
                           remedy="log in with it once by kubectl, or use a plugin that needs nobody")  # fmt: skip
    if plugin.api_version not in _KNOWN:
        raise PluginFailed(f"{what} speaks {plugin.api_version!r}", remedy=f"use one that speaks {' or '.join(_KNOWN)}")
    environment = os.environ | plugin.environment | {"KUBERNETES_EXEC_INFO": _exec_info(plugin, access)}
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.arguments,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as exc:
        raise PluginFailed(f"{what} does not start: {exc.strerror}", remedy=plugin.install_hint) from exc
    output, complaint = await _output(process, what)
    if process.returncode != 0:
        said = _complaint(complaint, plugin)
        raise PluginFailed(f"{what} ended with {process.returncode}: {said}", remedy=plugin.install_hint)
    return _credentials(output, plugin, what)


def _complaint(complaint: bytes, plugin: ExecPlugin) -> str:
    """Return the last line of what a plugin complained of, without what it was given to keep secret."""
    lines = complaint.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
    said = lines[0][:_COMPLAINT_SHOWN]
    for value in (*plugin.environment.values(), *plugin.arguments):
        if len(value) >= _SECRET_LENGTH:
            said = said.replace(value, "…")
    return said


async def _output(process: asyncio.subprocess.Process, what: str) -> tuple[bytes, bytes]:
    try:
        async with asyncio.timeout(_LONGEST):
            return await process.communicate()
    except TimeoutError as exc:
        raise PluginFailed(f"{what} took longer than {_LONGEST:.0f} s") from exc
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _exec_info(plugin: ExecPlugin, access: Access) -> str:
    spec: dict[str, Any] = {"interactive": False}
    if plugin.provide_cluster_info:
        spec["cluster"] = _cluster(access, plugin)
    return json.dumps({"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec})


def _cluster(access: Access, plugin: ExecPlugin) -> dict[str, Any]:
    cluster: dict[str, Any] = {"server": access.server, "insecure-skip-tls-verify": access.insecure}
    if access.ca:
        cluster["certificate-authority-data"] = base64.b64encode(access.ca).decode()
    if access.tls_server_name:
        cluster["tls-server-name"] = access.tls_server_name
    if access.proxy:
        cluster["proxy-url"] = access.proxy
    if plugin.cluster_config is not None:
        cluster["config"] = plugin.cluster_config
    return cluster


def _credentials(output: bytes, plugin: ExecPlugin, what: str) -> Credentials:
    try:
        document = msgspec.json.decode(output, type=dict[str, Any])
        status = document.get("status") or {}
        expires = status.get("expirationTimestamp")
        found = Credentials(
            token=str(status.get("token") or ""),
            certificate=str(status.get("clientCertificateData") or "").encode(),
            key=str(status.get("clientKeyData") or "").encode(),
            expires=parse_rfc3339(expires) if expires else None,
        )
    except (msgspec.MsgspecError, ValueError, AttributeError) as exc:
        # Without the cause: its text would quote what the plugin printed.
        raise PluginFailed(f"{what} did not print an ExecCredential ({type(exc).__name__})") from None
    if document.get("apiVersion") != plugin.api_version:
        raise PluginFailed(f"{what} printed {document.get('apiVersion')!r}, not {plugin.api_version!r} as configured")
    if not found.token and not found.certificate:
        raise PluginFailed(f"{what} printed neither a token nor a certificate")
    if bool(found.certificate) != bool(found.key):
        raise PluginFailed(f"{what} printed a certificate or a key, and not both")
    return found
