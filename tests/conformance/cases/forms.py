"""Tables, PartialObjectMetadata and the Accept header."""

from ..dsl import EVENTS, FOUNDATIONS, NAMESPACES, SECRETS, Case, case, event, foundation, get, patch, post, secret

ONE = f"{FOUNDATIONS}/f"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
BETA = "application/json;as=Table;v=v1beta1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIALS = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
MADE = post(FOUNDATIONS, foundation(labels={"a": "b"}, kubernetes={"version": "v1.20.2"}))
READY = {"type": "Ready", "status": "True", "reason": "Fine", "message": "all well", "lastTransitionTime":
         "2001-01-01T00:00:00Z"}  # fmt: skip
PROTOBUF = "application/vnd.kubernetes.protobuf"


def accepted(name: str, accept: str, path: str = ONE) -> Case:
    return case(name, MADE, get(path).accept(accept))


CASES = [
    accepted("an object as a table", TABLE),
    accepted("a list as a table", TABLE, FOUNDATIONS),
    accepted("a list as a table of the beta", BETA, FOUNDATIONS),
    accepted("a list as a table of a version that there is not", TABLE.replace("v1", "v9"), FOUNDATIONS),
    accepted("a list as a table of another group", TABLE.replace("meta.k8s.io", "example.com"), FOUNDATIONS),
    accepted("a list as something else", TABLE.replace("Table", "Chair"), FOUNDATIONS),
    accepted("a list as a table or plain", f"{TABLE},application/json", FOUNDATIONS),
    accepted("a list as something else or plain", f"{TABLE.replace('Table', 'Chair')},application/json", FOUNDATIONS),
    accepted("a table without objects", TABLE, f"{FOUNDATIONS}?includeObject=None"),
    accepted("a table with metadata", TABLE, f"{FOUNDATIONS}?includeObject=Metadata"),
    accepted("a table with objects", TABLE, f"{FOUNDATIONS}?includeObject=Object"),
    accepted("a table with something else", TABLE, f"{FOUNDATIONS}?includeObject=All"),
    accepted("a table of a page", TABLE, f"{FOUNDATIONS}?limit=1"),
    case("an empty table", get(FOUNDATIONS).accept(TABLE)),
    case("a table with a status", MADE, patch(f"{ONE}/status", {"status": {"clusters": 3, "conditions": [READY]}}),
         get(f"{FOUNDATIONS}?includeObject=None").accept(TABLE)),
    case("a table of secrets", post(SECRETS, secret(data={"a": "MQ=="})), get(f"{SECRETS}?includeObject=None").accept(TABLE)),
    case("a table of events", post(EVENTS, event(count=2, type="Normal", source={"component": "x"}, firstTimestamp=
         "2001-01-01T00:00:00Z", lastTimestamp="2001-01-01T00:00:00Z")), get(f"{EVENTS}?includeObject=None").accept(TABLE)),
    case("a table of one namespace", get(f"{NAMESPACES}/{{ns}}?includeObject=None").accept(TABLE)),
    case("an empty table of secrets", get(SECRETS).accept(TABLE)),
    case("a table of what is not there", get(ONE).accept(TABLE)),
    case("a new object as a table", post(FOUNDATIONS, foundation()).accept(TABLE)),
    case("a patched object as a table", MADE, patch(ONE, {"metadata": {"labels": {"c": "d"}}}).accept(TABLE)),
    accepted("an object as metadata", PARTIAL),
    accepted("a list as metadata", PARTIALS, FOUNDATIONS),
    accepted("a list as the metadata of an object", PARTIAL, FOUNDATIONS),
    accepted("an object as the metadata of a list", PARTIALS),
    case("a secret as metadata", post(SECRETS, secret(data={"a": "MQ=="})), get(f"{SECRETS}/s").accept(PARTIAL)),
    case("a new object as metadata", post(FOUNDATIONS, foundation()).accept(PARTIAL)),
    accepted("anything", "*/*"),
    accepted("any application", "application/*"),
    accepted("nothing said", ""),
    accepted("text", "text/plain"),
    accepted("HTML or anything", "text/html,application/xhtml+xml,*/*;q=0.8"),
    accepted("XML", "application/xml"),
    accepted("protobuf of our kinds", PROTOBUF),
    accepted("protobuf or JSON", f"{PROTOBUF},application/json"),
    accepted("JSON with a charset", "application/json;charset=utf-8"),
    accepted("JSON that is not wanted", "application/json;q=0"),
    accepted("no header value that there is", ";;;"),
    case("an error as a table", post(FOUNDATIONS, foundation("Bad_")).accept(TABLE)),
    case("an error as text", get(ONE).accept("text/plain")),
]
