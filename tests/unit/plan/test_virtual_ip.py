"""Who gets what part in the virtual IP of control planes, in which order, and where it cannot be."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from groundplane.api.cluster import Endpoint
from groundplane.api.facts import NetworkFacts
from groundplane.api.operation import Plan
from groundplane.api.target import Desired
from groundplane.plan.create import plan_create
from groundplane.plan.preflight import check, errors
from groundplane.plan.remove import plan_remove

from .fleet import Disorder, Fleet, bare, desired, with_target
from .test_create import change_machine, finished, fresh, plan_of, step

ADDRESS = "198.18.1.200"


def wish(planes: int, workers: int = 0) -> Desired:
    return with_target(desired(planes, workers), endpoint=Endpoint(host=ADDRESS, provider="VirtualIP"))


def parts(plan: Plan) -> list[str]:
    return [one.name for one in plan.steps if one.step == "virtual-ip"]


def grown(planes: int, workers: int = 0) -> Fleet:
    return finished(wish(planes, workers))


def test_control_planes_keep_it_one_after_another_before_anything_needs_it() -> None:
    plan = plan_of(fresh(wish(3, 1)))
    assert parts(plan) == ["virtual-ip/cp-1", "virtual-ip/cp-2", "virtual-ip/cp-3"]
    assert "virtual-ip/cp-1" in step(plan, "virtual-ip/cp-2").after
    assert "virtual-ip/cp-1" in step(plan, "init/cp-1").after
    assert "virtual-ip/cp-2" in step(plan, "join/cp-2").after
    assert step(plan, "virtual-ip/cp-1").changes[0].after == "kept, together with cp-2, cp-3"


def test_nothing_is_left_to_do_when_all_know_each_other_and_it_runs() -> None:
    fleet = grown(3, 1)
    assert plan_of(fleet).steps == []
    change_machine(fleet, "cp-2", virtual_ip=replace(fleet.machines["cp-2"].virtual_ip, active=False))
    assert parts(plan_of(fleet)) == ["virtual-ip/cp-2"]


def test_those_that_live_hear_of_a_new_one_before_it_starts() -> None:
    fleet = grown(2)
    larger = wish(3)
    fleet.wish, fleet.machines["cp-3"] = larger, bare("cp-3")
    plan = plan_of(fleet)
    assert parts(plan) == ["virtual-ip/cp-1", "virtual-ip/cp-2", "virtual-ip/cp-3"]
    assert "virtual-ip/cp-2" in step(plan, "virtual-ip/cp-3").after
    fleet.run(step(plan, "claim/cp-3"))
    with pytest.raises(Disorder, match="cp-3 would take the virtual IP"):
        fleet.run(step(plan, "virtual-ip/cp-3"))


def test_a_worker_that_comes_changes_nothing_of_it() -> None:
    fleet = grown(3)
    plan = plan_create(wish(3, 1), {**fleet.machines, "w-1": bare("w-1")}, fleet.cluster())
    assert parts(plan) == []


def test_those_that_stay_forget_one_that_left_and_workers_are_none_of_it() -> None:
    fleet = grown(3, 1)
    plan = plan_remove(fleet.wish, fleet.machines, fleet.cluster(), ["cp-2"])
    assert parts(plan) == ["virtual-ip/cp-1", "virtual-ip/cp-3"]
    assert "delete-node/cp-2" in step(plan, "virtual-ip/cp-1").after
    assert "virtual-ip/cp-1" in step(plan, "virtual-ip/cp-3").after
    assert plan.fingerprints.keys() == {"cp-1", "cp-2", "cp-3"}
    assert parts(plan_remove(fleet.wish, fleet.machines, fleet.cluster(), ["w-1"])) == []


def test_an_address_outside_of_a_control_planes_network_is_found_before_anything_begins() -> None:
    fleet = fresh(wish(2, 1))
    for name in ("cp-1", "w-1"):
        own = fleet.wish.machines[name].spec.address
        change_machine(fleet, name, network=NetworkFacts(hostname=name, addresses=[f"{own}/24", "10.1.0.1/8"]))
    change_machine(fleet, "cp-2", network=NetworkFacts(hostname="cp-2", addresses=["198.18.1.12/28", f"{ADDRESS}/32"]))
    found = [one for one in errors(check(fleet.wish, fleet.machines)) if one.check == "virtual-ip"]
    assert [one.machine for one in found] == ["cp-2"]
    assert "a network that virtual IP 198.18.1.200 is in" in found[0].message
