"""kr8s, asynchronous: objects of our kinds and of its own, discovery, waits, watches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import kr8s.asyncio
import pytest
from kr8s import NotFoundError
from kr8s.asyncio.objects import Secret, new_class

# kr8s warns of every server whose minor it has not been tried with; ours says 1.36.
pytestmark = pytest.mark.filterwarnings("ignore:Kubernetes version v1.36.* is not supported:UserWarning")

Foundation = new_class("Foundation", version="groundplane.dev/v1alpha1", namespaced=True, plural="foundations")


@asynccontextmanager
async def connected(kubeconfig: Path, namespace: str) -> AsyncIterator[kr8s.asyncio.Api]:
    api = await kr8s.asyncio.api(kubeconfig=str(kubeconfig), namespace=namespace)
    try:
        yield api
    finally:
        await api._session.aclose()


async def test_an_object_of_ours_is_made_changed_awaited_and_deleted(kubeconfig: Path, namespace: str) -> None:
    async with connected(kubeconfig, namespace) as api:
        spec = {"kubernetes": {"version": "v1.20.2"}}
        made = await Foundation({"metadata": {"name": "f", "namespace": namespace}, "spec": spec}, api=api)
        await made.create()
        await made.patch({"metadata": {"labels": {"a": "1"}}})
        await made.label(b="2")
        await made.annotate(note="hello")
        await made.refresh()
        assert made.labels == {"a": "1", "b": "2"}
        assert made.spec["runtime"]["name"] == "containerd"
        condition = {"type": "Ready", "status": "True", "reason": "Fine", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        await made.patch({"status": {"conditions": [condition | {"message": ""}]}}, subresource="status")
        await made.wait("condition=Ready", timeout=10)
        assert [found.name async for found in api.get("foundations.groundplane.dev", namespace=namespace)] == ["f"]
        await made.delete(propagation_policy="Background")
        await made.wait("delete", timeout=10)
        assert not await made.exists()


async def test_discovery_lists_our_kinds_and_the_version(kubeconfig: Path, namespace: str) -> None:
    async with connected(kubeconfig, namespace) as api:
        assert (await api.version())["gitVersion"].startswith("v1.36.0+groundplane")
        assert {"machines", "secrets", "leases"} <= {resource["name"] for resource in await api.api_resources()}
        assert "groundplane.dev/v1alpha1" in [version async for version in api.api_versions()]


async def test_a_watch_follows_secrets(kubeconfig: Path, namespace: str) -> None:
    async with connected(kubeconfig, namespace) as api:
        made = await Secret({"metadata": {"name": "s", "namespace": namespace}, "stringData": {"a": "1"}}, api=api)
        await made.create()
        seen = []
        watching = api.watch("secrets", namespace=namespace)
        async for kind, found in watching:
            seen.append((kind, found.name))
            if kind == "DELETED":
                break
            await made.delete()
        await watching.aclose()
        assert seen == [("ADDED", "s"), ("DELETED", "s")]
        with pytest.raises(NotFoundError):
            await Secret.get("s", namespace=namespace, api=api)
