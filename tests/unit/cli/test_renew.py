"""`groundplane renew-certificates --wait` against a running API server, with the controller's part played here."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from groundplane.api.cluster import Cluster
from groundplane.api.meta import ANNOTATION_RENEW
from groundplane.client.http import HttpClient
from groundplane.client.typed import RESOURCES

from .conftest import Cli, Server


async def refuse(client: HttpClient, namespace: str, condition: dict[str, str]) -> None:
    """Answer the request without an Operation, once it is there."""
    async with asyncio.timeout(20):
        found: dict[str, Any] = {"metadata": {}}
        while not (asked := (found["metadata"].get("annotations") or {}).get(ANNOTATION_RENEW)):
            found = await client.get(RESOURCES[Cluster], namespace, "shop")
    found["status"] = {"requests": {ANNOTATION_RENEW: asked}, "conditions": [condition]}
    await client.update_status(RESOURCES[Cluster], found)


def test_waiting_ends_when_the_request_is_refused(cli: Cli, server: Server, namespace: str) -> None:
    spec = {"kubernetes": {"version": "v1.20.2"}}
    body = {"apiVersion": "groundplane.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": "shop"}, "spec": spec}
    body["metadata"]["namespace"] = namespace
    server.do(lambda client: client.create(RESOURCES[Cluster], body))
    condition = {
        "type": "Progressing",
        "status": "False",
        "reason": "Refused",
        "message": "shop-1 is not Ready",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    player = threading.Thread(target=lambda: server.do(lambda client: refuse(client, namespace, condition)))
    player.start()
    outcome = cli("renew-certificates", "shop", "--wait", "--timeout", "20s")
    player.join()
    assert (outcome.code, "shop-1 is not Ready" in outcome.err) == (3, True), outcome
