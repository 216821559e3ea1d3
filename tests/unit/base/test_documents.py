"""YAML and texts of others: depth is counted before anything is loaded, and nothing moves a cursor."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from groundplane.base.documents import DEEPEST, document, documents, printable, too_deep


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        ("", False),
        ("a: {b: [c]}", False),
        ("[" * DEEPEST + "]" * DEEPEST, False),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), True),
        ("".join(" " * n + "a:\n" for n in range(DEEPEST + 2)), True),
        ("---\na: 1\n" * 500, False),
        ("[" * 1_000_000, True),
    ],
)
def test_depth_is_told_without_loading(text: str, deep: bool) -> None:
    assert too_deep(text) is deep


def test_what_is_no_yaml_says_so() -> None:
    with pytest.raises(yaml.YAMLError):
        too_deep("a: [b")


@pytest.mark.parametrize("text", ["day: 2026-13-16", "{a: [b", "--- 1\n--- 2"])
def test_a_document_that_cannot_be_loaded_is_no_yaml_whatever_trips_over_it(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        document(text)


def test_documents_are_read_one_by_one() -> None:
    assert documents("a: 1\n---\nb: 2") == [{"a": 1}, {"b": 2}]
    assert document("a: 1") == {"a": 1}
    assert document("") is None


@given(st.text())
def test_a_shown_text_has_nothing_that_a_terminal_acts_upon(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert shown.isprintable()
    assert printable("TencentOS Server 3.1 (Final) – 云") == "TencentOS Server 3.1 (Final) – 云"
