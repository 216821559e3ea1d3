"""A managed cluster's API behind the console: a real kube-apiserver, reached through the gateway."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from groundplane.kube.kubeconfig import render_kubeconfig
from support.real_kube import real_kube

from . import fleet
from .conftest import Site, served

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@dataclass
class Behind:
    """A site with the cluster "real"; its methods call the cluster's API through the gateway."""

    site: Site
    proxy: str

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make an object of the cluster, with its status if it has one."""
        done = self.site.http.post(f"{self.proxy}{path}", json=body)
        assert done.status_code == 201, done.text
        made: dict[str, Any] = done.json()
        if "status" in body:
            place = f"{self.proxy}{path}/{made['metadata']['name']}/status"
            done = self.site.http.put(place, json={**made, "status": body["status"]})
            assert done.status_code == 200, done.text
        return made

    def read(self, path: str) -> dict[str, Any]:
        done = self.site.http.get(f"{self.proxy}{path}")
        assert done.status_code == 200, done.text
        found: dict[str, Any] = done.json()
        return found

    def make(self, name: str, **data: str) -> None:
        self.create(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})

    def get(self, name: str) -> httpx2.Response:
        return self.site.http.get(f"{self.proxy}{CONFIG_MAPS}/{name}")

    def patch(self, name: str, **data: str) -> None:
        headers = {"content-type": "application/merge-patch+json"}
        done = self.site.http.patch(f"{self.proxy}{CONFIG_MAPS}/{name}", json={"data": data}, headers=headers)
        assert done.status_code == 200, done.text


@contextmanager
def behind_a_site(folder: Path) -> Iterator[Behind]:
    """Run a site with the clusters "real", which is there, and "unreached", which is not."""
    for name in ("kube", "site"):
        (folder / name).mkdir()
    with real_kube(folder / "kube") as access, served(folder / "site") as site:
        data = {"kubeconfig": base64.b64encode(render_kubeconfig(access, name="real")).decode()}
        secret: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "groundplane.dev/kubeconfig",
            "metadata": {"name": "real-kubeconfig"},
            "data": data,
        }
        assert site.http.post("/api/v1/namespaces/default/secrets", json=secret).status_code == 201
        site.make("clusters", fleet.cluster("real", kubeconfigRef={"name": "real-kubeconfig"}))
        site.make("clusters", fleet.cluster("unreached"))
        yield Behind(site, "/clusters/default/real/proxy")
