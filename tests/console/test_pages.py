"""The pages, as somebody uses them who looks after clusters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Page, expect

from . import fleet
from .conftest import CONSOLE, RBAC, Site, Visitor, served

AXE = CONSOLE / "node_modules" / "axe-core" / "axe.min.js"
PAGES = {
    "overview": "/",
    "clusters": "/clusters",
    "cluster": "/clusters/default/shop",
    "nodes": "/clusters/default/shop/nodes",
    "drift": "/clusters/default/shop/drift",
    "findings": "/clusters/default/shop/findings",
    "cluster-operations": "/clusters/default/shop/operations",
    "kubeconfig": "/clusters/default/shop/kubeconfig",
    "yaml": "/clusters/default/shop/yaml",
    "machines": "/machines",
    "machine": "/machines/default/m1",
    "change": "/clusters/default/made/change",
    "cluster-events": "/clusters/default/shop/events",
    "foundations": "/foundations",
    "foundation": "/foundations/default/production",
    "new-foundation": "/foundations/new",
    "edit-foundation": "/foundations/default/production/edit",
    "distributions": "/distributions",
    "distribution": "/distributions/default/native",
    "operations": "/operations",
    "operation": "/operations/default/shop-change",
    "objects": "/objects",
    "catalog": "/catalog",
    "catalog-table": "/catalog/systems",
    "settings": "/settings",
    "not-found": "/nowhere",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A small fleet, of which one cluster waits for a decision."""
    with served(tmp_path_factory.mktemp("shop")) as site:
        site.make("clusters", fleet.cluster("shop"))
        site.make(
            "clusters",
            fleet.cluster(
                "plain", phase="Degraded", conditions=[fleet.condition("Ready", "False", "one node is away")]
            ),
        )
        site.make("clusters", fleet.made("made"))
        site.make("machines", fleet.machine("m1", "198.18.0.1"))
        site.make("distributions", fleet.distribution("native"))
        site.make("foundations", fleet.foundation("production"))
        site.make("operations", fleet.operation("shop-change", "shop"))
        yield site


def heading(page: Page, name: str) -> None:
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def test_the_overview_says_what_needs_somebody_and_leads_there(visitor: Visitor, shop: Site) -> None:
    visit = visitor(shop)
    visit.sign_in()
    expect(visit.page.get_by_text("one node is away")).to_be_visible()
    expect(visit.page.get_by_text("Kubernetes v1.20 ended on 2022-02-28").first).to_be_visible()
    expect(visit.page.get_by_text("1 of 4 nodes").first).to_be_visible()
    visit.page.get_by_role("link", name="shop-change").click()
    heading(visit.page, "shop-change")
    visit.page.go_back()
    heading(visit.page, "Overview")
    assert visit.said_badly() == []


def test_a_cluster_is_found_and_looked_at_part_by_part_and_a_reload_stays_there(visitor: Visitor, shop: Site) -> None:
    visit = visitor(shop)
    visit.sign_in(path="/clusters")
    visit.page.get_by_label("Search").fill("sho")
    expect(visit.page.get_by_role("row")).to_have_count(2)
    assert "q=sho" in visit.page.url
    visit.page.reload()
    expect(visit.page.get_by_role("row")).to_have_count(2)
    visit.page.get_by_role("link", name="shop").click()
    visit.page.get_by_role("link", name="Drift").click()
    expect(visit.page.get_by_text("migrate to containerd")).to_be_visible()
    visit.page.reload()
    expect(visit.page.get_by_text("migrate to containerd")).to_be_visible()
    visit.page.get_by_role("link", name="YAML").click()
    expect(visit.page.get_by_role("region", name="YAML")).to_contain_text("provider: Imported")
    assert visit.said_badly() == []


def test_a_list_is_filtered_by_column_and_shows_the_columns_that_are_chosen(visitor: Visitor, shop: Site) -> None:
    visit = visitor(shop)
    visit.sign_in(path="/clusters")
    # As fast as somebody types: every letter stays.
    visit.page.get_by_role("searchbox").press_sequentially("state:degraded")
    expect(visit.page.get_by_role("searchbox")).to_have_value("state:degraded")
    expect(visit.page.get_by_role("link", name="plain", exact=True)).to_be_visible()
    expect(visit.page.get_by_role("link", name="shop", exact=True)).to_have_count(0)
    visit.page.get_by_text("Columns", exact=True).first.click()
    visit.page.get_by_role("checkbox", name="Risks").uncheck()
    expect(visit.page.get_by_role("columnheader", name="Risks")).to_have_count(0)
    assert violations(visit.page) == []
    visit.page.reload()
    expect(visit.page.get_by_role("searchbox")).to_have_value("state:degraded")
    expect(visit.page.get_by_role("columnheader", name="Version")).to_be_visible()
    expect(visit.page.get_by_role("columnheader", name="Risks")).to_have_count(0)
    assert visit.said_badly() == []


