"""Namespaces. The real server has no controller that would finish a deletion, so its beginning is compared."""

from ..dsl import (
    FOUNDATIONS,
    NAMESPACES,
    SECRETS,
    case,
    delete,
    foundation,
    get,
    meta,
    namespace,
    patch,
    post,
    put,
    secret,
)

OWN = f"{NAMESPACES}/{{ns}}"

CASES = [
    case("a namespace", post(NAMESPACES, namespace("{ns}-x")), get(f"{NAMESPACES}/{{ns}}-x")),
    case("with labels", post(NAMESPACES, namespace("{ns}-x", labels={"a": "b"}))),
    case("twice", post(NAMESPACES, namespace("{ns}"))),
    case("a bad name", post(NAMESPACES, namespace("a.b"))),
    case("a long name", post(NAMESPACES, namespace("a" * 64))),
    case("a generated name", post(NAMESPACES, meta(namespace(""), generateName="gen-"))),
    case("no name", post(NAMESPACES, namespace(""))),
    case("with finalizers of its own", post(NAMESPACES, namespace("{ns}-x", spec={"finalizers": ["example.com/a"]}))),
    case("with a finalizer that is none", post(NAMESPACES, namespace("{ns}-x", spec={"finalizers": ["a b"]}))),
    case("with a status", post(NAMESPACES, namespace("{ns}-x", status={"phase": "Terminating"}))),
    case("in a namespace", post(NAMESPACES, meta(namespace("{ns}-x"), namespace="default"))),
    case("labels are changed", patch(OWN, {"metadata": {"labels": {"a": "b"}}})),
    case("spec is not changed", patch(OWN, {"spec": {"finalizers": ["example.com/a"]}})),
    case("status is not changed", patch(OWN, {"status": {"phase": "Terminating"}})),
    case("the status is changed by its part", patch(f"{OWN}/status", {"status": {"phase": "Terminating"}})),
    case("put without a revision", put(OWN, namespace("{ns}", labels={"a": "b"}))),
    case("dry run", post(f"{NAMESPACES}?dryRun=All", namespace("{ns}-x")), get(f"{NAMESPACES}/{{ns}}-x")),
    case("the default namespace stays", delete(f"{NAMESPACES}/default")),
    case("deletecollection is not for it", delete(NAMESPACES)),
    case("a deletion begins", post(SECRETS, meta(secret(), finalizers=["example.com/a"])), delete(OWN)),
    case("a deletion of what is not there", delete(f"{NAMESPACES}/nowhere")),
    case("a deletion on dry run", delete(f"{OWN}?dryRun=All"), get(OWN)),
    case("nothing is made in a namespace that goes", post(SECRETS, meta(secret(), finalizers=["example.com/a"])),
         delete(OWN), post(SECRETS, secret("t")), post(FOUNDATIONS, foundation())),
    case("finalize is a part of it", put(f"{OWN}/finalize", namespace("{ns}", spec={"finalizers": ["kubernetes"]}))),
]
