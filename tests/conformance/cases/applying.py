"""Server-side apply: ownership, conflicts, what is removed, lists, status."""

from typing import Any

from ..dsl import FOUNDATIONS, SECRETS, apply, case, delete, foundation, get, meta, patch, post, put, secret

ONE = f"{FOUNDATIONS}/f"
S = f"{SECRETS}/s"
STATUS = f"{ONE}/status"
DOCKER, CONTAINERD = {"name": "docker"}, {"name": "containerd"}
READY = {"type": "Ready", "status": "True", "reason": "Fine", "message": "", "lastTransitionTime": "2001-01-01T00:00:00Z"}
VALID = READY | {"type": "Valid"}


def wish(labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    found = foundation(labels=labels, **spec)
    return found if spec else {name: value for name, value in found.items() if name != "spec"}


def owned(name: str, step: int) -> dict[str, Any]:
    owner = {"apiVersion": "v1", "kind": "Secret", "name": name, "uid": f"<{step}.metadata.uid>"}
    return meta(wish(), ownerReferences=[owner])


def conditions(*listed: dict[str, str]) -> dict[str, Any]:
    return wish() | {"status": {"conditions": list(listed)}}


CASES = [
    case("what is not there is created", apply(ONE, wish(runtime=DOCKER)), get(ONE)),
    case("what is not there is created with nothing", apply(ONE, wish())),
    case("twice is once", apply(ONE, wish(runtime=DOCKER)), apply(ONE, wish(runtime=DOCKER)), get(ONE)),
    case("a change", apply(ONE, wish(runtime=DOCKER)), apply(ONE, wish(runtime=CONTAINERD))),
    case("a field that is no longer named goes", apply(ONE, wish({"a": "b", "c": "d"})), apply(ONE, wish({"a": "b"}))),
    case("a field with a default that is no longer named", apply(ONE, wish(runtime=DOCKER)), apply(ONE, wish())),
    case("a whole part that is no longer named", apply(ONE, wish({"a": "b"}, runtime=DOCKER)), apply(ONE, wish())),
    case("labels that are no longer named", apply(ONE, wish({"a": "b"})), apply(ONE, wish())),
    case("empty labels", apply(ONE, wish({})), apply(ONE, wish({"a": "b"})), apply(ONE, wish({}))),
    case("by two managers beside each other", apply(ONE, wish({"a": "b"}), "x"), apply(ONE, wish({"c": "d"}), "y"),
         apply(ONE, wish({"e": "f"}), "y")),
    case("two managers name the same value", apply(ONE, wish({"a": "b"}), "x"), apply(ONE, wish({"a": "b"}), "y"),
         apply(ONE, wish(), "x"), apply(ONE, wish(), "y")),
    case("a conflict with an applier", apply(ONE, wish({"a": "b"}), "x"), apply(ONE, wish({"a": "c"}), "y")),
    case("two conflicts with an applier", apply(ONE, wish({"a": "b", "c": "d"}), "x"),
         apply(ONE, wish({"a": "c", "c": "e"}), "y")),
    case("conflicts with two appliers", apply(ONE, wish({"a": "b"}), "x"), apply(ONE, wish({"c": "d"}), "y"),
         apply(ONE, wish({"a": "c", "c": "e"}), "z")),
    case("a conflict with an updater", post(FOUNDATIONS, foundation(runtime=DOCKER)).by("x"),
         apply(ONE, wish(runtime=CONTAINERD), "y")),
    case("conflicts with an updater and an applier", post(FOUNDATIONS, wish({"a": "b"}, runtime=DOCKER)).by("x"),
         apply(ONE, wish({"e": "f"}), "z"), apply(ONE, wish({"a": "c", "e": "g"}, runtime=CONTAINERD), "y")),
    case("the value of an updater is shared", post(FOUNDATIONS, foundation(runtime=DOCKER)).by("x"),
         apply(ONE, wish(runtime=DOCKER), "y")),
    case("the same manager updates and applies", post(FOUNDATIONS, foundation(runtime=DOCKER)).by("x"),
         apply(ONE, wish(runtime=CONTAINERD), "x")),
    case("force", apply(ONE, wish({"a": "b"}), "x"), apply(ONE, wish({"a": "c"}), "y", force=True),
         apply(ONE, wish({"a": "b"}), "x")),
    case("force against an updater", post(FOUNDATIONS, foundation(runtime=DOCKER)).by("x"),
         apply(ONE, wish(runtime=CONTAINERD), "y", force=True)),
    case("force takes one field of two", apply(ONE, wish({"a": "b", "c": "d"}), "x"),
         apply(ONE, wish({"a": "c"}), "y", force=True)),
    case("ownership is handed over", apply(ONE, wish({"a": "b"}), "x"), apply(ONE, wish({"a": "b"}), "y"),
         apply(ONE, wish(), "x"), apply(ONE, wish({"a": "c"}), "y")),
    case("an update takes a field from an applier", apply(ONE, wish({"a": "b"}), "x"),
         patch(ONE, {"metadata": {"labels": {"a": "c"}}}).by("y"), apply(ONE, wish({"a": "b"}), "x")),
    case("an update removes a field of an applier", apply(ONE, wish({"a": "b", "c": "d"}), "x"),
         patch(ONE, {"metadata": {"labels": {"a": None}}}).by("y"), apply(ONE, wish({"a": "b", "c": "d"}), "x")),
    case("a list without keys has one owner", apply(ONE, wish(runtime={"handlers": ["runc"]}), "x"),
         apply(ONE, wish(runtime={"handlers": ["runc", "kata"]}), "y"),
         apply(ONE, wish(runtime={"handlers": ["kata"]}), "y", force=True)),
    case("a list of objects without keys", apply(ONE, wish(operatingSystem={"allowed": [{"id": "debian", "versions":
         ["12"]}]}), "x"), apply(ONE, wish(operatingSystem={"allowed": [{"id": "debian"}]}), "x")),
    case("a map is shared", apply(ONE, wish(operatingSystem={"settings": {"sysctls": {"net.ipv4.ip_forward": "1"}}}), "x"),
         apply(ONE, wish(operatingSystem={"settings": {"sysctls": {"kernel.pid_max": "9"}}}), "y"),
         apply(ONE, wish(), "x")),
    case("an empty object", apply(ONE, wish(runtime={})), apply(ONE, wish(runtime=DOCKER)), apply(ONE, wish(runtime={}))),
    case("an empty list", apply(ONE, wish(runtime={"handlers": []}))),
    case("a null", apply(ONE, wish(runtime={"name": None}))),
    case("a null label", apply(ONE, meta(wish(), labels={"a": None}))),
    case("finalizers are a set", apply(ONE, meta(wish(), finalizers=["example.com/a"]), "x"),
         apply(ONE, meta(wish(), finalizers=["example.com/b"]), "y"), apply(ONE, wish(), "x")),
    case("finalizers twice the same", apply(ONE, meta(wish(), finalizers=["example.com/a", "example.com/a"]))),
    case("owners are keyed by uid", post(SECRETS, secret("a")), post(SECRETS, secret("b")),
         apply(ONE, owned("a", 1), "x"), apply(ONE, owned("b", 2), "y"), apply(ONE, wish(), "x")),
    case("an empty object where there is one with fields", post(FOUNDATIONS, foundation(runtime=DOCKER)).by("x"),
         apply(ONE, wish(runtime={}), "y")),
    case("what nobody owned", post(FOUNDATIONS, meta(foundation(runtime=DOCKER), managedFields=[{}])),
         patch(ONE, {"metadata": {"managedFields": [{}]}}), apply(ONE, wish(runtime=CONTAINERD))),
    case("owners without a uid", apply(ONE, meta(wish(), ownerReferences=[{"apiVersion": "v1", "kind": "Secret", "name":
         "a"}]))),
    case("status is not for the main endpoint", apply(ONE, wish() | {"status": {"clusters": 5}})),
    case("the status", apply(ONE, wish()), apply(STATUS, wish() | {"status": {"clusters": 5}})),
    case("the status of what is not there", apply(STATUS, wish() | {"status": {"clusters": 5}})),
    case("spec is not for the status", apply(ONE, wish()), apply(STATUS, wish(runtime=DOCKER) | {"status": {"clusters": 5}})),
    case("conditions are keyed by type", apply(ONE, wish()), apply(STATUS, conditions(READY), "x"),
         apply(STATUS, conditions(VALID), "y"), apply(STATUS, conditions(), "x")),
    case("a condition conflicts", apply(ONE, wish()), apply(STATUS, conditions(READY), "x"),
         apply(STATUS, conditions(READY | {"status": "False"}), "y")),
    case("a condition twice", apply(ONE, wish()), apply(STATUS, conditions(READY, READY))),
    case("a condition without a type", apply(ONE, wish()), apply(STATUS, conditions({"status": "True"}))),
    case("dry run", apply(f"{ONE}?dryRun=All", wish(runtime=DOCKER)), get(ONE)),
    case("dry run of a change", apply(ONE, wish(runtime=DOCKER)), apply(f"{ONE}?dryRun=All", wish(runtime=CONTAINERD)),
         get(ONE)),
    case("without a manager", patch(ONE, wish(), "application/apply-patch+yaml")),
    case("a force that is no boolean", patch(f"{ONE}?force=maybe&fieldManager=x", wish(), "application/apply-patch+yaml")),
    case("YAML", apply(ONE, "apiVersion: groundplane.dev/v1alpha1\nkind: Foundation\nmetadata: {name: f}\n")),
    case("YAML that is broken", apply(ONE, "apiVersion: [\n")),
    case("YAML with a key twice", apply(ONE, "apiVersion: groundplane.dev/v1alpha1\nkind: Foundation\nkind: Foundation\n")),
    case("a list", apply(ONE, "- a")),
    case("a text", apply(ONE, "text")),
    case("nothing", apply(ONE, "")),
    case("no kind", apply(ONE, {"apiVersion": "groundplane.dev/v1alpha1", "metadata": {"name": "f"}})),
    case("no version", apply(ONE, {"kind": "Foundation", "metadata": {"name": "f"}})),
    case("another kind", apply(ONE, wish() | {"kind": "Cluster"})),
    case("another version", apply(ONE, wish() | {"apiVersion": "groundplane.dev/v9"})),
    case("no name", apply(ONE, {"apiVersion": "groundplane.dev/v1alpha1", "kind": "Foundation", "metadata": {}})),
    case("no metadata", apply(ONE, {"apiVersion": "groundplane.dev/v1alpha1", "kind": "Foundation"})),
    case("another name", apply(ONE, foundation("g"))),
    case("another namespace", apply(ONE, meta(wish(), namespace="elsewhere"))),
    case("managed fields in the body", apply(ONE, meta(wish(), managedFields=[{"manager": "x"}]))),
    case("empty managed fields in the body", apply(ONE, meta(wish(), managedFields=[]))),
    case("an unknown field", apply(ONE, wish(colour="red"))),
    case("an invalid value", apply(ONE, wish(runtime={"name": "podman"}))),
    case("a wrong type", apply(ONE, wish(runtime={"handlers": "runc"}))),
    case("a revision that is old", apply(ONE, wish()), apply(ONE, meta(wish({"a": "b"}), resourceVersion="1"))),
    case("a revision of what is not there", apply(ONE, meta(wish(), resourceVersion="1"))),
    case("a uid of what is not there", apply(ONE, meta(wish(), uid="11111111-1111-1111-1111-111111111111"))),
    case("a uid that is another", apply(ONE, wish()), apply(ONE, meta(wish(), uid="11111111-1111-1111-1111-111111111111"))),
    case("a creation time", apply(ONE, meta(wish(), creationTimestamp="2001-01-01T00:00:00Z"))),
    case("what was deleted is created again", apply(ONE, wish()), delete(ONE), apply(ONE, wish())),
    case("in a namespace that is not there", apply(ONE.replace("{ns}", "nowhere"), wish())),
    case("a bad name", apply(f"{FOUNDATIONS}/Bad_", foundation("Bad_"))),
    case("a secret", apply(S, secret(data={"a": "MQ=="})), apply(S, secret(data={"b": "MQ=="}), "y"), apply(S, secret())),
    case("a secret with text", apply(S, secret(stringData={"a": "one"})), apply(S, secret(stringData={"a": "two"}))),
    case("a secret conflicts", apply(S, secret(data={"a": "MQ=="}), "x"), apply(S, secret(data={"a": "Mg=="}), "y")),
    case("a secret with an unknown field", apply(S, secret(colour="red"))),
    case("a secret of the wrong type", apply(S, secret(data="x"))),
    case("an update keeps what appliers own", apply(ONE, wish({"a": "b"}), "x"),
         put(ONE, meta(foundation(labels={"a": "b"}, runtime=DOCKER), resourceVersion="<1.metadata.resourceVersion>")).by("y")),
    case("an update drops what appliers own", apply(ONE, wish({"a": "b"}), "x"),
         put(ONE, meta(foundation(), resourceVersion="<1.metadata.resourceVersion>")).by("y")),
]
