"""A fleet is changed by form: adopted, changed, brought to its Foundation in waves, its machines held back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from . import fleet
from .conftest import Site, Visitor, served
from .test_pages import heading, violations


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("works")) as site:
        site.make("foundations", fleet.foundation("production"))
        site.make("distributions", fleet.distribution("native"))
        yield site


def spec(site: Site, plural: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = site.http.get(site.path(plural, name)).json()["spec"]
    return found


def report(site: Site, plural: str, name: str, **status: Any) -> None:
    """Write a part of an object's status, as its controller would."""
    found = site.http.get(site.path(plural, name)).json()
    found["status"] = {**found.get("status", {}), **status}
    done = site.http.put(f"{site.path(plural, name)}/status", json=found)
    assert done.status_code == 200, done.text


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def confirm(page: Page, button: str, action: str) -> None:
    page.get_by_role("button", name=button).click()
    dialog(page).get_by_role("button", name=action, exact=True).click()
    expect(dialog(page)).to_have_count(0)


def plan(page: Page) -> None:
    """Write the wish, and wait until the server has it."""
    with page.expect_response(lambda answer: answer.request.method == "PATCH" and "dryRun" not in answer.url):
        page.get_by_role("button", name="Plan this change").click()


# --- changes of a cluster ------------------------------------------------------------------------------------------


def test_what_differs_leads_to_the_change_that_mends_it(visitor: Visitor, works: Site) -> None:
    works.make("clusters", fleet.made("drifted"))
    visit = visitor(works)
    visit.sign_in(path="/clusters/default/drifted/drift")
    visit.page.get_by_role("link", name="Change…").click()
    expect(visit.page.get_by_label("Runtime")).to_have_value("containerd")
    plan(visit.page)
    assert spec(works, "clusters", "drifted")["runtime"]["name"] == "containerd"
    works.make("operations", fleet.operation("drifted-change", "drifted"))
    visit.page.get_by_role("link", name="drifted-change").click()
    heading(visit.page, "drifted-change")
    assert visit.said_badly() == []


def test_a_choice_that_cannot_be_is_greyed_out_with_the_reason(visitor: Visitor, works: Site) -> None:
    works.make("clusters", fleet.made("greyed"))
    visit = visitor(works)
    visit.sign_in(path="/clusters/default/greyed/change")
    docker = visit.page.get_by_label("Runtime").locator("option[value=docker]")
    expect(docker).to_be_enabled()
    visit.page.get_by_label("Version").select_option("v1.24.0")
    expect(docker).to_be_disabled()
    expect(visit.page.get_by_text("Kubernetes v1.24.0 has no dockershim")).to_be_visible()


def test_how_a_change_is_made_is_checked_before_it_is_written(visitor: Visitor, works: Site) -> None:
    works.make("clusters", fleet.made("manner"))
    visit = visitor(works)
    visit.sign_in(path="/clusters/default/manner/change")
    patience = visit.page.get_by_label("Patience with pods")
    patience.fill("soon")
    wrong = visit.page.locator(".labelled", has=patience).locator(".field-wrong")
    expect(wrong).to_contain_text("soon")
    expect(visit.page.get_by_role("button", name="Plan this change")).to_be_disabled()
    patience.fill("10m")
    visit.page.get_by_label("Nodes away at once").fill("25%")
    visit.page.get_by_label("Pods that nothing makes anew").select_option("Delete")
    plan(visit.page)
    change = spec(works, "clusters", "manner")["change"]
    assert change["maxUnavailable"] == "25%"
    assert change["drain"] == {"timeout": "10m", "unmanagedPods": "Delete"}


def test_certificates_are_renewed_on_request(visitor: Visitor, works: Site) -> None:
    works.make("clusters", fleet.made("renewed"))
    visit = visitor(works)
    visit.sign_in(path="/clusters/default/renewed/change")
    confirm(visit.page, "Renew certificates…", "Renew")
    expect(visit.page.get_by_text("Requested; its plan will appear above.")).to_be_visible()
    found = works.http.get(works.path("clusters", "renewed")).json()["metadata"]["annotations"]
    assert found["groundplane.dev/renew-certificates"]


# --- a run of unify ------------------------------------------------------------------------------------------------


