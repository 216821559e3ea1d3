"""List: selectors, pages, revisions."""

from ..dsl import FOUNDATIONS, NAMESPACES, SECRETS, Case, Compaction, case, delete, foundation, get, post, put, secret

ALL = "/apis/groundplane.dev/v1alpha1/foundations?labelSelector=only%3D{ns}"
THREE = (
    post(FOUNDATIONS, foundation("a", labels={"app": "web", "tier": "front", "n": "1", "only": "{ns}"})),
    post(FOUNDATIONS, foundation("b", labels={"app": "db", "n": "10", "only": "{ns}"})),
    post(FOUNDATIONS, foundation("c")),
)
TOKEN = "limit=2&continue=<4.metadata.continue>"


def selected(name: str, selector: str) -> Case:
    """One list by a label selector that is written as in a URL."""
    return case(f"labels: {name}", *THREE, get(f"{FOUNDATIONS}?labelSelector={selector}"))


def by_field(name: str, selector: str) -> Case:
    return case(f"fields: {name}", *THREE, get(f"{FOUNDATIONS}?fieldSelector={selector}"))


def asked(name: str, query: str) -> Case:
    return case(name, *THREE, get(f"{FOUNDATIONS}?{query}"))


def cached(name: str, query: str) -> Case:
    """A list that v1.20 answers from its cache; it is made sure first that the cache has seen what was written."""
    return case(name, *THREE, get(f"{FOUNDATIONS}?resourceVersion=<3.metadata.resourceVersion>").unordered(),
                get(f"{FOUNDATIONS}?{query}").unordered())  # fmt: skip


