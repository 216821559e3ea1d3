"""The pure parts: patches, field ownership, selectors, tables, protobuf."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.server import managed, patching, protobuf, selectors, table
from groundplane.server.fieldset import Path, from_fields, leaves, to_fields, whole_fields
from groundplane.server.status import StatusError

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("abc", min_size=1, max_size=2), JSON_VALUES, max_size=3)


# The examples of RFC 7396, appendix A.
@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_follow_the_standard(target: Any, patch: Any, result: Any) -> None:
    assert patching.merge(target, patch) == result


# From RFC 6902, appendix A.
@pytest.mark.parametrize(
    ("document", "operation", "result"),
    [
        ({"foo": "bar"}, {"op": "add", "path": "/baz", "value": "qux"}, {"foo": "bar", "baz": "qux"}),
        ({"foo": ["a", "b"]}, {"op": "add", "path": "/foo/1", "value": "x"}, {"foo": ["a", "x", "b"]}),
        ({"foo": ["a"]}, {"op": "add", "path": "/foo/-", "value": ["b"]}, {"foo": ["a", ["b"]]}),
        ({"foo": ["a", "b"]}, {"op": "remove", "path": "/foo/0"}, {"foo": ["b"]}),
        ({"a/b": 1, "m~n": 2}, {"op": "replace", "path": "/a~1b", "value": 3}, {"a/b": 3, "m~n": 2}),
        ({"a": {"x": 1}, "b": {}}, {"op": "move", "from": "/a/x", "path": "/b/y"}, {"a": {}, "b": {"y": 1}}),
        ({"a": {"x": 1}}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": {"x": 1}, "b": {"x": 1}}),
        ({"a": 1}, {"op": "test", "path": "/a", "value": 1}, {"a": 1}),
    ],
)
def test_json_patches_follow_the_standard(document: Any, operation: Any, result: Any) -> None:
    assert patching.json_patch(document, [operation]) == result


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        ({}, 400),
        ([1], 400),
        ([{"op": "jump", "path": "/a"}], 422),
        ([{"op": "add", "path": "a", "value": 1}], 422),
        ([{"op": "add", "path": "/a"}], 400),
        ([{"op": "remove", "path": "/none"}], 422),
        ([{"op": "add", "path": "/list/7", "value": 1}], 422),
        ([{"op": "replace", "path": "/list/01", "value": 1}], 422),
        ([{"op": "test", "path": "/a", "value": 2}], 422),
        ([{"op": "add", "path": "/b", "value": 1}] * 10_001, 413),
    ],
)
def test_json_patches_that_cannot_be_applied_are_refused(operations: Any, code: int) -> None:
    document = {"a": 1, "list": [1, 2]}
    with pytest.raises(StatusError) as refused:
        patching.json_patch(document, operations)
    assert refused.value.code == code
    assert document == {"a": 1, "list": [1, 2]}


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_can_be_applied_twice(target: Any, patch: Any) -> None:
    once = patching.merge(target, patch)
    assert patching.merge(once, patch) == once


def test_strategic_patches_merge_lists_and_obey_directives() -> None:
    target = {"metadata": {"finalizers": ["a"], "ownerReferences": [{"uid": "1", "name": "x"}]}, "data": {"k": "v"}}
    patch = {
        "metadata": {
            "finalizers": ["b"],
            "$deleteFromPrimitiveList/finalizers": ["a"],
            "$setElementOrder/finalizers": ["b"],
            "ownerReferences": [{"uid": "2", "name": "y"}, {"uid": "1", "$patch": "delete"}],
        },
        "data": {"$patch": "replace", "n": "w"},
    }
    assert patching.strategic(target, patch) == {
        "metadata": {"finalizers": ["b"], "ownerReferences": [{"uid": "2", "name": "y"}]},
        "data": {"n": "w"},
    }


@given(OBJECTS)
def test_field_sets_survive_their_written_form(obj: Any) -> None:
    for containers in (False, True):
        paths = set(leaves({"spec": obj}, containers=containers))
        assert from_fields(to_fields(paths)) == paths


OWNERS = st.lists(st.fixed_dictionaries({"uid": st.sampled_from("ab"), "name": st.text(max_size=1)}), max_size=2)
METADATA = st.fixed_dictionaries(
    {"name": st.just("x")},
    optional={
        "labels": st.dictionaries(st.sampled_from("ab"), st.text(max_size=1)),
        "finalizers": st.lists(st.sampled_from(["a/b", "c/d"]), max_size=2, unique=True),
        "ownerReferences": OWNERS,
        "uid": st.just("u"),
    },
)
CONDITIONS = st.lists(st.fixed_dictionaries({"type": st.sampled_from("ab"), "status": st.just("True")}), max_size=2)


@given(OBJECTS, METADATA, CONDITIONS)
def test_the_fields_of_a_whole_object_are_those_of_its_leaves(obj: Any, metadata: Any, conditions: Any) -> None:
    whole = {"apiVersion": "v1", "kind": "X", "metadata": metadata, "spec": obj, "status": {"conditions": conditions}}
    assert whole_fields(whole) == to_fields(leaves(whole, containers=True))


def as_writer(name: str) -> managed.Writer:
    def owns(path: Path) -> bool:
        return path[0] != "f:status"

    return managed.Writer(name, "", "v1", "2026-01-01T00:00:00Z", owns)


def base(**spec: Any) -> dict[str, Any]:
    obj: dict[str, Any] = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}}
    return {**obj, "spec": spec} if spec else obj


def apply(live: dict[str, Any], name: str, *, force: bool = False, **spec: Any) -> dict[str, Any]:
    return managed.apply(live, base(**spec), as_writer(name), force=force)


def test_an_applied_field_is_shared_when_the_value_is_the_same() -> None:
    live = apply(base(), "one", a=1)
    live = apply(live, "two", a=1, b=2)
    with pytest.raises(StatusError) as refused:
        apply(live, "two", a=3, b=2)
    assert refused.value.details["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".spec.a"}
    ]
    live = apply(live, "one")
    assert live["spec"] == {"a": 1, "b": 2}
    live = apply(live, "two", b=2)
    assert live["spec"] == {"b": 2}


def test_a_list_has_one_owner_unless_it_is_keyed() -> None:
    live = apply(base(), "one", items=[1, 2])
    with pytest.raises(StatusError):
        apply(live, "two", items=[1, 3])
    owners = [{"metadata": {"ownerReferences": [{"uid": uid, "name": uid}]}} for uid in ("1", "2")]
    live = managed.apply(base(), {**base(), **owners[0]}, as_writer("one"), force=False)
    live = managed.apply(live, {**base(), **owners[1]}, as_writer("two"), force=False)
    assert [owner["uid"] for owner in live["metadata"]["ownerReferences"]] == ["1", "2"]
    live = managed.apply(live, base(), as_writer("one"), force=False)
    assert [owner["uid"] for owner in live["metadata"]["ownerReferences"]] == ["2"]


def test_an_update_takes_the_fields_that_it_changes() -> None:
    live = apply(base(), "one", a=1, b=2)
    changed = {**live, "spec": {"a": 7, "b": 2}}
    managed.track_update(live, changed, as_writer("hand"))
    owned = {owner.manager: paths for owner, (paths, _) in managed.read(changed).items()}
    assert owned == {"one": {("f:spec", "f:b")}, "hand": {("f:spec", "f:a")}}
    with pytest.raises(StatusError) as refused:
        apply(changed, "one", a=1, b=2)
    assert '"hand" using v1' in refused.value.message


def test_what_nobody_owned_is_not_taken_over_by_who_applies_first() -> None:
    with pytest.raises(StatusError) as refused:
        apply(base(a=1), "one", a=2)
    assert refused.value.message.endswith('conflict with "before-first-apply" using v1: .spec.a')


def test_an_empty_map_takes_nothing_from_a_map_with_fields() -> None:
    live = base(a={"b": 1})
    managed.track_update(None, live, as_writer("hand"))
    assert apply(live, "one", a={})["spec"] == {"a": {"b": 1}}


@given(OBJECTS, OBJECTS)
def test_applying_again_changes_nothing(first: Any, second: Any) -> None:
    owned = base(other=1)
    managed.track_update(None, owned, as_writer("hand"))
    live = managed.apply(owned, base(**{f"x{k}": v for k, v in first.items()}), as_writer("one"), force=False)
    wanted = base(**{f"x{k}": v for k, v in second.items()})
    once = managed.apply(live, wanted, as_writer("one"), force=False)
    assert managed.apply(once, wanted, as_writer("one"), force=False) == once


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        ("", {}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b,c!=d", {"a": "b"}, True),
        ("a in (b, c)", {"a": "c"}, True),
        ("a notin (b,c)", {}, True),
        ("a notin (b,c)", {"a": "b"}, False),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("! a", {}, True),
        ("a>3", {"a": "10"}, True),
        ("a<3", {"a": "x"}, False),
        ("example.com/a=b", {"example.com/a": "b"}, True),
        ("a in ()", {"a": ""}, True),
        ("a=", {"a": ""}, True),
    ],
)
def test_label_selectors_select(selector: str, labels: dict[str, str], matches: bool) -> None:
    assert all(term.holds(labels) for term in selectors.parse_labels(selector)) is matches


@pytest.mark.parametrize("selector", ["a b", "a=b=c", "a in b", "=a", "a in (b", "a>x", "a=b,,c=d", "a,!", "a=$"])
def test_malformed_label_selectors_are_refused(selector: str) -> None:
    with pytest.raises(StatusError) as refused:
        selectors.parse_labels(selector)
    assert refused.value.code == 400


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "<invalid>"), (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (600, "10m"), (10_799, "179m"),
        (10_800, "3h"), (11_000, "3h3m"), (28_800, "8h"), (172_799, "47h"), (172_800, "2d"), (180_000, "2d2h"),
        (691_200, "8d"), (63_072_000, "2y"), (70_000_000, "2y80d"), (400_000_000, "12y"),
    ],
)  # fmt: skip
def test_durations_are_shown_as_kubectl_shows_them(seconds: int, shown: str) -> None:
    assert table.duration(seconds) == shown


def test_printer_paths_find_conditions_and_lists() -> None:
    obj = {"status": {"conditions": [{"type": "A", "status": "no"}, {"type": "Ready", "status": "yes"}]}}
    assert table.compile_path('.status.conditions[?(@.type=="Ready")].status')(obj) == ["yes"]
    assert table.compile_path(".status.conditions[*].type")(obj) == ["A", "Ready"]
    assert table.compile_path(".status.conditions[1].type")(obj) == ["Ready"]
    assert table.compile_path(".spec.x.y")(obj) == []
    with pytest.raises(ValueError, match="cannot read JSON path"):
        table.compile_path(".a[?(@.b>1)]")


def test_an_age_that_is_no_time_says_so() -> None:
    assert table.age("yesterday", datetime(2026, 1, 1, tzinfo=UTC)) == "<invalid>"
    assert table.age(None, datetime(2026, 1, 1, tzinfo=UTC)) == "<unknown>"


@given(st.binary(max_size=60))
def test_no_bytes_break_the_protobuf_reader(body: bytes) -> None:
    with contextlib.suppress(StatusError):
        protobuf.decode(b"k8s\x00" + body)


def test_protobuf_is_read_with_its_maps_times_and_numbers() -> None:
    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    entry = field(1, b"k") + field(2, b"\x00v")
    meta = field(1, b"s") + field(8, b"\x08\x80\x8c\x9d\xca\x06") + field(3, b"")
    raw = field(1, meta) + field(2, entry) + field(3, b"Opaque") + b"\x28\x01"
    envelope = field(1, field(1, b"v1") + field(2, b"Secret")) + field(2, raw)
    found = protobuf.decode(b"k8s\x00" + envelope)
    assert found["metadata"]["name"] == "s"
    assert found["metadata"]["creationTimestamp"].startswith("2025-12-")
    assert "namespace" not in found["metadata"]
    assert (found["data"], found["type"], found["immutable"]) == ({"k": "AHY="}, "Opaque", True)
