"""The official Python client: typed objects, custom objects, watches, server-side apply, the dynamic client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException

OURS = ("groundplane.dev", "v1alpha1")
FOUNDATION: dict[str, Any] = {
    "apiVersion": "groundplane.dev/v1alpha1",
    "kind": "Foundation",
    "metadata": {"name": "f"},
    "spec": {"kubernetes": {"version": "v1.20.2"}},
}


@pytest.fixture
def api(kubeconfig: Path) -> Iterator[client.ApiClient]:
    connected = config.new_client_from_config(str(kubeconfig))
    yield connected
    connected.rest_client.pool_manager.clear()
    connected.close()


@pytest.fixture
def core(api: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(api)


@pytest.fixture
def custom(api: client.ApiClient) -> client.CustomObjectsApi:
    return client.CustomObjectsApi(api)


def secret(name: str, **labels: str) -> client.V1Secret:
    """As most programs make one: without apiVersion and kind."""
    return client.V1Secret(metadata=client.V1ObjectMeta(name=name, labels=labels), string_data={"a": "1"})


def refused(error: ApiException) -> tuple[int, str]:
    return error.status, json.loads(error.body)["reason"]


def test_discovery_answers_paths_with_a_slash_at_their_end(api: client.ApiClient) -> None:
    assert client.VersionApi(api).get_code().git_version.startswith("v1.36.0+groundplane")
    assert client.CoreApi(api).get_api_versions().versions == ["v1"]
    assert "groundplane.dev" in {group.name for group in client.ApisApi(api).get_api_versions().groups}
    assert "secrets" in {resource.name for resource in client.CoreV1Api(api).get_api_resources().resources}


def test_a_typed_object_is_created_read_listed_replaced_and_deleted(core: client.CoreV1Api, namespace: str) -> None:
    made = core.create_namespaced_secret(namespace, secret("s", site="a"))
    assert (made.kind, made.data) == ("Secret", {"a": "MQ=="})
    with pytest.raises(ApiException) as caught:
        core.create_namespaced_secret(namespace, secret("s"))
    assert caught.value.status == 409
    read = core.read_namespaced_secret("s", namespace)
    assert read.metadata.uid == made.metadata.uid
    read.data = {"b": "Mg=="}
    assert core.replace_namespaced_secret("s", namespace, read).data == {"b": "Mg=="}
    with pytest.raises(ApiException) as caught:
        core.replace_namespaced_secret("s", namespace, read)
    assert caught.value.status == 409
    assert [item.metadata.name for item in core.list_namespaced_secret(namespace, label_selector="site=a").items] == [
        "s"
    ]
    core.delete_namespaced_secret("s", namespace)
    with pytest.raises(ApiException) as caught:
        core.read_namespaced_secret("s", namespace)
    assert caught.value.status == 404


def test_a_long_list_comes_in_pages_of_one_snapshot(core: client.CoreV1Api, namespace: str) -> None:
    for number in range(5):
        core.create_namespaced_secret(namespace, secret(f"s{number}"))
    page = core.list_namespaced_secret(namespace, limit=2)
    found, version = [item.metadata.name for item in page.items], page.metadata.resource_version
    core.delete_namespaced_secret("s4", namespace)
    while page.metadata._continue:
        page = core.list_namespaced_secret(namespace, limit=2, _continue=page.metadata._continue)
        found += [item.metadata.name for item in page.items]
        assert page.metadata.resource_version == version
    assert found == [f"s{number}" for number in range(5)]


def test_patches_of_all_types_and_server_side_apply_with_its_conflict(core: client.CoreV1Api, namespace: str) -> None:
    core.create_namespaced_secret(namespace, secret("s", a="1"))
    merged = core.patch_namespaced_secret("s", namespace, {"metadata": {"labels": {"b": "2"}}})
    assert merged.metadata.labels == {"a": "1", "b": "2"}
    operations = [{"op": "remove", "path": "/metadata/labels/a"}]
    assert core.patch_namespaced_secret("s", namespace, operations).metadata.labels == {"b": "2"}
    merged = core.patch_namespaced_secret(
        "s", namespace, {"metadata": {"labels": None}}, _content_type="application/merge-patch+json"
    )
    assert merged.metadata.labels is None
    applied = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "t"}, "data": {"a": "MQ=="}}
    how = {"_content_type": "application/apply-patch+yaml", "field_manager": "one"}
    assert core.patch_namespaced_secret("t", namespace, applied, **how).data == {"a": "MQ=="}
    changed = applied | {"data": {"a": "Mg=="}}
    with pytest.raises(ApiException) as caught:
        core.patch_namespaced_secret("t", namespace, changed, **how | {"field_manager": "two"})
    assert caught.value.status == 409
    forced = core.patch_namespaced_secret("t", namespace, changed, **how | {"field_manager": "two", "force": True})
    assert {entry.manager for entry in forced.metadata.managed_fields} == {"two"}


def test_a_watch_follows_and_resumes_where_it_ended(core: client.CoreV1Api, namespace: str) -> None:
    core.create_namespaced_secret(namespace, secret("a"))
    first = watch.Watch()
    seen = [event["object"].metadata.name for event in first.stream(core.list_namespaced_secret, namespace,
                                                                   timeout_seconds=1)]  # fmt: skip
    assert seen == ["a"]
    core.create_namespaced_secret(namespace, secret("b"))
    core.delete_namespaced_secret("a", namespace)
    second, seen = watch.Watch(), []
    for event in second.stream(core.list_namespaced_secret, namespace, resource_version=first.resource_version,
                               timeout_seconds=10):  # fmt: skip
        seen.append((event["type"], event["object"].metadata.name))
        if len(seen) == 2:
            second.stop()
    assert seen == [("ADDED", "b"), ("DELETED", "a")]


def test_custom_objects_have_status_apart_and_refuse_what_their_schema_forbids(
    custom: client.CustomObjectsApi, namespace: str
) -> None:
    where = (*OURS, namespace, "foundations")
    made = custom.create_namespaced_custom_object(*where, FOUNDATION)
    assert made["spec"]["runtime"]["name"] == "containerd"
    patched = custom.patch_namespaced_custom_object_status(*where, "f", {"spec": {}, "status": {"clusters": 3}})
    assert (patched["status"], patched["spec"]) == ({"clusters": 3}, made["spec"])
    with pytest.raises(ApiException) as caught:
        custom.patch_namespaced_custom_object(*where, "f", {"spec": {"runtime": {"name": "rkt"}}})
    assert refused(caught.value) == (422, "Invalid")
    custom.delete_namespaced_custom_object(*where, "f", body=client.V1DeleteOptions(propagation_policy="Background"))
    assert custom.list_namespaced_custom_object(*where)["items"] == []


def test_delete_options_are_kept(core: client.CoreV1Api, namespace: str) -> None:
    made = core.create_namespaced_secret(namespace, secret("s"))
    wrong = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="another"))
    with pytest.raises(ApiException) as caught:
        core.delete_namespaced_secret("s", namespace, body=wrong)
    assert refused(caught.value) == (409, "Conflict")
    core.delete_namespaced_secret("s", namespace, dry_run="All")
    right = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=made.metadata.uid), grace_period_seconds=0)
    core.delete_namespaced_secret("s", namespace, body=right)
    core.create_namespaced_secret(namespace, secret("s", x="y"))
    core.create_namespaced_secret(namespace, secret("t", x="z"))
    core.delete_collection_namespaced_secret(namespace, label_selector="x=y")
    assert [item.metadata.name for item in core.list_namespaced_secret(namespace).items] == ["t"]


def test_config_maps_leases_events_and_reviews_fit_their_types(api: client.ApiClient, namespace: str) -> None:
    core = client.CoreV1Api(api)
    data = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="c"), data={"a": "b"}, binary_data={"x": "AA=="})
    assert core.create_namespaced_config_map(namespace, data).data == {"a": "b"}
    spec = client.V1LeaseSpec(holder_identity="me", lease_duration_seconds=15)
    lease = client.V1Lease(metadata=client.V1ObjectMeta(name="l"), spec=spec)
    made = client.CoordinationV1Api(api).create_namespaced_lease(namespace, lease)
    assert made.spec.holder_identity == "me"
    about = client.V1ObjectReference(kind="ConfigMap", name="c", namespace=namespace)
    event = client.CoreV1Event(
        metadata=client.V1ObjectMeta(generate_name="e-"), involved_object=about, reason="Seen", type="Normal"
    )
    core.create_namespaced_event(namespace, event)
    selected = core.list_namespaced_event(namespace, field_selector="involvedObject.name=c,reason=Seen")
    assert [item.type for item in selected.items] == ["Normal"]
    asked = client.V1ResourceAttributes(verb="delete", resource="secrets", namespace=namespace)
    review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=asked))
    assert client.AuthorizationV1Api(api).create_self_subject_access_review(review).status.allowed
    who = client.AuthenticationV1Api(api).create_self_subject_review(client.V1SelfSubjectReview())
    assert who.status.user_info.username == "admin"


def test_the_dynamic_client_finds_the_kinds_and_does_every_verb(
    api: client.ApiClient, namespace: str, tmp_path: Path
) -> None:
    kinds = dynamic.DynamicClient(api, cache_file=str(tmp_path / "cache")).resources
    foundations = kinds.get(api_version="groundplane.dev/v1alpha1", kind="Foundation")
    foundations.create(body=FOUNDATION, namespace=namespace)
    foundations.server_side_apply(
        body=FOUNDATION | {"metadata": {"name": "f", "labels": {"a": "b"}}}, namespace=namespace, field_manager="d",
        force_conflicts=True,
    )  # fmt: skip
    foundations.status.patch(
        name="f", namespace=namespace, body={"status": {"clusters": 2}}, content_type="application/merge-patch+json"
    )
    found = foundations.get(name="f", namespace=namespace)
    assert (found.metadata.labels.a, found.status.clusters) == ("b", 2)
    assert [event["type"] for event in foundations.watch(namespace=namespace, timeout=1)] == ["ADDED"]
    foundations.delete(name="f", namespace=namespace)
    assert foundations.get(namespace=namespace).items == []


def test_a_user_without_rights_is_refused(kubeconfig: Path, namespace: str) -> None:
    stranger = config.new_client_from_config(str(kubeconfig), context="nobody")
    try:
        with pytest.raises(ApiException) as caught:
            client.CoreV1Api(stranger).list_namespaced_secret(namespace)
        assert refused(caught.value) == (403, "Forbidden")
    finally:
        stranger.rest_client.pool_manager.clear()
        stranger.close()
