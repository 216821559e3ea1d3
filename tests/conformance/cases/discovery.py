"""Discovery documents. Only what both servers serve is compared."""

from ..dsl import case, get

CASES = [
    case("the versions of the core", get("/api")),
    case("one group", get("/apis/groundplane.dev")),
    case("the resources of our group", get("/apis/groundplane.dev/v1alpha1")),
    case("the group of leases", get("/apis/coordination.k8s.io")),
    case("the resources of leases", get("/apis/coordination.k8s.io/v1")),
    case("with a slash at the end", get("/apis/groundplane.dev/v1alpha1/")),
    case("a group with a slash at the end", get("/apis/groundplane.dev/")),
    case("as text", get("/apis/groundplane.dev").accept("text/plain")),
    case("live", get("/livez")),
    case("ready", get("/readyz")),
    case("healthy", get("/healthz")),
    case("the resources of a version that there is not", get("/apis/groundplane.dev/v2")),
]
