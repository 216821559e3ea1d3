"""Namespaces. The real server has no controller that would finish a deletion, so its beginning is compared."""

from ..dsl import (
    NAMESPACES,
    case,
    delete,
    namespace,
    post,
)

OWN = f"{NAMESPACES}/{{ns}}"

CASES = [
    case("twice", post(NAMESPACES, namespace("{ns}"))),
    case("a bad name", post(NAMESPACES, namespace("a.b"))),
    case("no name", post(NAMESPACES, namespace(""))),
    case("the default namespace stays", delete(f"{NAMESPACES}/default")),
    case("a deletion of what is not there", delete(f"{NAMESPACES}/nowhere")),
]