def test_what_a_run_would_do_is_read_before_it_begins_in_the_waves_that_are_written(
    visitor: Visitor, works: Site
) -> None:
    works.make("foundations", fleet.foundation("previewed"))
    for name in ("first", "second", "third"):
        member = fleet.made(f"preview-{name}")
        member["spec"]["foundationRef"] = {"name": "previewed"}
        works.make("clusters", member)
    visit = visitor(works)
    visit.sign_in(path="/foundations/default/previewed")
    page = visit.page
    page.get_by_text("What a run would do").click()
    expect(page.get_by_text("Wave 3: 1 cluster")).to_be_visible()
    expect(page.get_by_text("Migrate the container runtime from docker to containerd")).to_be_visible()
    assert violations(page) == []
    page.get_by_text("What a run would do").click()
    page.get_by_role("button", name="Begin a run…").click()
    dialog(page).get_by_text("What a run would do").click()
    dialog(page).get_by_label("Sizes of the waves").fill("2, 100%")
    expect(dialog(page).get_by_text("Wave 2: 1 cluster")).to_be_visible()
    expect(dialog(page).get_by_text("Wave 1: 2 clusters")).to_be_visible()
    dialog(page).get_by_label("Sizes of the waves").fill("0")
    expect(dialog(page).get_by_text("must be a count from 1")).to_be_visible()
    assert visit.said_badly() == []


def test_a_fleet_is_brought_to_its_foundation_in_waves(visitor: Visitor, works: Site) -> None:
    works.make("foundations", fleet.foundation("unified"))
    member = fleet.made("fleet-a")
    member["spec"]["foundationRef"] = {"name": "unified"}
    works.make("clusters", member)
    visit = visitor(works)
    visit.sign_in(path="/foundations/default/unified")
    page = visit.page
    page.get_by_role("button", name="Begin a run…").click()
    expect(dialog(page).get_by_text("1 of its 1 clusters differ from it: fleet-a.")).to_be_visible()
    dialog(page).get_by_label("Approval").select_option("PerWave")
    dialog(page).get_by_label("Windows").fill("whenever")
    dialog(page).get_by_role("button", name="Begin", exact=True).click()
    expect(dialog(page).get_by_role("alert")).to_contain_text("“whenever” is no window")
    assert violations(page) == []
    dialog(page).get_by_label("Windows").fill("Sat,Sun 22:00 4h Europe/Berlin")
    dialog(page).get_by_role("button", name="Begin", exact=True).click()
    expect(page.get_by_text("The run is about to begin.")).to_be_visible()
    wish = spec(works, "foundations", "unified")["unify"]
    assert (wish["state"], wish["approval"], wish["waves"]) == ("Running", "PerWave", [1, "10%", "100%"])
    assert wish["windows"] == [
        {"days": ["Sat", "Sun"], "start": "22:00", "duration": "4h", "timeZone": "Europe/Berlin"}
    ]
    wave = {"number": 1, "canaries": True}
    planned = {"name": "fleet-a", "state": "Planned", "operations": ["fleet-a-1"], "message": "waits for its wave"}
    state = {"run": wish["run"], "phase": "AwaitingApproval", "message": "wave 1 of 1 waits for approval"}
    report(works, "foundations", "unified", unify={**state, "waves": [{**wave, "clusters": [planned]}]})
    expect(page.get_by_text("Wave 1 (canaries): 0 of 1 settled")).to_be_visible()
    expect(page.get_by_role("link", name="fleet-a-1")).to_be_visible()
    confirm(page, "Approve wave 1…", "Approve")
    assert spec(works, "foundations", "unified")["unify"]["approvedWave"] == 1
    report(works, "foundations", "unified", unify={**state, "phase": "Running", "waves": []})
    confirm(page, "Pause…", "Pause")
    confirm(page, "Go on…", "Go on")
    page.get_by_role("button", name="Cancel…").click()
    dialog(page).get_by_label("cancel what is at work, too").check()
    dialog(page).get_by_role("button", name="End it").click()
    expect(dialog(page)).to_have_count(0)
    wish = spec(works, "foundations", "unified")["unify"]
    assert (wish["state"], wish["cancelOperations"]) == ("Cancelled", True)
    assert visit.said_badly() == []


# --- Foundations ---------------------------------------------------------------------------------------------------


