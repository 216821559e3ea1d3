"""What runs in a managed cluster, through the gateway: a real kube-apiserver behind the console."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import expect

from groundplane.kube.kubeconfig import render_kubeconfig
from support.real_kube import real_kube

from . import fleet
from .conftest import Site, Visit, Visitor, served
from .test_pages import violations

pytestmark = pytest.mark.lab

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@dataclass
class Behind:
    """A site with the cluster "real"; `http` calls the cluster's API through the gateway."""

    site: Site
    proxy: str

    def make(self, name: str, **data: str) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        done = self.site.http.post(f"{self.proxy}{CONFIG_MAPS}", json=body)
        assert done.status_code == 201, done.text

    def get(self, name: str) -> httpx2.Response:
        return self.site.http.get(f"{self.proxy}{CONFIG_MAPS}/{name}")

    def patch(self, name: str, **data: str) -> None:
        headers = {"content-type": "application/merge-patch+json"}
        done = self.site.http.patch(f"{self.proxy}{CONFIG_MAPS}/{name}", json={"data": data}, headers=headers)
        assert done.status_code == 200, done.text


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder: Path = tmp_path_factory.mktemp("behind")
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


def config_map(visit: Visit, name: str) -> None:
    visit.sign_in(path=f"/clusters/default/real/resources/-/v1/configmaps/default/{name}")
    expect(visit.page.get_by_role("heading", name=name)).to_be_visible()


def test_any_kind_is_listed_in_the_clusters_own_columns_and_stays_as_it_is_there(
    visitor: Visitor, behind: Behind
) -> None:
    visit = visitor(behind.site)
    visit.sign_in(path="/clusters/default/real")
    visit.page.get_by_role("link", name="Resources").click()
    expect(visit.page.get_by_text("There is nothing of this kind.")).to_be_visible()
    visit.page.get_by_label("Kind").select_option("/v1/configmaps")
    expect(visit.page.get_by_role("columnheader", name="Data")).to_be_visible()
    behind.make("seen", a="1", b="2")
    row = visit.page.get_by_role("row").filter(has_text="seen")
    expect(row).to_contain_text("2")
    behind.patch("seen", c="3")
    expect(row).to_contain_text("3")
    visit.page.reload()
    expect(row).to_contain_text("3")
    visit.page.get_by_label("Kind").select_option("rbac.authorization.k8s.io/v1/clusterroles")
    expect(visit.page.get_by_role("link", name="cluster-admin")).to_be_visible()
    assert visit.said_badly() == []


def test_an_object_is_changed_as_yaml(visitor: Visitor, behind: Behind) -> None:
    behind.make("edited", colour="red")
    visit = visitor(behind.site)
    config_map(visit, "edited")
    visit.page.get_by_role("button", name="Edit").click()
    editor = visit.page.get_by_role("textbox", name="YAML")
    visit.rewrite(editor.inner_text().replace("red", "green"))
    visit.page.get_by_role("button", name="Save").click()
    expect(visit.page.get_by_role("region", name="YAML")).to_contain_text("colour: green")
    assert behind.get("edited").json()["data"] == {"colour": "green"}
    assert visit.said_badly() == []


def test_two_who_change_one_object_lose_nothing(visitor: Visitor, behind: Behind) -> None:
    behind.make("contested", colour="red")
    visit = visitor(behind.site)
    config_map(visit, "contested")
    visit.page.get_by_role("button", name="Edit").click()
    editor = visit.page.get_by_role("textbox", name="YAML")
    visit.rewrite(editor.inner_text().replace("red", "green"))
    behind.patch("contested", colour="blue")
    visit.page.get_by_role("button", name="Save").click()
    expect(visit.page.get_by_text("Somebody else changed it meanwhile")).to_be_visible()
    expect(editor).to_contain_text("green")
    assert behind.get("contested").json()["data"] == {"colour": "blue"}


def test_a_mistake_in_the_yaml_is_told_and_what_was_written_stays(visitor: Visitor, behind: Behind) -> None:
    behind.make("mistaken", a="1")
    visit = visitor(behind.site)
    config_map(visit, "mistaken")
    visit.page.get_by_role("button", name="Edit").click()
    visit.rewrite("a: [1\n")
    visit.page.get_by_role("button", name="Save").click()
    expect(visit.page.get_by_role("alert")).to_contain_text("YAML")
    expect(visit.page.get_by_role("textbox", name="YAML")).to_contain_text("a: [1")


def test_an_object_is_deleted_after_a_question(visitor: Visitor, behind: Behind) -> None:
    behind.make("doomed", a="1")
    visit = visitor(behind.site)
    config_map(visit, "doomed")
    visit.page.get_by_role("button", name="Delete…").click()
    expect(visit.page.get_by_role("dialog")).to_contain_text("doomed (configmaps) is deleted from real")
    visit.page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(visit.page.get_by_label("Kind")).to_be_visible()
    assert behind.get("doomed").status_code == 404


def test_a_cluster_that_cannot_be_reached_says_why_and_what_to_do(visitor: Visitor, behind: Behind) -> None:
    visit = visitor(behind.site)
    visit.sign_in(path="/clusters/default/unreached/resources/-/v1/pods")
    expect(visit.page.get_by_text("This cluster cannot be reached.")).to_be_visible()
    expect(visit.page.get_by_text("it has no kubeconfig yet")).to_be_visible()


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_axe_finds_nothing_on_these_pages_either(visitor: Visitor, behind: Behind, language: str) -> None:
    name = f"axe-{language.lower()}"
    behind.make(name, a="1")
    visit = visitor(behind.site, locale=language)
    visit.sign_in(path="/clusters/default/real/resources/-/v1/configmaps")
    visit.page.get_by_role("link", name=name).wait_for()
    found = violations(visit.page)
    visit.page.get_by_role("link", name=name).click()
    visit.page.locator("button.t-button--theme-primary").click()
    visit.page.locator(".cm-content").wait_for()
    assert found + violations(visit.page) == []


def deployment(behind: Behind, name: str) -> str:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    spec = {"selector": {"matchLabels": labels}, "replicas": 1, "template": template}
    path = f"{behind.proxy}/apis/apps/v1/namespaces/default/deployments"
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
    assert behind.site.http.post(path, json=body).status_code == 201
    return f"{path}/{name}"


def test_a_workload_is_scaled_and_restarted(visitor: Visitor, behind: Behind) -> None:
    path = deployment(behind, "scaled")
    visit = visitor(behind.site)
    visit.sign_in(path="/clusters/default/real/resources/apps/v1/deployments/default/scaled")
    visit.page.get_by_role("button", name="Scale…").click()
    visit.page.get_by_label("Replicas").fill("3")
    visit.page.get_by_role("dialog").get_by_role("button", name="Scale", exact=True).click()
    expect(visit.page.get_by_role("region", name="YAML")).to_contain_text("replicas: 3")
    visit.page.get_by_role("button", name="Restart…").click()
    visit.page.get_by_role("dialog").get_by_role("button", name="Restart", exact=True).click()
    expect(visit.page.get_by_role("region", name="YAML")).to_contain_text("restartedAt")
    spec = behind.site.http.get(path).json()["spec"]
    assert spec["replicas"] == 3
    assert "kubectl.kubernetes.io/restartedAt" in spec["template"]["metadata"]["annotations"]
