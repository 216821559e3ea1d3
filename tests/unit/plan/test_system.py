"""What a living node's kernel and packages need, and what is only said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from groundplane.api.facts import ClusterFacts, KdumpFacts, KernelFacts, MachineFacts, OSFacts, TimeFacts
from groundplane.api.foundation import HostSettings, Kernel, OSEntry
from groundplane.api.meta import ANNOTATION_UPDATE
from groundplane.api.target import Desired
from groundplane.plan import prepare
from groundplane.plan.system import pending_updates, system_changes, system_notes
from groundplane.plan.view import View

from .fleet import bare, desired, with_target

DEBIAN = OSFacts(id="debian", version_id="12", family="debian", pretty_name="Debian GNU/Linux 12 (bookworm)")


def view(wish: Desired, **facts: object) -> View:
    """A view whose machines are all Debian 12 with kernel 6.1.0, but for `facts`."""
    one = {"os": DEBIAN, "kernel": KernelFacts(release="6.1.0-13-amd64"), **facts}
    return View(wish, {name: replace(bare(name), **one) for name in wish.target.members}, ClusterFacts())


def floor(minimum: str) -> Desired:
    return with_target(desired(1, 1), kernel=Kernel(minimum=minimum))


def annotated(wish: Desired, name: str, value: str) -> Desired:
    machine = wish.machines[name]
    meta = replace(machine.metadata, annotations={ANNOTATION_UPDATE: value})
    return replace(wish, machines={**wish.machines, name: replace(machine, metadata=meta)})


def lines(found: View, name: str = "w-1") -> list[str]:
    return [f"{one.what}: {one.before} → {one.after}" for one in system_changes(found, name)]


@pytest.mark.parametrize(
    ("minimum", "kernel", "expected"),
    [
        ("", "6.1.0-13-amd64", []),
        ("6.1", "6.1.0-13-amd64", []),
        ("6.1.119", "6.1.0-13-amd64", ["kernel: 6.1.0-13-amd64 → at least 6.1.119"]),
        ("6.1", "5.10.0-30-amd64", ["kernel: 5.10.0-30-amd64 → at least 6.1"]),
        ("6.1", "", []),
        ("6.1", "something", []),
    ],
)
def test_a_kernel_below_the_floor_is_updated_where_it_is_known(minimum: str, kernel: str, expected: list[str]) -> None:
    assert lines(view(floor(minimum), kernel=KernelFacts(release=kernel))) == expected


def test_a_kernel_that_the_system_has_not_is_said_and_not_planned() -> None:
    found = view(floor("6.6"))
    assert lines(found) == []
    assert system_notes(found, ["w-1"]) == [
        "the kernel of w-1, 6.1.0-13-amd64, stays below the floor 6.6: Debian 12 (bookworm) comes with 6.1; install a"
        " newer system, or add a source of newer kernels"
    ]


def test_a_kernel_from_another_source_is_looked_for_there_again() -> None:
    assert lines(view(floor("6.12"), kernel=KernelFacts(release="6.6.13+bpo-amd64"))) != []


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"container": "docker"}, "the machine is a container (docker), and the kernel its host's"),
        (
            {"os": OSFacts(id="flatcar", family="flatcar", pretty_name="Flatcar 3510")},
            "how Flatcar 3510 handles packages is not known",
        ),
    ],
)
def test_what_cannot_have_another_kernel_is_said(facts: dict[str, object], why: str) -> None:
    found = view(floor("6.1.200"), **facts)
    assert lines(found) == []
    assert system_notes(found, ["w-1"]) == [f"the kernel of w-1, 6.1.0-13-amd64, stays below the floor 6.1.200: {why}"]


def test_another_system_is_left_to_a_person() -> None:
    wish = with_target(desired(1, 1), operating_systems=[OSEntry(id="rocky", versions=["9"])])
    assert lines(view(wish)) == []
    assert system_notes(view(wish), ["w-1"]) == [
        "w-1 runs debian 12, which the Foundation does not name: that takes an installation anew, which is left to a"
        " person"
    ]
    assert system_notes(view(with_target(wish, operating_systems=[OSEntry(id="Debian")])), ["w-1"]) == []


def test_a_request_of_the_cluster_is_for_all_and_one_of_a_machine_for_it_alone() -> None:
    everywhere = view(with_target(desired(1, 1), update_packages="monday"))
    assert {name for name in ("cp-1", "w-1") if lines(everywhere, name)} == {"cp-1", "w-1"}
    alone = view(annotated(desired(1, 1), "w-1", "monday"))
    assert {name for name in ("cp-1", "w-1") if lines(alone, name)} == {"w-1"}


def test_packages_of_an_unknown_family_are_not_updated_which_is_said() -> None:
    system = OSFacts(id="talos", family="talos", pretty_name="Talos (v1.7)")
    found = view(with_target(desired(1, 1), update_packages="monday"), os=system)
    assert lines(found) == []
    assert system_notes(found, ["w-1"]) == [
        "packages of w-1 are not updated: how Talos (v1.7) handles packages is not known"
    ]


_values = st.text("abc", max_size=2)


@given(_values, _values, st.lists(_values, max_size=4))
def test_each_request_is_answered_once(cluster: str, machine: str, answered: list[str]) -> None:
    wish = annotated(with_target(desired(1, 1), update_packages=cluster), "w-1", machine)
    pending = pending_updates(view(wish, updates=answered), "w-1")
    assert set(pending) == {cluster, machine} - {"", *answered}
    assert len(pending) == len(set(pending))
    assert pending_updates(view(wish, updates=[*answered, *pending]), "w-1") == []


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"time": TimeFacts()}, ["time service", "kdump", "memory for crash dumps"]),
        ({"time": TimeFacts(), "container": "docker"}, []),
        ({"kdump": KdumpFacts(installed=True)}, ["kdump", "memory for crash dumps"]),
        ({"kdump": KdumpFacts(installed=True, enabled=True)}, ["memory for crash dumps"]),
        ({"kdump": KdumpFacts(installed=True, enabled=True, configured=True)}, []),
        ({"kdump": KdumpFacts(installed=True, enabled=True, reserved="crashkernel=256M")}, []),
    ],
)
def test_time_service_and_crash_dumps_are_settings_of_a_living_node(
    facts: dict[str, object], expected: list[str]
) -> None:
    wish = with_target(desired(1, 1), settings=HostSettings(modules=[], sysctls={}, kdump="Required"))
    assert [one.what for one in prepare.differing_settings(view(wish, **facts), "w-1")] == expected


def test_settings_that_are_ignored_change_nothing() -> None:
    wish = with_target(desired(1, 1), settings=HostSettings(modules=[], sysctls={}, time_sync="Ignored"))
    facts: MachineFacts = view(wish, time=TimeFacts()).of("w-1")
    assert facts.time.service == ""
    assert prepare.differing_settings(view(wish, time=TimeFacts()), "w-1") == []
