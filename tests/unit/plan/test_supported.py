"""What a create refuses before it plans: machines of others, upgrades, migrations."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from groundplane.api.facts import ClusterFacts, KubeadmFacts
from groundplane.api.foundation import RuntimeChoice
from groundplane.base.errors import Refused
from groundplane.plan.create import plan_create
from groundplane.plan.supported import runtime_name

from .fleet import KEY, MANIFESTS, Fleet, bare, desired, with_target
from .test_create import change_machine, finished, fresh


def refusal(fleet: Fleet) -> Refused:
    with pytest.raises(Refused) as caught:
        plan_create(fleet.wish, fleet.machines, fleet.cluster())
    return caught.value


def test_a_node_of_another_cluster_is_refused_with_the_server_it_points_to() -> None:
    fleet = fresh(desired(1, 1))
    change_machine(fleet, "w-1", kubeadm=KubeadmFacts(joined=True, server="https://10.0.0.1:6443"))
    error = refusal(fleet)
    assert "machine w-1 is already a node of the cluster at https://10.0.0.1:6443" in error.message
    assert "leaves it untouched" in error.remedy


@pytest.mark.parametrize(
    "left", [{"admin_conf": True}, {"static_pods": ["etcd"]}, {"etcd_data": True}, {"joined": True}]
)
def test_any_trace_of_a_foreign_control_plane_is_refused(left: dict[str, object]) -> None:
    fleet = fresh(desired(1, 0))
    change_machine(fleet, "cp-1", kubeadm=KubeadmFacts(**left))  # type: ignore[arg-type]
    assert "cp-1 is already a node of the cluster at an unknown address" in refusal(fleet).message


def test_a_machine_with_the_mark_of_another_cluster_is_refused() -> None:
    fleet = fresh(desired(1, 1))
    change_machine(fleet, "w-1", kubeadm=KubeadmFacts(owner="default/other"))
    assert "machine w-1 belongs to cluster default/other" in refusal(fleet).message


def test_another_runtime_is_no_create() -> None:
    fleet = finished(desired(1, 1))
    fleet.wish = with_target(fleet.wish, runtime=RuntimeChoice(name="docker"))
    error = refusal(fleet)
    assert "node w-1 runs on containerd and docker is wanted, and a cluster is changed only while" in error.message
    assert "node cp-1 runs on" in error.message, "all reasons at once"
    assert error.remedy == "see why the API does not answer, or set the runtime back to containerd"


def test_the_runtime_is_read_from_kubelet_when_the_api_is_down() -> None:
    fleet = finished(desired(1, 0))
    kubelet = replace(fleet.machines["cp-1"].kubelet, runtime="unix:///var/run/dockershim.sock")
    change_machine(fleet, "cp-1", kubelet=kubelet)
    with pytest.raises(Refused, match="runs on docker"):
        plan_create(fleet.wish, fleet.machines, ClusterFacts(kubeconfig_published=True))


@pytest.mark.parametrize("up", [True, False])
def test_another_version_is_no_create(up: bool) -> None:
    fleet = finished(desired(1, 1))
    fleet.wish = with_target(fleet.wish, version="v1.21.4")
    cluster = fleet.cluster() if up else ClusterFacts(kubeconfig_published=True)
    with pytest.raises(Refused) as caught:
        plan_create(fleet.wish, fleet.machines, cluster)
    assert (
        "node w-1 runs v1.20.2 and v1.21.4 is wanted, and a cluster is changed only while its API answers"
        in caught.value.message
    )
    assert caught.value.remedy == "see why the API does not answer, or set the version back to v1.20.2"


def test_a_node_does_not_change_its_role() -> None:
    fleet = finished(desired(3, 1))
    wish = desired(3, 1)
    fleet.wish = with_target(wish, control_planes=["cp-1", "cp-2", "w-1"], workers=["cp-3"])
    message = refusal(fleet).message
    assert "node w-1 is a Worker and ControlPlane is wanted" in message
    assert "node cp-3 is a ControlPlane and Worker is wanted" in message


def test_the_first_control_plane_is_not_replaced() -> None:
    fleet = finished(desired(1, 1))
    change_machine(fleet, "cp-1", kubeadm=KubeadmFacts())
    error = refusal(fleet)
    assert "cp-1 would be the first control plane, but w-1 already joined without it" in error.message
    assert "delete the cluster and create it again" in error.remedy


def test_a_member_of_an_earlier_cluster_of_the_same_name_is_refused() -> None:
    fleet = finished(desired(1, 1))
    change_machine(fleet, "w-1", kubeadm=replace(fleet.machines["w-1"].kubeadm, ca_hash="older"))
    assert "machine w-1 still belongs to an earlier cluster called shop" in refusal(fleet).message


def test_what_is_not_known_is_not_refused() -> None:
    fleet = fresh(desired(1, 0))
    change_machine(fleet, "cp-1", kubeadm=KubeadmFacts(owner=KEY, joined=True, static_pods=MANIFESTS))
    assert plan_create(fleet.wish, fleet.machines, ClusterFacts()).steps


@pytest.mark.parametrize(
    ("text", "name"),
    [("containerd://1.6.20", "containerd"), ("docker://20.10.24", "docker"), ("cri-o://1.20", ""), ("", "")],
)
def test_the_runtime_is_read_from_its_address(text: str, name: str) -> None:
    assert runtime_name(text) == name


def test_a_bare_fleet_is_not_refused() -> None:
    assert plan_create(desired(1, 0), {"cp-1": bare("cp-1")}, ClusterFacts()).steps
