"""One real kube-apiserver for the whole module run: it takes seconds to start and tests use names of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplane.kube.kubeconfig import Access
from support.real_kube import real_kube


@pytest.fixture(scope="session")
def kube_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server has its files: keys, and the log of what was asked."""
    return tmp_path_factory.mktemp("kube")


@pytest.fixture(scope="session")
def kube(kube_folder: Path) -> Iterator[Access]:
    with real_kube(kube_folder) as access:
        yield access
