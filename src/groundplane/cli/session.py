"""One session with the Groundplane API: which kubeconfig, context and namespace, and the connection itself.

Commands get a `Target` from the global flags and open an `Api` with it; each then makes one client call, or follows
one. The kubeconfig is that of --kubeconfig, else of GROUNDPLANE_KUBECONFIG, else of the embedded engine's home.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from groundplane.client.contract import Object, Resource
    from groundplane.client.http import HttpClient
    from groundplane.kube.kubeconfig import Access
    from groundplane.kube.transport import Transport

T = TypeVar("T")

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@dataclass(frozen=True, slots=True)
class Api:
    """An open connection; `namespace` is the one that a command without another means."""

    client: HttpClient
    transport: Transport
    namespace: str

    async def table(self, resource: Resource, namespace: str | None, name: str = "") -> Object:
        """Return the Table of one object, or of all in `namespace` (None: in all)."""
        from groundplane.kube.transport import Call

        address = _address(resource)
        path = address.object(namespace or "", name) if name else address.collection(namespace)
        found: Object = await self.transport.request(Call("GET", path, _reading(resource, name), accept=_TABLE))
        return found

    def log(self, name: str, *, step: str, follow: bool) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Give the lines of an Operation's log, as JSON."""
        from .kinds import OPERATION

        params = {"follow": "true" if follow else "false"} | ({"step": step} if step else {})
        return self.client.lines(OPERATION, self.namespace, name, "log", params=params)


@dataclass(frozen=True, slots=True)
class Target:
    """The global flags."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None

    @property
    def path(self) -> Path:
        """The kubeconfig file in use."""
        from groundplane.base.settings import read_settings

        return Path(self.kubeconfig) if self.kubeconfig else read_settings().kubeconfig

    def access(self) -> Access:
        """Resolve the kubeconfig; raises KubeconfigInvalid."""
        from groundplane.kube.kubeconfig import Kubeconfig

        return Kubeconfig.load([self.path]).access(self.context or "")

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Api]:
        """Open a session; closed when the block is left."""
        from groundplane.client.errors import NotListening
        from groundplane.client.http import HttpClient
        from groundplane.kube.transport import Transport

        access = self.access()
        transport = Transport(access)
        try:
            async with HttpClient(access) as client:
                yield Api(client, transport, self.namespace or access.namespace)
        except NotListening as error:
            raise NotListening(error.message, remedy=_how_to_start(access.server)) from error
        finally:
            await transport.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a command's work to its end."""
        import asyncio

        return asyncio.run(work)


def _how_to_start(server: str) -> str:
    from groundplane.kube.kubeconfig import is_here

    return "start it: groundplane up --detach" if is_here(server) else f"see that Groundplane runs at {server}"


pass_target = click.make_pass_decorator(Target)


def _address(resource: Resource) -> Any:
    from groundplane.kube.paths import Address

    return Address(resource.group, resource.version, resource.plural, resource.namespaced)


def _reading(resource: Resource, name: str) -> str:
    return f"read {resource.kind.lower()} {name}" if name else f"list {resource.plural}"
