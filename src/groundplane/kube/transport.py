"""The wire to one Kubernetes API: JSON requests and streamed lines over TLS, errors as in `kube.errors`.

Every failure to connect, send or read names the server and is ServerUnavailable; every answer that is not a success
is the error that its Status means. Only reads are repeated, once, when an idle connection turned out to be dead:
a write may have been done. Knows no kinds.
"""

from __future__ import annotations

import errno
import os
import re
import ssl
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import msgspec

from groundplane.base.clock import Now, utc_now
from groundplane.base.documents import printable
from groundplane.base.keepalive import KEEPALIVE

from .backend import close_when_cancelled
from .errors import HungUp, NotListening, PluginFailed, ServerUnavailable, Unauthorized, Untrusted, error_from_status
from .kubeconfig import Access, KubeconfigInvalid, is_here
from .login import Credentials, Login

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
# JSON is YAML, and every version that knows server-side apply takes this name.
APPLY_PATCH = "application/apply-patch+yaml"

T = TypeVar("T")

_CONNECT = 10.0
_TEXT_SHOWN = 300
# No server means more seconds than a year has.
_LONGEST_WAIT = 366 * 86400
# A Status is small; of an error that is larger, nothing is worth reading.
_ERROR_AT_MOST = 1024 * 1024
_SECONDS = re.compile(r"[0-9]{1,9}")
_SENDABLE = re.compile(r"[!-~]+")
_ANOTHER_CA = "check that it is the right server; if it is, put its CA into the kubeconfig"
_ANOTHER_NAME = (
    "check that it is the right server; if it is, set tls-server-name in the kubeconfig to a name that its certificate"
    " has, or have the name added to the certificate"
)
# By OpenSSL's X509_V_ERR_ numbers: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_CERTIFICATE_REMEDIES = {
    9: "its validity has not begun: check the clocks of the server and of the machine that Groundplane runs on",
    10: "its validity has ended: have the server's certificate renewed, and check the clocks",
    62: _ANOTHER_NAME,
    64: _ANOTHER_NAME,
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `action` completes "cannot …" in errors and names the object; it never holds a secret.

    `accept` asks for another form of the answer, such as a Table.
    """

    method: str
    path: str
    action: str
    params: Mapping[str, str] | None = None
    body: Any = None
    content_type: str = JSON
    accept: str = JSON


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer as it came: `date` is what the server says of its time, `certificate` its own, in DER."""

    content: bytes
    date: str = ""
    certificate: bytes = b""


