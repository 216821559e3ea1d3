"""etcd as kubeadm sets it up, asked over its HTTP gateway from a control plane, with the certificates that lie there.

https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/; the gateway is in every etcd that kubeadm runs, and needs no
program but curl, whatever the container runtime.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from groundplane.hosts.contract import Host, ReadHost

from .errors import NotYet, StepRefused
from .places import KUBERNETES

_PKI = f"{KUBERNETES}/pki/etcd"
_HERE = "https://127.0.0.1:2379"
_LOGIN = (
    *("--cacert", f"{_PKI}/ca.crt"),
    *("--cert", f"{_PKI}/healthcheck-client.crt"),
    *("--key", f"{_PKI}/healthcheck-client.key"),
)
# A proxy of the machine's must not be asked for its own control planes.
_DIRECT = ("--noproxy", "*")
_LIST = "/v3/cluster/member/list"
_STATUS = "/v3/maintenance/status"


@dataclass(frozen=True, slots=True)
class Member:
    """`client` is "" while the member has not started."""

    id: str
    name: str
    peer: str
    client: str


async def stacked(host: ReadHost) -> bool:
    """Tell whether the control plane runs an etcd of its own, as kubeadm makes it."""
    return await host.stat(f"{_PKI}/ca.crt") is not None and await host.stat("/var/lib/etcd/member") is not None


async def members(host: ReadHost) -> list[Member]:
    """Return the members as the etcd on control plane `host` knows them."""
    answer = await _ask(host, f"{_HERE}{_LIST}")
    return [
        Member(
            id=str(one["ID"]),
            name=str(one.get("name", "")),
            peer=next(iter(one.get("peerURLs") or []), ""),
            client=next(iter(one.get("clientURLs") or []), ""),
        )
        for one in answer.get("members") or []
    ]


def find(found: list[Member], name: str, address: str) -> Member | None:
    """Return the member of a machine: by its peer address, for a member that never started has no name."""
    return next((one for one in found if one.peer == f"https://{address}:2380" or one.name == name), None)


async def unwell(host: ReadHost, found: list[Member]) -> str:
    """Return which of the members do not answer, or know no leader; "" when all are well."""
    trouble = []
    for one in found:
        try:
            status = await _ask(host, f"{one.client}{_STATUS}") if one.client else {}
        except NotYet as error:
            trouble.append(f"{one.name or one.peer}: {error.message}")
            continue
        if status.get("errors"):
            trouble.append(f"{one.name}: {', '.join(map(str, status['errors']))}")
        elif str(status.get("leader", "0")) == "0":
            trouble.append(f"{one.name or one.peer} {'knows no leader' if one.client else 'has not started'}")
    return "; ".join(trouble)


async def hand_over(host: Host, leaving: Member, to: Member) -> None:
    """Have another member lead when the leaving one does, so that nobody has to wait for an election."""
    status = await _ask(host, f"{leaving.client}{_STATUS}")
    if str(status.get("leader", "0")) == leaving.id:
        await _tell(host, f"{leaving.client}/v3/maintenance/transfer-leadership", {"targetID": to.id})


async def remove(host: Host, member: Member) -> None:
    """Take a member out."""
    await _tell(host, f"{_HERE}/v3/cluster/member/remove", {"ID": member.id})


async def _ask(host: ReadHost, url: str) -> dict[str, Any]:
    done = await host.query(["curl", "-s", "-S", "-m", "10", *_DIRECT, *_LOGIN, "-d", "{}", url])
    return _answer(host, url, done.status, done.text, done.stderr)


async def _tell(host: Host, url: str, body: dict[str, str]) -> None:
    done = await host.run(["curl", "-s", "-S", "-m", "15", *_DIRECT, *_LOGIN, "-d", json.dumps(body), url], check=False)
    _answer(host, url, done.status, done.text, done.stderr)


def _answer(host: ReadHost, url: str, status: int, text: str, problem: bytes) -> dict[str, Any]:
    if status != 0:
        raise NotYet(f"cannot ask etcd at {url} from host {host.name}: {problem.decode('utf-8', 'replace').strip()}")
    try:
        answer: dict[str, Any] = json.loads(text)
    except ValueError as exc:
        raise NotYet(f"cannot ask etcd at {url} from host {host.name}: it gave no JSON") from exc
    if "error" in answer:
        raise StepRefused(
            f"cannot change etcd at {url}: {answer.get('message') or answer['error']}",
            remedy="see the members with `etcdctl member list` on a control plane",
        )
    return answer
