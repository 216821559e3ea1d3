"""ConfigMaps: data, bytes, keys, size, immutability."""

from typing import Any

from ..dsl import CONFIGMAPS, STRATEGIC, Case, apply, case, configmap, delete, get, meta, patch, post, put, watch

C = f"{CONFIGMAPS}/c"
DATA = {"data": {"a": "1"}}
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def made(name: str, **fields: Any) -> Case:
    return case(name, post(CONFIGMAPS, configmap(**fields)))


CASES = [
    case("with data", post(CONFIGMAPS, configmap(**DATA)), get(C)),
    made("without data"),
    made("with empty data", data={}),
    made("with an empty value", data={"a": ""}),
    made("with a null value", data={"a": None}),
    made("with data that is null", data=None),
    made("with a number", data={"a": 5}),
    made("with a boolean", data={"a": True}),
    made("with an object", data={"a": {}}),
    made("with data that is a list", data=["a"]),
    made("with lines", data={"a": "x\ny\n"}),
    made("with text in Chinese", data={"a": "集群"}),
    made("with bytes", binaryData={"a": "AAE="}),
    made("with bytes that are not base64", binaryData={"a": "%%"}),
    made("with bytes in lines", binaryData={"a": "AA\nE="}),
    made("with empty bytes", binaryData={"a": ""}),
    made("with bytes that are null", binaryData={"a": None}),
    made("with data and bytes", data={"a": "1"}, binaryData={"b": "AAE="}),
    made("with a key in both", data={"a": "1"}, binaryData={"a": "AAE="}),
    made("with a bad key", data={"a b": "1"}),
    made("with an empty key", data={"": "1"}),
    made("with dots as a key", data={"..": "1"}),
    made("with a bad key of bytes", binaryData={"a/b": "AAE="}),
    made("with a key of 254 characters", data={"a" * 254: "1"}),
    made("with a key of 253 characters", data={"a" * 253: "1"}),
    made("that is too large", data={"a": "1" * 1048577}),
    made("that is as large as can be", data={"a": "1" * 1048576}),
    made("that is immutable", immutable=True, data={"a": "1"}),
    made("that is immutable in words", immutable="yes"),
    made("with an unknown field", colour="red"),
    case("a name that is none", post(CONFIGMAPS, configmap("A_b", **DATA))),
    case("a generated name", post(CONFIGMAPS, meta(configmap("", **DATA), generateName="gen-"))),
    case("twice", post(CONFIGMAPS, configmap(**DATA)), post(CONFIGMAPS, configmap(**DATA))),
    case("data is replaced", post(CONFIGMAPS, configmap(**DATA)), put(C, configmap(data={"b": "2"})), get(C)),
    case("put of the same", post(CONFIGMAPS, configmap(**DATA)), put(C, configmap(**DATA))),
    case("put to what is not there", put(C, configmap(**DATA))),
    case("a key is merged", post(CONFIGMAPS, configmap(**DATA)), patch(C, {"data": {"b": "2"}})),
    case("a key goes", post(CONFIGMAPS, configmap(**DATA)), patch(C, {"data": {"a": None}})),
    case("a key goes by a strategic patch", post(CONFIGMAPS, configmap(**DATA)), patch(C, {"data": {"a": None}}, STRATEGIC)),
    case("data is replaced by a strategic patch", post(CONFIGMAPS, configmap(**DATA)),
         patch(C, {"data": {"$patch": "replace", "b": "2"}}, STRATEGIC)),
    case("an immutable one does not change", post(CONFIGMAPS, configmap(immutable=True, **DATA)),
         patch(C, {"data": {"a": "2"}})),
    case("an immutable one gets no bytes", post(CONFIGMAPS, configmap(immutable=True, **DATA)),
         patch(C, {"binaryData": {"b": "AAE="}})),
    case("an immutable one stays so", post(CONFIGMAPS, configmap(immutable=True, **DATA)), patch(C, {"immutable": False})),
    case("the labels of an immutable one change", post(CONFIGMAPS, configmap(immutable=True, **DATA)),
         patch(C, {"metadata": {"labels": {"a": "b"}}})),
    case("one becomes immutable", post(CONFIGMAPS, configmap(**DATA)), patch(C, {"immutable": True})),
    case("applied by two", apply(C, configmap(data={"a": "1"}), "x"), apply(C, configmap(data={"b": "2"}), "y"),
         apply(C, configmap(), "x")),
    case("applied in conflict", apply(C, configmap(data={"a": "1"}), "x"), apply(C, configmap(data={"a": "2"}), "y")),
    case("applied over an update", post(CONFIGMAPS, configmap(**DATA)).by("x"), apply(C, configmap(data={"a": "2"}), "y")),
    case("a deletion", post(CONFIGMAPS, configmap(**DATA)), delete(C), get(C)),
    case("a deletion with a finalizer", post(CONFIGMAPS, meta(configmap(**DATA), finalizers=["example.com/a"])), delete(C),
         put(C, configmap(**DATA))),
    case("a list by label", post(CONFIGMAPS, configmap(labels={"a": "b"}, **DATA)),
         get(f"{CONFIGMAPS}?labelSelector=a%3Db")),
    case("by its name", post(CONFIGMAPS, configmap(**DATA)), get(f"{CONFIGMAPS}?fieldSelector=metadata.name%3Dc")),
    case("by a field that it does not have", get(f"{CONFIGMAPS}?fieldSelector=data.a%3D1")),
    case("as a table", post(CONFIGMAPS, configmap(data={"a": "1"}, binaryData={"b": "AAE="})), get(C).accept(TABLE)),
    case("a watch", post(CONFIGMAPS, configmap(**DATA)), watch(CONFIGMAPS)),
    case("dry run", post(f"{CONFIGMAPS}?dryRun=All", configmap(**DATA)), get(C)),
]  # fmt: skip
