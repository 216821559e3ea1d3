"""The catalog: sourced entries, and verdicts at the edges of the tables."""

from __future__ import annotations

import re
from importlib import resources

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from groundplane.base.errors import Refused, Unexpected
from groundplane.base.versions import UnknownVersion, satisfies
from groundplane.catalog import kernel, kubeadm, runtimes
from groundplane.catalog.sources import parse

DATA = sorted(path.name for path in resources.files("groundplane.catalog").joinpath("data").iterdir())


@pytest.mark.parametrize("name", DATA)
def test_every_entry_has_a_source_and_a_date(name: str) -> None:
    entries = yaml.safe_load(resources.files("groundplane.catalog").joinpath("data", name).read_text())
    assert entries
    for entry in entries:
        assert re.fullmatch(r"https://\S+", entry["source"]), entry
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", entry["date"]), entry
        assert re.fullmatch(r"(settled|20\d\d-\d\d-\d\d)?", entry.get("review", "")), entry


@pytest.mark.parametrize("name", DATA)
def test_what_was_not_read_at_its_source_says_so_and_is_looked_up_soon(name: str) -> None:
    """A copy tells itself by its address too; and what is from memory does not grow old."""
    for entry in yaml.safe_load(resources.files("groundplane.catalog").joinpath("data", name).read_text()):
        verified = entry.get("verified", "primary")
        assert verified in ("primary", "copy", "memory"), entry
        assert verified != "primary" or "endoflife" not in entry["source"], entry
        if verified == "memory":
            assert "2026-11-28" < entry["review"] <= "2027-01-31", entry


@pytest.mark.parametrize(
    "text",
    [
        "- {needed_by: x, options: [A], date: '2024-01-01'}",
        "- {needed_by: x, options: [A], source: 'https://x.y'}",
        "- {needed_by: x, options: [A], source: 'hearsay', date: '2024-01-01'}",
        "- {needed_by: x, options: [A], source: 'https://x.y', date: 'lately'}",
        "- {needed_by: x, optoins: [A], source: 'https://x.y', date: '2024-01-01'}",
        "- {needed_by: x, options: [A], source: 'https://x.y', date: '2024-01-01', verified: hearsay}",
    ],
)
def test_an_entry_without_source_or_date_is_refused(text: str) -> None:
    with pytest.raises(Unexpected, match="cannot read catalog file kernel_options"):
        parse("kernel_options", text, kernel.KernelOptions)


@pytest.mark.parametrize(
    ("kubernetes", "containerd", "ok"),
    [
        ("v1.20.2", "1.6.20~ds1", True),
        ("v1.20.2", "1.4.13", False),
        ("v1.20.2", "2.0.0", False),
        ("v1.20.6-tke.3", "1.5.4", True),
        ("v1.23.0", "1.5.7", False),
        ("v1.23.0", "1.5.8", True),
        ("v1.26.0", "1.6.14", False),
        ("v1.30.0", "1.6.20~ds1", False),
        ("v1.30.0", "2.2.1", True),
        ("v1.35.0", "2.0.9", False),
        ("v1.36.0", "2.2.0", True),
        ("v1.36.0", "3.0.0", False),
    ],
)
def test_containerd_is_judged_by_its_line(kubernetes: str, containerd: str, ok: bool) -> None:
    verdict = runtimes.containerd_supported(kubernetes, containerd)
    assert verdict.ok is ok
    assert ok or (containerd in verdict.reason and "or later" in verdict.choose)


def test_a_minor_that_the_catalog_does_not_have_is_said_to_be_unknown() -> None:
    for verdict in (
        runtimes.containerd_supported("v1.99.0", "1.7.0"),
        runtimes.containerd_satisfiable("v1.12.0", ">=1.6.0"),
    ):
        assert not verdict.ok
        assert "does not know" in verdict.reason
        assert verdict.choose == "a Kubernetes version of 1.20 to 1.36"
    assert runtimes.cri_versions("v1.99.0") == ()
    with pytest.raises(UnknownVersion):
        runtimes.containerd_supported("v1.20.2", "newest")