def test_lists_show_what_happens_without_being_asked_to(visitor: Visitor, shop: Site) -> None:
    visit = visitor(shop)
    visit.sign_in(path="/machines")
    made = fleet.machine("m9", "198.18.0.9")
    shop.make("machines", made)
    expect(visit.page.get_by_role("link", name="m9")).to_be_visible()
    shop.http.delete(shop.path("machines", "m9"))
    expect(visit.page.get_by_role("link", name="m9")).to_have_count(0)


def test_a_plan_is_read_and_approved(visitor: Visitor, shop: Site) -> None:
    shop.make("operations", fleet.operation("to-approve", "shop"))
    visit = visitor(shop)
    visit.sign_in(path="/operations/default/to-approve")
    visit.page.get_by_role("button", name="Approve").click()
    dialog = visit.page.get_by_role("dialog", name="Approve to-approve?")
    expect(dialog).to_contain_text("cluster shop")
    dialog.get_by_role("button", name="Approve").click()
    expect(dialog).to_have_count(0)
    assert shop.http.get(shop.path("operations", "to-approve")).json()["spec"]["approval"] == "Approved"


def test_an_operation_is_cancelled_only_when_that_is_confirmed(visitor: Visitor, shop: Site) -> None:
    shop.make("operations", fleet.operation("to-cancel", "shop"))
    visit = visitor(shop)
    visit.sign_in(path="/operations/default/to-cancel")
    visit.page.get_by_role("button", name="Cancel…").click()
    visit.page.keyboard.press("Escape")
    expect(visit.page.get_by_role("dialog")).to_have_count(0)
    assert not shop.http.get(shop.path("operations", "to-cancel")).json()["spec"].get("cancel")
    visit.page.get_by_role("button", name="Cancel…").click()
    visit.page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(visit.page.get_by_role("button", name="Cancel…")).to_have_count(0)
    assert shop.http.get(shop.path("operations", "to-cancel")).json()["spec"]["cancel"] == "Requested"


def test_what_has_ended_is_taken_back_or_planned_again(visitor: Visitor, shop: Site) -> None:
    done = fleet.operation("to-roll-back", "shop", phase="Succeeded", finishedAt=fleet.NOW)
    done["spec"]["plan"]["action"] = "Change"
    shop.make("operations", done)
    shop.make("operations", fleet.operation("to-retry", "shop", phase="Failed", finishedAt=fleet.NOW))
    visit = visitor(shop)
    visit.sign_in(path="/operations/default/to-roll-back")
    visit.page.get_by_role("button", name="Roll back…").click()
    visit.page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(visit.page.get_by_text("Requested; the plan will appear")).to_be_visible()
    asked = shop.http.get(shop.path("operations", "to-roll-back")).json()["metadata"]["annotations"]
    assert asked["groundplane.dev/rollback"].startswith("all@")
    visit.open("/operations/default/to-retry")
    visit.page.get_by_role("button", name="Plan again…").click()
    visit.page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(visit.page.get_by_text("Requested; the plan will appear")).to_be_visible()
    assert "groundplane.dev/retry" in shop.http.get(shop.path("clusters", "shop")).json()["metadata"]["annotations"]


