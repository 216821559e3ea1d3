"""What people ask of an object: an annotation with a new value, which the answer repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundplane.base.clock import utc_now
from groundplane.client.contract import Object

if TYPE_CHECKING:
    from groundplane.api.operation import Operation

    from .session import Api


def request(annotation: str, words: str = "") -> tuple[str, Object]:
    """Return a value that no request had before, with `words` in front of it, and the patch that asks with it."""
    # With fractions of a second: a second request right after the first has to differ from it.
    now = utc_now().isoformat()
    value = f"{words}@{now}" if words else now
    return value, {"metadata": {"annotations": {annotation: value}}}


async def operations_of(api: Api, cluster: str) -> list[Operation]:
    """Return the Operations of a Cluster, oldest first."""
    import msgspec

    from groundplane.api.meta import LABEL_CLUSTER
    from groundplane.api.operation import Operation

    from .kinds import OPERATION

    listed = await api.client.list(OPERATION, namespace=api.namespace, label_selector=f"{LABEL_CLUSTER}={cluster}")
    operations = [msgspec.convert(item, Operation) for item in listed.items]
    return sorted(operations, key=lambda one: one.metadata.creation_timestamp)
