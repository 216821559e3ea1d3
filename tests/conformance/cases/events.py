"""Events."""

from ..dsl import EVENTS, case, event, get, meta, patch, post

CASES = [
    case("an event", post(EVENTS, event()), get(f"{EVENTS}/e")),
    case("with everything", post(EVENTS, event(type="Warning", count=3, firstTimestamp="2001-01-01T00:00:00Z", lastTimestamp=
         "2001-01-01T00:00:00Z", eventTime="2001-01-01T00:00:00.000000Z", reportingComponent="example.com/x",
         reportingInstance="i", action="Try", source={"component": "c", "host": "h"}))),
    case("of another namespace", post(EVENTS, event(involvedObject={"kind": "Foundation", "namespace": "elsewhere"}))),
    case("of no namespace", post(EVENTS, event(involvedObject={"kind": "Node", "name": "n"}))),
    case("without an object", post(EVENTS, event(involvedObject=None))),
    case("with a time that is none", post(EVENTS, event(firstTimestamp="yesterday"))),
    case("with a count that is a text", post(EVENTS, event(count="three"))),
    case("counted on", post(EVENTS, event(count=1)), patch(f"{EVENTS}/e", {"count": 2},
         "application/strategic-merge-patch+json")),
    case("by the object that it is about", post(EVENTS, event()), post(EVENTS, meta(event(reason="Other"), name="e2")),
         get(f"{EVENTS}?fieldSelector=involvedObject.name%3Df,reason%3DOther")),
    case("by a field that it does not have", get(f"{EVENTS}?fieldSelector=message%3Dx")),
    case("by type", post(EVENTS, event(type="Warning")), get(f"{EVENTS}?fieldSelector=type!%3DNormal")),
]