def test_a_foundation_shows_who_differs_where_and_is_changed_as_yaml(visitor: Visitor, shop: Site) -> None:
    on_it = fleet.cluster("on-production")
    on_it["spec"]["foundationRef"] = {"name": "production"}
    shop.make("clusters", on_it)
    visit = visitor(shop)
    visit.sign_in(path="/foundations")
    visit.page.get_by_role("link", name="production").click()
    expect(visit.page.get_by_role("row").filter(has_text="on-production")).to_contain_text("docker → containerd (1)")
    visit.page.get_by_role("button", name="Edit").click()
    found = shop.http.get(shop.path("foundations", "production")).json()
    found["spec"]["kubernetes"]["version"] = "v1.20.6"
    visit.rewrite(yaml.safe_dump(found))
    visit.page.get_by_role("button", name="Save").click()
    expect(visit.page.get_by_role("region", name="YAML")).to_contain_text("version: v1.20.6")
    spec = shop.http.get(shop.path("foundations", "production")).json()["spec"]
    assert spec["kubernetes"]["version"] == "v1.20.6"
    shop.http.delete(shop.path("clusters", "on-production"))


def test_a_cluster_is_deleted_when_its_name_was_typed(visitor: Visitor, shop: Site) -> None:
    shop.make("clusters", fleet.cluster("doomed"))
    visit = visitor(shop)
    visit.sign_in(path="/clusters/default/doomed")
    visit.page.get_by_role("button", name="Delete…").click()
    confirm = visit.page.get_by_role("dialog").get_by_role("button", name="Confirm")
    expect(confirm).to_be_disabled()
    visit.page.get_by_label("Type doomed to confirm").fill("doome")
    expect(confirm).to_be_disabled()
    visit.page.get_by_label("Type doomed to confirm").fill("doomed")
    confirm.click()
    heading(visit.page, "Clusters")
    assert shop.http.get(shop.path("clusters", "doomed")).status_code == 404


def test_a_viewer_sees_no_button_that_would_be_refused_and_the_api_refuses_it_too(visitor: Visitor, shop: Site) -> None:
    visit = visitor(shop)
    visit.sign_in(shop.nobody, path="/clusters")
    expect(visit.page.get_by_text("You may not see all clusters.")).to_be_visible()
    shop.grant("view", user="nobody")
    visit.open("/operations/default/shop-change")
    heading(visit.page, "shop-change")
    expect(visit.page.get_by_role("button", name="Approve")).to_have_count(0)
    visit.open("/clusters/default/shop")
    heading(visit.page, "shop")
    expect(visit.page.get_by_role("button", name="Delete…")).to_have_count(0)
    codes = visit.page.evaluate(
        """async ([operation, cluster]) => {
            const headers = {'x-groundplane-csrf': '1', 'content-type': 'application/merge-patch+json'};
            const body = JSON.stringify({spec: {approval: 'Approved'}});
            const approve = await fetch(operation, {method: 'PATCH', headers, body});
            const remove = await fetch(cluster, {method: 'DELETE', headers});
            return [approve.status, remove.status];
        }""",
        [shop.path("operations", "shop-change"), shop.path("clusters", "shop")],
    )
    assert codes == [403, 403]


def test_who_may_see_one_namespace_only_names_it(visitor: Visitor, shop: Site) -> None:
    shop.http.post("/api/v1/namespaces", json={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}})
    shop.grant("admin", group="system:authenticated", namespace="team-a")
    visit = visitor(shop)
    visit.sign_in(shop.nobody, path="/foundations")
    visit.page.get_by_role("textbox", name="Namespace").fill("team-a")
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_text("There is no Foundation yet.")).to_be_visible()
    visit.page.get_by_role("link", name="Clusters").click()
    visit.page.get_by_role("link", name="Create cluster").click()
    expect(visit.page.get_by_role("textbox", name="Namespace").last).to_have_value("team-a")


def test_who_may_do_what_here_is_shown_and_changed_as_any_other_object(visitor: Visitor, shop: Site) -> None:
    bindings = f"{RBAC}/namespaces/default/rolebindings"
    shop.grant("view", group="ops", namespace="default", name="ops")
    visit = visitor(shop)
    visit.sign_in()
    visit.page.get_by_role("link", name="Access and objects").click()
    visit.page.get_by_role("link", name="ops", exact=True).click()
    expect(visit.page.get_by_role("region", name="YAML")).to_contain_text("name: view")
    visit.page.get_by_role("button", name="Edit").click()
    found = shop.http.get(f"{bindings}/ops").json()
    found["subjects"][0]["name"] = "operators"
    visit.rewrite(yaml.safe_dump(found))
    visit.page.get_by_role("button", name="Save").click()
    expect(visit.page.get_by_role("region", name="YAML")).to_contain_text("name: operators")
    visit.page.get_by_role("button", name="Delete…").click()
    visit.page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(visit.page.get_by_label("Kind")).to_be_visible()
    assert shop.http.get(f"{bindings}/ops").status_code == 404
    visit.page.get_by_label("Kind").select_option("rbac.authorization.k8s.io/v1/clusterroles")
    visit.page.get_by_role("link", name="cluster-admin", exact=True).click()
    expect(visit.page.get_by_role("region", name="YAML")).to_contain_text("kind: ClusterRole")


