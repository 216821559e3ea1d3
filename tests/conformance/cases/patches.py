"""JSON patch, merge patch, strategic merge patch."""

from typing import Any

from ..dsl import (
    FOUNDATIONS,
    JSON,
    JSON_PATCH,
    MERGE,
    SECRETS,
    STRATEGIC,
    Case,
    case,
    delete,
    foundation,
    get,
    meta,
    patch,
    post,
    race,
    secret,
)

ONE = f"{FOUNDATIONS}/f"
S = f"{SECRETS}/s"
HANDLERS = foundation(labels={"a": "b"}, runtime={"handlers": ["runc", "kata"]})
MADE = post(FOUNDATIONS, HANDLERS)
OWNERS = [{"apiVersion": "v1", "kind": "Secret", "name": f"o{n}", "uid": f"{n}1111111-1111-1111-1111-111111111111"}
          for n in (1, 2)]  # fmt: skip
SAFE = post(SECRETS, meta(secret(data={"a": "MQ==", "b": "Mg=="}, labels={"a": "b"}), finalizers=["example.com/a"]))  # fmt: skip


def operations(name: str, *listed: Any) -> Case:
    return case(f"json: {name}", MADE, patch(ONE, list(listed), JSON_PATCH))


def op(kind: str, path: str, **more: Any) -> dict[str, Any]:
    return {"op": kind, "path": path, **more}


def merged(name: str, body: Any) -> Case:
    return case(f"merge: {name}", MADE, patch(ONE, body, MERGE))


def owners(name: str, *listed: Any) -> Case:
    refs = [{"apiVersion": "v1", "kind": "Secret", "name": n, "uid": f"<{step}.metadata.uid>"} for step, n in
            enumerate("xy", 1)]  # fmt: skip
    made = post(SECRETS, meta(secret(), ownerReferences=refs))
    return case(f"owners: {name}", post(SECRETS, secret("x")), post(SECRETS, secret("y")), made,
                patch(S, {"metadata": {"ownerReferences": list(listed)}}, STRATEGIC))  # fmt: skip


def strategic(name: str, body: Any) -> Case:
    return case(f"strategic: {name}", SAFE, patch(S, body, STRATEGIC))


