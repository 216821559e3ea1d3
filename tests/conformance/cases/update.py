"""Update: what a PUT may change, conflicts, generation."""

from ..dsl import FOUNDATIONS, SECRETS, case, delete, foundation, get, meta, post, put, race, secret

ONE = f"{FOUNDATIONS}/f"
S = f"{SECRETS}/s"
MADE = post(FOUNDATIONS, foundation())
SAFE = post(SECRETS, secret(data={"a": "MQ=="}))
AT = {"resourceVersion": "<1.metadata.resourceVersion>"}


def changed(**spec: object) -> dict[str, object]:
    return meta(foundation(**spec), **AT)


CASES = [
    case("a change of spec counts", MADE, put(ONE, changed(kubernetes={"version": "v1.20.2"})), get(ONE)),
    case("a change of labels does not count", MADE, put(ONE, meta(foundation(labels={"a": "b"}), **AT))),
    case("no change is no write", MADE, put(ONE, changed()), get(ONE)),
    case("no change of a built-in kind is no write", SAFE, put(S, secret(data={"a": "MQ=="})), get(S)),
    case("a change by another manager", MADE, put(ONE, changed(runtime={"name": "docker"})).by("other")),
    case("a field that is left out goes back to its default", post(FOUNDATIONS, foundation(runtime={"name": "docker"})),
         put(ONE, changed())),
    case("without a revision", MADE, put(ONE, foundation())),
    case("without a revision of a built-in kind", SAFE, put(S, secret(data={"a": "Mg=="}))),
    case("with an old revision", MADE, put(ONE, changed(runtime={"name": "docker"})), put(ONE, changed())),
    case("with an old revision of a built-in kind", SAFE, put(S, secret(data={"a": "Mg=="})), put(S, meta(secret(), **AT))),
    case("with a revision that is no number", MADE, put(ONE, meta(foundation(), resourceVersion="abc"))),
    case("with revision 0", MADE, put(ONE, meta(foundation(), resourceVersion="0"))),
    case("with a revision of the future", MADE, put(ONE, meta(foundation(), resourceVersion="99999999"))),
    case("with a number as revision", MADE, put(ONE, meta(foundation(), resourceVersion=5))),
    case("of what is not there", put(ONE, meta(foundation(), resourceVersion="1"))),
    case("of what is not there without a revision", put(ONE, foundation())),
    case("of a built-in object that is not there", put(S, secret())),
    case("of a built-in object that is not there with a revision", put(S, meta(secret(), resourceVersion="1"))),
    case("of what was deleted", MADE, delete(ONE), put(ONE, changed())),
    case("another name in the body", MADE, put(ONE, meta(foundation("g"), **AT))),
    case("no name in the body", MADE, put(ONE, meta(foundation(""), **AT))),
    case("another namespace in the body", MADE, put(ONE, meta(changed(), namespace="elsewhere"))),
    case("another uid", MADE, put(ONE, meta(changed(), uid="11111111-1111-1111-1111-111111111111"))),
    case("the same uid", MADE, put(ONE, meta(changed(), uid="<1.metadata.uid>"))),
    case("another kind", MADE, put(ONE, changed() | {"kind": "Cluster"})),
    case("another version", MADE, put(ONE, changed() | {"apiVersion": "groundplane.dev/v1"})),
    case("what the server sets stays", MADE, put(ONE, meta(changed(), creationTimestamp="2001-01-01T00:00:00Z",
         generation=77, selfLink="/x"))),
    case("a deletionTimestamp is not set by a caller", MADE, put(ONE, meta(changed(), deletionTimestamp=
         "2001-01-01T00:00:00Z", deletionGracePeriodSeconds=3))),
    case("a status is not changed", MADE, put(ONE, changed() | {"status": {"clusters": 3}})),
    case("a status stays when it is left out", MADE, put(f"{ONE}/status", changed() | {"status": {"clusters": 3}}),
         put(ONE, meta(foundation(runtime={"name": "docker"}), resourceVersion="<2.metadata.resourceVersion>"))),
    case("an invalid change", MADE, put(ONE, changed(runtime={"name": "podman"})), get(ONE)),
    case("unknown fields are pruned", MADE, put(ONE, changed(colour="red"))),
    case("bad labels", MADE, put(ONE, meta(foundation(labels={"a b": "c"}), **AT))),
    case("dry run", MADE, put(f"{ONE}?dryRun=All", changed(runtime={"name": "docker"})), get(ONE)),
    case("dry run that conflicts", MADE, put(f"{ONE}?dryRun=All", meta(foundation(), resourceVersion="1"))),
    case("managed fields are reset", MADE, put(ONE, meta(changed(), managedFields=[{}])), get(ONE)),
    case("managed fields are emptied", MADE, put(ONE, meta(changed(runtime={"name": "docker"}), managedFields=[]))),
    case("managed fields that are none", MADE, put(ONE, meta(changed(), managedFields=[{"manager": "x", "operation":
         "Do"}]))),
    case("all at one revision race", MADE, race(*(put(ONE, meta(foundation(labels={"n": str(n)}), **AT)) for n in range(8)))),
    case("all without a revision race", SAFE, race(*(put(S, secret(data={"a": "Mw=="}, labels={"n": str(n)})) for n in
         range(3)))),
    case("a finalizer is added and removed", MADE, put(ONE, meta(changed(), finalizers=["example.com/a"])),
         put(ONE, meta(foundation(), resourceVersion="<2.metadata.resourceVersion>"))),
    case("a finalizer is added while being deleted", post(FOUNDATIONS, meta(foundation(), finalizers=["example.com/a"])),
         delete(ONE), put(ONE, meta(foundation(), finalizers=["example.com/a", "example.com/b"],
                                    resourceVersion="<2.metadata.resourceVersion>"))),
    case("the last finalizer goes", post(FOUNDATIONS, meta(foundation(), finalizers=["example.com/a"])), delete(ONE),
         put(ONE, meta(foundation(), resourceVersion="<2.metadata.resourceVersion>")), get(ONE)),
    case("spec while being deleted", post(FOUNDATIONS, meta(foundation(), finalizers=["example.com/a"])), delete(ONE),
         put(ONE, meta(foundation(runtime={"name": "docker"}), finalizers=["example.com/a"],
                       resourceVersion="<2.metadata.resourceVersion>"))),
    case("PUT to the collection", put(FOUNDATIONS, foundation())),
]
