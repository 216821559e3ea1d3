"""Contradictions: none in what Groundplane ships, and each one is found when a row is made wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from groundplane.api import examples
from groundplane.api.foundation import RuntimeChoice
from groundplane.catalog import kubeadm, releases, runtimes
from groundplane.catalog.checking import contradictions
from groundplane.catalog.sources import Sourced
from groundplane.catalog.tables import TABLES, tables
from groundplane.operations.errors import StepRefused
from groundplane.operations.kubeadm import versions as steps

ROOT = Path(__file__).parents[3]
Row = Any


def changed(table: str, pick: Callable[[Row], bool], **fields: object) -> tuple[str, ...]:
    """The contradictions of the shipped tables with one row changed."""
    whole = dict(tables())
    rows = [msgspec.structs.replace(row, **fields) if pick(row) else row for row in whole[table]]
    assert rows != list(whole[table])
    return contradictions(whole | {table: tuple(rows)})


def with_row(row: Sourced) -> tuple[str, ...]:
    whole = dict(tables())
    name = next(name for name, table in TABLES.items() if isinstance(row, table.kind))
    return contradictions(whole | {name: (*whole[name], row)})


def test_the_shipped_tables_do_not_contradict_one_another() -> None:
    assert contradictions(tables()) == ()


def test_every_table_has_a_file_and_every_file_a_table() -> None:
    data = ROOT / "src/groundplane/catalog/data"
    assert {path.stem for path in data.iterdir()} == set(TABLES)
    assert set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/catalog.md").read_text(), re.MULTILINE)) == set(TABLES)


def test_the_documented_keys_of_a_table_are_its_own() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", (ROOT / "docs/catalog.md").read_text(), re.MULTILINE)
    assert {name: tuple(re.findall(r"`(\w+)`", keys)) for name, keys in rows} == {
        name: table.kind.key for name, table in TABLES.items()
    }


@pytest.mark.parametrize("table", TABLES)
def test_a_row_that_is_there_twice_is_found(table: str) -> None:
    row = tables()[table][0]
    assert any("there twice" in fault for fault in with_row(row))


@pytest.mark.parametrize(
    ("table", "key", "fields", "said"),
    [
        ("kubernetes", "1.36", {"end_of_life": "2025-01-01"}, "is before maintenance"),
        ("kubernetes", "1.36", {"end_of_life": "2027-02-30"}, "end_of_life 2027-02-30 is no day"),
        ("kubernetes", "1.36", {"review": "2027-13-01"}, "review 2027-13-01 is no day"),
        ("kubernetes", "1.36", {"date": "2026-00-10"}, "date 2026-00-10 is no day"),
        ("kubernetes", "1.36", {"newest_patch": "1.35.2"}, "is of another minor"),
        ("kubernetes", "1.36", {"released": "2025-01-01"}, "not after 1.35"),
        ("kubernetes", "1.36", {"minor": "1.46", "newest_patch": "1.46.0"}, "with minors between them missing"),
        ("tke", "v1.20.6-tke.3", {"version": "v1.20.6-gke.3"}, "no build of the TKE distribution"),
        ("tke", "v1.20.6-tke.3", {"version": "v1.14.6-tke.3"}, "its minor is not in kubernetes"),
        ("tke", "v1.20.6-tke.3", {"released": "2020-01-01"}, "before its minor"),
        ("tke", "v1.20.6-tke.3", {"released": "2021-05-01"}, "before v1.20.6-tke.2"),
        ("tke", "v1.20.6-tke.3", {"version": "newest"}, 'cannot read version "newest"'),
        ("policies", "tke", {"follows": "rancher"}, "follows rancher"),
        ("policies", "tke-managed", {"minors": "prime"}, "neither all nor even"),
        ("policies", "eks", {"platform": "eks-anywhere"}, "its platform has no policy"),
        ("policies", "eks", {"follows": "native"}, "leaves no place for dates of its own"),
        ("platforms", "eks 1.34", {"minor": "1.99"}, "its minor is not in kubernetes"),
        ("platforms", "tke-managed 1.28", {"minor": "1.29"}, "leaves no place for dates of its own"),
        ("platforms", "ack 1.36", {"ends": "2020-01-01"}, "before the minor was released"),
        ("dockershim", "", {"removed": "1.20"}, "not after it was deprecated"),
        ("docker", "1.21", {"since": "1.20"}, "overlap"),
        ("docker", "1.21", {"until": "1.20"}, "ends in 1.20, before it begins"),
        ("docker", "1.21", {"until": "1.24"}, "where dockershim is gone"),
        ("containerd", "1.36", {"kubernetes": "1.99"}, "its minor is not in kubernetes"),
        ("containerd", "1.36", {"below": "2.3.0"}, "leaves nothing above 2.3.0"),
        ("containerd", "1.22", {"below": "3.0.0"}, "containerd 2 does not speak CRI v1alpha2"),
        ("containerd", "1.36", {"floors": ["2.9.0"]}, "line 2.9 is not in runtime_lines"),
        ("containerd", "1.36", {"floors": ["1.4.0", "1.5.0"]}, "every line had ended"),
        ("images", "1.31", {"kubernetes": "1.99"}, "its minor is not in kubernetes"),
        ("kubeadm", "kubeadm.k8s.io/v1beta4", {"since": "1.20"}, "not in the order of their minors"),
        ("network_bases", "cilium 1.10", {"version": "1.11"}, "its table has no base"),
        ("network_bases", "cilium 1.18", {"kernel": "recent"}, 'cannot read kernel rule "recent"'),
        ("network_features", "cilium 1.10 WireGuard", {"kernel": "4.4"}, "is below the base 4.9.17"),
        ("network_features", "cilium 1.18 BigTCPv4", {"kernel": "6.x"}, 'cannot read kernel rule "6.x"'),
        ("kernel_needs", "PSI 1.33", {"kernel": "since 4.20"}, "cannot read kernel rule"),
        ("kernel_needs", "KubeadmCheck 1.16", {"until": "1.32"}, "overlap"),
        ("kernel_needs", "KubeadmCheck 1.16", {"until": ""}, "overlap"),
        ("systems", "rocky 9", {"kernel": "new"}, 'cannot read version "new"'),
        ("skew", "kube-apiserver kube-apiserver 1.0", {"ahead": 0}, "must be equal"),
        ("skew", "kubelet kube-apiserver 1.25", {"behind": 1}, "narrower from 1.25 on"),
        ("security_fixes", "runc CVE-2024-21626", {"fixed": []}, "one release of each line"),
        ("security_fixes", "runc CVE-2024-21626", {"since": "1.1.12"}, "not before it was fixed in 1.1.12"),
        ("systems", "rocky 9", {"verified": "memory", "review": ""}, "without a day of review"),
        ("systems", "rocky 9", {"verified": "memory", "review": "settled"}, "without a day of review"),
        ("security_fixes", "runc CVE-2024-21626", {"fixed": ["1.1.12", "1.1.13"]}, "one release of each line"),
    ],
)
def test_a_row_that_is_made_wrong_is_found(table: str, key: str, fields: dict[str, object], said: str) -> None:
    found = changed(table, lambda row: " ".join(row.identity()) == key, **fields)
    assert any(said in fault for fault in found), found


def shipped_manifests() -> list[str]:
    texts = [value for name, value in vars(examples).items() if name.isupper() and isinstance(value, str)]
    return texts + [path.read_text() for path in (ROOT / "examples/demo").glob("*.yaml")]


def kubernetes_versions() -> set[str]:
    """Every Kubernetes version in the examples, the demo and the lab."""
    found = {version for text in shipped_manifests() for version in re.findall(r"\bversion: (v\d\S+)", text)}
    lab = "\n".join(path.read_text() for path in (ROOT / "lab").rglob("*.py"))
    return found | set(re.findall(r'^VERSION = "(v[^"]+)"', lab, re.MULTILINE))


@pytest.mark.parametrize("version", sorted(kubernetes_versions()))
def test_every_kubernetes_version_that_groundplane_ships_is_in_the_tables(version: str) -> None:
    assert releases.support(version, "native") is not None
    assert runtimes.cri_versions(version)
    assert kubeadm.config_version(version)
    assert kubeadm.images(version)
    default = RuntimeChoice()
    assert runtimes.containerd_satisfiable(version, default.version).ok
    assert default.name == "containerd"


@pytest.mark.parametrize("minor", range(16, 38))
def test_what_the_steps_know_of_kubeadm_is_what_the_tables_say(minor: int) -> None:
    version = f"v1.{minor}.0"
    assert kubeadm.config_version(version) == f"kubeadm.k8s.io/{steps.format_of(version)}"
    if (1, minor) < releases.minor_of(runtimes.dockershim().removed):
        assert steps.cri_socket("docker", version) == "/var/run/dockershim.sock"
    else:
        with pytest.raises(StepRefused, match="dockershim was removed"):
            steps.cri_socket("docker", version)


def test_the_runtimes_of_the_shipped_foundations_serve_their_kubernetes() -> None:
    found = [yaml.safe_load(text) for text in shipped_manifests() if "kind: Foundation" in text]
    assert len(found) >= 2
    for foundation in found:
        spec = foundation["spec"]
        assert spec["runtime"]["name"] == "containerd"
        assert runtimes.containerd_satisfiable(spec["kubernetes"]["version"], spec["runtime"]["version"]).ok


def test_the_images_of_the_lab_are_those_of_the_tables() -> None:
    text = (ROOT / "lab/groundplane_lab/images.py").read_text()
    (version,) = {
        version
        for version in kubernetes_versions()
        if version in (ROOT / "lab/groundplane_lab/binaries.py").read_text()
    }
    wanted = kubeadm.images(version)
    assert {reference for reference in (wanted.pause, wanted.etcd) if f'"{reference}"' in text} == {
        wanted.pause,
        wanted.etcd,
    }
