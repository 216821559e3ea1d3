"""The parts that steps are made of, as far as they are pure."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.base.errors import Refused, Unavailable
from groundplane.hosts.ssh import HostAccess, HostPool
from groundplane.operations import NotReached, StepRefused, wait_until
from groundplane.operations.artifact_set import sandbox_image_of
from groundplane.operations.fstab import with_swap, without_swap
from groundplane.operations.jobs import Job, telling
from groundplane.operations.nodes import machine_of
from groundplane.operations.routed import Routed, conflist, script
from groundplane.operations.steps.drain import seconds_of
from groundplane.operations.steps.network_manifest import digest, documents
from groundplane.operations.steps.restore import to_remove
from groundplane.operations.together import together
from support.virtual import VirtualClock

from .targets import PAUSE, target

NETWORK = Routed(
    own="10.244.0.0/24", pods="10.244.0.0/16", peers={"10.244.2.0/24": "192.0.2.13", "10.244.1.0/24": "192.0.2.12"}
)


async def test_waiting_ends_when_nothing_is_missing() -> None:
    clock = VirtualClock()

    async def missing() -> str:
        return "" if clock.passed >= 5 else "not yet"

    await wait_until(missing, what="it", seconds=60, clock=clock)
    assert clock.passed == 5


async def test_waiting_in_vain_says_what_was_missing_last() -> None:
    async def missing() -> str:
        return "shop-2 not Ready"

    with pytest.raises(NotReached, match="cannot see all nodes Ready within 60 s: shop-2 not Ready"):
        await wait_until(missing, what="all nodes Ready", seconds=60, clock=VirtualClock())


async def test_side_by_side_the_first_error_comes_out_alone_and_ends_the_rest() -> None:
    never, ended = asyncio.Event(), []

    async def fails(error: Exception) -> None:
        raise error

    async def waits() -> None:
        try:
            await never.wait()
        finally:
            ended.append(True)

    with pytest.raises(Refused, match="no"):
        await together([waits(), fails(Refused("no"))])
    assert ended == [True]


async def test_side_by_side_what_waiting_cannot_mend_goes_first() -> None:
    async def fails(error: Exception) -> None:
        raise error

    with pytest.raises(Refused):
        await together([fails(Unavailable("later")), fails(Refused("no"))])


async def test_side_by_side_no_more_than_the_limit_run() -> None:
    running, most = 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await together([work() for _ in range(20)], limit=3)
    assert most == 3


def test_swap_lines_are_commented_out_once_and_others_untouched() -> None:
    fstab = b"UUID=1 / ext4 defaults 0 1\n/swap.img none swap sw 0 0\n# /old none swap sw 0 0\n"
    after = without_swap(fstab)
    assert after == (
        b"UUID=1 / ext4 defaults 0 1\n# off by groundplane: /swap.img none swap sw 0 0\n# /old none swap sw 0 0\n"
    )
    assert without_swap(after) == after


@given(st.lists(st.text("ab #/\tswap", max_size=20)).map("\n".join))
def test_commenting_swap_out_again_changes_nothing(fstab: str) -> None:
    once = without_swap(fstab.encode())
    assert without_swap(once) == once
    assert with_swap(once) == fstab.encode()


@pytest.mark.parametrize(("text", "seconds"), [("5m", 300), ("90s", 90), ("1h30m", 5400), ("0s", 0)])
def test_durations_are_read_as_manifests_write_them(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5d", "1.5m"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(StepRefused):
        seconds_of(text)


def test_a_failed_job_is_told_by_the_lines_that_name_errors() -> None:
    lines = ["[init] Using", "error execution phase wait-control-plane: timed out", "To see the stack trace"]
    assert telling(lines) == ["error execution phase wait-control-plane: timed out"]
    assert telling(["one", "two"]) == ["one", "two"]


def test_a_job_is_told_by_its_program_and_not_by_its_environment() -> None:
    assert Job("join", ["kubeadm", "join", "--config"]).shown == "kubeadm join"
    assert Job("update", ["env", "LC_ALL=C", "apt-get", "upgrade", "-y"]).shown == "apt-get upgrade"


def test_a_job_has_one_unit_for_each_name() -> None:
    assert Job("kubeadm-init", ["kubeadm"]).unit == "groundplane-kubeadm-init.service"


def test_the_pod_network_masquerades_only_what_leaves_it() -> None:
    plugins = json.loads(conflist(NETWORK))["plugins"]
    assert plugins[0]["ipMasq"] is False
    assert plugins[0]["ipam"]["ranges"] == [[{"subnet": "10.244.0.0/24"}]]
    rules = NETWORK.chains[("nat", "GROUNDPLANE-MASQ", "POSTROUTING")]
    assert rules[0].endswith("! -s 10.244.0.0/16 -j RETURN")
    assert rules[1].endswith("-d 10.244.0.0/16 -j RETURN")
    assert rules[-1].endswith("-j MASQUERADE")


def test_the_network_script_is_a_shell_script_and_the_same_each_time() -> None:
    text = script(NETWORK)
    shell = shutil.which("dash") or "sh"
    assert subprocess.run([shell, "-n"], input=text, check=False).returncode == 0
    again = Routed(own=NETWORK.own, pods=NETWORK.pods, peers=dict(reversed(list(NETWORK.peers.items()))))
    assert script(again) == text
    assert b"\nroute 10.244.1.0/24 192.0.2.12\n" in text


def test_no_rule_of_others_is_flushed() -> None:
    flushed = [line for line in script(NETWORK).decode().splitlines() if " -F " in line or " -X " in line]
    assert flushed
    assert all("GROUNDPLANE-" in line.split(" -F ")[1].split()[0] for line in flushed)


def test_the_pause_image_is_found_in_the_release() -> None:
    assert sandbox_image_of(target("v1.20.2")) == PAUSE


MANIFEST = """
apiVersion: v1
kind: List
items:
- {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: net, namespace: kube-system}}
- {apiVersion: v1, kind: ServiceAccount, metadata: {name: net, namespace: kube-system}}
---
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: pools.net}}
"""


def test_a_manifest_is_taken_apart_and_definitions_go_first() -> None:
    kinds = [found["kind"] for found in documents(MANIFEST)]
    assert kinds == ["CustomResourceDefinition", "ServiceAccount", "DaemonSet"]
    assert digest(documents(MANIFEST)) != digest(documents(MANIFEST)[1:])


@pytest.mark.parametrize("wrong", ["{", "just text", "{apiVersion: v1, kind: Pod}"])
def test_a_manifest_that_cannot_be_applied_is_refused(wrong: str) -> None:
    with pytest.raises(StepRefused, match=r"network\.manifest"):
        documents(wrong)


def test_our_images_go_by_all_names_but_not_those_that_others_use() -> None:
    held = {
        "ours:1": "sha256:a",
        "sha256:x": "sha256:a",
        "shared:1": "sha256:b",
        "mine:1": "sha256:b",
        "sha256:y": "sha256:b",
    }
    noted = {"ours:1": {"existed": False}, "shared:1": {"existed": False}, "gone:1": {"existed": False}}
    assert to_remove(held, noted) == ["ours:1", "shared:1", "sha256:x"]
    assert to_remove(held, {"ours:1": {"existed": True}}) == []


@pytest.mark.parametrize(("called", "machine"), [("shop-1", "shop-1"), ("team/shop-1", "shop-1")])
def test_a_machine_has_one_name_whatever_its_namespace(called: str, machine: str) -> None:
    host = HostPool().connect(HostAccess(name=called, address="192.0.2.1"))
    assert machine_of(host) == machine
