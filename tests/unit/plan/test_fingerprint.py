"""The fingerprint changes with what a plan rests on, and with nothing else."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from groundplane.api.facts import (
    DiskFacts,
    KernelFacts,
    KubeadmFacts,
    KubeletFacts,
    ListenFacts,
    MachineFacts,
    NetworkFacts,
    OSFacts,
    RuntimeFacts,
    TimeFacts,
)
from groundplane.plan.fingerprint import fingerprint

from .fleet import bare, ready_runtime

BASE = bare("shop-1")


@pytest.mark.parametrize(
    "noise",
    [
        {"observed_at": "2026-01-01T00:00:00Z"},
        {"boot_id": "another"},
        {"disks": [DiskFacts(path="/", available=1)]},
        {"time": TimeFacts(offset_seconds=0.4)},
        {"listening": [ListenFacts(port=80)]},
        {"network": NetworkFacts(addresses=["10.0.0.1/8"])},
        {"kernel": KernelFacts(sysctls={"net.ipv4.tcp_mem": "1 2 3"})},
        {"runtimes": list(reversed(BASE.runtimes))},
        {"runtimes": [replace(runtime, images=["a"]) for runtime in BASE.runtimes]},
        {"runtimes": [*BASE.runtimes, RuntimeFacts(name="cri-o")]},
        {"commands": []},
    ],
)
def test_noise_leaves_the_fingerprint_as_it_is(noise: dict[str, object]) -> None:
    assert fingerprint(replace(BASE, **noise)) == fingerprint(BASE)


@pytest.mark.parametrize(
    "change",
    [
        {"machine_id": "another"},
        {"os": OSFacts(id="debian", version_id="13", architecture="amd64")},
        {"swap": 1},
        {"runtimes": [ready_runtime("containerd", "1.6.20")]},
        {"runtimes": []},
        {"kubelet": KubeletFacts(installed=True, version="1.20.2")},
        {"kubeadm": KubeadmFacts(owner="default/shop")},
        {"kubeadm": KubeadmFacts(joined=True)},
        {"kubeadm": KubeadmFacts(ca_hash="x")},
        {"kubeadm": KubeadmFacts(static_pods=["etcd"])},
    ],
)
def test_what_a_plan_rests_on_changes_the_fingerprint(change: dict[str, object]) -> None:
    assert fingerprint(replace(BASE, **change)) != fingerprint(BASE)


def test_the_amount_of_swap_does_not_matter() -> None:
    assert fingerprint(replace(BASE, swap=1)) == fingerprint(replace(BASE, swap=2))


def test_an_empty_machine_has_a_fingerprint() -> None:
    assert len(fingerprint(MachineFacts())) == 64
