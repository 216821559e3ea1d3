"""The status subresource and generation."""

from ..dsl import FOUNDATIONS, JSON_PATCH, case, delete, foundation, get, meta, patch, post, put

ONE = f"{FOUNDATIONS}/f"
STATUS = f"{ONE}/status"
MADE = post(FOUNDATIONS, foundation())
AT = {"resourceVersion": "<1.metadata.resourceVersion>"}
THREE = {"status": {"clusters": 3}}

CASES = [
    case("put", MADE, put(STATUS, meta(foundation(), **AT) | THREE), get(ONE)),
    case("put by another manager", MADE, put(STATUS, meta(foundation(), **AT) | THREE).by("other")),
    case("put leaves spec alone", MADE, put(STATUS, meta(foundation(runtime={"name": "docker"}), **AT) | THREE)),
    case("put leaves labels alone", MADE, put(STATUS, meta(foundation(labels={"a": "b"}), **AT) | THREE)),
    case("put leaves finalizers alone", MADE, put(STATUS, meta(foundation(), finalizers=["example.com/a"], **AT) | THREE)),
    case("put ignores an invalid spec", MADE, put(STATUS, meta(foundation(runtime={"name": "podman"}), **AT) | THREE)),
    case("put without a status", MADE, put(STATUS, meta(foundation(), **AT))),
    case("put removes a status", MADE, put(STATUS, meta(foundation(), **AT) | THREE),
         put(STATUS, meta(foundation(), resourceVersion="<2.metadata.resourceVersion>"))),
    case("put without a revision", MADE, put(STATUS, foundation() | THREE)),
    case("put with an old revision", MADE, put(STATUS, meta(foundation(), **AT) | THREE), put(STATUS, meta(foundation(),
         **AT) | {"status": {"clusters": 4}})),
    case("put of an invalid status", MADE, put(STATUS, meta(foundation(), **AT) | {"status": {"clusters": "many"}})),
    case("put of a status that is null", MADE, put(STATUS, meta(foundation(), **AT) | {"status": None})),
    case("put of an unknown field", MADE, put(STATUS, meta(foundation(), **AT) | {"status": {"colour": "red"}})),
    case("put of the same again", MADE, put(STATUS, meta(foundation(), **AT) | THREE), put(STATUS, meta(foundation(),
         resourceVersion="<2.metadata.resourceVersion>") | THREE), get(ONE)),
    case("put of what is not there", put(STATUS, meta(foundation(), resourceVersion="1") | THREE)),
    case("put of another name", MADE, put(STATUS, meta(foundation("g"), **AT) | THREE)),
    case("merge patch", MADE, patch(STATUS, THREE), get(STATUS)),
    case("merge patch leaves spec and labels alone", MADE, patch(STATUS, {"spec": {"runtime": {"name": "docker"}}, "metadata":
         {"labels": {"a": "b"}}, **THREE})),
    case("merge patch removes a field", MADE, patch(STATUS, THREE), patch(STATUS, {"status": {"clusters": None}})),
    case("merge patch removes it", MADE, patch(STATUS, THREE), patch(STATUS, {"status": None})),
    case("merge patch with an old revision", MADE, patch(STATUS, {"metadata": {"resourceVersion": "1"}, **THREE})),
    case("JSON patch", MADE, patch(STATUS, [{"op": "add", "path": "/status", "value": {"clusters": 3}}], JSON_PATCH)),
    case("JSON patch below what is not there", MADE, patch(STATUS, [{"op": "add", "path": "/status/clusters", "value": 3}],
         JSON_PATCH)),
    case("dry run", MADE, patch(f"{STATUS}?dryRun=All", THREE), get(ONE)),
    case("a wrong type", MADE, patch(STATUS, {"status": {"clusters": 1.5}})),
    case("a whole number written as a fraction", MADE, patch(STATUS, '{"status": {"clusters": 3.0}}')),
    case("a number that is too large", MADE, patch(STATUS, '{"status": {"clusters": 9223372036854775808}}')),
    case("a very large number", MADE, patch(STATUS, '{"status": {"clusters": 1e400}}')),
    case("post is not for it", MADE, post(STATUS, foundation())),
    case("generation counts spec alone", MADE, patch(ONE, {"metadata": {"labels": {"a": "b"}}}), patch(STATUS, THREE),
         patch(ONE, {"spec": {"runtime": {"name": "docker"}}}), patch(ONE, {"spec": {"runtime": {"name": "docker"}}})),
    case("generation counts a deletion", post(FOUNDATIONS, meta(foundation(), finalizers=["example.com/a"])), delete(ONE),
         patch(ONE, {"spec": {"runtime": {"name": "docker"}}})),
    case("status while being deleted", post(FOUNDATIONS, meta(foundation(), finalizers=["example.com/a"])), delete(ONE),
         patch(STATUS, THREE)),
]
