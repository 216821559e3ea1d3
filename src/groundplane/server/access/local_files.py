"""Files of Groundplane's own host: who may have a Distribution or an Operation read them.

A source of type Directory or Bundle is read by this process, with its rights: it could name the folder with the keys
as well as one with artifacts, and what it finds goes to the writer's machines. So naming such a place takes the verb
`read-host` on `distributions`, which no role of a namespace has; sources that are there already may stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplane.api.meta import GROUP

from ..status import Json, StatusError, forbidden
from .rules import Asked

if TYPE_CHECKING:
    from ..service import Call, Service

VERB = "read-host"


def guard_distribution(service: Service, call: Call, obj: Json, old: Json | None) -> None:
    """Raise 403 when the caller adds a place of our host that it may not have read."""
    _require(service, call, obj, _local(obj["spec"]) - _local((old or {}).get("spec")))


def guard_operation(service: Service, call: Call, obj: Json, old: Json | None) -> None:
    """As for a Distribution, of which an Operation holds a copy of the sources."""
    _require(service, call, obj, _local(_target(obj)) - _local(_target(old or {})))


def _target(obj: Json) -> Json | None:
    target: Json | None = (obj.get("spec") or {}).get("target")
    return target


def _local(holder: Json | None) -> frozenset[tuple[str, str]]:
    sources = (holder or {}).get("sources") or ()
    return frozenset((source["type"], source.get("path", "")) for source in sources if source["type"] != "HTTP")


def _require(service: Service, call: Call, obj: Json, added: frozenset[tuple[str, str]]) -> None:
    asked = Asked(VERB, GROUP, "distributions", namespace=call.namespace)
    if added and not service.authorizer.decide(call.user, asked).allowed:
        raise _refusal(call, obj, ", ".join(path for _, path in sorted(added)))


def _refusal(call: Call, obj: Json, paths: str) -> StatusError:
    why = (
        f'sources on the host of Groundplane ({paths}) take the verb "{VERB}" on distributions.{GROUP}: use a source '
        "of type HTTP, or have an administrator name them"
    )
    return forbidden(GROUP, call.resource.plural, str(obj["metadata"].get("name") or ""), why)
