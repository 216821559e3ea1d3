"""The kinds of Kubernetes' own groups: their rules, and definitions that can only be read."""

from __future__ import annotations

from typing import Any

import pytest

from groundplane.api.registry import KINDS
from groundplane.server import openapi
from groundplane.server.definitions import publish_definitions
from groundplane.server.resources import load

from .conftest import Start

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE = {"content-type": "application/merge-patch+json"}
KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


def config_map(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, **fields}


async def test_what_is_not_base64_is_400_and_not_repeated(start: Start) -> None:
    async with start() as running:
        answer = await running.http.post(CONFIG_MAPS, json=config_map(binaryData={"a": "?!"}))
    assert answer.status_code == 400
    assert answer.json()["message"].endswith(
        "cannot be handled as a ConfigMap: binaryData[a]: Invalid value: must be base64"
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"data": {"a b": "1"}}, f'data[a b]: Invalid value: "a b": {KEY_RULE}'),
        ({"data": {"..": "1"}}, "data[..]: Invalid value: \"..\": must not be '..'"),
        ({"data": {"..a": "1"}}, "data[..a]: Invalid value: \"..a\": must not start with '..'"),
        (
            {"data": {"a": "1"}, "binaryData": {"a": "MQ=="}},
            'data[a]: Invalid value: "a": duplicate of key present in binaryData',
        ),
        ({"data": {"a": "é" * 524_289}}, "[]: Too long: must have at most 1048576 bytes"),
    ],
)
async def test_a_config_map_that_breaks_a_rule_is_refused_with_the_words_of_kubernetes(
    start: Start, fields: dict[str, Any], message: str
) -> None:
    async with start() as running:
        answer = await running.http.post(CONFIG_MAPS, json=config_map(**fields))
        assert (answer.status_code, answer.json()["message"]) == (422, f'ConfigMap "c" is invalid: {message}')


async def test_a_config_map_of_exactly_one_mebibyte_is_taken(start: Start) -> None:
    async with start() as running:
        assert (await running.http.post(CONFIG_MAPS, json=config_map(data={"a": "x" * 1_048_576}))).status_code == 201


async def test_an_immutable_config_map_keeps_its_data_but_not_its_labels(start: Start) -> None:
    async with start() as running:
        await running.http.post(CONFIG_MAPS, json=config_map(data={"a": "1"}, immutable=True))
        url = f"{CONFIG_MAPS}/c"
        for change, field in (
            ({"data": {"a": "2"}}, "data"),
            ({"binaryData": {"b": "MQ=="}}, "binaryData"),
            ({"immutable": False}, "immutable"),
        ):
            answer = await running.http.patch(url, json=change, headers=MERGE)
            expected = f'ConfigMap "c" is invalid: {field}: Forbidden: field is immutable when `immutable` is set'
            assert (answer.status_code, answer.json()["message"]) == (422, expected)
        labelled = await running.http.patch(url, json={"metadata": {"labels": {"a": "b"}}}, headers=MERGE)
        assert labelled.json()["metadata"]["labels"] == {"a": "b"}


async def test_a_time_that_is_none_cannot_be_decoded(start: Start) -> None:
    metadata, spec = {"name": "l"}, {"renewTime": "now"}
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
    async with start() as running:
        answer = await running.http.post(LEASES, json=lease)
    assert answer.status_code == 400
    assert "spec.renewTime: Invalid value: must be a time as RFC 3339 has it" in answer.json()["message"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"leaseDurationSeconds": 0}, "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"),
        ({"leaseTransitions": -1}, "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"),
    ],
)
async def test_a_lease_that_breaks_a_rule_is_refused(start: Start, spec: dict[str, Any], message: str) -> None:
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": spec}
    async with start() as running:
        answer = await running.http.post(LEASES, json=lease)
        expected = f'Lease.coordination.k8s.io "l" is invalid: {message}'
        assert (answer.status_code, answer.json()["message"]) == (422, expected)


