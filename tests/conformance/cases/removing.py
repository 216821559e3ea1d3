"""Delete and deletecollection: preconditions, propagation, finalizers."""

from typing import Any

from ..dsl import FOUNDATIONS, SECRETS, Case, Request, case, delete, foundation, get, meta, patch, post, race, secret

ONE = f"{FOUNDATIONS}/f"
MADE = post(FOUNDATIONS, foundation())
HELD = post(FOUNDATIONS, meta(foundation(), finalizers=["example.com/a"]))
SAFE = post(SECRETS, secret())
THREE = (post(FOUNDATIONS, foundation("a", labels={"app": "web"})), post(FOUNDATIONS, foundation("b")),
         post(FOUNDATIONS, meta(foundation("c", labels={"app": "web"}), finalizers=["example.com/a"])))  # fmt: skip
OTHER = "11111111-1111-1111-1111-111111111111"


def asked(name: str, options: Any) -> Case:
    return case(name, MADE, delete(ONE, options), get(ONE))


def left(name: str, options: Any) -> Case:
    return case(name, MADE, delete(ONE, options))


def marked(*finalizers: str) -> Request:
    return post(FOUNDATIONS, meta(foundation(), finalizers=[*finalizers, "example.com/a"]))


def raw(body: str) -> Request:
    return Request("DELETE", ONE, body, {"Content-Type": "application/json"})