def test_what_others_wrote_stays_text(visitor: Visitor, shop: Site) -> None:
    words = fleet.HOSTILE
    bad = [fleet.condition("Ready", "False", words)]
    shop.make("clusters", fleet.cluster("hostile", phase="Degraded", conditions=bad, version=words, runtime=words))
    hostile = fleet.operation("hostile-change", "hostile")
    hostile["spec"]["plan"] |= {"summary": words, "notes": [words]}
    shop.make("operations", hostile)
    visit = visitor(shop)
    visit.sign_in()
    expect(visit.page.get_by_text(words).first).to_be_visible()
    for path in (
        "/clusters",
        "/clusters/default/hostile",
        "/clusters/default/hostile/yaml",
        "/operations/default/hostile-change",
    ):
        visit.open(path)
        expect(visit.page.get_by_text("<img").first).to_be_visible()
        assert visit.page.locator("img").count() == 0
        assert "hacked" not in visit.page.title()
    assert visit.said_badly() == []
    shop.http.delete(shop.path("clusters", "hostile"))


def test_the_console_speaks_chinese_to_who_does_and_remembers_a_choice(visitor: Visitor, shop: Site) -> None:
    visit = visitor(shop, locale="zh-CN")
    visit.sign_in(path="/clusters")
    heading(visit.page, "集群")
    expect(visit.page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(visit.page.get_by_text("就绪").first).to_be_visible()
    expect(visit.page.get_by_role("row").filter(has_text="shop")).to_contain_text("高 1")
    visit.page.get_by_role("searchbox").fill("状态:降级")
    expect(visit.page.get_by_role("link", name="plain", exact=True)).to_be_visible()
    expect(visit.page.get_by_role("link", name="shop", exact=True)).to_have_count(0)
    visit.page.get_by_label("语言").select_option("en")
    heading(visit.page, "Clusters")
    visit.page.reload()
    heading(visit.page, "Clusters")


def test_in_chinese_the_servers_own_names_stand_beside_the_words_for_them(visitor: Visitor, shop: Site) -> None:
    seen = [fleet.condition("MachinesReachable", "False"), fleet.condition("KernelDeadlock", "Unknown")]
    shop.make("clusters", fleet.cluster("named", conditions=seen))
    visit = visitor(shop, locale="zh-CN")
    visit.sign_in(path="/clusters/default/named")
    expect(visit.page.get_by_role("row").filter(has_text="机器可达 MachinesReachable")).to_contain_text("否")
    expect(visit.page.get_by_role("row").filter(has_text="KernelDeadlock")).to_contain_text("未知")
    visit.open("/operations/default/shop-change")
    expect(visit.page.get_by_role("rowheader", name="安装并配置容器运行时 Install containerd")).to_be_visible()
    visit.open("/operations")
    expect(visit.page.get_by_role("row").filter(has_text="shop-change")).to_contain_text("创建")
    visit.page.get_by_label("语言").select_option("en")
    expect(visit.page.get_by_role("row").filter(has_text="shop-change")).to_contain_text("Create")
    visit.open("/operations/default/shop-change")
    expect(visit.page.get_by_role("rowheader", name="Install containerd", exact=True)).to_be_visible()
    visit.open("/clusters/default/named")
    expect(visit.page.get_by_role("rowheader", name="Machines reachable", exact=True)).to_be_visible()
    assert visit.said_badly() == []
    shop.http.delete(shop.path("clusters", "named"))


def test_what_nobody_answers_is_told_in_words_and_can_be_done_again(visitor: Visitor, shop: Site) -> None:
    visit = visitor(shop)
    visit.sign_in(path="/clusters/default/shop")
    visit.page.get_by_role("button", name="Look now").wait_for()
    visit.context.set_offline(True)
    visit.page.get_by_role("button", name="Look now").click()
    said = visit.page.get_by_role("alert").filter(has_text="no answer from Groundplane")
    expect(said).to_be_visible()
    visit.context.set_offline(False)
    visit.page.get_by_role("button", name="Look now").click()
    expect(said).to_have_count(0)


def test_the_menu_and_lists_are_reached_by_keyboard(visitor: Visitor, shop: Site) -> None:
    visit = visitor(shop)
    visit.sign_in(path="/clusters")
    expect(visit.page.get_by_role("link", name="shop")).to_be_visible()
    visit.page.locator("body").focus()
    visit.page.keyboard.press("Tab")
    expect(visit.page.get_by_role("link", name="Skip to content")).to_be_focused()
    visit.page.get_by_role("button", name="Name", exact=True).focus()
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("columnheader").first).to_have_attribute("aria-sort", "descending")