async def test_a_lease_passes_from_holder_to_holder_only_at_the_revision_that_was_read(start: Start) -> None:
    lease: dict[str, Any] = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}}
    async with start() as running:
        free = (await running.http.post(LEASES, json=lease)).json()
        taken = [{**free, "spec": {"holderIdentity": name, "leaseDurationSeconds": 15}} for name in ("a", "b")]
        codes = [(await running.http.put(f"{LEASES}/l", json=body)).status_code for body in taken]
        assert codes == [200, 409]
        assert (await running.http.get(f"{LEASES}/l")).json()["spec"]["holderIdentity"] == "a"


async def test_the_definitions_are_there_and_established(start: Start) -> None:
    async with start() as running:
        found = (await running.http.get(DEFINITIONS)).json()
        assert [item["spec"]["names"]["kind"] for item in found["items"]] == sorted(info.kind for info in KINDS)
        for item in found["items"]:
            states = {condition["type"]: condition["status"] for condition in item["status"]["conditions"]}
            assert states == {"NamesAccepted": "True", "Established": "True"}
            assert item["status"]["storedVersions"] == ["v1alpha1"]


async def test_the_definitions_are_not_written_again_at_the_next_start_unless_they_changed(start: Start) -> None:
    async with start() as running:
        before = (await running.http.get(DEFINITIONS)).json()
        await publish_definitions(running.service)
        after = (await running.http.get(DEFINITIONS)).json()
        assert after == before


@pytest.mark.parametrize(
    ("method", "path", "verb"),
    [
        ("POST", "", "create"),
        ("DELETE", "", "deletecollection"),
        ("PUT", "/machines.groundplane.dev", "update"),
        ("PATCH", "/machines.groundplane.dev", "patch"),
        ("DELETE", "/machines.groundplane.dev", "delete"),
    ],
)
async def test_writing_a_definition_is_refused_and_says_what_to_do(
    start: Start, method: str, path: str, verb: str
) -> None:
    async with start() as running:
        answer = await running.http.request(method, DEFINITIONS + path, json={})
        status = answer.json()
        opening = f'{verb} is not supported on resources of kind "customresourcedefinitions.apiextensions.k8s.io": '
        assert (answer.status_code, status["reason"]) == (405, "MethodNotAllowed")
        assert status["message"].startswith(opening)
        assert "put kinds of your own into a Kubernetes cluster" in status["message"]


def undescribed(schema: Any, at: str) -> list[str]:
    found = []
    for name, part in schema.get("properties", {}).items():
        path = f"{at}.{name}"
        found += [path] if not part.get("description") else []
        found += undescribed(part, path) + undescribed(part.get("items", {}), f"{path}[]")
    return found


EXPLAINED = ("configmaps", "events", "namespaces", "secrets", "leases", "customresourcedefinitions", "users", "tokens")


@pytest.mark.parametrize("plural", [*EXPLAINED, *(info.plural for info in KINDS)])
def test_every_field_is_explained(plural: str) -> None:
    resource = next(resource for resource in load().all if resource.plural == plural)
    document = openapi.v3(load(), resource.group, resource.version)
    assert document is not None
    name = openapi.component(resource)
    assert undescribed(document["components"]["schemas"][name], name) == []


async def test_the_name_of_an_event_need_only_fit_into_a_path(start: Start) -> None:
    url = "/api/v1/namespaces/default/events"
    event: dict[str, Any] = {"apiVersion": "v1", "kind": "Event", "involvedObject": {"namespace": "default"}}
    async with start() as running:
        made = await running.http.post(url, json={**event, "metadata": {"generateName": "m1."}})
        assert (made.status_code, made.json()["metadata"]["name"][:3]) == (201, "m1.")
        refused = await running.http.post(url, json={**event, "metadata": {"name": "a/b"}})
        assert refused.json()["message"] == (
            'Event "a/b" is invalid: metadata.name: Invalid value: "a/b": may not contain \'/\''
        )


async def test_a_kind_without_status_has_no_status_path(start: Start) -> None:
    async with start() as running:
        await running.http.post(CONFIG_MAPS, json=config_map())
        assert (await running.http.get(f"{CONFIG_MAPS}/c/status")).status_code == 404
        assert (await running.http.get(f"{DEFINITIONS}/machines.groundplane.dev/status")).status_code == 200
