"""Several windows of one browser side by side: all are live, and none keeps another waiting."""

from __future__ import annotations

from playwright.sync_api import expect
from tests.support.browser import go

from . import fleet
from .conftest import Site, Visitor


def test_four_windows_side_by_side_are_live_and_answer(visitor: Visitor, site: Site) -> None:
    visit = visitor(site)
    visit.sign_in()
    pages = [visit.page, *(visit.context.new_page() for _ in range(3))]
    for page in pages:
        go(page, f"{site.url}/console/")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    for page in pages:
        page.get_by_role("link", name="Foundations").click()
        expect(page.get_by_role("heading", name="Foundations")).to_be_visible()
    site.make("foundations", fleet.foundation("side-by-side"))
    for page in pages:
        expect(page.get_by_role("link", name="side-by-side")).to_be_visible()


def test_who_signs_in_anew_at_once_is_not_taken_for_who_was_there_before(visitor: Visitor, site: Site) -> None:
    visit = visitor(site)
    visit.sign_in(path="/foundations")
    expect(visit.page.get_by_role("heading", name="Foundations")).to_be_visible()
    visit.page.get_by_role("button", name="Sign out").click()
    visit.give_token()
    expect(
        visit.page.get_by_role("link", name="side-by-side").or_(visit.page.get_by_text("There is no Foundation yet."))
    ).to_be_visible()
    site.make("foundations", fleet.foundation("signed-in-anew"))
    expect(visit.page.get_by_role("link", name="signed-in-anew")).to_be_visible()
