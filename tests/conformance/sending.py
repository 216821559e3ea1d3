"""Runs the requests of a case against one server and returns what was answered, as it came.

Nothing is sent that the case does not say, apart from the credentials, so a stock HTTP client would be too kind: the
bodies here may be broken, and the paths odd.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from .dsl import STREAM, Case, Compaction, Race, Request, Step

_HEADERS = ("Content-Type", "Warning", "Allow", "Retry-After", "WWW-Authenticate", "Location")
_REFERENCE = re.compile(r"<(\d+)\.([^<>]+)>")
_SECONDS = re.compile(r"timeoutSeconds=(\d+)")
# A watch that ended before the requests beside it were through is opened again, each time for twice as long.
_TRIES = 4
# Tries, a tenth of a second apart, until a server has learned what it was told.
_PATIENCE = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the body is decoded JSON, a list of events, or text when it is neither."""

    code: int
    headers: dict[str, list[str]] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True, slots=True)
class Target:
    """One of the two servers."""

    name: str
    url: str
    token: str
    tls: ssl.SSLContext
    compact: Callable[[], None]
    local: threading.local = field(default_factory=threading.local)
    kept: list[http.client.HTTPSConnection] = field(default_factory=list)

    def connect(self) -> http.client.HTTPSConnection:
        address = urlsplit(self.url)
        return http.client.HTTPSConnection(str(address.hostname), address.port, timeout=15, context=self.tls)

    def kept_connection(self) -> http.client.HTTPSConnection:
        """Return this thread's connection, which is used again and again."""
        found: http.client.HTTPSConnection | None = getattr(self.local, "connection", None)
        if found is None:
            found = self.local.connection = self.connect()
            self.kept.append(found)
        return found

    def close(self) -> None:
        for connection in self.kept:
            connection.close()


Pending = Answer | Future[Answer]


@dataclass(slots=True)
class Run:
    """One case on one server: the answers so far, to be quoted by the requests that follow."""

    target: Target
    namespace: str
    longer: int
    pool: ThreadPoolExecutor
    answers: list[Pending] = field(default_factory=list)

    def step(self, step: Step) -> Pending:
        if isinstance(step, Compaction):
            self.target.compact()
            return Answer(0)
        if isinstance(step, Race):
            racing = [self.pool.submit(send, self.target, self.filled(request)) for request in step.requests]
            return Answer(0, body=sorted(future.result().code for future in racing))
        request = self.filled(step)
        if not step.background:
            return self.patiently(request)
        opened = threading.Event()
        sent = self.pool.submit(send, self.target, request, opened)
        opened.wait(60)
        return sent

    def patiently(self, request: Request) -> Answer:
        """Send a request, again and again when it says until when."""
        waiting = threading.Event()
        for _ in range(_PATIENCE):
            answer = send(self.target, request)
            if request.until in (0, answer.code):
                break
            waiting.wait(0.1)
        return answer

    def filled(self, request: Request) -> Request:
        """Return the request with what it quotes of earlier answers, its body as bytes."""
        body = request.body
        if body is not None and not isinstance(body, bytes):
            body = self.text(body if isinstance(body, str) else json.dumps(body)).encode()
        path = _SECONDS.sub(lambda match: f"timeoutSeconds={int(match[1]) << self.longer}", self.text(request.path))
        headers = {name: self.text(value) for name, value in request.headers.items()}
        return replace(request, path=path, headers=headers, body=body)

    def text(self, text: str) -> str:
        return _REFERENCE.sub(lambda match: self.quote(int(match[1]), match[2]), text.replace("{ns}", self.namespace))

    def quote(self, number: int, path: str) -> str:
        answer = self.answers[number - 1]
        value: Any = answer.body if isinstance(answer, Answer) else None
        for part in path.split("."):
            if isinstance(value, list) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                value = value.get(part) if isinstance(value, dict) else None
        return "absent" if value is None else str(value)


def run(target: Target, case: Case, namespace: str) -> list[Answer]:
    """Return one answer per step."""
    for attempt in range(_TRIES):
        scope = f"{namespace}-{attempt}" if attempt else namespace
        made = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": scope}}).encode()
        send(target, Request("POST", "/api/v1/namespaces", made, {"Content-Type": "application/json"}))
        with ThreadPoolExecutor(8) as pool:
            running = Run(target, scope, attempt, pool)
            for step in case.steps:
                running.answers.append(running.step(step))
            if not any(_over(answer) for answer in running.answers):
                return [answer.result() if isinstance(answer, Future) else answer for answer in running.answers]
    raise RuntimeError(f"{case.name}: its watches end before its requests do, however long they are")


def _over(answer: Pending) -> bool:
    """Tell whether a watch beside the requests has come to its end by itself; one that was refused may."""
    return isinstance(answer, Future) and answer.done() and answer.result().code == 200


def send(target: Target, request: Request, opened: threading.Event | None = None) -> Answer:
    """Send one request; `opened` is set when the head of the answer is there."""
    if request.answer == STREAM:
        connection = target.connect()
        try:
            return _exchange(target, connection, request, opened)
        finally:
            connection.close()
    connection = target.kept_connection()
    try:
        return _exchange(target, connection, request, opened)
    except (http.client.HTTPException, ConnectionError):
        # The server may end a connection that it kept open; what is sent on a new one is answered or a failure.
        connection.close()
        return _exchange(target, connection, request, opened)


def _exchange(
    target: Target, connection: http.client.HTTPSConnection, request: Request, opened: threading.Event | None
) -> Answer:
    connection.putrequest(request.method, request.path, skip_accept_encoding=True)
    given = {"Authorization": f"Bearer {target.token}", "Accept": "application/json", "User-Agent": "judge/1.0"}
    for name, value in {**given, **request.headers}.items():
        connection.putheader(name, value)
    if request.body is not None:
        connection.putheader("Content-Length", str(len(request.body)))
    # A body that is too large is refused while it is sent: the answer is there to be read.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.endheaders(request.body)
    response = connection.getresponse()
    if opened is not None:
        opened.set()
    raw = response.read()
    headers = {name.lower(): response.headers.get_all(name) or [] for name in _HEADERS}
    found = {name: values for name, values in headers.items() if values}
    body = _decoded(raw, stream=request.answer == STREAM)
    return Answer(response.status, found, body if request.ordered else _sorted(body))


def _sorted(body: Any) -> Any:
    """Put the items of a list, or the events of a watch, in the order of their names."""
    if isinstance(body, dict) and isinstance(body.get("items"), list):
        return {**body, "items": sorted(body["items"], key=lambda item: str(item["metadata"]["name"]))}
    if isinstance(body, list):
        return sorted(body, key=lambda event: (event["type"], str(event["object"]["metadata"].get("name"))))
    return body


def _decoded(raw: bytes, *, stream: bool) -> Any:
    text = raw.decode(errors="replace")
    try:
        return [json.loads(line) for line in text.splitlines()] if stream else json.loads(text)
    except ValueError:
        return text


__all__: Sequence[str] = ("Answer", "Run", "Target", "run", "send")
