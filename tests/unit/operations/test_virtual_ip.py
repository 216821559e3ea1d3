"""keepalived's files for a control plane's part in the virtual IP, and the interface that it is on."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from groundplane.operations.virtual_ip import Part, interface_of

PART = Part(
    cluster="default/shop",
    name="cp-1",
    interface="eth0",
    own="198.18.1.11",
    address="198.18.1.200",
    peers=["198.18.1.12", "198.18.1.13"],
    port=6443,
)
LISTING = """1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
2: eth0@if7    inet 198.18.1.11/24 brd 198.18.1.255 scope global eth0\\       valid_lft forever preferred_lft forever
2: eth0@if7    inet 198.18.1.200/32 scope global eth0\\       valid_lft forever preferred_lft forever
2: eth0@if7    inet6 fe80::1/64 scope link \\       valid_lft forever preferred_lft forever
3: cni0    inet 10.244.0.1/24 scope global cni0\\       valid_lft forever preferred_lft forever
"""


def test_the_interface_is_the_one_whose_network_has_both_addresses() -> None:
    assert interface_of(LISTING, "198.18.1.11", "198.18.1.200") == "eth0"
    assert interface_of(LISTING, "198.18.1.11", "198.18.2.200") == ""
    assert interface_of(LISTING, "10.244.0.1", "198.18.1.200") == ""
    assert interface_of("", "198.18.1.11", "198.18.1.200") == ""


def test_the_others_are_told_by_unicast_and_a_lonely_one_tells_nobody_else() -> None:
    text = PART.config().decode()
    assert "unicast_src_ip 198.18.1.11" in text
    assert [line.strip() for line in text.splitlines() if line.startswith("        198.18.1.1")] == [
        "198.18.1.12",
        "198.18.1.13",
    ]
    alone = replace(PART, peers=[]).config().decode()
    assert "unicast_peer {\n        127.0.0.1\n    }" in alone
    assert "198.18.1.200/32 dev eth0" in alone


def test_all_parts_of_one_address_have_one_router_id_and_the_same_priority() -> None:
    other = replace(PART, name="cp-2", own="198.18.1.12", peers=["198.18.1.11", "198.18.1.13"])

    def said(part: Part, key: str) -> list[str]:
        return [line.split()[1] for line in part.config().decode().splitlines() if line.strip().startswith(key)]

    for key in ("virtual_router_id", "priority", "state"):
        assert said(PART, key) == said(other, key)
    assert 1 <= int(said(PART, "virtual_router_id")[0]) <= 255


@pytest.mark.parametrize(
    ("answer", "usable"), [("200", True), ("401", True), ("403", True), ("500", False), ("000", False)]
)
def test_an_api_server_that_asks_who_is_there_can_be_used(tmp_path: Path, answer: str, usable: bool) -> None:
    (tmp_path / "curl").write_text(f"#!/bin/sh\nprintf {answer}\n")
    (tmp_path / "curl").chmod(0o755)
    asked = subprocess.run(["/bin/sh"], input=PART.script(), env={"PATH": str(tmp_path)}, check=False)
    assert (asked.returncode == 0) is usable
