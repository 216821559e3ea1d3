"""What a list reads of an object: enough for every cell, and little more."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from tests.support.fleets import bandwidth, condition, end_of_life, kernel_drift, stack_facts

from groundplane.api.assessment import Assessment, Uniformity
from groundplane.api.cluster import Cluster, ClusterStatus
from groundplane.api.facts import ClusterFacts
from groundplane.api.meta import ObjectMeta
from groundplane.client.typed import from_struct
from groundplane.server import shown, table
from groundplane.server.resources import Resource, load
from groundplane.server.service import decode

NOW = datetime(2026, 11, 29, tzinfo=UTC)
META = {
    "name": "x", "namespace": "default", "resourceVersion": "7", "creationTimestamp": "2026-11-28T03:00:00Z",
    "labels": {"a": "b"}, "managedFields": [{"manager": "groundplane"}],
}  # fmt: skip


def cluster() -> bytes:
    nodes = ["n1", "n2"]
    assessment = Assessment(
        risks="1 high",
        drift=[kernel_drift(nodes)],
        findings=[end_of_life("v1.20.2", nodes)],
        features=[bandwidth(nodes)],
        uniformity=Uniformity(nodes=2),
    )
    status = ClusterStatus(
        phase="Ready",
        facts=ClusterFacts(observed_at="2026-11-28T03:00:00Z", stacks=[stack_facts(0, nodes)]),
        assessment=assessment,
        conditions=[condition("Uniform", "False", "Drift"), condition("Ready", "True", "AllNodesReady", "2 nodes")],
    )
    return msgspec.json.encode({**from_struct(Cluster(metadata=ObjectMeta(name="x"), status=status)), "metadata": META})


def clusters() -> Resource:
    found = load().find("groundplane.dev", "v1alpha1", "clusters")
    assert found is not None
    return found


def test_the_cells_are_those_of_the_whole_object() -> None:
    resource, value = clusters(), cluster()
    read = shown.reader(resource, resource.columns, managed=True)
    of_all, of_some = (table.table(resource.columns, [how(value)], meta={}, now=NOW)["rows"] for how in (decode, read))
    assert of_some == of_all
    assert "Kubernetes v1.20.2 gets no security fixes since 2022-02-28" in of_some[0]["cells"]
    assert {"facts", "assessment"} <= msgspec.json.decode(value)["status"].keys()
    assert read(value)["status"]["facts"] == {"observedAt": "2026-11-28T03:00:00Z"}


def test_managed_fields_are_left_out_when_nobody_wants_them() -> None:
    resource = clusters()
    read = shown.reader(resource, resource.columns, managed=False)
    assert read(cluster())["metadata"] == {name: found for name, found in META.items() if name != "managedFields"}


def test_without_columns_only_the_metadata_is_read() -> None:
    read = shown.reader(clusters(), (), managed=True)
    assert read(cluster()) == {"metadata": META}


@pytest.mark.parametrize("managed", [True, False])
def test_a_column_that_looks_anywhere_gets_the_whole_object(managed: bool) -> None:
    anywhere = table.Column("Sum", "integer", lambda obj, _: len(obj["data"]))
    value = msgspec.json.encode({"metadata": META, "data": {"k": "v"}})
    read = shown.reader(clusters(), (table.NAME, anywhere), managed=managed)(value)
    assert anywhere.cell(read, NOW) == 1
    assert ("managedFields" in read["metadata"]) is managed


@pytest.mark.parametrize(
    "value", [b'{"metadata":{"name":"x"}}', b'{"metadata":{"name":"x"},"status":{"conditions":null,"facts":null}}']
)
def test_what_is_not_there_is_no_hindrance(value: bytes) -> None:
    columns = clusters().columns
    read = shown.reader(clusters(), columns, managed=True)(value)
    assert [column.cell(read, NOW) for column in columns][:2] == ["x", None]


def test_every_kind_can_be_read() -> None:
    for resource in load().all:
        read = shown.reader(resource, resource.columns, managed=False)
        assert read(b'{"metadata":{"name":"x"},"kind":"K"}')["metadata"] == {"name": "x"}
