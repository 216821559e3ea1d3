"""RuntimeClasses for the handlers of the runtime, against a real kube-apiserver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplane.clusters.api import observe
from groundplane.kube.kubeconfig import Access
from groundplane.operations import StepRefused
from groundplane.operations.steps.runtime_classes import RuntimeClasses
from support.real_kube import real_kube

from .driver import Record
from .test_cluster_steps import cluster, machines_with, scope_of, takes

_PATH = "/apis/node.k8s.io/v1/runtimeclasses"


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Access]:
    """An API server of each test's own: a class of another test would be seen as the cluster's."""
    with real_kube(tmp_path) as found:
        yield found


async def test_handlers_beside_runc_get_a_class_and_what_is_there_is_left(access: Access) -> None:
    async with cluster(access) as door:
        theirs = {"apiVersion": "node.k8s.io/v1beta1", "kind": "RuntimeClass", "metadata": {"name": "crun"}}
        await door.apply(theirs | {"handler": "crun"})
        runtime = {"name": "containerd", "handlers": ["runc", "kata", "crun"]}
        scope = scope_of(door, machines_with(), Record(), runtime=runtime)
        assert RuntimeClasses().wanted(scope)
        assert [change.what for change in await RuntimeClasses().plan(scope)] == ["RuntimeClass kata"]
        await takes(RuntimeClasses(), scope)
        assert (await observe(door)).runtime_classes == ["crun", "kata"]
        made = await door.get(f"{_PATH}/kata")
        assert made is not None
        assert made["handler"] == "kata"
        assert not RuntimeClasses().wanted(scope_of(door, machines_with(), Record(), runtime={"handlers": ["runc"]}))


async def test_a_class_of_that_name_with_another_handler_is_a_persons_to_take_away(access: Access) -> None:
    async with cluster(access) as door:
        theirs = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "gvisor"}}
        await door.apply(theirs | {"handler": "other"})
        scope = scope_of(door, machines_with(), Record(), runtime={"handlers": ["gvisor"]})
        with pytest.raises(StepRefused, match="handler other"):
            await RuntimeClasses().plan(scope)
