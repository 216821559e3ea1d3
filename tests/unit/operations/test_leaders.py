"""Whose Lease is given away after its holder was stopped, and how it is seen that somebody leads."""

from __future__ import annotations

from typing import Any

import pytest

from groundplane.clusters.errors import ClusterRefused
from groundplane.operations import leaders
from groundplane.operations.errors import NotReached
from groundplane.operations.steps.verify_change import VerifyChange

from .here import Here
from .scopes_here import Nodes, Notes, scope_of
from .test_verify_change import WELL, cluster_of

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
SCHEDULER, MANAGER = f"{LEASES}/kube-scheduler", f"{LEASES}/kube-controller-manager"


def lease(holder: str, renewed: str = "2026-01-01T00:00:00.000000Z") -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "7"}, "spec": {"holderIdentity": holder, "renewTime": renewed}}


class Renewing(Nodes):
    """Leases of leaders that are at work: each look finds them renewed."""

    looks = 0

    async def get(self, path: str) -> dict[str, object] | None:
        found = await super().get(path)
        if path == SCHEDULER and found is not None:
            self.looks += 1
            found["spec"] = {**lease("shop-2_a")["spec"], "renewTime": str(self.looks)}
        return found


async def test_only_what_leads_from_the_stopped_node_is_given_away() -> None:
    cluster = Nodes({SCHEDULER: lease("shop-1_a"), MANAGER: lease("shop-10_b")})
    led = await leaders.on_node(cluster, "shop-1")
    assert led == {"kube-scheduler": "shop-1_a"}
    await leaders.release(scope_of(Here(), cluster), cluster, led)
    assert [path for path, _ in cluster.patched] == [SCHEDULER]
    patch: Any = cluster.patched[0][1]
    assert patch["spec"] == {"holderIdentity": "", "leaseDurationSeconds": 1}
    assert patch["metadata"] == {"resourceVersion": "7"}, "one that is taken meanwhile is not taken away"


async def test_a_lease_that_somebody_else_has_by_now_stays_his() -> None:
    cluster = Nodes({SCHEDULER: lease("shop-2_c")})
    await leaders.release(
        scope_of(Here(), cluster), cluster, {"kube-scheduler": "shop-1_a", "kube-controller-manager": "shop-1_b"}
    )
    assert cluster.patched == []


async def test_a_lease_that_cannot_be_given_away_runs_out_by_itself() -> None:
    class Refusing(Nodes):
        async def patch(self, path: str, patch: dict[str, object]) -> None:
            raise ClusterRefused("conflict", remedy="")

    cluster = Refusing({SCHEDULER: lease("shop-1_a")})
    await leaders.release(scope_of(Here(), cluster), cluster, {"kube-scheduler": "shop-1_a"})


def whole(leases: dict[str, Any]) -> dict[str, Any]:
    """A cluster that is well."""
    return {**cluster_of(set(), WELL).objects, **leases}


async def test_after_a_control_plane_was_changed_leaders_are_seen_at_work_once() -> None:
    notes = Notes()
    notes.kept = {"proven/shop-1": "yes"}
    scope = scope_of(Here(), Renewing(whole({SCHEDULER: lease("shop-2_a")})), notes=notes)
    changes = await VerifyChange().plan(scope)
    assert [change.after for change in changes] == ["somebody leads"]
    await VerifyChange().apply(scope, changes)
    assert await VerifyChange().plan(scope) == []


@pytest.mark.parametrize("holder", ["", "shop-1_a"])
async def test_a_lease_that_nobody_renews_fails_the_change(holder: str) -> None:
    notes = Notes()
    notes.kept = {"proven/shop-1": "yes"}
    scope = scope_of(Here(), Nodes(whole({SCHEDULER: lease(holder)})), notes=notes)
    with pytest.raises(NotReached, match="nobody leads for kube-scheduler"):
        await VerifyChange().apply(scope, await VerifyChange().plan(scope))


async def test_a_change_of_workers_alone_asks_for_no_leaders() -> None:
    notes = Notes()
    notes.kept = {"proven/shop-3": "yes"}
    assert await VerifyChange().plan(scope_of(Here(), Nodes(whole({SCHEDULER: lease("")})), notes=notes)) == []