class Transport:
    """Owns connections to one server until `close`. `timeout` is the longest silence within a request, in seconds."""

    def __init__(self, access: Access, *, timeout: float = 30.0, now: Now = utc_now) -> None:
        self.server = access.server
        self._access = access
        self._timeout = timeout
        self._login = Login(access, now=now)
        self._http: httpx2.AsyncClient | None = None
        self._presented: tuple[bytes, bytes] | None = None

    async def request(self, call: Call) -> Any:
        """Send and return the decoded JSON answer; raises the errors of `kube.errors`."""
        return await self.read(call, Any)

    async def read(self, call: Call, form: Any) -> Any:
        """As `request`, decoded straight into the type `form`; {} when the answer is empty."""

        async def decoded(call: Call) -> Any:
            return await self._send(call, form)

        return await self._renewed(decoded, call)

    async def log_in(self) -> None:
        """Get the credentials that the first request will need, which may mean to run a command."""
        await self._login.credentials()

    async def fetch(self, call: Call, *, limit: int) -> Answer:
        """Read and return the answer undecoded; one of more than `limit` bytes is ServerUnavailable."""

        async def bounded(call: Call) -> Answer:
            return await self._read(call, limit)

        return await self._renewed(bounded, call)

    async def _renewed(self, send: Callable[[Call], Awaitable[T]], call: Call) -> T:
        """Send, and once more when the server does not take credentials that can be renewed."""
        try:
            return await send(call)
        except PluginFailed:
            raise
        except Unauthorized:
            if not self._login.renewable:
                raise
        return await send(call)

    @asynccontextmanager
    async def lines(self, call: Call, *, silence: float | None = None) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give the answer's lines as they come; `silence` is the longest wait for more, None for no limit.

        Leaving the block closes the connection. A cut connection or too long a silence is ServerUnavailable.
        """
        timeout = httpx2.Timeout(self._timeout, connect=_CONNECT, read=silence)
        with self._errors(call):
            async with AsyncExitStack() as open_until_left:
                try:
                    response = await self._stream(call, timeout, open_until_left)
                except Unauthorized:
                    if not self._login.renewable:
                        raise
                    response = await self._stream(call, timeout, open_until_left)
                lines = self._split(response, call)
                try:
                    yield lines
                finally:
                    await lines.aclose()

    async def _stream(self, call: Call, timeout: httpx2.Timeout, until: AsyncExitStack) -> httpx2.Response:
        """Begin a streamed answer, which `until` closes."""
        credentials = await self._login.credentials()
        http = await self._client(credentials)
        arguments = _arguments(call, credentials, self._access.tls_server_name)
        response = await until.enter_async_context(http.stream(**arguments, timeout=timeout))
        if not response.is_success:
            raise self._error(call, response, await _beginning(response), credentials)
        return response

    async def close(self) -> None:
        """Close all connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _send(self, call: Call, form: Any) -> Any:
        credentials = await self._login.credentials()
        arguments = _arguments(call, credentials, self._access.tls_server_name)
        with self._errors(call):
            http = await self._client(credentials)
            try:
                response = await http.request(**arguments)
            except (httpx2.RemoteProtocolError, httpx2.ReadError):
                if call.method != "GET":
                    raise
                response = await http.request(**arguments)
        if not response.is_success:
            raise self._error(call, response, response.content, credentials)
        if not response.content:
            return {}
        try:
            return msgspec.json.decode(response.content, type=form)
        except msgspec.ValidationError as exc:
            raise ServerUnavailable(
                f"cannot {call.action}: {self.server} answered with something else than was asked for: {exc}",
                remedy="bring command line and server to the same version",
            ) from exc
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise ServerUnavailable(
                f"cannot {call.action}: {self.server} answered with something that is no JSON"
            ) from exc

    async def _read(self, call: Call, limit: int) -> Answer:
        async with AsyncExitStack() as open_until_read:
            with self._errors(call):
                response = await self._stream(call, httpx2.Timeout(self._timeout, connect=_CONNECT), open_until_read)
                content = bytearray()
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > limit:
                        raise ServerUnavailable(
                            f"cannot {call.action}: {self.server} answered with more than {limit} bytes"
                        )
                stream = response.extensions.get("network_stream")
            tls = stream.get_extra_info("ssl_object") if stream is not None else None
            shown = tls.getpeercert(binary_form=True) if tls is not None else None
        return Answer(bytes(content), response.headers.get("Date", ""), shown or b"")

    async def _split(self, response: httpx2.Response, call: Call) -> AsyncGenerator[bytes, None]:
        rest = b""
        with self._errors(call):
            async for chunk in response.aiter_bytes():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line:
                        yield line
        if rest:
            # The server ends a stream after a whole line; half a one was cut.
            raise ServerUnavailable(f"cannot {call.action}: {self.server} cut the answer in the middle of a line")

    async def _client(self, credentials: Credentials) -> httpx2.AsyncClient:
        presented = (credentials.certificate, credentials.key)
        if self._http is None or presented != self._presented:
            await self.close()
            self._http = self._open(credentials)
            self._presented = presented
        return self._http

    def _open(self, credentials: Credentials) -> httpx2.AsyncClient:
        access = self._access
        if access.insecure:
            # Loaded when it is needed: a command line has nothing else to log, and this takes a tenth of its start.
            from groundplane.base.logs import get_logger

            get_logger(__name__).warning(
                "the server's certificate is not checked", server=access.server, context=access.context
            )
        transport = httpx2.AsyncHTTPTransport(
            verify=tls_context(access, credentials) if access.server.startswith("https:") else False,
            proxy=httpx2.Proxy(access.proxy) if access.proxy else None,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=4.0),
            socket_options=KEEPALIVE,
            trust_env=False,
        )
        return httpx2.AsyncClient(
            base_url=access.server,
            transport=close_when_cancelled(transport),
            timeout=httpx2.Timeout(self._timeout, connect=_CONNECT),
            # An API has no cookies; a server that sets some would fill our memory with them.
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            headers={"User-Agent": "groundplane"}
            # Compressing what never leaves this machine takes longer than sending it.
            | ({"Accept-Encoding": "identity"} if is_here(access.server) else {}),
            trust_env=False,
        )

    def _errors(self, call: Call) -> _Mapped:
        return _Mapped(call, self.server)

    def _error(self, call: Call, response: httpx2.Response, content: bytes, credentials: Credentials) -> Exception:
        error = error_from_status(_status(response, content), action=f"{call.action} at {self.server}")
        if isinstance(error, Unauthorized):
            self._login.drop(credentials)
        return error


