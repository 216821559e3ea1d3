"""What runs in a managed cluster, through the gateway: a real kube-apiserver behind the console."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from .behind import Behind, behind_a_site
from .conftest import Visit, Visitor
from .test_pages import violations

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with behind_a_site(tmp_path_factory.mktemp("behind")) as made:
        yield made


def config_map(visit: Visit, name: str) -> None:
    visit.sign_in(path=f"/clusters/default/real/resources/-/v1/configmaps/default/{name}")
    expect(visit.page.get_by_role("heading", name=name)).to_be_visible()


def test_any_kind_is_listed_in_the_clusters_own_columns_and_stays_as_it_is_there(
    visitor: Visitor, behind: Behind
) -> None:
    visit = visitor(behind.site)
    visit.sign_in(path="/clusters/default/real")
    visit.page.get_by_role("link", name="Resources").click()
    visit.page.get_by_role("link", name="Storage", exact=True).click()
    expect(visit.page.get_by_text("There is nothing of this kind.")).to_be_visible()
    visit.page.get_by_role("link", name="Config", exact=True).click()
    expect(visit.page.get_by_label("Kind")).to_have_value("/v1/configmaps")
    expect(visit.page.get_by_role("columnheader", name="Data")).to_be_visible()
    behind.make("seen", a="1", b="2")
    row = visit.page.get_by_role("row").filter(has_text="seen")
    expect(row).to_contain_text("2")
    behind.patch("seen", c="3")
    expect(row).to_contain_text("3")
    visit.page.reload()
    expect(row).to_contain_text("3")
    visit.page.get_by_role("link", name="Others").click()
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
    path = "/apis/apps/v1/namespaces/default/deployments"
    behind.create(path, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})
    return f"{path}/{name}"


def revision(behind: Behind, path: str, number: int, image: str) -> None:
    """A ReplicaSet as the controller of Deployments would have made it."""
    owner = behind.read(path)
    name, labels = f"{owner['metadata']['name']}-{number}", {"app": owner["metadata"]["name"], "pod-template-hash": "h"}
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "controller": True}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}}
    metadata = {
        "name": name,
        "labels": labels,
        "annotations": {"deployment.kubernetes.io/revision": str(number)},
        "ownerReferences": [{**reference, **{key: owner["metadata"][key] for key in ("name", "uid")}}],
    }
    spec = {"selector": {"matchLabels": labels}, "replicas": 0, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec}
    behind.create("/apis/apps/v1/namespaces/default/replicasets", body)


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
    spec = behind.read(path)["spec"]
    assert spec["replicas"] == 3
    assert "kubectl.kubernetes.io/restartedAt" in spec["template"]["metadata"]["annotations"]


def image(behind: Behind, path: str) -> str:
    found: str = behind.read(path)["spec"]["template"]["spec"]["containers"][0]["image"]
    return found


def test_a_workload_gets_another_image_and_is_taken_back_to_an_earlier_one(visitor: Visitor, behind: Behind) -> None:
    path = deployment(behind, "rolled")
    revision(behind, path, 1, "first:1")
    revision(behind, path, 2, "x")
    visit = visitor(behind.site)
    visit.sign_in(path="/clusters/default/real/resources/apps/v1/deployments/default/rolled")
    visit.page.get_by_role("button", name="Images…").click()
    dialog = visit.page.get_by_role("dialog")
    dialog.get_by_label("c", exact=True).fill("second:2")
    dialog.get_by_role("button", name="Change", exact=True).click()
    expect(visit.page.get_by_role("region", name="YAML")).to_contain_text("image: second:2")
    assert image(behind, path) == "second:2"
    visit.page.get_by_role("link", name="History").click()
    row = visit.page.get_by_role("row").filter(has_text="first:1")
    expect(visit.page.get_by_role("row").nth(1)).to_contain_text("current")
    row.get_by_role("button", name="Back to this…").click()
    dialog.get_by_role("button", name="Take back").click()
    expect(dialog).to_have_count(0)
    assert image(behind, path) == "first:1"
    assert behind.read(path)["spec"]["template"]["metadata"]["labels"] == {"app": "rolled"}
    assert visit.said_badly() == []


def test_what_happened_to_an_object_stands_beside_it(visitor: Visitor, behind: Behind) -> None:
    behind.make("watched", a="1")
    about = {"apiVersion": "v1", "kind": "ConfigMap", "name": "watched", "namespace": "default"}
    for name, target in (("one", about), ("other", {**about, "name": "another"})):
        event = {"metadata": {"name": name}, "involvedObject": target, "reason": "Seen", "message": f"it was {name}"}
        behind.create("/api/v1/namespaces/default/events", {**event, "type": "Warning", "count": 3})
    visit = visitor(behind.site)
    config_map(visit, "watched")
    visit.page.get_by_role("link", name="Events").click()
    row = visit.page.get_by_role("row").filter(has_text="it was one")
    expect(row).to_contain_text("Warning")
    expect(row).to_contain_text("3")
    expect(visit.page.get_by_text("it was other")).to_have_count(0)
    assert violations(visit.page) == []


# --- nodes ---------------------------------------------------------------------------------------------------------


def node(behind: Behind, name: str, **metadata: dict[str, str]) -> str:
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is well"}
    labels = {"kubernetes.io/hostname": name, **metadata.pop("labels", {})}
    status = {"conditions": [ready], "nodeInfo": {"kubeletVersion": "v1.20.2", "osImage": "Debian 12"}}
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels, **metadata}}
    behind.create("/api/v1/nodes", {**body, "status": status})
    return f"/api/v1/nodes/{name}"


def pod(behind: Behind, name: str, on: str, owner: str) -> None:
    owners = [{"apiVersion": "apps/v1", "kind": owner, "name": "o", "uid": name, "controller": True}] if owner else []
    # Without a kubelet nobody else would say that it has ended.
    spec = {
        "nodeName": on,
        "containers": [{"name": "c", "image": "x"}],
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
    }
    metadata = {"name": name, "labels": {"app": name}, "ownerReferences": owners}
    # Of a pod that does not run yet no budget is asked.
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Running"}}
    behind.create("/api/v1/namespaces/default/pods", body)


def pods(behind: Behind, on: str) -> set[str]:
    found = behind.read(f"/api/v1/pods?fieldSelector=spec.nodeName={on}")["items"]
    return {item["metadata"]["name"] for item in found}


def test_a_node_is_cordoned_and_uncordoned(visitor: Visitor, behind: Behind) -> None:
    path = node(behind, "n-cordon")
    visit = visitor(behind.site)
    visit.sign_in(path="/clusters/default/real/nodes/n-cordon")
    expect(visit.page.get_by_text("kubelet is well")).to_be_visible()
    visit.page.get_by_role("button", name="Cordon…").click()
    visit.page.get_by_role("dialog").get_by_role("button", name="Cordon", exact=True).click()
    expect(visit.page.get_by_text("cordoned", exact=True)).to_be_visible()
    assert behind.read(path)["spec"]["unschedulable"] is True
    assert violations(visit.page) == []
    visit.page.get_by_role("button", name="Uncordon…").click()
    visit.page.get_by_role("dialog").get_by_role("button", name="Uncordon", exact=True).click()
    expect(visit.page.get_by_role("button", name="Cordon…")).to_be_visible()
    assert "unschedulable" not in behind.read(path)["spec"]
    assert visit.said_badly() == []


def test_the_page_of_a_node_leads_to_the_terminal_on_its_machine(visitor: Visitor, behind: Behind) -> None:
    node(behind, "n-shell")
    node(behind, "n-foreign")
    path = behind.site.path("clusters", "real")
    found = behind.site.http.get(path).json()
    found["status"]["nodes"] = [{"machine": "shop-7", "node": "n-shell"}]
    assert behind.site.http.put(f"{path}/status", json=found).status_code == 200
    visit = visitor(behind.site)
    visit.sign_in(path="/clusters/default/real/nodes/n-shell")
    link = visit.page.get_by_role("link", name="Terminal", exact=True)
    expect(link).to_have_attribute("href", "/console/machines/default/shop-7/terminal")
    visit.open("/clusters/default/real/nodes/n-foreign")
    expect(visit.page.get_by_role("button", name="Cordon…")).to_be_visible()
    expect(link).to_have_count(0)


def test_a_cordon_of_an_operation_is_left_to_it(visitor: Visitor, behind: Behind) -> None:
    node(behind, "n-ours", annotations={"groundplane.dev/cordoned-by": "default/real"})
    visit = visitor(behind.site)
    visit.sign_in(path="/clusters/default/real/nodes/n-ours")
    expect(visit.page.get_by_text("Cordoned by an Operation of default/real")).to_be_visible()
    expect(visit.page.get_by_role("button", name="Uncordon…")).to_have_count(0)


def test_labels_and_taints_of_a_node_are_changed_line_by_line(visitor: Visitor, behind: Behind) -> None:
    path = node(behind, "n-labels", labels={"old": "x"})
    visit = visitor(behind.site)
    visit.sign_in(path="/clusters/default/real/nodes/n-labels")
    visit.page.get_by_label("Labels", exact=True).fill("kubernetes.io/hostname=n-labels\nzone=a")
    visit.page.get_by_label("Taints", exact=True).fill("gpu")
    visit.page.get_by_role("button", name="Save").click()
    expect(visit.page.get_by_role("alert")).to_contain_text("“gpu” cannot be read")
    visit.page.get_by_label("Taints", exact=True).fill("gpu=true:NoSchedule")
    visit.page.get_by_role("button", name="Save").click()
    expect(visit.page.get_by_role("button", name="Save")).to_be_disabled()
    found = behind.read(path)
    assert found["metadata"]["labels"] == {"kubernetes.io/hostname": "n-labels", "zone": "a"}
    assert found["spec"]["taints"] == [{"key": "gpu", "value": "true", "effect": "NoSchedule"}]


def test_a_drain_evicts_what_may_go_and_names_what_may_not(visitor: Visitor, behind: Behind) -> None:
    path = node(behind, "n-drain")
    for name, owner in (("goes", "ReplicaSet"), ("guarded", "ReplicaSet"), ("daemon", "DaemonSet"), ("lonely", "")):
        pod(behind, name, "n-drain", owner)
    budgets = "/apis/policy/v1beta1/namespaces/default/poddisruptionbudgets"
    spec = {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "guarded"}}}
    behind.create(budgets, {"kind": "PodDisruptionBudget", "metadata": {"name": "guard"}, "spec": spec})
    visit = visitor(behind.site)
    visit.sign_in(path="/clusters/default/real/nodes/n-drain")
    visit.page.get_by_role("button", name="Drain…").click()
    dialog = visit.page.get_by_role("dialog")
    expect(dialog.get_by_text("2 pods are asked to leave")).to_be_visible()
    expect(dialog.get_by_label("also these, which nothing makes anew: default/lonely")).not_to_be_checked()
    dialog.get_by_role("button", name="Drain", exact=True).click()
    expect(dialog.get_by_text("default/guarded: Cannot evict pod")).to_be_visible()
    expect(dialog.get_by_text("1 pod is asked to leave")).to_be_visible()
    assert behind.read(path)["spec"]["unschedulable"] is True
    assert pods(behind, "n-drain") == {"guarded", "daemon", "lonely"}
    assert behind.site.http.delete(f"{behind.proxy}{budgets}/guard").status_code == 200
    expect(dialog).to_have_count(0, timeout=15_000)
    assert pods(behind, "n-drain") == {"daemon", "lonely"}
    refused = "the server responded with a status of 429"
    assert [line for line in visit.said_badly() if refused not in line] == []


# --- what the editor knows -----------------------------------------------------------------------------------------


def test_the_editor_offers_the_fields_that_the_cluster_describes(visitor: Visitor, behind: Behind) -> None:
    deployment(behind, "described")
    visit = visitor(behind.site)
    visit.sign_in(path="/clusters/default/real/resources/apps/v1/deployments/default/described")
    visit.page.get_by_role("button", name="Edit").click()
    expect(visit.page.get_by_text("Ctrl+Space shows the fields")).to_be_visible()
    visit.rewrite("apiVersion: apps/v1\nkind: Deployment\nspec:\n  ")
    visit.page.keyboard.press("Control+End")
    visit.page.keyboard.type("prog")
    offer = visit.page.locator(".cm-tooltip-autocomplete")
    expect(offer).to_contain_text("progressDeadlineSeconds")
    expect(visit.page.locator(".cm-completionInfo")).to_contain_text("maximum time in seconds")
    offer.get_by_text("progressDeadlineSeconds").click()
    expect(visit.page.get_by_role("textbox", name="YAML")).to_contain_text("progressDeadlineSeconds:")
    assert visit.said_badly() == []
