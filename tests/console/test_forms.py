"""Machines added and a cluster created by form, with mistakes."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from . import fleet
from .conftest import Site, Visit, Visitor, served
from .test_pages import violations


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("yard")) as site:
        site.make("foundations", fleet.foundation("production"))
        yield site


def machines(site: Site) -> dict[str, dict[str, object]]:
    items = site.http.get("/apis/groundplane.dev/v1alpha1/machines").json()["items"]
    return {item["metadata"]["name"]: item["spec"] for item in items}


def test_three_machines_are_added_at_once_with_a_new_key_that_is_sealed(visitor: Visitor, yard: Site) -> None:
    visit = visitor(yard)
    visit.sign_in(path="/machines")
    visit.page.get_by_role("link", name="Add machines").click()
    visit.page.get_by_label("Addresses").fill("198.18.5.1\n198.18.5.2; 198.18.5.3")
    visit.page.get_by_label("Name begins with").fill("three-")
    expect(visit.page.get_by_text("three-3 (198.18.5.3)")).to_be_visible()
    visit.page.get_by_label("Name of the new Secret").fill("three-key")
    visit.page.get_by_label("Private key", exact=True).fill("-----BEGIN KEY-----")
    visit.page.get_by_role("button", name="Add 3 machines").click()
    expect(visit.page.get_by_role("link", name="three-3")).to_be_visible()
    found = machines(yard)
    assert found["three-2"]["address"] == "198.18.5.2"
    assert found["three-2"]["ssh"]["secretRef"] == {"name": "three-key"}  # type: ignore[index]
    secret = yard.http.get("/api/v1/namespaces/default/secrets/three-key").json()
    assert (secret["type"], list(secret["data"])) == ("groundplane.dev/ssh", ["ssh-privatekey"])
    assert visit.said_badly() == []


def test_what_is_wrong_is_told_at_the_field_before_anything_is_made(visitor: Visitor, yard: Site) -> None:
    visit = visitor(yard)
    visit.sign_in(path="/machines/new")
    before = machines(yard)
    visit.page.get_by_label("Addresses").fill("nonsense")
    wrong = visit.page.locator(".labelled", has=visit.page.get_by_label("Addresses")).locator(".field-wrong")
    expect(wrong).to_contain_text("IPv4")
    visit.page.get_by_label("Addresses").fill("198.18.6.1")
    expect(wrong).to_have_count(0)
    visit.page.get_by_label("Name begins with").fill("Capital-")
    named = visit.page.locator(".labelled", has=visit.page.get_by_label("Name begins with")).locator(".field-wrong")
    expect(named).to_contain_text("lower case")
    assert machines(yard) == before


def test_what_failed_half_way_is_gone_on_with(visitor: Visitor, yard: Site) -> None:
    yard.make("machines", fleet.machine("half-2", "198.18.7.99"))
    visit = visitor(yard)
    visit.sign_in(path="/machines/new")
    visit.page.get_by_label("Addresses").fill("198.18.7.1 198.18.7.2")
    visit.page.get_by_label("Name begins with").fill("half-")
    visit.page.get_by_label("Name of the new Secret").fill("half-key")
    visit.page.get_by_label("Password", exact=True).fill("secret")
    visit.page.get_by_role("button", name="Add 2 machines").click()
    expect(visit.page.get_by_role("alert")).to_contain_text('"half-2" already exists')
    expect(visit.page.get_by_text("1 of 2 are added.")).to_be_visible()
    assert yard.http.delete(yard.path("machines", "half-2")).status_code == 200
    visit.page.get_by_role("button", name="Add 2 machines").click()
    expect(visit.page.get_by_role("link", name="half-2")).to_be_visible()
    assert machines(yard)["half-2"]["address"] == "198.18.7.2"


def test_a_cluster_is_created_on_free_machines(visitor: Visitor, yard: Site) -> None:
    for number in (1, 2, 3):
        yard.make("machines", fleet.machine(f"free-{number}", f"198.18.8.{number}"))
    visit = visitor(yard)
    visit.sign_in(path="/clusters")
    visit.page.get_by_role("link", name="Create cluster").click()
    create = visit.page.get_by_role("button", name="Create", exact=True)
    expect(create).to_be_disabled()
    visit.page.get_by_label("Name", exact=True).fill("by-form")
    visit.page.get_by_label("Foundation").select_option("production")
    visit.page.get_by_label("Runtime").select_option("docker")
    visit.page.get_by_label("Addresses of pods").fill("10.244.0.0/99")
    pods = visit.page.locator(".labelled", has=visit.page.get_by_label("Addresses of pods"))
    expect(pods.locator(".field-wrong")).to_be_visible()
    visit.page.get_by_label("Role: free-1").select_option("ControlPlane")
    expect(create).to_be_disabled()
    visit.page.get_by_label("Addresses of pods").fill("10.200.0.0/16")
    expect(pods).to_contain_text("Room for 256 nodes")
    for number in (2, 3):
        visit.page.get_by_label(f"Role: free-{number}").select_option("Worker")
    expect(visit.page.get_by_text("Control planes: 1, workers: 2.")).to_be_visible()
    create.click()
    expect(visit.page.get_by_role("heading", name="by-form")).to_be_visible()
    spec = yard.http.get(yard.path("clusters", "by-form")).json()["spec"]
    assert spec["foundationRef"] == {"name": "production"}
    assert spec["runtime"]["name"] == "docker"
    assert spec["network"]["podCIDR"] == "10.200.0.0/16"
    assert spec["change"]["approval"] == "Manual"
    found = machines(yard)
    assert found["free-1"]["role"] == "ControlPlane"
    assert [found[f"free-{number}"]["role"] for number in (2, 3)] == ["Worker", "Worker"]
    assert all(found[f"free-{number}"]["clusterRef"] == {"name": "by-form"} for number in (1, 2, 3))
    assert visit.said_badly() == []


@pytest.mark.parametrize("path", ["/machines/new", "/clusters/new"])
def test_axe_finds_nothing_in_the_forms(visitor: Visitor, yard: Site, path: str) -> None:
    visit: Visit = visitor(yard)
    visit.sign_in(path=path)
    visit.page.locator("h1").wait_for()
    assert violations(visit.page) == []


KUBECONFIG = """
apiVersion: v1
kind: Config
contexts:
- {name: good, context: {cluster: c, user: u}}
- {name: files, context: {cluster: c, user: f}}
clusters:
- {name: c, cluster: {server: "https://198.18.9.9:6443"}}
users:
- {name: u, user: {token: the-token}}
- {name: f, user: {client-certificate: /root/x.crt}}
"""


def test_a_cluster_is_imported_from_a_pasted_kubeconfig_after_a_look_at_it(visitor: Visitor, yard: Site) -> None:
    visit = visitor(yard)
    visit.sign_in(path="/clusters")
    visit.page.get_by_role("link", name="Import cluster").click()
    submit = visit.page.get_by_role("button", name="Import")
    visit.page.get_by_label("Or its content").fill("nonsense")
    expect(visit.page.get_by_text("This is no kubeconfig.")).to_be_visible()
    visit.page.get_by_label("Or its content").fill(KUBECONFIG)
    expect(visit.page.get_by_text("https://198.18.9.9:6443", exact=True)).to_be_visible()
    visit.page.get_by_label("Context").select_option("files")
    expect(visit.page.get_by_text("client-certificate names a file of your machine")).to_be_visible()
    expect(submit).to_be_disabled()
    visit.page.get_by_label("Context").select_option("good")
    visit.page.get_by_label("Name", exact=True).fill("taken-in")
    assert violations(visit.page) == []
    submit.click()
    expect(visit.page.get_by_role("heading", name="taken-in")).to_be_visible()
    assert yard.http.get(yard.path("clusters", "taken-in")).json()["spec"]["provider"] == "Imported"
    secret = yard.http.get("/api/v1/namespaces/default/secrets/taken-in-kubeconfig").json()
    assert "the-token" in base64.b64decode(secret["data"]["kubeconfig"]).decode()
    assert visit.said_badly() == []


def test_an_import_that_is_refused_leaves_no_secret_behind(visitor: Visitor, yard: Site) -> None:
    yard.make("clusters", fleet.cluster("taken"))
    visit = visitor(yard)
    visit.sign_in(path="/clusters/import")
    visit.page.get_by_label("Or its content").fill(KUBECONFIG)
    visit.page.get_by_label("Name", exact=True).fill("taken")
    visit.page.get_by_role("button", name="Import").click()
    expect(visit.page.get_by_role("alert")).to_contain_text("already exists")
    assert yard.http.get("/api/v1/namespaces/default/secrets/taken-kubeconfig").status_code == 404
