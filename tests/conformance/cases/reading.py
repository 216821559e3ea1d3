"""Get: one object, its revision, and what is not there."""

from ..dsl import FOUNDATIONS, NAMESPACES, SECRETS, case, foundation, get, post, secret

ONE = f"{FOUNDATIONS}/f"
MADE = post(FOUNDATIONS, foundation())
# v1.20 answers from its cache when a revision is given: this waits until the cache has the object.
SEEN = get(f"{ONE}?resourceVersion=<1.metadata.resourceVersion>")

CASES = [
    case("an object", MADE, get(ONE)),
    case("an object that is not there", get(ONE)),
    case("a built-in object that is not there", get(f"{SECRETS}/s")),
    case("an object of a namespace that is not there", get(ONE.replace("{ns}", "nowhere"))),
    case("a namespace that is not there", get(f"{NAMESPACES}/nowhere")),
    case("at revision 0", MADE, SEEN, get(f"{ONE}?resourceVersion=0")),
    case("at the revision of the object", MADE, SEEN),
    case("at revision 1", MADE, SEEN, get(f"{ONE}?resourceVersion=1")),
    case("at a revision that is no number", MADE, get(f"{ONE}?resourceVersion=abc")),
    case("at a negative revision", MADE, get(f"{ONE}?resourceVersion=-1")),
    case("with the exact argument of old", MADE, get(f"{ONE}?exact=true&export=false")),
    case("pretty", MADE, get(f"{ONE}?pretty=true")),
    case("by another version", MADE, get(ONE.replace("v1alpha1", "v1"))),
    case("by another group", MADE, get(ONE.replace("groundplane.dev", "example.com"))),
    case("by the singular", MADE, get(ONE.replace("foundations", "foundation"))),
    case("by the short name", MADE, get(ONE.replace("foundations", "gpf"))),
    case("by the plural in upper case", MADE, get(ONE.replace("foundations", "Foundations"))),
    case("with a slash at the end", MADE, get(f"{ONE}/")),
    case("with two slashes", MADE, get(ONE.replace("/foundations", "//foundations"))),
    case("with an escaped name", MADE, get(f"{FOUNDATIONS}/%66")),
    case("a name in Chinese", get(f"{FOUNDATIONS}/%E9%9B%86%E7%BE%A4")),
    case("a name with an escaped slash", get(f"{FOUNDATIONS}/a%2Fb")),
    case("a name with a space", get(f"{FOUNDATIONS}/a%20b")),
    case("a name with a zero byte", get(f"{FOUNDATIONS}/a%00b")),
    case("a name that is too long", get(f"{FOUNDATIONS}/{'a' * 300}")),
    case("a dot as a name", get(f"{FOUNDATIONS}/.")),
    case("the status of an object", MADE, get(f"{ONE}/status")),
    case("the status of a kind that has none", post(SECRETS, secret()), get(f"{SECRETS}/s/status")),
    case("a part that there is not", MADE, get(f"{ONE}/scale")),
    case("a part of a part", MADE, get(f"{ONE}/status/more")),
    case("an object that has a finalizer and is being deleted", MADE, get(f"{ONE}?fieldSelector=metadata.name=x")),
    case("a cluster-wide path to one namespaced object", MADE, get("/apis/groundplane.dev/v1alpha1/foundations/f")),
]
