"""The catalogue and the settings in the console: what is told, from whom, and to whom."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Locator, expect

from groundplane.catalog.site import SITE
from groundplane.catalog.tables import TABLES

from .conftest import Site, Visit, Visitor, served
from .fleet import HOSTILE
from .test_pages import heading, violations

CATALOG = "/apis/catalog.groundplane.dev/v1alpha1/catalogtables"
SETTINGS = "/apis/server.groundplane.dev/v1alpha1/serversettings"
SOURCE = "https://example.com/<img-src=x>"
ROWS = f"""
systems:
- id: debian
  version_id: "12"
  name: {json.dumps(HOSTILE)}
  family: debian
  kernel: "6.1"
  source: {SOURCE}
  date: "2098-01-02"
  review: "2099-05-06"
  verified: memory
- {{id: ourlinux, version_id: "1", name: Our Linux, family: debian, kernel: "6.1",
   source: https://example.com/ours, date: "2020-01-02"}}
"""
SERVER = "audit: {maxSize: 7, maxBackups: 10}\nlimits: {requestTimeout: 90}\n"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with newer rows of its site and a settings file."""
    folder = tmp_path_factory.mktemp("library")
    home = folder / "home"
    home.mkdir(mode=0o700)
    (home / SITE).write_text(ROWS)
    (home / "server.yaml").write_text(SERVER)
    with served(folder) as site:
        yield site


def row(visit: Visit, text: str) -> Locator:
    return visit.page.get_by_role("row").filter(has_text=text)


def test_the_catalogue_is_chosen_by_table_searched_and_opened_row_by_row(visitor: Visitor, library: Site) -> None:
    visit = visitor(library)
    visit.sign_in(path="/distributions")
    visit.page.get_by_role("link", name="What is known of versions").click()
    heading(visit.page, "Catalogue")
    tables = visit.page.get_by_role("navigation", name="Tables of the catalogue")
    expect(tables.get_by_role("link")).to_have_count(len(TABLES) + 1)
    expect(tables.get_by_role("link", name="Kubernetes", exact=True)).to_have_attribute("aria-current", "page")
    tables.get_by_role("link", name="TKE builds").click()
    expect(visit.page.get_by_text("7 in all")).to_be_visible()
    visit.page.get_by_role("searchbox").fill("version:1.21 subPath")
    expect(visit.page.get_by_text("1 of 7")).to_be_visible()
    visit.page.reload()
    expect(visit.page.get_by_text("1 of 7")).to_be_visible()
    expect(row(visit, "v1.21.4-tke.2")).to_contain_text("at its source")
    visit.page.get_by_role("button", name="Show all of v1.21.4-tke.2").click()
    dialog = visit.page.get_by_role("dialog", name="v1.21.4-tke.2")
    expect(dialog.get_by_role("listitem").first).to_contain_text("CVE-2021-25741")
    source = dialog.get_by_role("link")
    assert source.get_attribute("rel") == "noopener noreferrer"
    assert (source.get_attribute("href") or "").startswith("https://github.com/tkestack/tke-k8s-distro")
    assert violations(visit.page) == []
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    tables.get_by_role("link", name="Kubernetes", exact=True).click()
    expect(visit.page.get_by_role("searchbox")).to_have_value("")
    first = visit.page.get_by_role("row").nth(1)
    expect(first).to_contain_text("1.16")
    visit.page.get_by_role("button", name="Released").click()
    visit.page.get_by_role("button", name="Released").click()
    expect(first).not_to_contain_text("1.16")
    visit.open("/catalog/weather")
    expect(visit.page.get_by_text("The catalogue has no such table.")).to_be_visible()
    assert visit.said_badly() == []


def test_rows_of_the_site_are_told_as_such_and_what_they_say_stays_text(visitor: Visitor, library: Site) -> None:
    visit = visitor(library)
    visit.sign_in(path="/catalog")
    overview = row(visit, "operating systems: kernel")
    expect(overview.get_by_role("cell").last).to_have_text("2")
    overview.get_by_role("link", name="Operating systems").click()
    hostile = row(visit, HOSTILE)
    expect(hostile).to_contain_text("this site")
    expect(hostile).to_contain_text("from memory")
    expect(hostile).to_contain_text("2099-05-06")
    link = hostile.get_by_role("link", name="example.com, in a new tab")
    assert link.get_attribute("href") == SOURCE
    assert link.get_attribute("rel") == "noopener noreferrer"
    visit.page.get_by_role("searchbox").fill("from:site")
    expect(visit.page.get_by_role("row")).to_have_count(3)
    expect(row(visit, "Our Linux")).to_contain_text("due since 2021-01-01")
    visit.page.get_by_role("button", name="Show all of debian 12").click()
    expect(visit.page.get_by_role("dialog")).to_contain_text(HOSTILE)
    expect(visit.page.get_by_role("dialog")).to_contain_text(SOURCE)
    assert visit.page.locator("img").count() == 0
    assert visit.page.title() == "Catalogue · Groundplane"
    assert visit.said_badly() == []


def test_settings_tell_value_default_and_what_set_them(visitor: Visitor, library: Site) -> None:
    visit = visitor(library)
    visit.sign_in()
    visit.page.get_by_role("link", name="Settings", exact=True).click()
    home = library.http.get(f"{SETTINGS}/GROUNDPLANE_HOME").json()["spec"]["value"]
    expect(visit.page.get_by_text("then start it anew")).to_contain_text(f"{home}/server.yaml")
    version = library.http.get("/version").json()["gitVersion"].partition("+groundplane.")[2]
    expect(visit.page.get_by_text(version, exact=True)).to_be_visible()
    parts = visit.page.get_by_role("table", name="Its parts now")
    expect(parts.get_by_role("row").filter(has_text="store")).to_contain_text("well")
    search = visit.page.get_by_role("searchbox")
    search.fill("setting:maxSize")
    expect(row(visit, "audit.maxSize")).to_contain_text("not the default")
    expect(row(visit, "audit.maxSize")).to_contain_text("settings file")
    search.fill("setting:maxBackups")
    expect(row(visit, "audit.maxBackups")).to_contain_text("settings file")
    expect(row(visit, "audit.maxBackups")).not_to_contain_text("not the default")
    search.fill("setting:LISTEN")
    expect(row(visit, "GROUNDPLANE_LISTEN")).to_contain_text("command line")
    expect(row(visit, "GROUNDPLANE_LISTEN")).to_contain_text("--listen of groundplane up")
    search.fill("not the default")
    expect(visit.page.get_by_text("4 of ")).to_be_visible()
    assert violations(visit.page) == []
    assert visit.said_badly() == []


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_every_setting_table_and_column_has_its_words_in_both_languages(
    visitor: Visitor, library: Site, language: str
) -> None:
    visit = visitor(library, locale=language, viewport={"width": 1800, "height": 4000})
    visit.sign_in(path="/settings")
    names = [item["metadata"]["name"] for item in library.http.get(SETTINGS).json()["items"]]
    for name in names:
        said = visit.page.locator(".panel tr", has=visit.page.get_by_text(name, exact=True)).get_by_role("cell")
        expect(said.nth(4)).not_to_have_text("")
    for table in library.http.get(CATALOG).json()["items"]:
        visit.open(f"/catalog/{table['metadata']['name']}")
        titles = visit.page.locator("thead .table-sort")
        expect(titles).to_have_count(len(table["spec"]["columns"]) + 5)
        assert not [title for title in titles.all_inner_texts() if "_" in title]
        if language == "zh-CN":
            expect(visit.page.locator(".split-body > p").first).not_to_have_text(table["spec"]["title"])
    assert visit.said_badly() == []


def test_the_reader_chooses_language_colours_and_namespace_on_the_page_too(visitor: Visitor, library: Site) -> None:
    visit = visitor(library)
    visit.sign_in(path="/settings")
    own = visit.page.locator(".panel").first
    own.get_by_label("Namespace").fill("team-a")
    expect(visit.page.locator(".top").get_by_label("Namespace")).to_have_value("team-a")
    own.get_by_label("Colours").select_option("dark")
    expect(visit.page.locator("html")).to_have_attribute("theme-mode", "dark")
    own.get_by_label("Language").select_option("zh")
    heading(visit.page, "设置")
    visit.page.reload()
    heading(visit.page, "设置")
    expect(visit.page.locator(".top").get_by_label("命名空间")).to_have_value("team-a")


@pytest.mark.parametrize("role", ["", "view"])
def test_who_is_no_administrator_sees_the_catalogue_and_nothing_of_the_server(
    visitor: Visitor, library: Site, role: str
) -> None:
    if role:
        library.grant(role, user="nobody")
    visit = visitor(library)
    visit.sign_in(library.nobody, path="/settings")
    expect(visit.page.get_by_text("is shown to its administrators")).to_be_visible()
    expect(visit.page.get_by_text("GROUNDPLANE_HOME")).to_have_count(0)
    expect(visit.page.get_by_role("table")).to_have_count(0)
    visit.page.get_by_role("link", name="Catalogue").click()
    expect(visit.page.get_by_text("18 in all")).to_be_visible()
    bearer = {"authorization": f"Bearer {library.nobody}"}
    with httpx2.Client(base_url=library.url, verify=False, headers=bearer) as http:
        assert http.get(SETTINGS).status_code == 403
        assert http.get(CATALOG).status_code == 200
    assert visit.said_badly() == []


def test_who_may_not_read_the_catalogue_has_no_such_page(
    visitor: Visitor, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with served(tmp_path_factory.mktemp("closed")) as site:
        bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        assert site.http.delete(f"{bindings}/system:catalog-viewer").status_code == 200
        visit = visitor(site)
        visit.sign_in(site.nobody, path="/distributions")
        heading(visit.page, "Distributions")
        expect(visit.page.get_by_role("link", name="Settings")).to_be_visible()
        expect(visit.page.get_by_role("link", name="Catalogue")).to_have_count(0)
        expect(visit.page.get_by_role("link", name="What is known of versions")).to_have_count(0)
        visit.open("/catalog")
        expect(visit.page.get_by_text("You may not see the catalogue.")).to_be_visible()
