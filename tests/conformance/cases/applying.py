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
    case("by two managers beside each other", apply(ONE, wish({"a": "b"}), "x"), apply(ONE, wish({"c": "d"}), "y"),
         apply(ONE, wish({"e": "f"}), "y")),
    case("two managers name the same value", apply(ONE, wish({"a": "b"}), "x"), apply(ONE, wish({"a": "b"}), "y"),
         apply(ONE, wish(), "x"), apply(ONE, wish(), "y")),
    case("a conflict with an applier", apply(ONE, wish({"a": "b"}), "x"), apply(ONE, wish({"a": "c"}), "y")),
    case("two conflicts with an applier", apply(ONE, wish({"a": "b", "c": "d"}), "x"),
         apply(ONE, wish({"a": "c", "c": "e"}), "y")),
    case("conflicts with two appliers", apply(ONE, wish({"a": "b"}), "x"), apply(ONE, wish({"c": "d"}), "y"),
         apply(ONE, wish({"a": "c", "c": "e"}), "z")),
    case("the value of an updater is shared", post(FOUNDATIONS, foundation(runtime=DOCKER)).by("x"),
         apply(ONE, wish(runtime=DOCKER), "y")),
    case("force", apply(ONE, wish({"a": "b"}), "x"), apply(ONE, wish({"a": "c"}), "y", force=True),
         apply(ONE, wish({"a": "b"}), "x")),
    case("force against an updater", post(FOUNDATIONS, foundation(runtime=DOCKER)).by("x"),
         apply(ONE, wish(runtime=CONTAINERD), "y", force=True)),
    case("force takes one field of two", apply(ONE, wish({"a": "b", "c": "d"}), "x"),
         apply(ONE, wish({"a": "c"}), "y", force=True)),
    case("ownership is handed over", apply(ONE, wish({"a": "b"}), "x"), apply(ONE, wish({"a": "b"}), "y"),
         apply(ONE, wish(), "x"), apply(ONE, wish({"a": "c"}), "y")),
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
    case("an empty list", apply(ONE, wish(runtime={"handlers": []}))),
    case("finalizers are a set", apply(ONE, meta(wish(), finalizers=["example.com/a"]), "x"),
         apply(ONE, meta(wish(), finalizers=["example.com/b"]), "y"), apply(ONE, wish(), "x")),
    case("the status of what is not there", apply(STATUS, wish() | {"status": {"clusters": 5}})),
    case("dry run", apply(f"{ONE}?dryRun=All", wish(runtime=DOCKER)), get(ONE)),
    case("dry run of a change", apply(ONE, wish(runtime=DOCKER)), apply(f"{ONE}?dryRun=All", wish(runtime=CONTAINERD)),
         get(ONE)),
    case("a force that is no boolean", patch(f"{ONE}?force=maybe&fieldManager=x", wish(), "application/apply-patch+yaml")),
    case("YAML", apply(ONE, "apiVersion: groundplane.dev/v1alpha1\nkind: Foundation\nmetadata: {name: f}\n")),
    case("managed fields in the body", apply(ONE, meta(wish(), managedFields=[{"manager": "x"}]))),
    case("empty managed fields in the body", apply(ONE, meta(wish(), managedFields=[]))),
    case("an invalid value", apply(ONE, wish(runtime={"name": "podman"}))),
    case("a revision that is old", apply(ONE, wish()), apply(ONE, meta(wish({"a": "b"}), resourceVersion="1"))),
    case("a creation time", apply(ONE, meta(wish(), creationTimestamp="2001-01-01T00:00:00Z"))),
    case("what was deleted is created again", apply(ONE, wish()), delete(ONE), apply(ONE, wish())),
    case("in a namespace that is not there", apply(ONE.replace("{ns}", "nowhere"), wish())),
    case("a bad name", apply(f"{FOUNDATIONS}/Bad_", foundation("Bad_"))),
    case("a secret", apply(S, secret(data={"a": "MQ=="})), apply(S, secret(data={"b": "MQ=="}), "y"), apply(S, secret())),
    case("a secret with text", apply(S, secret(stringData={"a": "one"})), apply(S, secret(stringData={"a": "two"}))),
    case("a secret conflicts", apply(S, secret(data={"a": "MQ=="}), "x"), apply(S, secret(data={"a": "Mg=="}), "y")),
    case("an update keeps what appliers own", apply(ONE, wish({"a": "b"}), "x"),
         put(ONE, meta(foundation(labels={"a": "b"}, runtime=DOCKER), resourceVersion="<1.metadata.resourceVersion>")).by("y")),
    case("an update drops what appliers own", apply(ONE, wish({"a": "b"}), "x"),
         put(ONE, meta(foundation(), resourceVersion="<1.metadata.resourceVersion>")).by("y")),
]