CASES = [
    operations("add", op("add", "/spec/runtime/version", value=">=1.6.0")),
    operations("add to a list", op("add", "/spec/runtime/handlers/0", value="x"), op("add", "/spec/runtime/handlers/-",
               value="y")),
    operations("add beyond a list", op("add", "/spec/runtime/handlers/5", value="x")),
    operations("add at a negative index", op("add", "/spec/runtime/handlers/-1", value="x")),
    operations("add below what is not there", op("add", "/metadata/annotations/a", value="x")),
    operations("add without a value", op("add", "/metadata/labels/x")),
    operations("add null", op("add", "/spec/runtime/version", value=None)),
    operations("an escaped key", op("add", "/metadata/labels/example.com~1x", value="y")),
    operations("remove", op("remove", "/metadata/labels/a")),
    operations("remove all labels", op("remove", "/metadata/labels")),
    operations("remove what is not there", op("remove", "/metadata/labels/z")),
    operations("remove below what is not there", op("remove", "/metadata/annotations/z")),
    operations("remove an item beyond the list", op("remove", "/spec/runtime/handlers/7")),
    operations("replace", op("replace", "/spec/runtime/name", value="docker")),
    operations("replace what is not there", op("replace", "/metadata/labels/z", value="y")),
    operations("replace without a value", op("replace", "/metadata/labels/a")),
    operations("test that holds", op("test", "/metadata/labels/a", value="b"), op("add", "/metadata/labels/c", value="d")),
    operations("test that does not hold", op("test", "/metadata/labels/a", value="z"), op("add", "/metadata/labels/c",
               value="d")),
    operations("test of what is not there", op("test", "/metadata/labels/z", value="z")),
    operations("test that nothing is there", op("test", "/metadata/labels/z", value=None)),
    operations("test of a list", op("test", "/spec/runtime/handlers", value=["runc", "kata"])),
    operations("move", op("move", "/metadata/labels/c", **{"from": "/metadata/labels/a"})),
    operations("move what is not there", op("move", "/metadata/labels/c", **{"from": "/metadata/labels/z"})),
    operations("move without from", op("move", "/metadata/labels/c")),
    operations("copy", op("copy", "/metadata/labels/c", **{"from": "/metadata/labels/a"})),
    operations("an operation that there is not", op("become", "/metadata/labels/c")),
    operations("an operation without op", {"path": "/a"}),
    operations("an operation without path", {"op": "remove"}),
    operations("an operation that is no object", "remove"),
    operations("a path without a slash", op("remove", "metadata")),
    operations("nothing at all"),
    operations("the whole document", op("replace", "", value=HANDLERS)),
    operations("another name", op("replace", "/metadata/name", value="g")),
    operations("another namespace", op("replace", "/metadata/namespace", value="elsewhere")),
    operations("another kind", op("replace", "/kind", value="Cluster")),
    operations("another uid", op("replace", "/metadata/uid", value=OWNERS[0]["uid"])),
    operations("another revision", op("replace", "/metadata/resourceVersion", value="1")),
    operations("no revision", op("remove", "/metadata/resourceVersion")),
    operations("an invalid result", op("replace", "/spec/runtime/name", value="podman")),
    operations("an invalid type", op("replace", "/spec/runtime/handlers", value="runc")),
    operations("status is not changed", op("add", "/status", value={"clusters": 5})),
    operations("more than 10000 operations", *[op("test", "/metadata/labels/a", value="b")] * 10001),
    case("json: an object instead of a list", MADE, patch(ONE, {"op": "remove"}, JSON_PATCH)),
    case("json: text", MADE, patch(ONE, "[{", JSON_PATCH)),
    case("json: of what is not there", patch(ONE, [op("remove", "/a")], JSON_PATCH)),
    case("json: of a built-in kind", SAFE, patch(S, [op("add", "/data/c", value="Mw==")], JSON_PATCH)),
    case("json: a built-in kind of the wrong type", SAFE, patch(S, [op("add", "/data", value=3)], JSON_PATCH)),
    case("json: racing additions", MADE, race(*(patch(ONE, [op("add", f"/metadata/labels/n{n}", value="x")], JSON_PATCH)
         for n in range(4)))),
    merged("a label", {"metadata": {"labels": {"c": "d"}}}),
    merged("a label goes", {"metadata": {"labels": {"a": None}}}),
    merged("labels go", {"metadata": {"labels": None}}),
    merged("a list is replaced", {"spec": {"runtime": {"handlers": ["x"]}}}),
    merged("a field goes back to its default", {"spec": {"runtime": {"handlers": None}}}),
    merged("spec goes back to its defaults", {"spec": None}),
    merged("nothing", {}),
    merged("what is there already", {"metadata": {"labels": {"a": "b"}}}),
    merged("an unknown field", {"spec": {"colour": "red"}}),
    merged("a list", []),
    merged("a text", '"text"'),
    merged("null", "null"),
    merged("a number", "5"),
    merged("broken", "{"),
    merged("empty", ""),
    merged("another name", {"metadata": {"name": "g"}}),
    merged("no name", {"metadata": {"name": None}}),
    merged("metadata goes", {"metadata": None}),
    merged("another namespace", {"metadata": {"namespace": "elsewhere"}}),
    merged("another uid", {"metadata": {"uid": OWNERS[0]["uid"]}}),
    merged("another kind", {"kind": "Cluster"}),
    merged("no kind", {"kind": None}),
    merged("another version", {"apiVersion": "groundplane.dev/v9"}),
    merged("the revision that it has", {"metadata": {"resourceVersion": "<1.metadata.resourceVersion>", "labels": {"x":
           "y"}}}),
    merged("another revision", {"metadata": {"resourceVersion": "1", "labels": {"x": "y"}}}),
    merged("a revision that is no number", {"metadata": {"resourceVersion": "one", "labels": {"x": "y"}}}),
    merged("an invalid value", {"spec": {"runtime": {"name": "podman"}}}),
    merged("a label that is a number", {"metadata": {"labels": {"a": 5}}}),
    merged("spec is a text", {"spec": "x"}),
    merged("metadata is a text", {"metadata": "x"}),
    merged("status is not changed", {"status": {"clusters": 5}}),
    merged("a creation time", {"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z"}}),
    merged("a generation", {"metadata": {"generation": 50}}),
    case("merge: dry run", MADE, patch(f"{ONE}?dryRun=All", {"spec": {"runtime": {"name": "docker"}}}), get(ONE)),
    case("merge: by another manager", MADE, patch(ONE, {"spec": {"runtime": {"name": "docker"}}}).by("other")),
    case("merge: twice by one manager", MADE, patch(ONE, {"spec": {"runtime": {"name": "docker"}}}).by("x"),
         patch(ONE, {"spec": {"runtime": {"version": ">=1.0.0"}}}).by("x")),
    case("merge: takes a field from another manager", MADE, patch(ONE, {"metadata": {"labels": {"a": "c"}}}).by("x"),
         patch(ONE, {"metadata": {"labels": {"a": None}}}).by("y")),
    case("merge: of what is not there", patch(ONE, {"metadata": {"labels": {"a": "b"}}})),
    case("merge: of what was deleted", MADE, delete(ONE), patch(ONE, {})),
    case("merge: of a built-in kind", SAFE, patch(S, {"data": {"a": None, "c": "Mw=="}, "metadata": {"finalizers": []}})),
    case("merge: a built-in kind of the wrong type", SAFE, patch(S, {"data": {"a": 5}})),
    case("merge: a built-in kind that is not base64", SAFE, patch(S, {"data": {"a": "%%"}})),
    case("merge: force is not for it", MADE, patch(f"{ONE}?force=true", {})),
    case("merge: to a collection", patch(FOUNDATIONS, {})),
    case("merge: the last finalizer goes", post(FOUNDATIONS, meta(foundation(), finalizers=["example.com/a"])),
         delete(ONE), patch(ONE, {"metadata": {"finalizers": None}}), get(ONE)),
    case("merge: a finalizer is added while being deleted", post(FOUNDATIONS, meta(foundation(), finalizers=[
         "example.com/a"])), delete(ONE), patch(ONE, {"metadata": {"finalizers": ["example.com/a", "example.com/b"]}})),
    case("merge: racing labels all arrive", MADE, race(*(patch(ONE, {"metadata": {"labels": {f"n{n}": "x"}}}) for n in
         range(4))), get(f"{ONE}?n=1").accept("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")),
    case("strategic: not for our kinds", MADE, patch(ONE, {}, STRATEGIC)),
    case("strategic: of what is not there", patch(S, {}, STRATEGIC)),
    strategic("a label", {"metadata": {"labels": {"c": "d"}}}),
    strategic("a key goes", {"data": {"a": None}}),
    strategic("data is replaced", {"data": {"$patch": "replace", "z": "Mw=="}}),
    strategic("data is deleted", {"data": {"$patch": "delete"}}),
    strategic("a directive that there is not", {"data": {"$patch": "shuffle"}}),
    strategic("finalizers merge", {"metadata": {"finalizers": ["example.com/b"]}}),
    strategic("a finalizer is deleted", {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}}),
    strategic("finalizers are put in order", {"metadata": {"$setElementOrder/finalizers": ["example.com/b", "example.com/a"],
              "finalizers": ["example.com/b"]}}),
    strategic("owners merge by uid", {"metadata": {"ownerReferences": [{"uid": OWNERS[0]["uid"], "controller": True}]}}),
    strategic("an owner is deleted", {"metadata": {"ownerReferences": [{"uid": OWNERS[0]["uid"], "$patch": "delete"}]}}),
    strategic("an owner without uid", {"metadata": {"ownerReferences": [{"name": "x"}]}}),
    strategic("owners are replaced", {"metadata": {"ownerReferences": [{"$patch": "replace"}, OWNERS[1]]}}),
    owners("merge by uid", {"uid": "<1.metadata.uid>", "controller": True}),
    owners("the second merges", {"uid": "<2.metadata.uid>", "controller": True}),
    owners("one is deleted", {"uid": "<1.metadata.uid>", "$patch": "delete"}),
    owners("all are replaced", {"$patch": "replace"}, {"apiVersion": "v1", "kind": "Secret", "name": "y", "uid":
           "<2.metadata.uid>"}),
    owners("without a uid", {"name": "x"}),
    strategic("an unknown field", {"colour": "red"}),
    strategic("nothing", {}),
    strategic("a list", []),
    strategic("null", "null"),
    strategic("broken", "{"),
    strategic("the wrong type", {"data": "x"}),
    strategic("a value of the wrong type", {"data": {"a": 5}}),
    strategic("keys to retain", {"data": {"$retainKeys": ["a"], "a": "Mw=="}}),
    strategic("another name", {"metadata": {"name": "t"}}),
    strategic("another revision", {"metadata": {"resourceVersion": "1"}}),
    strategic("metadata goes", {"metadata": None}),
    strategic("stringData", {"stringData": {"c": "text"}}),
    case("plain JSON is no patch", MADE, patch(ONE, {}, JSON)),
    case("no content type", MADE, patch(ONE, {}, "")),
    case("a content type with a charset", MADE, patch(ONE, {"metadata": {"labels": {"c": "d"}}}, f"{MERGE}; charset=utf-8")),
    case("a content type in upper case", MADE, patch(ONE, {"metadata": {"labels": {"c": "d"}}}, MERGE.upper())),
]
