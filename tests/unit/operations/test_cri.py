"""How a runtime's interface is found: in the version that it has, and after it has started."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from groundplane.hosts.ssh import HostAccess, HostPool, Ssh
from groundplane.operations import cri
from groundplane.operations.cri import string
from groundplane.operations.errors import StepRefused
from support.scripted_host import Answer, scripted_host
from support.virtual import VirtualClock

# What containerd 1.6 was seen to answer in its first seconds, on a busy machine.
STARTING = Answer(stderr=b"HTTP/2 200 \r\ngrpc-status: 2\r\ngrpc-message: server is not initialized yet\r\n\r\n")
UNKNOWN = Answer(
    stderr=b"HTTP/2 200 \r\ngrpc-status: 12\r\ngrpc-message: unknown service runtime.v1.RuntimeService\r\n\r\n"
)
DISABLED = Answer(stderr=b"HTTP/2 200 \r\ngrpc-status: 14\r\ngrpc-message: no such plugin\r\n\r\n")
BODY = string(2, "containerd") + string(3, "1.6.20")
WELL = Answer(stdout=b"\0" + len(BODY).to_bytes(4, "big") + BODY, stderr=b"HTTP/2 200 \r\ngrpc-status: 0\r\n\r\n")


@asynccontextmanager
async def answering(*answers: Answer) -> AsyncIterator[tuple[Ssh, list[str]]]:
    """Give a host whose containerd answers so, the last for ever, and the addresses that it was asked at."""
    left: Iterator[Answer] = iter(answers)
    asked: list[str] = []

    def script(argv: list[str]) -> Answer | None:
        if argv[0] != "curl":
            return None
        asked.append(argv[-1])
        return next(left, answers[-1])

    async with scripted_host(script) as server, HostPool() as pool:
        access = HostAccess(
            name="m", address="127.0.0.1", port=server.port, password=server.password, host_key=server.host_key
        )
        yield pool.connect(access), asked


async def test_a_containerd_that_is_starting_is_waited_for() -> None:
    clock = VirtualClock()
    async with answering(STARTING, STARTING, WELL) as (host, asked):
        found = await cri.connect(host, clock)
        assert (found.runtime, found.version, found.api) == ("containerd", "1.6.20", "v1")
        assert len(asked) == 3
        assert clock.passed > 0


async def test_one_that_never_gets_started_is_refused_in_its_words() -> None:
    async with answering(STARTING) as (host, _):
        with pytest.raises(StepRefused, match=r"its CRI does not answer.*not initialized") as caught:
            await cri.connect(host, VirtualClock())
        assert "journalctl -u containerd" in caught.value.remedy


async def test_an_older_interface_is_used_where_the_newer_is_not_there() -> None:
    async with answering(UNKNOWN, STARTING, UNKNOWN, WELL) as (host, asked):
        found = await cri.connect(host, VirtualClock())
        assert found.api == "v1alpha2"
        assert [address.split(".")[1] for address in asked] == ["v1", "v1alpha2", "v1", "v1alpha2"]


async def test_any_other_answer_is_told_at_once() -> None:
    async with answering(DISABLED, WELL) as (host, asked):
        with pytest.raises(StepRefused, match="no such plugin"):
            await cri.connect(host, VirtualClock())
        assert len(asked) == 1