CASES = [
    case("an object", MADE, delete(ONE), get(ONE)),
    case("a built-in object", SAFE, delete(f"{SECRETS}/s"), get(f"{SECRETS}/s")),
    case("what is not there", delete(ONE)),
    case("twice", MADE, delete(ONE), delete(ONE)),
    case("what is held by a finalizer", HELD, delete(ONE), get(ONE)),
    case("what is held by a finalizer twice", HELD, delete(ONE), delete(ONE), get(ONE)),
    case("what is held and then let go", HELD, delete(ONE), patch(ONE, {"metadata": {"finalizers": None}}), get(ONE)),
    case("what is held of a built-in kind", post(SECRETS, meta(secret(), finalizers=["example.com/a"])),
         delete(f"{SECRETS}/s"), patch(f"{SECRETS}/s", {"metadata": {"finalizers": None}}), get(f"{SECRETS}/s")),
    asked("the right uid", {"preconditions": {"uid": "<1.metadata.uid>"}}),
    asked("the wrong uid", {"preconditions": {"uid": OTHER}}),
    asked("the right revision", {"preconditions": {"resourceVersion": "<1.metadata.resourceVersion>"}}),
    asked("the wrong revision", {"preconditions": {"resourceVersion": "1"}}),
    asked("both wrong", {"preconditions": {"resourceVersion": "1", "uid": OTHER}}),
    asked("empty preconditions", {"preconditions": {}}),
    asked("an empty uid", {"preconditions": {"uid": ""}}),
    asked("preconditions that are a list", {"preconditions": []}),
    case("the wrong uid of what is being deleted", HELD, delete(ONE), delete(ONE, {"preconditions": {"uid": OTHER}})),
    case("the wrong uid of a built-in object", SAFE, delete(f"{SECRETS}/s", {"preconditions": {"uid": OTHER}})),
    left("foreground", {"propagationPolicy": "Foreground"}),
    asked("background", {"propagationPolicy": "Background"}),
    left("orphan", {"propagationPolicy": "Orphan"}),
    asked("a policy that there is not", {"propagationPolicy": "Sideways"}),
    asked("an empty policy", {"propagationPolicy": ""}),
    asked("a policy that is a number", {"propagationPolicy": 5}),
    left("orphan dependents", {"orphanDependents": True}),
    asked("no orphan dependents", {"orphanDependents": False}),
    asked("both ways to say it", {"orphanDependents": True, "propagationPolicy": "Foreground"}),
    case("foreground in the query", MADE, delete(f"{ONE}?propagationPolicy=Foreground")),
    case("a policy that there is not in the query", MADE, delete(f"{ONE}?propagationPolicy=Sideways")),
    case("background of what waits for its dependents", marked("foregroundDeletion"),
         delete(ONE, {"propagationPolicy": "Background"}), get(ONE)),
    case("orphan of what waits for its dependents", marked("foregroundDeletion"), delete(ONE, {"propagationPolicy": "Orphan"})),
    case("foreground of what leaves its dependents", marked("orphan"), delete(ONE, {"propagationPolicy": "Foreground"})),
    case("no policy for what leaves its dependents", marked("orphan"), delete(ONE)),
    case("no orphans for what leaves its dependents", marked("orphan"), delete(ONE, {"orphanDependents": False}), get(ONE)),
    case("background of what had been marked", post(FOUNDATIONS, meta(foundation(), finalizers=["orphan"])), delete(ONE,
         {"propagationPolicy": "Background"}), get(ONE)),
    case("no policy for what had been marked", post(FOUNDATIONS, meta(foundation(), finalizers=["foregroundDeletion"])),
         delete(ONE)),
    case("foreground in the query and background in the body", MADE, Request("DELETE",
         f"{ONE}?propagationPolicy=Foreground", {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy":
         "Background"}, {"Content-Type": "application/json"}), get(ONE)),
    asked("no grace", {"gracePeriodSeconds": 0}),
    asked("some grace", {"gracePeriodSeconds": 30}),
    asked("negative grace", {"gracePeriodSeconds": -1}),
    asked("grace that is a text", {"gracePeriodSeconds": "soon"}),
    case("grace in the query", HELD, delete(f"{ONE}?gracePeriodSeconds=7")),
    case("grace in the query that is no number", MADE, delete(f"{ONE}?gracePeriodSeconds=soon")),
    asked("dry run", {"dryRun": ["All"]}),
    asked("dry run of something else", {"dryRun": ["Some"]}),
    asked("dry run that is a text", {"dryRun": "All"}),
    case("dry run in the query", MADE, delete(f"{ONE}?dryRun=All"), get(ONE)),
    case("dry run of what is held", HELD, delete(f"{ONE}?dryRun=All"), get(ONE)),
    asked("another kind of options", {"kind": "Foundation"}),
    asked("options of our group", {"apiVersion": "groundplane.dev/v1alpha1"}),
    asked("unknown options", {"colour": "red"}),
    case("options without a kind", MADE, raw('{"propagationPolicy":"Foreground"}')),
    case("empty options", MADE, raw("{}"), get(ONE)),
    case("options that are null", MADE, raw("null"), get(ONE)),
    case("options that are a list", MADE, raw("[]"), get(ONE)),
    case("options that are broken", MADE, raw('{"kind"'), get(ONE)),
    case("options of another content type", MADE, Request("DELETE", ONE, "a", {"Content-Type": "text/plain"})),
    case("options in YAML", MADE, Request("DELETE", ONE, "apiVersion: v1\nkind: DeleteOptions\npropagationPolicy: Orphan\n",
         {"Content-Type": "application/yaml"})),
    case("a part of an object", MADE, delete(f"{ONE}/status")),
    case("racing deletions", MADE, race(*(delete(ONE) for _ in range(6))), get(ONE)),
    case("collection: all", *THREE, delete(FOUNDATIONS), get(FOUNDATIONS)),
    case("collection: nothing", delete(FOUNDATIONS)),
    case("collection: of a built-in kind", SAFE, delete(SECRETS), get(SECRETS)),
    case("collection: by label", *THREE, delete(f"{FOUNDATIONS}?labelSelector=app%3Dweb"), get(FOUNDATIONS)),
    case("collection: by field", *THREE, delete(f"{FOUNDATIONS}?fieldSelector=metadata.name%3Db"), get(FOUNDATIONS)),
    case("collection: by a bad selector", delete(f"{FOUNDATIONS}?labelSelector=a%20b")),
    case("collection: dry run", *THREE, delete(f"{FOUNDATIONS}?dryRun=All"), get(FOUNDATIONS)),
    case("collection: foreground", *THREE, delete(FOUNDATIONS, {"propagationPolicy": "Foreground"})),
    case("collection: with a limit", *THREE[:2], delete(f"{FOUNDATIONS}?limit=1"), get(FOUNDATIONS)),
    case("collection: with preconditions", *THREE[:1], delete(FOUNDATIONS, {"preconditions": {"uid": OTHER}})),
    case("collection: broken options", Request("DELETE", FOUNDATIONS, "{", {"Content-Type": "application/json"})),
    case("collection: of a namespace that is not there", delete(FOUNDATIONS.replace("{ns}", "nowhere"))),
    case("collection: of all namespaces", delete("/apis/groundplane.dev/v1alpha1/foundations?labelSelector=only%3D{ns}")),
    case("collection: as a table", *THREE, delete(FOUNDATIONS).accept("application/json;as=Table;v=v1;g=meta.k8s.io")),
    case("an object as a table", HELD, delete(ONE).accept("application/json;as=Table;v=v1;g=meta.k8s.io")),
    case("a name made again is another object", MADE, delete(ONE), MADE, delete(ONE, {"preconditions": {"uid":
         "<1.metadata.uid>"}})),
]
