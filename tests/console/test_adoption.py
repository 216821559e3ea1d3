"""An imported cluster becomes changeable by form: its Nodes are those that its real API has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from . import fleet
from .behind import Behind, behind_a_site
from .conftest import Visit, Visitor
from .test_pages import violations

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with behind_a_site(tmp_path_factory.mktemp("adoption")) as made:
        for name, labels in (("cp", {"node-role.kubernetes.io/master": ""}), ("w", {})):
            addresses = [{"type": "InternalIP", "address": f"198.18.20.{1 + bool(not labels)}"}]
            body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
            made.create("/api/v1/nodes", {**body, "status": {"addresses": addresses}})
        yield made


@pytest.fixture
def tenant(behind: Behind, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own, with the imported cluster "theirs"."""
    name = request.node.name.replace("_", "-")[:50].rstrip("-")
    http = behind.site.http
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    assert http.post("/api/v1/namespaces", json=made).status_code == 201
    secret = http.get("/api/v1/namespaces/default/secrets/real-kubeconfig").json()
    secret["metadata"] = {"name": "theirs-kubeconfig"}
    assert http.post(f"/api/v1/namespaces/{name}/secrets", json=secret).status_code == 201
    cluster = {**fleet.cluster("theirs"), "apiVersion": "groundplane.dev/v1alpha1"}
    status = cluster.pop("status")
    done = http.post(path(name, "clusters"), json=cluster)
    assert done.status_code == 201, done.text
    report(behind, name, **status, kubeconfigRef={"name": "theirs-kubeconfig"})
    return name


def path(namespace: str, plural: str, name: str = "") -> str:
    return f"/apis/groundplane.dev/v1alpha1/namespaces/{namespace}/{plural}{f'/{name}' if name else ''}"


def report(behind: Behind, namespace: str, **status: Any) -> None:
    """Write what controllers and surveys would have found of the cluster."""
    found = behind.site.http.get(path(namespace, "clusters", "theirs")).json()
    found["status"] = {**found.get("status", {}), **status}
    place = f"{path(namespace, 'clusters', 'theirs')}/status"
    done = behind.site.http.put(place, json=found)
    assert done.status_code == 200, done.text


def adopting(visitor: Visitor, behind: Behind, namespace: str) -> Visit:
    visit = visitor(behind.site)
    visit.sign_in(path=f"/clusters/{namespace}/theirs")
    expect(visit.page.get_by_role("link", name="Change", exact=True)).to_have_count(0)
    visit.page.get_by_role("link", name="Adopt").click()
    return visit


def test_an_imported_cluster_is_adopted(visitor: Visitor, behind: Behind, tenant: str) -> None:
    visit = adopting(visitor, behind, tenant)
    visit.page.get_by_label("Address: w").fill("198.18.20.99")
    visit.page.get_by_label("Private key", exact=True).fill("-----BEGIN KEY-----")
    visit.page.get_by_label("Host to go through").fill("ops@198.18.20.200:2222")
    assert violations(visit.page) == []
    visit.page.get_by_role("button", name="Adopt with 2 machines").click()
    expect(visit.page.get_by_text("Every Node has a Machine.")).to_be_visible()
    plane, worker = (behind.site.http.get(path(tenant, "machines", name)).json()["spec"] for name in ("cp", "w"))
    assert (plane["role"], worker["role"]) == ("ControlPlane", "Worker")
    assert (plane["address"], worker["address"]) == ("198.18.20.1", "198.18.20.99")
    key = {"name": "theirs-ssh"}
    assert plane["clusterRef"] == {"name": "theirs"}
    assert plane["ssh"]["secretRef"] == key
    assert plane["ssh"]["jump"] == {"address": "198.18.20.200", "user": "ops", "port": 2222, "secretRef": key}
    secret = behind.site.http.get(f"/api/v1/namespaces/{tenant}/secrets/theirs-ssh").json()
    assert secret["metadata"]["labels"] == {"groundplane.dev/cluster": "theirs"}
    cluster = behind.site.http.get(path(tenant, "clusters", "theirs")).json()
    assert cluster["metadata"]["annotations"]["groundplane.dev/survey"]
    assert visit.said_badly() == []


def test_what_did_not_match_is_told_one_by_one(visitor: Visitor, behind: Behind, tenant: str) -> None:
    visit = adopting(visitor, behind, tenant)
    expect(visit.page.get_by_text("Not looked at yet")).to_be_visible()
    problems = "machine cp: the machine-id is another; machine w: it cannot be reached"
    report(behind, tenant, conditions=[fleet.condition("Adopted", "False", problems)])
    expect(visit.page.get_by_role("listitem").filter(has_text="machine w: it cannot be reached")).to_be_visible()
    report(behind, tenant, conditions=[fleet.condition("Adopted", "True", "2 machines are its 2 Nodes")])
    expect(visit.page.get_by_text("Adopted: the machines are its Nodes")).to_be_visible()
    visit.page.get_by_role("link", name="Change", exact=True).click()
    expect(visit.page.get_by_role("button", name="Plan this change")).to_be_visible()


def test_a_machine_of_another_cluster_is_in_the_way(visitor: Visitor, behind: Behind, tenant: str) -> None:
    foreign = {**fleet.machine("w", "198.18.21.2"), "apiVersion": "groundplane.dev/v1alpha1"}
    foreign.pop("status")
    foreign["spec"] |= {"clusterRef": {"name": "elsewhere"}, "role": "Worker"}
    assert behind.site.http.post(path(tenant, "machines"), json=foreign).status_code == 201
    visit = adopting(visitor, behind, tenant)
    expect(visit.page.get_by_text("Machine w belongs to cluster elsewhere.")).to_be_visible()
    expect(visit.page.get_by_role("button", name="Adopt with 1 machine")).to_be_disabled()
