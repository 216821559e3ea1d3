"""Schemas: structural, complete, and what the server does with them: defaults, pruning, causes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from groundplane.api import generate
from groundplane.api.cause import Verdict, json_type
from groundplane.api.cleaning import cleaner
from groundplane.api.crd import crd, crd_yaml
from groundplane.api.examples import EXAMPLES
from groundplane.api.registry import BY_KIND, BY_PLURAL, KINDS, KindInfo
from groundplane.api.schema import (
    INT_OR_STRING,
    PRESERVE,
    Schema,
    _type_schema,
    apply_defaults,
    object_schema,
    prune,
    unknown_fields,
    validator,
)
from groundplane.base.errors import Unexpected

ROOT = Path(__file__).parents[3]
every_kind = pytest.mark.parametrize("info", KINDS, ids=lambda info: info.kind)


def fields_of(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    for name, part in schema.get("properties", {}).items():
        yield f"{path}.{name}", part
        yield from fields_of(part, f"{path}.{name}")
        yield from fields_of(part.get("items", {}), f"{path}.{name}[]")


def values_of(schema: Schema) -> st.SearchStrategy[Any]:
    """Documents that the schema allows."""
    if schema.get(INT_OR_STRING):
        return st.one_of(st.integers(1, 9), st.just("25%"))
    if schema.get(PRESERVE):
        return st.dictionaries(st.sampled_from(["a", "b.c/d"]), st.integers(), max_size=1)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "string":
            return st.sampled_from(["", "a", "5m", "é|\n"])
        case "integer":
            return st.integers(schema.get("minimum", 0), schema.get("maximum", 99))
        case "number":
            return st.sampled_from([0.0, -1.5])
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(values_of(schema["items"]), max_size=1)
    if "additionalProperties" in schema:
        return st.dictionaries(st.sampled_from(["a", "b.c/d"]), values_of(schema["additionalProperties"]), max_size=1)
    needed = set(schema.get("required", ()))
    parts = {name: values_of(part) for name, part in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: part for name, part in parts.items() if name in needed},
        optional={name: part for name, part in parts.items() if name not in needed},
    )


# Whole specs are large: few examples are many fields.
few = settings(max_examples=12)
SCHEMAS = {info.kind: object_schema(info) for info in KINDS}
SPECS = {info.kind: values_of(SCHEMAS[info.kind]["properties"]["spec"]) for info in KINDS}


# Documents as anybody may send them: fields that are not there, nulls, wrong types.
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["", "a"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["metadata", "spec", "nmae", "labels", "ssh", "taints", "jump"]), inner)
    ),
    max_leaves=12,
)


@every_kind
@few
@given(data=st.data())
def test_one_pass_prunes_and_fills_in_as_pruning_and_then_defaulting_do(info: KindInfo, data: st.DataObject) -> None:
    schema = SCHEMAS[info.kind]
    doc = {"metadata": {"name": "x"}, "spec": data.draw(SPECS[info.kind]), "extra": data.draw(ANYTHING)}
    for given_doc in (doc, {"spec": data.draw(ANYTHING), "metadata": data.draw(ANYTHING)}):
        before = msgspec.json.encode(given_doc)
        cleaned, left_out = cleaner(schema)(given_doc)
        assert cleaned == apply_defaults(prune(given_doc, schema), schema)
        assert left_out is bool(unknown_fields(given_doc, schema))
        assert msgspec.json.encode(given_doc) == before


@every_kind
def test_every_field_has_a_meaning(info: KindInfo) -> None:
    schema = object_schema(info)
    schema["properties"].pop("metadata")
    silent = [path for path, part in fields_of(schema) if not part.get("description")]
    assert silent == []


@every_kind
def test_every_field_has_one_type_and_never_a_default_that_its_own_schema_refuses(info: KindInfo) -> None:
    for path, part in fields_of(object_schema(info)):
        assert "type" in part or part.get(INT_OR_STRING), path
        if "default" in part:
            assert validator(part)(part["default"]) == [], path


@every_kind
@few
@given(data=st.data())
def test_what_the_schema_allows_is_what_the_struct_reads(info: KindInfo, data: st.DataObject) -> None:
    schema = SCHEMAS[info.kind]
    doc = {"apiVersion": info.api_version, "kind": info.kind, "spec": data.draw(SPECS[info.kind])}
    assert validator(schema)(doc) == []
    assert unknown_fields(doc, schema) == []
    assert prune(doc, schema) == doc
    msgspec.convert(doc, info.struct)


@every_kind
@few
@given(data=st.data())
def test_defaults_are_those_of_the_struct_and_filling_them_twice_changes_nothing(
    info: KindInfo, data: st.DataObject
) -> None:
    schema = SCHEMAS[info.kind]
    doc = {"spec": data.draw(SPECS[info.kind])}
    filled = apply_defaults(doc, schema)
    assert apply_defaults(filled, schema) == filled
    assert msgspec.convert(filled, info.struct) == msgspec.convert(doc, info.struct)


def test_defaults_are_filled_from_the_outside_to_the_inside() -> None:
    filled = apply_defaults({"metadata": {"name": "x"}}, object_schema(BY_KIND["Cluster"]))
    assert filled["spec"]["network"]["podCIDR"] == "10.244.0.0/16"
    assert filled["spec"]["change"] == {
        "approval": "Automatic",
        "maxUnavailable": 1,
        "drain": {"timeout": "5m", "unmanagedPods": "Refuse"},
    }
    assert "status" not in filled


def test_defaults_do_not_share_memory_between_objects() -> None:
    schema = object_schema(BY_KIND["Foundation"])
    one, two = apply_defaults({"spec": {}}, schema), apply_defaults({"spec": {}}, schema)
    one["spec"]["operatingSystem"]["settings"]["modules"].append("ip_vs")
    assert "ip_vs" not in two["spec"]["operatingSystem"]["settings"]["modules"]


def test_nulls_give_way_to_the_default_or_go() -> None:
    doc = {"metadata": {"name": "x", "creationTimestamp": None}, "spec": {"provider": None, "runtime": None}}
    filled = apply_defaults(doc, object_schema(BY_KIND["Cluster"]))
    assert filled["metadata"] == {"name": "x"}
    assert filled["spec"]["provider"] == "Machines"
    assert "runtime" not in filled["spec"]


def test_a_misspelt_field_is_named_and_pruned() -> None:
    schema = object_schema(BY_KIND["Machine"])
    doc = {
        "metadata": {
            "name": "x",
            "labels": {"any": "thing"},
            "managedFields": [{"fieldsV1": {"f:spec": {}}}],
            "nmae": "",
        },
        "spec": {"adress": "1.2.3.4", "labels": {"a": "b"}, "taints": [{"key": "k", "effects": "NoExecute"}]},
        "extra": 1,
    }
    assert unknown_fields(doc, schema) == ["metadata.nmae", "spec.adress", "spec.taints[0].effects", "extra"]
    assert unknown_fields(prune(doc, schema), schema) == []
    assert prune(doc, schema)["spec"] == {"labels": {"a": "b"}, "taints": [{"key": "k"}]}


def test_free_form_configuration_is_kept_as_it_is() -> None:
    doc = {"spec": {"components": {"kubelet": {"config": {"evictionHard": {"memory.available": "5%"}}}}}}
    schema = object_schema(BY_KIND["Cluster"])
    assert unknown_fields(doc, schema) == []
    assert prune(doc, schema) == doc


def test_values_of_the_wrong_type_are_the_validators_to_report() -> None:
    schema = object_schema(BY_KIND["Machine"])
    doc = {"spec": {"address": {"ip": "1.2.3.4"}}}
    assert unknown_fields(doc, schema) == []
    assert [cause.reason for cause in validator(schema)(doc)] == ["FieldValueTypeInvalid"]


def test_causes_name_field_reason_value_and_rule() -> None:
    doc = {
        "spec": {
            "provider": "Magic",
            "foundationRef": {},
            "network": {"podCIDR": 3},
            "controlPlane": {"endpoint": {"port": 65536}},
            "change": {"maxUnavailable": 1.5},
            "kubeadm": {"ignorePreflightErrors": ["NumCPU", None]},
        }
    }
    found = {c.field: (c.reason, c.message) for c in validator(object_schema(BY_KIND["Cluster"]))(doc)}
    assert found == {
        "spec.provider": (
            "FieldValueNotSupported",
            'Unsupported value: "Magic": supported values: "Imported", "Machines"',
        ),
        "spec.foundationRef.name": ("FieldValueRequired", "Required value"),
        "spec.network.podCIDR": (
            "FieldValueTypeInvalid",
            'Invalid value: "integer": spec.network.podCIDR in body must be of type string: "integer"',
        ),
        "spec.controlPlane.endpoint.port": ("FieldValueInvalid", "Invalid value: 65536: must be at most 65535"),
        "spec.change.maxUnavailable": (
            "FieldValueTypeInvalid",
            'Invalid value: "number": spec.change.maxUnavailable in body must be of type integer or string: "number"',
        ),
        "spec.kubeadm.ignorePreflightErrors[1]": (
            "FieldValueTypeInvalid",
            'Invalid value: "null": spec.kubeadm.ignorePreflightErrors[1] in body must be of type string: "null"',
        ),
    }


def test_a_document_that_is_no_object_is_refused() -> None:
    (cause,) = validator(object_schema(BY_KIND["Cluster"]))([])  # type: ignore[arg-type]
    assert str(cause) == ': Invalid value: "array": <root> in body must be of type object: "array"'
    assert json_type(True) == "boolean"
    assert json_type(()) == "tuple"


def test_a_missing_spec_of_an_operation_is_required() -> None:
    (cause,) = validator(object_schema(BY_KIND["Operation"]))({})
    assert (cause.field, cause.reason) == ("spec", "FieldValueRequired")


@pytest.mark.parametrize("kind", [bytes, int | float])
def test_a_type_without_a_rule_is_a_defect_and_not_guessed(kind: Any) -> None:
    with pytest.raises(Unexpected, match="cannot make a schema"):
        _type_schema(inspect.type_info(kind))


def test_numbers_can_be_enumerated_too() -> None:
    assert _type_schema(inspect.type_info(Literal[0, 1])) == {"type": "integer", "enum": [0, 1]}


@every_kind
def test_definitions_have_what_kubernetes_asks_of_structural_schemas(info: KindInfo) -> None:
    definition = yaml.safe_load(crd_yaml(info))
    assert definition == crd(info)
    (version,) = definition["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    assert definition["metadata"]["name"] == f"{info.plural}.groundplane.dev"
    assert version["subresources"] == {"status": {}}
    assert schema["properties"]["metadata"] == {"type": "object"}
    for path, part in fields_of(schema):
        keys = part.get("x-kubernetes-list-map-keys", [])
        assert set(keys) <= set(part.get("items", {}).get("required", [])), path
        assert not ("properties" in part and "additionalProperties" in part), path


@every_kind
def test_columns_point_at_fields_that_exist(info: KindInfo) -> None:
    known = {path for path, _ in fields_of(object_schema(info))}
    for column in info.columns:
        path = column.path.split("[?")[0].replace("[*]", "[]").replace("[0]", "[]")
        assert path in known, column


def test_names_of_kinds_are_unambiguous() -> None:
    words = [word for info in KINDS for word in (info.plural, info.singular, *info.short_names)]
    assert len(words) == len(set(words))
    assert set(BY_KIND) == {"Foundation", "Cluster", "Machine", "Operation", "Distribution"}
    assert BY_PLURAL["machines"].kind == "Machine"


@every_kind
def test_examples_are_complete_objects_of_their_kind(info: KindInfo) -> None:
    doc = yaml.safe_load(EXAMPLES[info.kind])
    schema = object_schema(info)
    assert (doc["apiVersion"], doc["kind"]) == (info.api_version, info.kind)
    assert unknown_fields(doc, schema) == []
    assert validator(schema)(doc) == []


def test_generated_files_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    status = generate.main(["--check", "--root", str(ROOT)])
    assert status == 0, f"run python -m groundplane.api.generate\n{capsys.readouterr().out}"


def test_the_generator_writes_what_is_stale_and_removes_what_is_left_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main(["--check", "--root", str(tmp_path)]) == 1
    assert generate.main(["--root", str(tmp_path)]) == 0
    assert generate.main(["--check", "--root", str(tmp_path)]) == 0
    left = tmp_path / "docs/kinds/gadget.md"
    left.write_text("# Gadget")
    (tmp_path / "docs/kinds/cluster.md").write_text("old")
    capsys.readouterr()
    assert generate.main(["--check", "--root", str(tmp_path)]) == 1
    assert capsys.readouterr().out == "stale: docs/kinds/cluster.md\nstale: docs/kinds/gadget.md\n"
    assert generate.main(["--root", str(tmp_path)]) == 0
    assert not left.exists()


@every_kind
def test_pages_show_every_field_of_the_kind(info: KindInfo) -> None:
    text = generate.page(info)
    schema = object_schema(info)
    for name in ("spec", "status"):
        for path, part in fields_of(schema["properties"][name], name):
            assert f"| `{path}` |" in text
            assert part["description"].replace("|", "\\|") in text
    for condition in info.conditions:
        assert f"`{condition.type}`" in text


def test_a_verdict_is_ok_until_a_cause_is_added() -> None:
    verdict = Verdict()
    verdict.add(None)
    verdict.warn("spec.x", "odd")
    assert verdict.ok
    assert verdict.warnings == ["spec.x: odd"]


@every_kind
def test_no_definition_has_a_list_that_an_old_server_makes_no_model_of(info: KindInfo) -> None:
    schema = crd(info)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert not [path for path, part in fields_of(schema) if INT_OR_STRING in part.get("items", {})]
