"""One real kube-apiserver for the whole module run: it takes seconds to start and tests use names of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from groundplane.kube.kubeconfig import Access
from support.real_kube import real_kube


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    with real_kube(tmp_path_factory.mktemp("kube")) as access:
        yield access
