"""The next stop on the way to a version, when the control planes are not all at the same place."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from groundplane.api.distribution import Release
from groundplane.api.meta import ANNOTATION_HOLD_BACK
from groundplane.api.target import Desired
from groundplane.base.errors import Refused
from groundplane.plan.choose import Chosen, next_change

from .fleet import Fleet, desired, with_target
from .test_create import finished

RELEASES = [Release(version=version) for version in ("v1.20.2", "v1.21.14", "v1.22.17")]


def chosen(served: str, *, ahead: tuple[str, ...] = (), wish: Desired, releases: list[Release] = RELEASES) -> Chosen:
    """What is next when the API server of one control plane, and the kubelets of some nodes, went ahead."""
    fleet: Fleet = finished(desired(3, 1))
    seen = fleet.cluster()
    nodes = [replace(node, kubelet_version=served if node.name in ahead else "v1.20.2") for node in seen.nodes]
    return next_change(wish, fleet.machines, replace(seen, version=served, nodes=nodes), releases)


def wished(version: str, held: str = "") -> Desired:
    wish = with_target(desired(3, 1), version=version, release=Release(version=version))
    if held:
        meta = replace(wish.machines[held].metadata, annotations={ANNOTATION_HOLD_BACK: "true"})
        wish = replace(wish, machines={**wish.machines, held: replace(wish.machines[held], metadata=meta)})
    return wish


def test_a_hop_that_half_the_control_planes_took_is_ended_before_the_next_one() -> None:
    found = chosen("v1.21.14", ahead=("cp-1",), wish=wished("v1.22.17"))
    assert found.target.version == "v1.21.14"
    upgraded = {step.machine for step in found.plan.steps if step.step == "upgrade-control-plane"}
    assert upgraded == {"cp-2", "cp-3"}
    assert found.plan.next == "Kubernetes v1.21.14 → v1.22.17"


def test_one_that_is_held_back_is_not_waited_for() -> None:
    ahead = ("cp-1", "cp-2", "w-1")
    assert chosen("v1.21.14", ahead=ahead, wish=wished("v1.21.14", held="cp-3")).plan.steps == []


def test_control_planes_that_are_together_go_on() -> None:
    found = chosen("v1.21.14", ahead=("cp-1", "cp-2", "cp-3", "w-1"), wish=wished("v1.22.17"))
    assert found.target.version == "v1.22.17"


def test_no_stop_is_behind_the_api_server() -> None:
    older = [Release(version=version) for version in ("v1.21.2", "v1.22.17")]
    assert chosen("v1.21.14", ahead=("cp-1",), wish=wished("v1.22.17"), releases=older).target.version == "v1.22.17"
    with pytest.raises(Refused, match=r"cannot go from v1\.21\.14 to v1\.19\.16"):
        chosen("v1.21.14", ahead=("cp-1",), wish=wished("v1.19.16"))


def test_only_nodes_with_a_step_are_what_a_change_rests_on() -> None:
    found = chosen("v1.21.14", ahead=("cp-1", "cp-2", "w-1"), wish=wished("v1.21.14"))
    assert set(found.plan.fingerprints) == {step.machine for step in found.plan.steps if step.machine}
    assert not {"cp-2", "w-1"} & set(found.plan.fingerprints)
