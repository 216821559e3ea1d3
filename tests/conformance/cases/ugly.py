"""Requests that no client should send."""

import json

from ..dsl import FOUNDATIONS, SECRETS, Case, Request, case, foundation, get, meta, post, secret

ONE = f"{FOUNDATIONS}/f"
GOOD = json.dumps(foundation())
DEEP = '{"a":' * 500 + "1" + "}" * 500
HEAD = '"apiVersion":"groundplane.dev/v1alpha1","kind":"Foundation"'


def sent(name: str, body: str | bytes, kind: str = "application/json") -> Case:
    return case(f"body: {name}", Request("POST", FOUNDATIONS, body, {"Content-Type": kind}))


def core(name: str, body: str | bytes) -> Case:
    return case(f"built-in body: {name}", Request("POST", SECRETS, body, {"Content-Type": "application/json"}))


def called(name: str, method: str, path: str) -> Case:
    return case(f"path: {name}", Request(method, path))


CASES = [
    sent("nothing", ""),
    sent("white space", "  \n"),
    sent("broken", "{"),
    sent("cut", GOOD[:-20]),
    sent("followed by more", f"{GOOD}{{}}"),
    sent("followed by white space", f"{GOOD}\n\n"),
    sent("a comma too many", f"{GOOD[:-1]},}}"),
    sent("single quotes", "{'kind': 'Foundation'}"),
    sent("not a number", f'{{{HEAD},"metadata":{{"name":"f"}},"spec":{{"a":NaN}}}}'),
    sent("a comment", f"/* */{GOOD}"),
    sent("a byte order mark", b"\xef\xbb\xbf" + GOOD.encode()),
    sent("bytes that are no text", b'{"kind":"\xff\xfe"}'),
    sent("bytes that are no text in a value", GOOD.replace('"f"', '"f","labels":{"a":"X"}').encode().replace(b"X", b"\xff")),
    sent("a control character in a text", GOOD.replace('"f"', '"f\x01"')),
    sent("half a surrogate", GOOD.replace('"f"', '"\\ud800"')),
    sent("an escaped zero", GOOD.replace('"f"', '"a\\u0000b"')),
    sent("UTF-16", GOOD.encode("utf-16")),
    sent("a list", "[]"),
    sent("a text", '"x"'),
    sent("a number", "5"),
    sent("null", "null"),
    sent("true", "true"),
    sent("an empty object", "{}"),
    sent("no kind", '{"apiVersion":"groundplane.dev/v1alpha1","metadata":{"name":"f"}}'),
    sent("no version", '{"kind":"Foundation","metadata":{"name":"f"}}'),
    sent("another kind", GOOD.replace("Foundation", "Cluster")),
    sent("an unknown kind", GOOD.replace("Foundation", "Thing")),
    sent("another group", GOOD.replace("groundplane.dev", "example.com")),
    sent("another version", GOOD.replace("v1alpha1", "v9")),
    sent("a kind that is a number", GOOD.replace('"Foundation"', "5")),
    sent("a kind that is null", GOOD.replace('"Foundation"', "null")),
    sent("a version that is a number", GOOD.replace('"groundplane.dev/v1alpha1"', "5")),
    sent("a list of objects", f'{{"apiVersion":"groundplane.dev/v1alpha1","kind":"FoundationList","items":[{GOOD}]}}'),
    sent("no metadata", f"{{{HEAD}}}"),
    sent("metadata that is null", f'{{{HEAD},"metadata":null}}'),
    sent("metadata that is a list", f'{{{HEAD},"metadata":[]}}'),
    sent("metadata that is a text", f'{{{HEAD},"metadata":"x"}}'),
    sent("a name that is a number", f'{{{HEAD},"metadata":{{"name":5}}}}'),
    sent("a name that is a list", f'{{{HEAD},"metadata":{{"name":["f"]}}}}'),
    sent("a name that is null", f'{{{HEAD},"metadata":{{"name":null}}}}'),
    sent("metadata of nulls", f'{{{HEAD},"metadata":{{"name":"f","labels":null,"annotations":null,"finalizers":null,'
         '"ownerReferences":null,"managedFields":null,"creationTimestamp":null,"generateName":null,"uid":null}}'),
    sent("finalizers that are a text", f'{{{HEAD},"metadata":{{"name":"f","finalizers":"a"}}}}'),
    sent("finalizers of numbers", f'{{{HEAD},"metadata":{{"name":"f","finalizers":[5]}}}}'),
    sent("owners that are a text", f'{{{HEAD},"metadata":{{"name":"f","ownerReferences":"a"}}}}'),
    sent("a time that is none", f'{{{HEAD},"metadata":{{"name":"f","creationTimestamp":"yesterday"}}}}'),
    sent("a generation that is a text", f'{{{HEAD},"metadata":{{"name":"f","generation":"one"}}}}'),
    sent("keys in another case", GOOD.replace('"metadata"', '"MetaData"')),
    sent("deep nesting", f'{{{HEAD},"metadata":{{"name":"f"}},"spec":{DEEP}}}'),
    sent("very deep nesting", "[" * 100000),
    sent("too large", b'{"a":"' + b"x" * (3 * 1024 * 1024) + b'"}'),
    sent("a large number", GOOD.replace('"spec": {}', '"spec": {"a": 123456789012345678901234567890}')),
    sent("a key twice", f'{{{HEAD},"kind":"Foundation","metadata":{{"name":"f"}}}}'),
    sent("text", GOOD, "text/plain"),
    sent("a form", "a=b", "application/x-www-form-urlencoded"),
    sent("XML", "<a/>", "application/xml"),
    sent("a merge patch", GOOD, "application/merge-patch+json"),
    sent("no content type", GOOD, ""),
    sent("a charset", GOOD, "application/json; charset=utf-8"),
    sent("a content type that is none", GOOD, "json"),
    sent("a content type in upper case", GOOD, "Application/JSON"),
    sent("YAML", "apiVersion: groundplane.dev/v1alpha1\nkind: Foundation\nmetadata:\n  name: f\n", "application/yaml"),
    sent("YAML that is broken", "a: [", "application/yaml"),
    sent("YAML with a date", "apiVersion: groundplane.dev/v1alpha1\nkind: Foundation\nmetadata:\n  name: f\n  labels: {a: "
         "2001-01-01}\n", "application/yaml"),
    sent("YAML with a tab", "a:\n\tb: c\n", "application/yaml"),
    core("nothing", ""),
    core("broken", "{"),
    core("null", "null"),
    core("a list", "[]"),
    core("an empty object", "{}"),
    core("no kind", '{"apiVersion":"v1","metadata":{"name":"s"}}'),
    core("another kind", json.dumps(secret() | {"kind": "ConfigMap"})),
    core("an unknown kind", json.dumps(secret() | {"kind": "Thing"})),
    core("metadata that is a text", '{"apiVersion":"v1","kind":"Secret","metadata":"x"}'),
    core("a name that is a number", '{"apiVersion":"v1","kind":"Secret","metadata":{"name":5}}'),
    core("finalizers that are a text", '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","finalizers":"a"}}'),
    core("data that is a list", '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":[]}'),
    core("data of numbers", '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"a":5}}'),
    core("data of nulls", '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"a":null}}'),
    core("a time that is none", '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","creationTimestamp":"x"}}'),
    core("unknown fields", json.dumps(secret(colour="red"))),
    called("the root", "GET", "/"),
    called("nowhere", "GET", "/nowhere"),
    called("a group that there is not", "GET", "/apis/example.com"),
    called("a version that there is not", "GET", "/apis/groundplane.dev/v9"),
    called("a version of the core that there is not", "GET", "/api/v9"),
    called("a resource that there is not", "GET", FOUNDATIONS.replace("foundations", "things")),
    called("a core resource that there is not", "GET", "/api/v1/things"),
    called("a cluster-wide resource in a namespace", "GET", "/api/v1/namespaces/{ns}/namespaces"),
    called("post to one object", "POST", ONE),
    called("put without a body", "PUT", ONE),
    called("patch without a body", "PATCH", ONE),
    called("a method that there is not", "BREW", ONE),
    called("options", "OPTIONS", ONE),
    called("trace", "TRACE", ONE),
    called("post to all namespaces", "POST", "/apis/groundplane.dev/v1alpha1/foundations"),
    called("a path with dots", "GET", "/api/v1/namespaces/../namespaces/{ns}"),
    called("a bad escape", "GET", f"{FOUNDATIONS}/%zz"),
    called("a query that is broken", "GET", f"{FOUNDATIONS}?limit=%zz"),
    case("head of one object", post(FOUNDATIONS, foundation()), Request("HEAD", ONE)),
    case("head of a built-in collection", Request("HEAD", SECRETS)),
    case("head of the collection", Request("HEAD", FOUNDATIONS)),
    case("a body on a get", post(FOUNDATIONS, foundation()), Request("GET", ONE, "{", {"Content-Type": "application/json"})),
    case("wrong credentials", get(ONE).header("Authorization", "Bearer wrong")),
    case("credentials of another scheme", get(ONE).header("Authorization", "Basic YTpi")),
    case("credentials without a token", get(ONE).header("Authorization", "Bearer")),
    case("an object of 1 MB", post(SECRETS, secret(stringData={"a": "x" * 700000})),
         get(f"{SECRETS}/s").accept("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")),
    case("annotations in many languages", post(FOUNDATIONS, meta(foundation(), annotations={"a": "é集群\U0001f600\u200d<>&"}))),
]
