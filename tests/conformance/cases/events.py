"""Events."""

from ..dsl import EVENTS, case, event, get, post

CASES = [
    case("of another namespace", post(EVENTS, event(involvedObject={"kind": "Foundation", "namespace": "elsewhere"}))),
    case("by a field that it does not have", get(f"{EVENTS}?fieldSelector=message%3Dx")),
]
