"""Actions: which step a key of a plan means, for each action that an Operation can be for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from groundplane.api.operation import Action

from ..step import Step
from ..steps.binaries import Binaries
from ..steps.claim import Claim
from ..steps.clean_up import CleanUp
from ..steps.delete_node import DeleteNode
from ..steps.drain import Drain
from ..steps.drain_leaving import DrainLeaving
from ..steps.empty_node import EmptyNode
from ..steps.etcd_member import EtcdMember
from ..steps.etcd_snapshot import EtcdSnapshot
from ..steps.host_settings import HostSettings
from ..steps.images import Images
from ..steps.init import Init
from ..steps.join import Join
from ..steps.kubeconfig import Kubeconfig
from ..steps.network_manifest import NetworkManifest
from ..steps.node_labels import NodeLabels
from ..steps.pod_network import PodNetwork
from ..steps.release import Release
from ..steps.renew_certificates import RenewCertificates
from ..steps.reset import Reset
from ..steps.restore import Restore
from ..steps.routes import Routes
from ..steps.runtime import RuntimeStep
from ..steps.runtime_classes import RuntimeClasses
from ..steps.stage_kubernetes import StageKubernetes
from ..steps.stage_runtime import StageRuntime
from ..steps.switch_runtime import SwitchRuntime
from ..steps.system_packages import SystemPackages
from ..steps.uncordon import Uncordon
from ..steps.upgrade_check import UpgradeCheck
from ..steps.upgrade_control_plane import UpgradeControlPlane
from ..steps.upgrade_kubelet import UpgradeKubelet
from ..steps.verify import Verify
from ..steps.verify_change import VerifyChange
from ..steps.verify_node import VerifyNode
from ..steps.virtual_ip import VirtualIP


def _by_key(*steps: Step) -> Mapping[str, Step]:
    return MappingProxyType({step.name: step for step in steps})


CREATE: Mapping[str, Step] = _by_key(
    Claim(),
    HostSettings(),
    RuntimeStep(),
    Binaries(),
    Images(),
    VirtualIP(),
    Init(),
    Kubeconfig(),
    Join(),
    NetworkManifest(),
    RuntimeClasses(),
    PodNetwork(),
    Routes(),
    NodeLabels(),
    Verify(),
)
JOIN: Mapping[str, Step] = _by_key(
    Claim(),
    HostSettings(),
    RuntimeStep(),
    Binaries(),
    Images(),
    Join(),
    RuntimeClasses(),
    NodeLabels(),
    Verify(),
)
# Grows as the parts of a change are built; a plan with a step that is not here is refused by the runner.
CHANGE: Mapping[str, Step] = _by_key(
    Claim(),
    HostSettings(),
    StageRuntime(),
    RuntimeClasses(),
    StageKubernetes(),
    UpgradeCheck(),
    EtcdSnapshot(),
    EmptyNode(),
    SystemPackages(),
    SwitchRuntime(),
    UpgradeControlPlane(),
    UpgradeKubelet(),
    VerifyNode(),
    Uncordon(),
    VerifyChange(),
)
CLEAN_UP: Mapping[str, Step] = _by_key(CleanUp())
DELETE: Mapping[str, Step] = _by_key(Drain(), Reset(), Restore())
RELEASE: Mapping[str, Step] = _by_key(Release(), Reset(), Restore())
REMOVE: Mapping[str, Step] = _by_key(
    Claim(), DrainLeaving(), EtcdMember(), Reset(), DeleteNode(), Restore(), Routes(), VirtualIP()
)
RENEW: Mapping[str, Step] = _by_key(Claim(), RenewCertificates(), Kubeconfig())

ACTIONS: Mapping[Action, Mapping[str, Step]] = MappingProxyType(
    {
        "Create": CREATE,
        "Join": JOIN,
        "Change": CHANGE,
        "Remove": REMOVE,
        "RenewCertificates": RENEW,
        "CleanUp": CLEAN_UP,
        "Delete": DELETE,
        "Release": RELEASE,
    }
)
