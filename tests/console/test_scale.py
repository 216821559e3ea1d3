"""What a large fleet does not make the console do: load whole objects for a list, hold all rows, draw all anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from . import fleet
from .conftest import Site, Visit, Visitor, served

CLUSTERS = 150
IN_THE_PAGE = 60
ROWS = "tr[aria-rowindex]"
# Each age that is drawn asks how its moment is written, and each row has one.
COUNT_AGES = """
(() => {
  const write = Date.prototype.toLocaleString;
  globalThis.drawn = 0;
  Date.prototype.toLocaleString = function (...how) { drawn += 1; return write.apply(this, how); };
})();
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("large")) as site:
        for number in range(CLUSTERS):
            made = fleet.cluster(f"c{number:03}")
            made["spec"]["foundationRef"] = {"name": "production"}
            site.make("clusters", made)
        site.make("machines", fleet.machine("m1", "198.18.0.1"))
        site.make("foundations", fleet.foundation("production"))
        yield site


def change(site: Site, name: str, version: str) -> None:
    headers = {"content-type": "application/merge-patch+json"}
    done = site.http.patch(
        f"{site.path('clusters', name)}/status", json={"status": {"version": version}}, headers=headers
    )
    assert done.status_code == 200, done.text


def lists(visit: Visit) -> list[Response]:
    """Collect the answers to lists of Clusters from now on."""
    found: list[Response] = []
    wanted = ("/groundplane.dev/v1alpha1/clusters", "/namespaces/default/clusters")

    def hear(answer: Response) -> None:
        path, _, query = answer.url.partition("?")
        if path.endswith(wanted) and "watch=1" not in query:
            found.append(answer)

    visit.page.on("response", hear)
    return found


def few(visit: Visit) -> None:
    """Wait until only what is seen is in the page: a list may be drawn once before it is known how high it is."""
    visit.page.wait_for_function(
        "([rows, most]) => document.querySelectorAll(rows).length < most", arg=[ROWS, IN_THE_PAGE]
    )


def test_of_a_long_list_only_what_is_seen_is_in_the_page(visitor: Visitor, large: Site) -> None:
    visit = visitor(large)
    visit.sign_in(path="/clusters")
    expect(visit.page.get_by_role("link", name="c000")).to_be_visible()
    few(visit)
    outside = visit.page.locator(".table-outside")
    outside.evaluate("(each) => { each.scrollTop = each.scrollHeight; }")
    expect(visit.page.get_by_role("link", name=f"c{CLUSTERS - 1:03}")).to_be_visible()
    few(visit)


def test_a_foundation_of_many_clusters_shows_what_is_seen_too(visitor: Visitor, large: Site) -> None:
    visit = visitor(large)
    visit.sign_in(path="/foundations/default/production")
    expect(visit.page.get_by_role("row").filter(has_text="c000")).to_contain_text("docker → containerd (1)")
    few(visit)


@pytest.mark.parametrize("path", ["/", "/clusters", "/foundations/default/production", "/clusters/default/c007"])
def test_no_page_loads_every_object_whole(visitor: Visitor, large: Site, path: str) -> None:
    visit = visitor(large)
    answers = lists(visit)
    visit.sign_in(path=path)
    visit.page.locator(f"{ROWS}, .card-count, dl.facts").first.wait_for()
    assert answers
    for answer in answers:
        found: dict[str, Any] = answer.json()
        if "rows" in found:
            assert len(found["rows"]) == CLUSTERS
            assert not any("managedFields" in row["object"]["metadata"] for row in found["rows"])
            assert not any("status" in row["object"] for row in found["rows"])
        else:
            assert [item["metadata"]["name"] for item in found["items"]] == ["c007"]


def test_a_change_of_one_cluster_draws_its_row_and_no_other(visitor: Visitor, large: Site) -> None:
    visit = visitor(large)
    visit.page.add_init_script(COUNT_AGES)
    visit.sign_in(path="/clusters")
    row = visit.page.get_by_role("row").filter(has_text="c003")
    drawn = []
    for number in range(5):
        version = f"v1.30.{number}"
        expect(row).to_be_visible()
        before = visit.page.evaluate("drawn")
        change(large, "c003", version)
        expect(row).to_contain_text(version)
        drawn.append(visit.page.evaluate("drawn") - before)
    # Every few seconds all ages are drawn, because they are others then.
    assert min(drawn) == 1, drawn


def show(page: Page, how: str) -> None:
    """Let the page be seen or hidden, as a tab behind another one is; a browser without windows shows all of them."""
    page.evaluate(
        """(how) => {
            Object.defineProperty(document, 'visibilityState', {value: how, configurable: true});
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        how,
    )


def test_tabs_that_nobody_sees_keep_no_other_one_waiting(visitor: Visitor, large: Site) -> None:
    """A browser has six connections to a server, and an overview takes four."""
    visit = visitor(large)
    visit.sign_in()
    expect(visit.page.get_by_role("link", name="Machines 1", exact=True)).to_be_visible()
    show(visit.page, "hidden")
    for _ in range(2):
        other = visit.context.new_page()
        other.goto(f"{large.url}/console/")
        expect(other.locator(".card-count").first).to_be_visible()
        show(other, "hidden")
    large.make("machines", fleet.machine("m2", "198.18.0.2"))
    show(visit.page, "visible")
    expect(visit.page.get_by_role("link", name="Machines 2", exact=True)).to_be_visible()
    large.http.delete(large.path("machines", "m2"))


def test_the_nodes_of_imported_clusters_are_counted_and_named(visitor: Visitor, large: Site) -> None:
    visit = visitor(large)
    visit.sign_in()
    expect(visit.page.get_by_role("link", name="Nodes")).to_contain_text(f"{2 * CLUSTERS}{CLUSTERS} ready")
    visit.page.get_by_role("link", name="Clusters", exact=True).click()
    expect(visit.page.get_by_role("row").filter(has_text="c003")).to_contain_text("1/2")
    visit.page.get_by_role("link", name="c003").click()
    visit.page.get_by_role("link", name="Nodes").click()
    expect(visit.page.get_by_role("row").filter(has_text="c003-1")).to_contain_text("Debian GNU/Linux 12")
    expect(visit.page.get_by_role("row").filter(has_text="c003-2")).to_contain_text("Not ready")
