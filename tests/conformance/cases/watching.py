"""Watch: where it begins, what it shows through selectors, and how it ends."""

from ..dsl import (
    FOUNDATIONS,
    MERGE,
    NAMESPACES,
    SECRETS,
    Compaction,
    Request,
    case,
    delete,
    follow,
    foundation,
    get,
    patch,
    post,
    secret,
    streamed,
    watch,
)  # fmt: skip

ONE = f"{FOUNDATIONS}/f"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


def label(value: str | None) -> Request:
    return patch(ONE, {"metadata": {"labels": {"app": value}}}, MERGE)


MADE = post(FOUNDATIONS, foundation(labels={"app": "web"}))
LIFE = (MADE, label("db"), label("web"), delete(ONE))
SINCE = "resourceVersion=<1.metadata.resourceVersion>"

CASES = [
    case("from now on shows what is there", MADE, watch(FOUNDATIONS)),
    case("from revision 0", MADE, watch(FOUNDATIONS, "resourceVersion=0")),
    case("from a revision", *LIFE, watch(FOUNDATIONS, SINCE)),
    case("from a revision of a built-in kind", post(SECRETS, secret()), patch(f"{SECRETS}/s", {"data": {"a": "MQ=="}}),
         delete(f"{SECRETS}/s"), watch(SECRETS, SINCE)),
    case("of nothing", watch(FOUNDATIONS)),
    case("as it happens", follow(FOUNDATIONS, seconds=3), *LIFE),
    case("as it happens from revision 0", follow(FOUNDATIONS, "resourceVersion=0", seconds=3), *LIFE),
    case("as it happens of a built-in kind", follow(SECRETS, seconds=3), post(SECRETS, secret()),
         patch(f"{SECRETS}/s", {"data": {"a": "MQ=="}}), delete(f"{SECRETS}/s")),
    case("an object leaves and enters a selection", *LIFE, watch(FOUNDATIONS, f"{SINCE}&labelSelector=app%3Dweb")),
    case("an object enters and leaves a selection", *LIFE, watch(FOUNDATIONS, f"{SINCE}&labelSelector=app%3Ddb")),
    case("an object leaves a selection as it happens", follow(FOUNDATIONS, "labelSelector=app%3Dweb", seconds=3), *LIFE),
    case("a selection that nothing meets", *LIFE, watch(FOUNDATIONS, f"{SINCE}&labelSelector=app%3Dnone")),
    case("by name", *LIFE, post(FOUNDATIONS, foundation("g")), watch(FOUNDATIONS, f"{SINCE}&fieldSelector=metadata.name%3Df")),
    case("one object by its path", *LIFE, post(FOUNDATIONS, foundation("g")), watch(ONE, SINCE)),
    case("the old path of a watch", *LIFE, watch(FOUNDATIONS.replace("v1alpha1/", "v1alpha1/watch/"), SINCE)),
    case("the old path of a watch of a built-in kind", post(SECRETS, secret()), delete(f"{SECRETS}/s"),
         watch(SECRETS.replace("/v1/", "/v1/watch/"), SINCE)),
    case("a namespace by name", watch(NAMESPACES, "fieldSelector=metadata.name%3D{ns}")),
    case("a change of a finalizer while being deleted", post(FOUNDATIONS, foundation() | {"metadata": {"name": "f",
         "finalizers": ["example.com/a", "example.com/b"]}}), delete(ONE), patch(ONE, {"metadata": {"finalizers":
         ["example.com/b"]}}), patch(ONE, {"metadata": {"finalizers": None}}), watch(FOUNDATIONS, SINCE)),
    case("a change that is none is no event", MADE, label("web"), watch(FOUNDATIONS, SINCE)),
    case("a dry run is no event", MADE, delete(f"{ONE}?dryRun=All"), watch(FOUNDATIONS, SINCE)),
    case("at a revision that is no number", watch(FOUNDATIONS, "resourceVersion=abc")),
    case("at a negative revision", watch(FOUNDATIONS, "resourceVersion=-5")),
    case("at revision 1", MADE, watch(FOUNDATIONS, "resourceVersion=1")),
    case("at revision 1 of a built-in kind", watch(SECRETS, "resourceVersion=1")),
    case("with a bad label selector", watch(FOUNDATIONS, "labelSelector=a%20b")),
    case("with a bad field selector", watch(FOUNDATIONS, "fieldSelector=spec.a%3Db")),
    case("with a match", watch(FOUNDATIONS, "resourceVersion=1&resourceVersionMatch=Exact")),
    case("with a token", watch(FOUNDATIONS, "continue=abc")),
    case("with a limit", MADE, watch(FOUNDATIONS, "limit=1")),
    case("with a timeout that is no number", get(f"{FOUNDATIONS}?watch=true&timeoutSeconds=soon")),
    case("with a word for true", streamed(f"{FOUNDATIONS}?watch=yes&timeoutSeconds=1")),
    case("as tables", *LIFE, watch(FOUNDATIONS, SINCE).accept(TABLE)),
    case("as tables with whole objects", *LIFE, watch(FOUNDATIONS, f"{SINCE}&includeObject=Object").accept(TABLE)),
    case("as metadata", *LIFE, watch(FOUNDATIONS, SINCE).accept(PARTIAL)),
    case("of a kind that there is not", watch(FOUNDATIONS.replace("foundations", "things"))),
    case("of a namespace that is not there", watch(FOUNDATIONS.replace("{ns}", "nowhere"))),
    case("at a revision that was forgotten", MADE, label("a"), Compaction(), watch(FOUNDATIONS, "resourceVersion=2")),
]
