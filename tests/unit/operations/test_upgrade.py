"""What kubeadm is told when a cluster moves, and what its files say."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from groundplane.operations import programs
from groundplane.operations.errors import StepRefused
from groundplane.operations.kubeadm import upgrade
from groundplane.operations.steps import upgrade_kubelet

MANIFEST = b"""apiVersion: v1
kind: Pod
metadata: {name: kube-apiserver, namespace: kube-system}
spec:
  containers:
  - command: [kube-apiserver, --secure-port=6443, --profiling, --event-ttl=2h0m0s]
    image: registry.example:5000/k8s/kube-apiserver:v1.20.2-tke.1
"""
CONFIGURATION = """apiServer:
  extraArgs:
    event-ttl: 2h0m0s  # longer than usual
apiVersion: kubeadm.k8s.io/v1beta2
kubernetesVersion: v1.20.2
scheduler: {}
"""


def test_a_vendors_build_is_allowed_and_no_rule_of_skew_is_forced_away() -> None:
    argv = upgrade.apply_command("/stage/kubeadm", "v1.20.2-tke.1", ["CreateJob"])
    assert argv[:5] == ["/stage/kubeadm", "upgrade", "apply", "v1.20.2-tke.1", "--yes"]
    assert "--allow-experimental-upgrades" in argv
    assert not [word for word in argv if "force" in word]
    assert "--allow-experimental-upgrades" not in upgrade.apply_command("/stage/kubeadm", "v1.21.2", [])


def test_a_manifest_says_its_image_and_flags() -> None:
    image = upgrade.image_of(MANIFEST)
    assert upgrade.tag_of(image) == upgrade.image_tag("v1.20.2-tke.1")
    assert upgrade.flags_of(MANIFEST) == {"secure-port": "6443", "profiling": "true", "event-ttl": "2h0m0s"}


@pytest.mark.parametrize("broken", [None, b"", b"{", b"kind: Pod", b"spec: {containers: []}", b"- 1"])
def test_a_manifest_that_is_none_says_nothing(broken: bytes | None) -> None:
    assert upgrade.image_of(broken) == ""
    assert upgrade.flags_of(broken) == {}


@pytest.mark.parametrize("image", ["pause", "registry:5000/pause", "pause@sha256:0"])
def test_an_image_without_a_tag_has_none(image: str) -> None:
    assert upgrade.tag_of(image) == ""


def test_the_configuration_gets_another_version_and_keeps_everything_else() -> None:
    changed = upgrade.with_version(CONFIGURATION, "v1.20.2-tke.1")
    assert upgrade.version_in(changed) == "v1.20.2-tke.1"
    assert upgrade.with_version(changed, "v1.20.2") == CONFIGURATION


def test_a_configuration_without_a_version_is_refused() -> None:
    with pytest.raises(StepRefused, match="names no one kubernetesVersion"):
        upgrade.with_version("scheduler: {}\n", "v1.20.2")


def test_a_nodes_own_limits_of_logs_stay_and_what_else_was_replaced_is_named() -> None:
    found = b"{containerLogMaxSize: 20Mi, containerLogMaxFiles: 3, maxPods: 64, cgroupDriver: systemd}"
    document, replaced = upgrade_kubelet.keeping(found, {"cgroupDriver": "systemd", "maxPods": 110})
    assert document == {
        "cgroupDriver": "systemd",
        "maxPods": 110,
        "containerLogMaxSize": "20Mi",
        "containerLogMaxFiles": 3,
    }
    assert replaced == ["maxPods"]
    assert upgrade_kubelet.keeping(found, document) == (None, ["maxPods"]), "what is kept is not written again"
    assert upgrade_kubelet.keeping(None, {"maxPods": 110}) == (None, [])


NAMES = st.text("abcdefgh", min_size=1, max_size=3)
DOCUMENTS = st.recursive(
    st.integers() | NAMES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)


@given(DOCUMENTS)
def test_a_document_does_not_differ_from_itself(document: object) -> None:
    assert upgrade.difference(document, document) == []


@given(DOCUMENTS, DOCUMENTS)
def test_one_way_there_is_a_difference_when_there_is_one_the_other_way(one: object, other: object) -> None:
    assert bool(upgrade.difference(one, other)) == bool(upgrade.difference(other, one))


def test_a_flag_by_hand_is_named() -> None:
    wanted = yaml.safe_load(MANIFEST)
    found = yaml.safe_load(MANIFEST)
    found["spec"]["containers"][0]["command"] += ["--v=6"]
    found["spec"]["containers"][0]["env"] = []
    assert upgrade.difference(found, wanted) == ["spec.containers[0].command: --v=6"]


def test_the_manifests_of_a_dry_run_are_read() -> None:
    body = "".join(f"\t{line}\n" for line in MANIFEST.decode().splitlines())
    output = (
        f'[upgrade] dry run\n[dryrun] Would write file "/x/kube-apiserver.yaml" with content:\n{body}[upgrade] end\n'
    )
    assert upgrade.rendered(output) == {"kube-apiserver": yaml.safe_load(MANIFEST)}


UNIT = """# /lib/systemd/system/kubelet.service
[Service]
ExecStart=/usr/bin/kubelet

# /etc/systemd/system/kubelet.service.d/10-kubeadm.conf
[Service]
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
ExecStart=
ExecStart=-/usr/bin/kubelet $KUBELET_CONFIG_ARGS \\
    $KUBELET_EXTRA_ARGS
"""


def test_kubelets_unit_says_which_program_it_starts() -> None:
    assert programs.started(UNIT) == "/usr/bin/kubelet"
    assert programs.started("") == ""


def test_a_packages_kubelet_is_passed_by_with_its_own_arguments() -> None:
    place = "/usr/local/bin/kubelet"
    diverted = UNIT + programs.dropin(UNIT, place).decode()
    assert programs.started(diverted) == place
    assert programs.command(diverted).split()[1:] == programs.command(UNIT).split()[1:]
    assert programs.dropin(diverted, place) == programs.dropin(UNIT, place), "and again the same"
