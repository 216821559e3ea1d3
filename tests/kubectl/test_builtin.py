"""kubectl and the kinds of Kubernetes' own groups."""

from __future__ import annotations

from .conftest import Api


def test_config_maps_are_made_printed_and_explained(api: Api) -> None:
    api.ok("create", "configmap", "settings", "--from-literal=a=1", "--from-literal=b=2")
    header, row = api.ok("get", "cm", "settings").splitlines()
    assert header.split() == ["NAME", "DATA", "AGE"]
    assert row.split()[:2] == ["settings", "2"]
    assert api.read("configmap", "settings")["data"] == {"a": "1", "b": "2"}
    assert "binaryData" in api.ok("explain", "configmap", "--recursive")
    assert "must consist of alphanumeric characters" in " ".join(api.ok("explain", "configmap.data").split())


def test_leases_are_printed_with_their_holder(api: Api) -> None:
    lease = "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: l}\nspec: {holderIdentity: me}\n"
    api.ok("apply", "-f", "-", stdin=lease)
    assert [line.split()[:2] for line in api.ok("get", "lease").splitlines()] == [["NAME", "HOLDER"], ["l", "me"]]


def test_definitions_can_be_waited_for_and_described_but_not_deleted(api: Api) -> None:
    api.ok("wait", "--for=condition=Established", "crd/machines.groundplane.dev", "--timeout=5s")
    assert "Accepted Names" in api.ok("describe", "crd", "machines.groundplane.dev")
    assert api.ok("get", "crds").splitlines()[0].split() == ["NAME", "CREATED", "AT"]
    said = api.refused("delete", "crd", "machines.groundplane.dev")
    assert "put kinds of your own into a Kubernetes cluster" in said


def test_every_resource_is_explained_with_all_its_fields(api: Api) -> None:
    for name in api.ok("api-resources", "--verbs=list", "-o", "name").split():
        assert "metadata\t<ObjectMeta>" in api.ok("explain", name, "--recursive"), name
