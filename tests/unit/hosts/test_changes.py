"""What counts as a change between two surveys, and what is only noise."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from groundplane.api.facts import (
    AbilityFacts,
    CertificateFacts,
    DiskFacts,
    HandlerFacts,
    KernelFacts,
    KubeadmFacts,
    KubeletFacts,
    MachineFacts,
    OSFacts,
    RuntimeFacts,
    TimeFacts,
)
from groundplane.hosts.facts import machine_changes

BEFORE = MachineFacts(
    observed_at="2026-11-22T00:00:00Z",
    boot_id="one",
    os=OSFacts(pretty_name="Debian 12"),
    kernel=KernelFacts(release="6.1.0-1"),
    runtimes=[RuntimeFacts(name="docker", version="20.10.24", active=True)],
    handlers=[HandlerFacts(name="runc", version="1.1.5")],
    certificates=[CertificateFacts(path="/etc/kubernetes/pki/apiserver.crt", not_after="2027-01-01T00:00:00Z")],
    abilities=[AbilityFacts(name="Kdump", state="Absent"), AbilityFacts(name="LivePatching", state="Unknown")],
)


def changed(**fields: Any) -> list[tuple[str, str, str]]:
    after = msgspec.structs.replace(BEFORE, observed_at="2026-11-22T00:10:00Z", **fields)
    found = machine_changes(BEFORE, after, source="ssh 10.0.0.1")
    assert {(one.time, one.source) for one in found} <= {("2026-11-22T00:10:00Z", "ssh 10.0.0.1")}
    return [(one.what, one.before, one.after) for one in found]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"os": OSFacts(pretty_name="Debian 13")}, ("operating system", "Debian 12", "Debian 13")),
        ({"kernel": KernelFacts(release="6.12.1")}, ("kernel", "6.1.0-1", "6.12.1")),
        ({"boot_id": "two"}, ("boot", "one", "two")),
        ({"swap": 1024}, ("swap", "off", "on")),
        ({"kubelet": KubeletFacts(version="1.20.2")}, ("kubelet", "", "1.20.2")),
        ({"runtimes": []}, ("docker", "20.10.24", "")),
        (
            {"runtimes": [RuntimeFacts(name="docker", version="20.10.24")]},
            ("docker", "20.10.24", "20.10.24 (not running)"),
        ),
        ({"handlers": [HandlerFacts(name="runc", version="1.2")]}, ("handler runc", "1.1.5", "1.2")),
        (
            {"kubeadm": KubeadmFacts(joined=True, server="https://10.0.0.9:6443")},
            ("cluster", "", "https://10.0.0.9:6443"),
        ),
        ({"time": TimeFacts(service="chronyd")}, ("time service", "", "chronyd")),
        (
            {"abilities": [AbilityFacts(name="Kdump", state="Present")]},
            ("ability Kdump", "Absent", "Present"),
        ),
        (
            {
                "certificates": [
                    CertificateFacts(path="/etc/kubernetes/pki/apiserver.crt", not_after="2028-01-01T00:00:00Z")
                ]
            },
            (
                "certificate /etc/kubernetes/pki/apiserver.crt",
                "valid until 2027-01-01T00:00:00Z",
                "valid until 2028-01-01T00:00:00Z",
            ),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_somebody_did_to_the_machine_is_a_change(fields: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert changed(**fields) == [expected]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"time": TimeFacts(offset_seconds=3.5)},
        {"disks": [DiskFacts(path="/", available=1)]},
        {"abilities": [AbilityFacts(name="Kdump", state="Absent"), AbilityFacts(name="LivePatching")]},
    ],
)
def test_what_moves_by_itself_is_none(fields: dict[str, Any]) -> None:
    assert changed(**fields) == []


def test_the_first_survey_is_no_change_and_neither_is_what_was_not_looked_for_before() -> None:
    assert machine_changes(None, BEFORE, source="ssh") == []
    old = msgspec.structs.replace(BEFORE, abilities=[], handlers=[], certificates=[])
    assert machine_changes(old, BEFORE, source="ssh") == []
