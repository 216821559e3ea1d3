"""lightkube: models, generic resources of our kinds, server-side apply, lists in chunks, watches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lightkube import ApiError, Client, KubeConfig
from lightkube.generic_resource import create_namespaced_resource, get_generic_resource
from lightkube.generic_resource import load_in_cluster_generic_resources as load_resources
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Secret
from lightkube.types import CascadeType, PatchType

Foundation = create_namespaced_resource("groundplane.dev", "v1alpha1", "Foundation", "foundations")


@pytest.fixture
def kube(kubeconfig: Path, namespace: str) -> Iterator[Client]:
    with Client(config=KubeConfig.from_file(kubeconfig), namespace=namespace, field_manager="lk", trust_env=False) as c:
        yield c


def foundation(namespace: str, **labels: str) -> Foundation:
    metadata = ObjectMeta(name="f", namespace=namespace, labels=labels)
    return Foundation(metadata=metadata, spec={"kubernetes": {"version": "v1.20.2"}})


def test_models_are_created_replaced_patched_listed_in_chunks_and_deleted(kube: Client, namespace: str) -> None:
    for name in ("a", "b", "c"):
        kube.create(Secret(metadata=ObjectMeta(name=name, labels={"n": name}), stringData={"k": "v"}))
    found = kube.get(Secret, "a")
    assert found.data == {"k": "dg=="}
    found.data["more"] = "MQ=="
    assert kube.replace(found).data == {"k": "dg==", "more": "MQ=="}
    with pytest.raises(ApiError) as caught:
        kube.replace(found)
    assert (caught.value.status.code, caught.value.status.reason) == (409, "Conflict")
    patched = kube.patch(Secret, "a", {"metadata": {"labels": {"x": "y"}}}, patch_type=PatchType.STRATEGIC)
    assert patched.metadata.labels == {"n": "a", "x": "y"}
    assert [secret.metadata.name for secret in kube.list(Secret, chunk_size=2)] == ["a", "b", "c"]
    assert [secret.metadata.name for secret in kube.list(Secret, labels={"n": ["b", "c"]})] == ["b", "c"]
    kube.delete(Secret, "a", cascade=CascadeType.FOREGROUND)
    kube.deletecollection(Secret)
    assert list(kube.list(Secret)) == []


def test_our_kinds_are_applied_and_their_status_is_apart(kube: Client, namespace: str) -> None:
    made = kube.apply(foundation(namespace, a="1"))
    assert made.spec["runtime"]["name"] == "containerd"
    with pytest.raises(ApiError) as caught:
        kube.apply(foundation(namespace, a="2"), field_manager="another")
    assert caught.value.status.code == 409
    forced = kube.apply(foundation(namespace, a="2"), field_manager="another", force=True)
    assert forced.metadata.labels == {"a": "2"}
    kube.patch(Foundation.Status, "f", {"status": {"clusters": 4}}, patch_type=PatchType.MERGE)
    assert kube.get(Foundation, "f").status == {"clusters": 4}
    # As with a real server: a custom resource knows no strategic merge patch.
    with pytest.raises(ApiError) as caught:
        kube.patch(Foundation, "f", {"metadata": {"labels": {"a": "3"}}})
    assert caught.value.status.code == 415


def test_a_watch_tells_what_happens(kube: Client, namespace: str) -> None:
    kube.create(foundation(namespace))
    seen = []
    for kind, found in kube.watch(Foundation, server_timeout=10):
        seen.append((kind, found.metadata.name))
        if len(seen) == 1:
            kube.patch(Foundation, "f", {"metadata": {"labels": {"x": "y"}}}, patch_type=PatchType.MERGE)
        elif len(seen) == 2:
            kube.delete(Foundation, "f")
        else:
            break
    assert seen == [("ADDED", "f"), ("MODIFIED", "f"), ("DELETED", "f")]


def test_the_definitions_are_read_for_generic_resources(kube: Client) -> None:
    load_resources(kube)
    assert get_generic_resource("groundplane.dev/v1alpha1", "Machine") is not None
