"""Manifests are read strictly: every complaint names the file and the place, and nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundplane.cli.manifests import ManifestError, load

GOOD = "{apiVersion: groundplane.dev/v1alpha1, kind: %s, metadata: {name: %s}, spec: {since: 2026-01-01}}"


def _load(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "m.yaml"
    file.write_text(text)
    return [f"{document.resource.kind} {document.name}" for document in load([str(file)])]


def test_documents_are_sorted_by_what_they_refer_to_and_else_stay_in_order(tmp_path: Path) -> None:
    kinds = [("Machine", "b"), ("Machine", "a"), ("Cluster", "c"), ("Foundation", "f"), ("Distribution", "d")]
    text = "\n---\n".join(GOOD % pair for pair in kinds)
    assert _load(tmp_path, text) == ["Distribution d", "Foundation f", "Cluster c", "Machine b", "Machine a"]


def test_dates_stay_text_and_empty_documents_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("---\n" + GOOD % ("Cluster", "c") + "\n---\n---\n# nothing\n")
    (document,) = load([str(tmp_path)])
    assert document.body["spec"]["since"] == "2026-01-01"


def test_a_list_is_taken_apart(tmp_path: Path) -> None:
    items = ", ".join(GOOD % ("Machine", name) for name in "ab")
    assert _load(tmp_path, f"{{apiVersion: v1, kind: List, items: [{items}]}}") == ["Machine a", "Machine b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", r"m\.yaml, line 2: did not find"),
        ("a: 1\na: 2", r"m\.yaml, line 2: key 'a' is given twice"),
        ("1: a", "key 1 is not text"),
        ("- a", "document 1: it is not an object"),
        ("kind: Cluster", "document 1: apiVersion is missing"),
        ("{apiVersion: v1, kind: Secret, metadata: {}}", r"metadata\.name is missing"),
        ("{apiVersion: v1, kind: Secret, metadata: {name: 5}}", r"metadata\.name is missing or not text"),
        (GOOD % ("Cluster", "a") + "\n---\n" + GOOD % ("Gadget", "b"), "document 2: unknown type .* Gadget"),
        ("{apiVersion: groundplane.dev/v9, kind: Cluster, metadata: {name: a}}", "unknown type groundplane.dev/v9"),
        ("!!python/object/apply:os.getpid []", "could not determine a constructor"),
        ("", "there is no document in it"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        _load(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"nowhere\.yaml: No such file"):
        load([str(tmp_path / "nowhere.yaml")])
