"""Discovery documents. Only what both servers serve is compared."""

from ..dsl import case, get

CASES = [
    case("one group", get("/apis/groundplane.dev")),
    case("a group with a slash at the end", get("/apis/groundplane.dev/")),
    case("live", get("/livez")),
    case("ready", get("/readyz")),
    case("healthy", get("/healthz")),
]
