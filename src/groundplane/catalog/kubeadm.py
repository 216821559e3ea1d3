"""What kubeadm of a Kubernetes version reads and uses: its configuration API and its images."""

from __future__ import annotations

from typing import ClassVar

from groundplane.base import versions
from groundplane.base.errors import Refused

from .sources import Line, Sourced, kept, read


class ConfigAPI(Sourced, frozen=True, kw_only=True):
    """One version of kubeadm's configuration API, and the first Kubernetes minor that reads it."""

    api_version: str
    since: Line

    key: ClassVar[tuple[str, ...]] = ("api_version",)


class Images(Sourced, frozen=True, kw_only=True):
    """Images that kubeadm uses beside the Kubernetes components, at the first release of a minor."""

    kubernetes: Line
    pause: str
    etcd: str
    coredns: str

    key: ClassVar[tuple[str, ...]] = ("kubernetes",)


@kept
def config_table() -> tuple[ConfigAPI, ...]:
    """The versions, oldest first."""
    return read("kubeadm", ConfigAPI)


@kept
def images_table() -> dict[tuple[int, int], Images]:
    """The images by Kubernetes minor."""
    return {versions.minor(f"{row.kubernetes}.0"): row for row in read("images", Images)}


def config_version(kubernetes: str) -> str:
    """Return the newest configuration API that kubeadm reads, such as kubeadm.k8s.io/v1beta2; raises Refused."""
    minor = versions.minor(kubernetes)
    known = [row.api_version for row in config_table() if versions.minor(f"{row.since}.0") <= minor]
    if not known:
        oldest = config_table()[0].since
        raise Refused(
            f"cannot configure kubeadm {kubernetes}: its configuration format is older than those known",
            remedy=f"choose Kubernetes {oldest} or later",
        )
    return known[-1]


def images(kubernetes: str) -> Images:
    """Return the images of a version's minor; raises Refused when the catalog does not have them."""
    row = images_table().get(versions.minor(kubernetes))
    if row is None:
        raise Refused(
            f"cannot tell the images of Kubernetes {kubernetes}: the catalog does not have its minor",
            remedy="list them in the Distribution's release",
        )
    return row