CASES = [
    case("nothing", get(FOUNDATIONS)),
    case("nothing of a built-in kind", get(SECRETS)),
    case("of a namespace that is not there", get(FOUNDATIONS.replace("{ns}", "nowhere"))),
    case("three", *THREE, get(FOUNDATIONS)),
    case("three of a built-in kind", post(SECRETS, secret("b")), post(SECRETS, secret("a")), get(SECRETS)),
    case("of all namespaces", *THREE, get(ALL)),
    case("without what was deleted", *THREE, delete(f"{FOUNDATIONS}/b"), get(FOUNDATIONS)),
    selected("equal", "app%3Dweb"),
    selected("double equal", "app%3D%3Dweb"),
    selected("not equal", "app!%3Dweb"),
    selected("in", "app%20in%20(web,db)"),
    selected("in without spaces", "app%20in(web,%20db%20)"),
    selected("not in", "app%20notin%20(web)"),
    selected("there", "tier"),
    selected("not there", "!tier"),
    selected("not there with a space", "!%20tier"),
    selected("several", "app%3Dweb,tier,n"),
    selected("greater", "n%3E5"),
    selected("less", "n%3C5"),
    selected("greater than no number", "n%3Efive"),
    selected("greater than nothing", "n%3E"),
    selected("greater than a negative number", "n%3E-1"),
    selected("equal to nothing", "app%3D"),
    selected("in nothing", "app%20in%20()"),
    selected("in a set with an empty value", "app%20in%20(,)"),
    selected("in a set that is open", "app%20in%20(web"),
    selected("in without a set", "app%20in%20web"),
    selected("the key in", "in%20in%20(in)"),
    selected("the key notin alone", "notin"),
    selected("an operator alone", "%3Dweb"),
    selected("a comma at the end", "app%3Dweb,"),
    selected("a comma alone", ","),
    selected("two commas", "app%3Dweb,,tier"),
    selected("a key that is none", "a%20b%3Dc"),
    selected("a key with a bad prefix", "A_/b%3Dc"),
    selected("a key that is too long", "a" * 64),
    selected("a value that is none", "app%3D-web"),
    selected("a value that is too long", "app%3D" + "a" * 64),
    selected("a value with a slash", "app%3Da%2Fb"),
    selected("three equal signs", "app%3D%3D%3Dweb"),
    selected("an exclamation mark alone", "!"),
    selected("an exclamation mark and an equality", "!app%3Dweb"),
    selected("white space", "%20%09"),
    selected("white space around", "%20app%20%3D%20web%20"),
    selected("Chinese", "%E9%9B%86"),
    selected("an opening bracket", "("),
    selected("the same key twice", "app%3Dweb,app%3Ddb"),
    selected("a prefixed key", "example.com/a!%3Db"),
    by_field("name", "metadata.name%3Da"),
    by_field("double equal", "metadata.name%3D%3Da"),
    by_field("not the name", "metadata.name!%3Da"),
    by_field("namespace", "metadata.namespace%3D{ns}"),
    by_field("another namespace", "metadata.namespace%3Delsewhere"),
    by_field("both", "metadata.namespace%3D{ns},metadata.name%3Db"),
    by_field("one that there is not", "spec.runtime.name%3Ddocker"),
    by_field("no operator", "metadata.name"),
    by_field("no key", "%3Da"),
    by_field("a comma at the end", "metadata.name%3Da,"),
    by_field("an escaped comma", "metadata.name%3Da%5C,b"),
    by_field("a bad escape", "metadata.name%3Da%5Cb"),
    by_field("a backslash at the end", "metadata.name%3Da%5C"),
    by_field("an empty value", "metadata.name%3D"),
    by_field("white space", "%20"),
    by_field("white space around", "%20metadata.name%20%3D%20a"),
    case("fields: one that secrets have", post(SECRETS, secret("a", type="x/y")), post(SECRETS, secret("b")),
         get(f"{SECRETS}?fieldSelector=type%3Dx/y")),
    case("fields: one that secrets have not", get(f"{SECRETS}?fieldSelector=data%3Dx")),
    case("fields: one that namespaces have", get(f"{NAMESPACES}?fieldSelector=metadata.name%3Ddefault,status.phase%3D"
         "Terminating")),
    asked("both selectors", "labelSelector=app&fieldSelector=metadata.name%3Db"),
    case("pages", *THREE, get(f"{FOUNDATIONS}?limit=2"), get(f"{FOUNDATIONS}?{TOKEN}")),
    case("pages of one", *THREE, get(f"{FOUNDATIONS}?limit=1"),
         get(f"{FOUNDATIONS}?limit=1&continue=<4.metadata.continue>"),
         get(f"{FOUNDATIONS}?limit=1&continue=<5.metadata.continue>")),
    case("a page that is just full", *THREE, get(f"{FOUNDATIONS}?limit=3")),
    case("pages of an old snapshot", *THREE, get(f"{FOUNDATIONS}?limit=2"), post(FOUNDATIONS, foundation("d")),
         delete(f"{FOUNDATIONS}/c"), get(f"{FOUNDATIONS}?{TOKEN}")),
    case("pages of a selection", *THREE, get(f"{FOUNDATIONS}?limit=1&labelSelector=app"),
         get(f"{FOUNDATIONS}?limit=1&labelSelector=app&continue=<4.metadata.continue>")),
    case("the rest without a limit", *THREE, get(f"{FOUNDATIONS}?limit=1"),
         get(f"{FOUNDATIONS}?continue=<4.metadata.continue>")),
    case("a token with a revision", *THREE, get(f"{FOUNDATIONS}?limit=2"), get(f"{FOUNDATIONS}?{TOKEN}&resourceVersion=5")),
    case("a token with revision 0", *THREE, get(f"{FOUNDATIONS}?limit=2"), get(f"{FOUNDATIONS}?{TOKEN}&resourceVersion=0")),
    case("a token with a match", *THREE, get(f"{FOUNDATIONS}?limit=2"),
         get(f"{FOUNDATIONS}?{TOKEN}&resourceVersionMatch=Exact")),
    asked("a token that is none", "continue=abc"),
    asked("a token of other characters", "continue=%21%21"),
    asked("a limit that is no number", "limit=many"),
    asked("a negative limit", "limit=-1"),
    asked("a limit of 0", "limit=0"),
    asked("a limit that is too large for an integer", "limit=99999999999999999999"),
    asked("an empty limit", "limit="),
    cached("a limit with revision 0", "limit=1&resourceVersion=0"),
    cached("revision 0", "resourceVersion=0"),
    asked("a revision that is no number", "resourceVersion=abc"),
    asked("a negative revision", "resourceVersion=-1"),
    cached("a revision of the past", "resourceVersion=<2.metadata.resourceVersion>"),
    asked("a revision of the past and a limit", "limit=5&resourceVersion=<2.metadata.resourceVersion>"),
    asked("an exact revision", "resourceVersion=<2.metadata.resourceVersion>&resourceVersionMatch=Exact"),
    asked("an exact revision and a limit", "resourceVersion=<2.metadata.resourceVersion>&resourceVersionMatch=Exact&limit=1"),
    cached("not older than a revision", "resourceVersion=<2.metadata.resourceVersion>&resourceVersionMatch=NotOlderThan"),
    cached("not older than revision 0", "resourceVersion=0&resourceVersionMatch=NotOlderThan"),
    asked("exactly revision 0", "resourceVersion=0&resourceVersionMatch=Exact"),
    asked("a match without a revision", "resourceVersionMatch=Exact"),
    asked("a match that there is not", "resourceVersion=1&resourceVersionMatch=Newer"),
    asked("a timeout that is no number", "timeoutSeconds=soon"),
    asked("a timeout", "timeoutSeconds=10"),
    asked("a watch that is not wanted", "watch=false"),
    case("at a revision before a change", post(FOUNDATIONS, foundation("a", colour="x")),
         put(f"{FOUNDATIONS}/a", foundation("a", labels={"a": "b"}) | {"metadata": {"name": "a", "labels": {"a": "b"},
             "resourceVersion": "<1.metadata.resourceVersion>"}}),
         get(f"{FOUNDATIONS}?resourceVersion=<1.metadata.resourceVersion>&resourceVersionMatch=Exact")),
    case("a revision that was forgotten", *THREE, Compaction(),
         get(f"{FOUNDATIONS}?resourceVersion=<1.metadata.resourceVersion>&resourceVersionMatch=Exact")),
    case("a token whose snapshot was forgotten", *THREE, get(f"{FOUNDATIONS}?limit=1"), post(FOUNDATIONS, foundation("d")),
         Compaction(), get(f"{FOUNDATIONS}?limit=1&continue=<4.metadata.continue>"),
         get(f"{FOUNDATIONS}?limit=5&continue=<7.metadata.continue>")),
]