class _Mapped:
    """A context that turns httpx2's errors into ours."""

    def __init__(self, call: Call, server: str) -> None:
        self._what = f"cannot {call.action}: {server}"

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, httpx2.TimeoutException):
            raise ServerUnavailable(f"{self._what} did not answer in time") from error
        if isinstance(error, httpx2.InvalidURL | ValueError):
            raise KubeconfigInvalid(
                f"{self._what}: a name in the kubeconfig is none that can be sent ({type(error).__name__})",
                remedy="check server, tls-server-name and proxy-url",
            ) from None
        if isinstance(error, httpx2.RequestError):
            refusal = _untrusted(error)
            if refusal is not None:
                raise Untrusted(
                    f"{self._what} showed a certificate that is not trusted: {refusal.verify_message}",
                    remedy=_CERTIFICATE_REMEDIES.get(refusal.verify_code, _ANOTHER_CA),
                ) from error
            system = _system_error(error)
            refused = system is not None and system.errno == errno.ECONNREFUSED
            kind = HungUp if _hung_up(error) else NotListening if refused else ServerUnavailable
            raise kind(f"{self._what} cannot be reached: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    """Return what the system said, such as "Connection refused", where the wire's own words hide it."""
    found = _system_error(error)
    if found is None:
        return str(error) or type(error).__name__
    # asyncio words a refused connection its own way; names that cannot be found have numbers of their own.
    return os.strerror(found.errno) if found.errno and found.errno > 0 else str(found.strerror)


def _system_error(error: BaseException) -> OSError | None:
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.strerror and not isinstance(found, ssl.SSLError):
            return found
        inner = found.exceptions[0] if isinstance(found, BaseExceptionGroup) else None
        found = inner or found.__cause__ or found.__context__
    return None


def tls_context(access: Access, credentials: Credentials) -> ssl.SSLContext:
    """Return a context that shows our certificate and trusts the Access's CA, or the system's if it has none."""
    try:
        context = ssl.create_default_context(cadata=access.ca.decode("ascii") or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if credentials.certificate:
            _load_certificate(context, credentials)
    except (ssl.SSLError, ValueError) as exc:
        raise KubeconfigInvalid(
            f"cannot use the kubeconfig for {access.server}: its CA, client certificate or client key is no usable PEM"
        ) from exc
    if access.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_certificate(context: ssl.SSLContext, credentials: Credentials) -> None:
    # OpenSSL's interface takes a path only. The folder is ours alone, and gone before anything is sent.
    with tempfile.TemporaryDirectory(prefix="groundplane-") as folder:
        file = Path(folder) / "client.pem"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as pem:
            pem.write(credentials.certificate + b"\n" + credentials.key)
        context.load_cert_chain(file)


def bearer(credentials: Credentials) -> str:
    """Return the header that shows the token; raises KubeconfigInvalid for what is none."""
    if not _SENDABLE.fullmatch(credentials.token):
        # The wire's own complaint would quote it.
        raise KubeconfigInvalid(
            "cannot use the kubeconfig: its token has spaces, line ends or letters that no token has",
            remedy="put the token in as it was issued, on one line",
        )
    return f"Bearer {credentials.token}"


def _arguments(call: Call, credentials: Credentials, server_name: str) -> dict[str, Any]:
    headers = {"Accept": call.accept}
    if credentials.token:
        headers["Authorization"] = bearer(credentials)
    arguments: dict[str, Any] = {"method": call.method, "url": call.path, "headers": headers}
    if server_name:
        arguments["extensions"] = {"sni_hostname": server_name}
    if call.params:
        arguments["params"] = dict(call.params)
    if call.body is not None:
        headers["Content-Type"] = call.content_type
        arguments["content"] = msgspec.json.encode(call.body)
    return arguments


async def _beginning(response: httpx2.Response) -> bytes:
    """Read an error's content, and no more of it than an error has."""
    content = bytearray()
    async with aclosing(response.aiter_bytes()) as chunks:
        async for chunk in chunks:
            content += chunk[: _ERROR_AT_MOST - len(content)]
            if len(content) >= _ERROR_AT_MOST:
                break
    return bytes(content)


def _status(response: httpx2.Response, content: bytes) -> dict[str, Any]:
    """Return the answer's Status, or one made from the code when a proxy or the like answered."""
    try:
        status = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        status = {"message": content.decode(errors="replace")[:_TEXT_SHOWN].strip()}
    message = status.get("message")
    status["message"] = printable(" ".join(message.split())) if isinstance(message, str) else ""
    status["details"] = _details(status.get("details"))
    status["code"] = response.status_code
    seconds = response.headers.get("Retry-After", "")
    if _SECONDS.fullmatch(seconds):
        status["details"].setdefault("retryAfterSeconds", int(seconds))
    return status


def _details(found: Any) -> dict[str, Any]:
    """Return as much of a Status' details as is what it should be: any server may have written it."""
    details = dict(found) if isinstance(found, dict) else {}
    causes = details.get("causes")
    details["causes"] = [one for one in causes if isinstance(one, dict)] if isinstance(causes, list) else []
    wait = details.get("retryAfterSeconds")
    if not isinstance(wait, int | float) or not 0 <= wait <= _LONGEST_WAIT:
        details.pop("retryAfterSeconds", None)
    return details


def _hung_up(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError | httpx2.ReadError | httpx2.WriteError | httpx2.RemoteProtocolError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _untrusted(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None