def test_a_foundation_is_made_and_changed_by_form(visitor: Visitor, works: Site) -> None:
    visit = visitor(works)
    visit.sign_in(path="/foundations")
    visit.page.get_by_role("link", name="New Foundation").click()
    visit.page.get_by_label("Name", exact=True).fill("by-form")
    visit.page.get_by_label("Version", exact=True).fill("v1.20.2")
    visit.page.get_by_label("Operating systems to move to").fill("debian 11 12")
    kernel = visit.page.get_by_label("Oldest kernel")
    kernel.fill("new")
    wrong = visit.page.locator(".labelled", has=kernel).locator(".field-wrong")
    expect(wrong).to_be_visible()
    kernel.fill("5.4.119")
    # What belongs to no field is said, too: the button would be dead without a word.
    namespace = visit.page.locator("form.form").get_by_label("Namespace", exact=True)
    namespace.fill("nowhere")
    expect(visit.page.get_by_role("alert")).to_contain_text("nowhere")
    expect(visit.page.get_by_role("button", name="Create", exact=True)).to_be_disabled()
    namespace.fill("default")
    expect(visit.page.get_by_role("alert")).to_have_count(0)
    visit.page.get_by_role("button", name="Create", exact=True).click()
    heading(visit.page, "by-form")
    made = spec(works, "foundations", "by-form")
    assert made["operatingSystem"]["recommended"] == [{"id": "debian", "versions": ["11", "12"]}]
    assert made["operatingSystem"]["kernel"] == {"minimum": "5.4.119"}
    visit.page.get_by_role("link", name="Change by form").click()
    visit.page.get_by_label("Swap").select_option("Ignored")
    visit.page.get_by_role("button", name="Save").click()
    expect(visit.page.get_by_role("link", name="Change by form")).to_be_visible()
    changed = spec(works, "foundations", "by-form")
    assert changed["operatingSystem"]["settings"]["swap"] == "Ignored"
    assert changed["operatingSystem"]["settings"]["modules"] == made["operatingSystem"]["settings"]["modules"]
    assert [line for line in visit.said_badly() if "namespaces/nowhere/" not in line] == []


def test_a_check_that_nobody_answers_keeps_no_form_from_being_sent(visitor: Visitor, works: Site) -> None:
    visit = visitor(works)
    visit.sign_in(path="/foundations/new")
    visit.page.get_by_label("Name", exact=True).fill("sent-late")
    visit.page.context.set_offline(True)
    with visit.page.expect_event("requestfailed", lambda request: "dryRun" in request.url):
        visit.page.get_by_label("Version", exact=True).fill("v1.20.2")
    visit.page.get_by_role("button", name="Create", exact=True).click()
    expect(visit.page.get_by_role("alert").filter(has_text="no answer from Groundplane")).to_be_visible()
    visit.page.context.set_offline(False)
    visit.page.get_by_role("button", name="Create", exact=True).click()
    heading(visit.page, "sent-late")


def test_a_foundation_shows_how_it_went_and_which_nodes_block_a_feature(visitor: Visitor, works: Site) -> None:
    found = fleet.foundation("watched")
    found["status"]["history"] = [
        {"time": f"2026-11-{day}T00:00:00Z", "nodes": 4, "uniform": day - 10, "stacks": 2} for day in (11, 12, 13)
    ]
    found["status"]["features"] = [
        {
            "feature": "BandwidthManager", "state": "Blocked", "needs": "kernel 5.1", "message": "old-1 has 4.18",
            "blockers": {"count": 1, "names": ["old-1"]},
        }
    ]  # fmt: skip
    works.make("foundations", found)
    visit = visitor(works)
    visit.sign_in(path="/foundations/default/watched")
    expect(
        visit.page.get_by_role("img", name="Uniform nodes over time: 3 of 4 nodes").locator("canvas")
    ).to_be_visible()
    row = visit.page.get_by_role("row").filter(has_text="BandwidthManager")
    expect(row).to_contain_text("Blocked")
    expect(row).to_contain_text("old-1")
    assert violations(visit.page) == []
    assert visit.said_badly() == []


# --- machines ------------------------------------------------------------------------------------------------------


def test_a_machine_is_held_back_and_let_go(visitor: Visitor, works: Site) -> None:
    member = fleet.machine("held", "198.18.22.1")
    member["spec"] |= {"clusterRef": {"name": "any"}, "role": "Worker"}
    works.make("machines", member)
    visit = visitor(works)
    visit.sign_in(path="/machines/default/held")
    confirm(visit.page, "Hold back…", "Hold back")
    expect(visit.page.get_by_text("held back", exact=True)).to_be_visible()
    found = works.http.get(works.path("machines", "held")).json()["metadata"]["annotations"]
    assert found == {"groundplane.dev/hold-back": "true"}
    confirm(visit.page, "Let go…", "Let go")
    expect(visit.page.get_by_role("button", name="Hold back…")).to_be_visible()
    assert visit.said_badly() == []


