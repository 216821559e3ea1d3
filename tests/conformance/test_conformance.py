"""Every case before both servers: they answer alike, or differ as `exceptions` says and in nothing else."""

from __future__ import annotations

import pytest

from . import document
from .comparing import Difference
from .exceptions import EXCEPTIONS
from .table import CASES

pytestmark = pytest.mark.lab
Found = dict[str, list[Difference]]


@pytest.mark.parametrize("name", CASES)
def test_both_servers_answer_alike(name: str, found: Found) -> None:
    unexplained = [it for it in found[name] if not any(row.covers(name, it) for row in EXCEPTIONS)]
    assert not unexplained, "\n".join(map(str, unexplained))


def test_every_exception_is_needed_by_the_cases_that_it_names(found: Found) -> None:
    needless = []
    for row in EXCEPTIONS:
        for pattern in row.cases:
            ran = [name for name in found if row.meant_for(name)]
            names = [name for name in ran if "*" in pattern or name == pattern]
            if names and not any(row.covers(name, it) for name in names for it in found[name]):
                needless.append(f"{row.name}: {pattern}")
    assert not needless, f"take out what is no difference any more: {', '.join(needless)}"


def test_every_exception_names_cases_that_there_are() -> None:
    lost = [row.name for row in EXCEPTIONS if not any(row.meant_for(name) for name in CASES)]
    assert not lost


def test_exceptions_have_names_of_their_own_and_reasons() -> None:
    assert len({row.name for row in EXCEPTIONS}) == len(EXCEPTIONS)
    assert all(row.what and row.why for row in EXCEPTIONS)


def test_the_page_about_conformance_says_what_the_table_says() -> None:
    text = document.PAGE.read_text(encoding="utf-8")
    assert text == document.written(text), "run: python -m tests.conformance.document"
