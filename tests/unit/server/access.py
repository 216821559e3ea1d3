"""Other callers than the administrator, and roles and bindings for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2

from .conftest import Running

RBAC = "/apis/rbac.authorization.k8s.io/v1"
API_GROUP = "rbac.authorization.k8s.io"


@asynccontextmanager
async def caller(running: Running, name: str, *groups: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client with a token of this user."""
    token = running.tokens.issue_token(name, groups, timedelta(hours=1))
    async with running.anonymous() as http:
        http.headers["authorization"] = f"Bearer {token}"
        yield http


def user(name: str) -> dict[str, str]:
    return {"kind": "User", "apiGroup": API_GROUP, "name": name}


def binding(name: str, role: str, *subjects: dict[str, str], kind: str = "ClusterRole") -> dict[str, Any]:
    """A RoleBinding; the path where it is sent says whether it is one of the cluster."""
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": API_GROUP, "kind": kind, "name": role},
        "subjects": list(subjects),
    }


def role(name: str, *rules: dict[str, list[str]]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "rules": list(rules)}


def rule(verbs: str, resources: str, group: str = "", **more: list[str]) -> dict[str, list[str]]:
    return {"verbs": verbs.split(), "resources": resources.split(), "apiGroups": [group], **more}


async def write(http: httpx2.AsyncClient, kind: str, obj: dict[str, Any], namespace: str = "") -> httpx2.Response:
    """Create an object of RBAC."""
    where = f"{RBAC}/namespaces/{namespace}" if namespace else RBAC
    body = {"apiVersion": f"{API_GROUP}/v1", "kind": kind, **obj}
    return await http.post(f"{where}/{kind.lower()}s", json=body)
