"""Nobody is given more than the giver could have: whoever makes a credential knows it, and can act by it.

So to make a token or a password user, or to set a password, takes the verb `impersonate` on the name and on each group
of it, as `kubectl --as` does, also on one's own: a credential may outlive what its maker has today. And the group
system:masters is given by those alone who are in it themselves, not by whoever acts as one who is: that is in the
audit log under the real name and ends with the right to it, a token would not.
"""

from __future__ import annotations

from collections.abc import Iterable

from groundplane.base.gotext import quoted

from ..access.impersonation import needed_for
from ..access.rules import cannot
from ..http import Incoming
from ..service import Call
from ..status import StatusError, forbidden
from ..users import ADMINISTRATORS, User


def require_to_give(incoming: Incoming, call: Call, user: str, groups: Iterable[str]) -> None:
    """Raise 403 unless the caller may make what lets somebody act as this user in these groups."""
    wanted = tuple(groups)
    real: User = incoming.scope.get("groundplane.impersonator") or incoming.user
    if ADMINISTRATORS in wanted and not (real.administrator and incoming.user.administrator):
        raise _refusal(call, f"only who is in the group {quoted(ADMINISTRATORS)} may give it")
    authorizer = incoming.server.service.authorizer
    for asked in needed_for(user, wanted):
        if not authorizer.decide(incoming.user, asked).allowed:
            why = (
                f"{cannot(incoming.user.name, asked)}: {quoted(asked.name)} cannot be given by who could not act as it"
            )
            raise _refusal(call, why)


def _refusal(call: Call, why: str) -> StatusError:
    return forbidden(call.resource.group, call.resource.plural, call.name, why)
