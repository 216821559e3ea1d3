"""Many GETs over one WebSocket: each answered as on its own, by a client of WebSockets that is not ours."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from httpx2.websockets import AsyncWebSocketSession, WebSocketDisconnect, WebSocketUpgradeError
from wsproto.connection import CLIENT, Connection
from wsproto.events import BytesMessage, TextMessage

from groundplane.server import certificates, streams
from groundplane.server.app import build
from groundplane.server.http import Limits, Server
from groundplane.server.run import listen, serve
from groundplane.server.streams import PROTOCOL

from .access import binding, caller, user, write
from .conftest import FOUNDATION, GROUP, Running, Start

PATIENCE = 10.0
FOUNDATIONS = f"{GROUP}/foundations"


@dataclass
class Heard:
    """What came of one stream."""

    said: list[dict[str, Any]] = field(default_factory=list)
    body: bytes = b""

    @property
    def over(self) -> bool:
        return any("end" in one or "cut" in one for one in self.said)

    @property
    def status(self) -> int | None:
        return next((one["status"] for one in self.said if "status" in one), None)


class Speaker:
    """The caller's side."""

    def __init__(self, session: AsyncWebSocketSession) -> None:
        self.session = session
        self.streams: dict[int, Heard] = {}

    async def get(self, number: int, path: str, **more: str) -> Heard:
        await self.session.send_text(json.dumps({"id": number, "get": path, **more}))
        return self.streams.setdefault(number, Heard())

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not met():
                event = await self.session.receive()
                if isinstance(event, BytesMessage):
                    number = int.from_bytes(event.data[:4], "big")
                    self.streams.setdefault(number, Heard()).body += event.data[4:]
                elif isinstance(event, TextMessage):
                    said = json.loads(event.data)
                    self.streams.setdefault(said.pop("id"), Heard()).said.append(said)

    async def whole(self, number: int, path: str, **more: str) -> Heard:
        heard = await self.get(number, path, **more)
        await self.until(lambda: heard.over)
        return heard


@dataclass
class Site:
    running: Running
    url: str
    trust: ssl.SSLContext

    @asynccontextmanager
    async def speaks(self, headers: dict[str, str] | None = None, **more: Any) -> AsyncIterator[Speaker]:
        headers = self.running.bearer if headers is None else headers
        options = {"subprotocols": [PROTOCOL], "max_message_size_bytes": 4 * 1024 * 1024, **more}
        async with (
            httpx2.AsyncClient(verify=self.trust, headers=headers) as http,
            http.websocket(f"{self.url.replace('https', 'wss')}/streams", **options) as session,
        ):
            yield Speaker(session)


Open = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def site(start: Start, tmp_path: Path) -> Open:
    @asynccontextmanager
    async def run(limits: Limits | None = None) -> AsyncIterator[Site]:
        files = certificates.ensure(tmp_path / "home")
        trust = ssl.create_default_context(cafile=str(files.ca))
        async with (
            start() as running,
            serve(
                build(_limited(running.server, limits)), files, listen("127.0.0.1", 0), running.server.stopping
            ) as at,
        ):
            yield Site(running, at.url, trust)

    return run


def _limited(server: Server, limits: Limits | None) -> Server:
    return server if limits is None else replace(server, limits=limits)