def test_a_free_machine_joins_a_cluster_with_labels_and_taints(visitor: Visitor, works: Site) -> None:
    works.make("clusters", fleet.made("grows"))
    works.make("machines", fleet.machine("joins", "198.18.22.2"))
    visit = visitor(works)
    visit.sign_in(path="/machines/default/joins")
    visit.page.get_by_label("Joins cluster").select_option("grows")
    visit.page.get_by_label("Role").select_option("Worker")
    visit.page.get_by_label("Labels").fill("zone=a")
    visit.page.get_by_label("Taints").fill("gpu:NoSchedule")
    visit.page.get_by_role("button", name="Save").click()
    expect(visit.page.get_by_text("It belongs to cluster grows.")).to_be_visible()
    found = spec(works, "machines", "joins")
    assert (found["clusterRef"], found["role"]) == ({"name": "grows"}, "Worker")
    assert (found["labels"], found["taints"]) == ({"zone": "a"}, [{"key": "gpu", "effect": "NoSchedule"}])


def test_a_machine_is_looked_at_and_deleted_when_its_name_was_typed(visitor: Visitor, works: Site) -> None:
    works.make("machines", fleet.machine("leaves", "198.18.22.3"))
    visit = visitor(works)
    visit.sign_in(path="/machines/default/leaves")
    confirm(visit.page, "Look now…", "Look")
    expect(visit.page.get_by_text("Requested; results will appear here.")).to_be_visible()
    visit.page.get_by_role("button", name="Delete…").click()
    remove = dialog(visit.page).get_by_role("button", name="Delete", exact=True)
    expect(remove).to_be_disabled()
    dialog(visit.page).get_by_label("Type leaves to confirm").fill("leaves")
    remove.click()
    heading(visit.page, "Machines")
    assert works.http.get(works.path("machines", "leaves")).status_code == 404


# --- rights and Distributions --------------------------------------------------------------------------------------


def test_releases_that_have_ended_say_so(visitor: Visitor, works: Site) -> None:
    visit = visitor(works)
    visit.sign_in(path="/distributions")
    visit.page.get_by_role("link", name="native").click()
    expect(visit.page.get_by_role("row").filter(has_text="v1.20.2")).to_contain_text("ended 2022-02-28")
    expect(visit.page.get_by_role("row").filter(has_text="v1.24.0")).not_to_contain_text("ended")


def test_a_viewer_is_offered_nothing_of_this(visitor: Visitor, works: Site) -> None:
    works.make("clusters", fleet.made("shown"))
    works.make("machines", fleet.machine("shown", "198.18.22.4"))
    works.grant("view", user="nobody", namespace="default")
    visit = visitor(works)
    visit.open()
    visit.page.evaluate("localStorage.setItem('groundplane.namespace', 'default')")
    visit.sign_in(works.nobody, path="/clusters/default/shown")
    heading(visit.page, "shown")
    offered = ["Change", "Adopt"]
    assert [visit.page.get_by_role("link", name=name, exact=True).count() for name in offered] == [0, 0]
    for address in ("/clusters/default/shown/change", "/clusters/default/shown/adopt"):
        visit.open(address)
        expect(visit.page.get_by_text("There is no such page.")).to_be_visible()
    for address in ("/machines/default/shown", "/foundations/default/production"):
        visit.open(address)
        visit.page.locator("h1").wait_for()
        expect(visit.page.get_by_role("region", name="YAML")).to_be_visible()
        buttons = visit.page.locator("main button:not(.table-sort):not(.copyable button)")
        assert [word for word in buttons.all_inner_texts() if word != "Export CSV"] == []


def test_the_editor_offers_the_fields_and_values_of_our_kinds(visitor: Visitor, works: Site) -> None:
    works.make("clusters", fleet.made("written"))
    visit = visitor(works)
    visit.sign_in(path="/clusters/default/written/yaml")
    visit.page.get_by_role("button", name="Edit").click()
    expect(visit.page.get_by_text("Ctrl+Space shows the fields")).to_be_visible()
    visit.rewrite("spec:\n  runtime:\n    name: ")
    visit.page.keyboard.press("Control+End")
    visit.page.keyboard.type("c")
    visit.page.locator(".cm-tooltip-autocomplete").get_by_text("containerd").click()
    expect(visit.page.get_by_role("textbox", name="YAML")).to_contain_text("name: containerd")
    assert visit.said_badly() == []
