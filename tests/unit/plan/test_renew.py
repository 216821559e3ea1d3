"""What a renewal of certificates touches, in which order, and what it says of the authorities."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from groundplane.api.facts import CertificateFacts
from groundplane.api.operation import Plan
from groundplane.base.errors import Refused, Unavailable
from groundplane.plan.renew import plan_renew

from .fleet import Fleet, desired
from .test_create import change_machine, finished, step

CA = CertificateFacts(path="/etc/kubernetes/pki/ca.crt", not_after="2034-01-01T00:00:00Z", authority=True)
OLD = CertificateFacts(path="/etc/kubernetes/pki/etcd/ca.crt", not_after="2025-03-01T00:00:00Z", authority=True)
LEAF = CertificateFacts(path="/etc/kubernetes/pki/apiserver.crt", not_after="2025-01-10T00:00:00Z")


def fleet_of(planes: int) -> Fleet:
    fleet = finished(desired(planes, 1))
    for name in fleet.target.control_planes:
        change_machine(fleet, name, certificates=[CA, OLD, LEAF], observed_at="2025-01-01T00:00:00Z")
    return fleet


def plan_of(fleet: Fleet) -> Plan:
    return plan_renew(fleet.wish, fleet.machines, fleet.cluster())


def test_control_planes_are_renewed_one_after_another_and_then_the_kubeconfig_is_published() -> None:
    plan = plan_of(fleet_of(3))
    assert [one.name for one in plan.steps] == [
        "renew-certificates/cp-1",
        "renew-certificates/cp-2",
        "renew-certificates/cp-3",
        "kubeconfig",
    ]
    assert [one.after for one in plan.steps] == [[], *([one.name] for one in plan.steps[:-1])]
    # What was renewed and proven stays when a later one fails.
    assert [one.unit for one in plan.steps] == ["cp-1", "cp-2", "cp-3", ""]
    assert plan.fingerprints.keys() == {"cp-1", "cp-2", "cp-3"}
    [change] = step(plan, "renew-certificates/cp-2").changes
    assert (change.what, change.before) == (LEAF.path, "ends 2025-01-10")


def test_each_authority_is_named_with_its_end_and_one_that_ends_too_soon_says_so() -> None:
    notes = plan_of(fleet_of(1)).notes
    assert "the certificate authority /etc/kubernetes/pki/ca.crt ends 2034-01-01 and is not renewed by this" in notes
    [soon] = [note for note in notes if OLD.path in note]
    assert soon.endswith("before the certificates that it signs now, which end with it")
    assert any("only control plane" in note for note in notes)


def test_nothing_is_renewed_while_a_control_plane_is_away() -> None:
    fleet = fleet_of(3)
    fleet.nodes["cp-2"] = replace(fleet.nodes["cp-2"], ready=False)
    with pytest.raises(Refused, match="cp-2 not Ready"):
        plan_of(fleet)
    del fleet.machines["cp-3"]
    with pytest.raises(Unavailable, match="no answer from cp-3"):
        plan_of(fleet)


def test_a_kubelet_that_does_not_renew_its_own_certificate_is_named() -> None:
    fleet = fleet_of(1)
    assert not any("kubelet" in note for note in plan_of(fleet).notes)
    kept = CertificateFacts(path="/etc/kubernetes/kubelet.conf", not_after="2025-02-03T00:00:00Z")
    change_machine(fleet, "w-1", certificates=[kept])
    assert any("kubelet of w-1" in note and "2025-02-03" in note for note in plan_of(fleet).notes)