@pytest.mark.parametrize(
    ("kubernetes", "constraint", "ok"),
    [
        ("v1.20.2", "", True),
        ("v1.20.2", ">=1.6.0", True),
        ("v1.20.2", ">=2.0.0", False),
        ("v1.20.2", "<1.5.0", False),
        ("v1.20.2", "<=1.5.0", True),
        ("v1.26.0", ">=1.6.0,<1.6.15", False),
        ("v1.26.0", ">1.6.15,!=1.6.16,<1.6.18", True),
        ("v1.35.0", ">=2.0.0,<2.1.0", False),
        ("v1.35.0", "<2.1.0", True),
        ("v1.35.0", ">1.6.0,<1.7.20", False),
        ("v1.20.2", "<1.6.5,>1.6.3", True),
    ],
)
def test_a_constraint_is_satisfiable_when_some_supported_version_meets_it(
    kubernetes: str, constraint: str, ok: bool
) -> None:
    assert runtimes.containerd_satisfiable(kubernetes, constraint).ok is ok


@given(
    st.sampled_from([f"1.{minor}.0" for minor in range(20, 37)]),
    st.builds("{}.{}.{}".format, st.integers(1, 3), st.integers(0, 9), st.integers(0, 40)),
    st.lists(
        st.tuples(st.sampled_from([">=", "<=", ">", "<", "!="]), st.integers(0, 9), st.integers(0, 40)), max_size=3
    ),
)
def test_a_supported_version_that_meets_a_constraint_makes_it_satisfiable(
    kubernetes: str, containerd: str, rules: list[tuple[str, int, int]]
) -> None:
    constraint = ",".join(f"{operator}1.{minor}.{patch}" for operator, minor, patch in rules)
    if runtimes.containerd_supported(kubernetes, containerd).ok and satisfies(containerd, constraint):
        assert runtimes.containerd_satisfiable(kubernetes, constraint).ok


def test_docker_runs_kubernetes_up_to_1_23() -> None:
    assert runtimes.docker_supported("v1.20.2").ok
    assert runtimes.docker_supported("v1.23.17").ok
    verdict = runtimes.docker_supported("v1.24.0")
    assert not verdict.ok
    assert "dockershim was removed in 1.24" in verdict.reason
    assert "containerd" in verdict.choose
    assert not runtimes.docker_supported("v1.9.0").ok


def test_docker_lines_are_those_of_kubeadms_system_check() -> None:
    assert "20.10" not in runtimes.docker_validated("v1.20.2")
    assert "20.10" in runtimes.docker_validated("v1.21.0")
    assert runtimes.docker_validated("v1.24.0") == ()


def test_the_kubelet_speaks_the_cri_that_its_minor_has() -> None:
    assert runtimes.cri_versions("v1.20.2") == ("v1alpha2",)
    assert runtimes.cri_versions("v1.26.0") == ("v1",)


@pytest.mark.parametrize(
    ("kubernetes", "version"),
    [
        ("v1.15.0", "v1beta2"),
        ("v1.20.2", "v1beta2"),
        ("v1.21.14", "v1beta2"),
        ("v1.22.0", "v1beta3"),
        ("v1.30.9", "v1beta3"),
        ("v1.31.0", "v1beta4"),
        ("v1.36.1", "v1beta4"),
    ],
)
def test_the_newest_kubeadm_format_of_a_version_is_used(kubernetes: str, version: str) -> None:
    assert kubeadm.config_version(kubernetes) == f"kubeadm.k8s.io/{version}"


def test_a_kubeadm_older_than_all_formats_is_refused() -> None:
    with pytest.raises(Refused, match=r"cannot configure kubeadm v1\.14\.0"):
        kubeadm.config_version("v1.14.0")


def test_images_of_a_minor_are_known_or_refused() -> None:
    images = kubeadm.images("v1.20.2")
    assert (images.pause, images.etcd, images.coredns) == (
        "k8s.gcr.io/pause:3.2",
        "k8s.gcr.io/etcd:3.4.13-0",
        "k8s.gcr.io/coredns:1.7.0",
    )
    with pytest.raises(Refused, match="cannot tell the images"):
        kubeadm.images("v1.19.0")


def test_a_survey_asks_for_each_kernel_option_once() -> None:
    options = kernel.surveyed_options()
    assert len(options) == len(set(options))
    assert {"CONFIG_OVERLAY_FS", "CONFIG_BPF_SYSCALL", "CONFIG_CGROUP_PIDS"} <= set(options)