def test_a_phone_can_read_it(visitor: Visitor, shop: Site) -> None:
    visit = visitor(shop, viewport={"width": 390, "height": 844})
    visit.sign_in(path="/clusters")
    expect(visit.page.get_by_role("link", name="shop")).to_be_visible()
    wide = visit.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    visit.page.get_by_role("button", name="Menu").click()
    visit.page.get_by_role("link", name="Machines").click()
    heading(visit.page, "Machines")


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_violation_that_axe_finds(visitor: Visitor, shop: Site, language: str, scheme: str) -> None:
    visit = visitor(shop, locale=language, color_scheme=scheme)
    visit.open()
    visit.page.locator("form").wait_for()
    found = {"sign-in": violations(visit.page)}
    visit.sign_in()
    for name, path in PAGES.items():
        visit.open(path)
        visit.page.locator("main :is(h1, .notice-title)").first.wait_for()
        found[name] = violations(visit.page)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    assert visit.said_badly() == []


def violations(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
    answer = page.evaluate("tags => axe.run(document, {runOnly: tags})", tags)
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in answer["violations"]
        for node in one["nodes"]
    ]


def test_signing_in_and_the_overview_load_less_than_350_kib_of_javascript(visitor: Visitor, shop: Site) -> None:
    visit = visitor(shop)
    sizes: list[int] = []

    def count(answer: Any) -> None:
        if answer.url.endswith(".js"):
            sizes.append(answer.request.sizes()["responseBodySize"])

    visit.page.on("requestfinished", lambda request: count(request.response()))
    visit.sign_in()
    heading(visit.page, "Overview")
    assert 0 < sum(sizes) < 350 * 1024, sizes


def test_a_page_that_is_open_while_the_server_starts_anew_goes_on_by_itself(visitor: Visitor, tmp_path: Path) -> None:
    with served(tmp_path) as site:
        site.make("machines", fleet.machine("before", "198.18.0.1"))
        visit = visitor(site)
        visit.sign_in(path="/machines")
        expect(visit.page.get_by_role("link", name="before")).to_be_visible()
    expect(visit.page.get_by_text("No connection to Groundplane")).to_be_visible()
    expect(visit.page.get_by_role("link", name="before")).to_be_visible()
    with served(tmp_path, port=int(site.url.rpartition(":")[2])) as again:
        again.make("machines", fleet.machine("after", "198.18.0.2"))
        expect(visit.page.get_by_role("link", name="after")).to_be_visible(timeout=30_000)
        expect(visit.page.get_by_text("No connection to Groundplane")).to_have_count(0)


def test_of_thousands_only_what_is_seen_is_in_the_page_and_the_last_is_reached(
    visitor: Visitor, tmp_path: Path
) -> None:
    with served(tmp_path) as site:
        for number in range(1000):
            address = f"198.18.{number // 250}.{number % 250 + 1}"
            obj = {key: part for key, part in fleet.machine(f"m{number:04}", address).items() if key != "status"}
            site.make("machines", obj)
        visit = visitor(site)
        visit.sign_in(path="/machines")
        expect(visit.page.get_by_text("1000 in all")).to_be_visible()
        assert visit.page.locator("tbody tr").count() < 60
        visit.page.get_by_role("region", name="Machines").evaluate("list => list.scrollTo(0, list.scrollHeight)")
        expect(visit.page.get_by_role("link", name="m0999")).to_be_visible()
        visit.page.get_by_label("Search").fill("m0500")
        expect(visit.page.get_by_role("link", name="m0500")).to_be_visible()
        expect(visit.page.get_by_text("1 of 1000")).to_be_visible()