async def test_a_get_is_answered_as_on_its_own(site: Open) -> None:
    async with site() as at, at.speaks() as speaker:
        await at.running.http.post(FOUNDATIONS, json=FOUNDATION)
        heard = await speaker.whole(7, f"{FOUNDATIONS}/f?x=%C3%A4")
        assert heard.status == 200
        assert json.loads(heard.body) == (await at.running.http.get(f"{FOUNDATIONS}/f")).json()
        table = await speaker.whole(8, FOUNDATIONS, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
        assert json.loads(table.body)["kind"] == "Table"
        missing = await speaker.whole(9, f"{FOUNDATIONS}/g")
        assert (missing.status, json.loads(missing.body)["reason"]) == (404, "NotFound")


async def test_watches_go_side_by_side_and_end_one_by_one(site: Open) -> None:
    async with site() as at, at.speaks() as speaker:
        begun = f"{FOUNDATIONS}?watch=1&resourceVersion="
        version = (await at.running.http.get(FOUNDATIONS)).json()["metadata"]["resourceVersion"]
        one, two = [await speaker.get(number, begun + version) for number in (1, 2)]
        await speaker.until(lambda: one.status == two.status == 200)
        await at.running.http.post(FOUNDATIONS, json=FOUNDATION)
        await speaker.until(lambda: b"ADDED" in one.body and one.body == two.body)
        await speaker.session.send_text(json.dumps({"id": 1}))
        # An id is free again when what had it has ended: that is answered after the next request at the latest.
        await speaker.whole(3, f"{FOUNDATIONS}/f")
        before = one.body
        await at.running.http.delete(f"{FOUNDATIONS}/f")
        await speaker.until(lambda: b"DELETED" in two.body)
        assert one.body == before


async def test_each_is_allowed_or_refused_by_the_callers_rights(site: Open) -> None:
    async with site() as at, caller(at.running, "ada") as ada:
        await write(at.running.http, "RoleBinding", binding("ada-view", "view", user("ada")), "default")
        async with at.speaks({"authorization": ada.headers["authorization"]}) as speaker:
            assert (await speaker.whole(1, FOUNDATIONS)).status == 200
            refused = await speaker.whole(2, "/api/v1/namespaces/default/secrets")
            assert refused.status == 403
            assert "ada" in json.loads(refused.body)["message"]


async def test_who_is_not_known_or_speaks_another_protocol_opens_none(site: Open) -> None:
    async with site() as at:
        with pytest.raises(WebSocketUpgradeError) as caught:
            async with at.speaks({}):
                pass
        assert caught.value.response.status_code == 401
        with pytest.raises(WebSocketUpgradeError) as caught:
            async with at.speaks(subprotocols=["v4.channel.k8s.io"]):
                pass
        assert caught.value.response.status_code == 400
        plain = await at.running.http.get("/streams")
        assert (plain.status_code, plain.json()["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    "message",
    [
        "no JSON",
        '{"id": 1, "get": "/version", "method": "DELETE"}',
        '{"id": 1, "get": "version"}',
        '{"id": -1, "get": "/version"}',
        '{"id": 4294967296, "get": "/version"}',
        json.dumps({"id": 1, "get": "/" + 8192 * "a"}),
        2 * 1024 * 1024 * "a",
    ],
    ids=["no JSON", "unknown field", "no path", "negative", "too large", "long path", "long message"],
)
async def test_who_speaks_otherwise_is_told_so_and_cut_off(site: Open, message: str) -> None:
    async with site() as at, at.speaks() as speaker:
        with pytest.raises(WebSocketDisconnect) as caught:
            await speaker.session.send_text(message)
            await speaker.until(lambda: False)
        assert caught.value.code == (1009 if len(message) > 1024 * 1024 else 1008)
        assert caught.value.reason


async def test_an_id_is_one_streams_and_there_is_an_end_to_them(site: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_MOST", 3)
    async with site() as at:
        watch = f"{FOUNDATIONS}?watch=1"
        for numbers, why in (((1, 1), "stream 1 is there already"), (range(4), "there are 3 streams already")):
            async with at.speaks() as speaker:
                with pytest.raises(WebSocketDisconnect) as caught:
                    for number in numbers:
                        await speaker.get(number, watch)
                    await speaker.until(lambda: False)
                assert caught.value.reason == why


async def test_everything_ends_when_the_caller_leaves_or_the_server_stops(site: Open) -> None:
    async with site() as at:
        async with at.speaks() as speaker:
            heard = await speaker.get(1, f"{FOUNDATIONS}?watch=1")
            await speaker.until(lambda: heard.status == 200)
            assert _going(at) == 2
        async with asyncio.timeout(PATIENCE):
            await _counted(at, lambda going: going == 0)
        async with at.speaks() as speaker:
            heard = await speaker.get(1, f"{FOUNDATIONS}?watch=1")
            await speaker.until(lambda: heard.status == 200)
            at.running.server.stopping.set()
            with pytest.raises(WebSocketDisconnect) as caught:
                await speaker.until(lambda: False)
            assert caught.value.code == 1001


def _going(at: Site) -> float:
    """How many answers last now, by the server's own metrics."""
    lines = at.running.server.metrics.text().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("apiserver_longrunning_requests{"))


async def test_a_ping_is_answered_and_large_answers_come_whole(site: Open) -> None:
    async with site() as at, at.speaks() as speaker:
        for number in range(60):
            made = {**FOUNDATION, "metadata": {"name": f"f{number}", "annotations": {"a": 20_000 * "x"}}}
            assert (await at.running.http.post(FOUNDATIONS, json=made)).status_code == 201
        answered = await speaker.session.ping()
        whole = await speaker.whole(1, FOUNDATIONS)
        assert len(json.loads(whole.body)["items"]) == 60
        async with asyncio.timeout(PATIENCE):
            await answered.wait()


async def test_who_takes_nothing_of_what_was_asked_for_is_cut_off(site: Open) -> None:
    async with site(Limits(request=1, slow_reader=0.2)) as at:
        for number in range(60):
            made = {**FOUNDATION, "metadata": {"name": f"f{number}", "annotations": {"a": 20_000 * "x"}}}
            assert (await at.running.http.post(FOUNDATIONS, json=made)).status_code == 201
        host, port = at.url.removeprefix("https://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=at.trust)
        frames = Connection(CLIENT)
        writer.write(_handshake(at))
        for number in range(90):
            writer.write(frames.send(TextMessage(json.dumps({"id": number, "get": FOUNDATIONS}))))
        async with asyncio.timeout(PATIENCE):
            await _counted(at, lambda going: going > 0)
            await _counted(at, lambda going: going == 0)
        assert not reader.at_eof()
        writer.transport.abort()


def _handshake(at: Site) -> bytes:
    lines = (
        "GET /streams HTTP/1.1", "host: gp", "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13",
        "sec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==", f"sec-websocket-protocol: {PROTOCOL}",
        f"authorization: {at.running.bearer['authorization']}",
    )  # fmt: skip
    return "\r\n".join((*lines, "", "")).encode()


async def _counted(at: Site, met: Callable[[float], bool]) -> None:
    while not met(_going(at)):
        await asyncio.sleep(0.01)
