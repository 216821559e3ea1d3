"""The forms in which kubectl shows things, and the commands that are about the server as a whole."""

from __future__ import annotations

import json

import yaml

from .conftest import Api


def secrets(api: Api, *names: str) -> None:
    documents = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": {"place": name, "site": "x"}},
         "stringData": {"n": name}}
        for name in names
    ]  # fmt: skip
    api.ok("create", "-f", "-", stdin=yaml.safe_dump_all(documents))


def test_columns_sorting_and_paths_of_ones_own(api: Api) -> None:
    secrets(api, "b", "a", "c")
    columns = "NAME:.metadata.name,PLACE:.metadata.labels.place"
    assert [line.split() for line in api.ok("get", "secrets", "-o", f"custom-columns={columns}").splitlines()] == [
        ["NAME", "PLACE"], ["a", "a"], ["b", "b"], ["c", "c"],
    ]  # fmt: skip
    by_revision = api.ok("get", "secrets", "--sort-by=.metadata.resourceVersion", "-o", "name")
    assert by_revision.split() == ["secret/b", "secret/a", "secret/c"]
    path = "{range .items[*]}{.metadata.name}={.metadata.labels.site} {end}"
    assert api.ok("get", "secrets", "-o", f"jsonpath={path}") == "a=x b=x c=x "
    template = "{{range .items}}{{.metadata.name}},{{end}}"
    assert api.ok("get", "secrets", "-o", f"go-template={template}") == "a,b,c,"
    shown = api.ok("get", "secrets", "-L", "place", "--show-labels", "--no-headers")
    assert "place=a,site=x" in shown
    assert api.ok("get", "secret/a", "secret/c", "-o", "name").split() == ["secret/a", "secret/c"]


def test_discovery_and_the_cluster_are_told(api: Api) -> None:
    versions = api.ok("api-versions").split()
    assert {"v1", "groundplane.dev/v1alpha1", "coordination.k8s.io/v1", "apiextensions.k8s.io/v1"} <= set(versions)
    # It looks for Services, which this server has none of.
    assert 'the server doesn\'t have a resource type "services"' in api.refused("cluster-info")
    namespaced = api.ok("api-resources", "--namespaced=false", "-o", "name").split()
    assert "namespaces" in namespaced
    assert "secrets" not in namespaced
    assert "clusters.groundplane.dev" in api.ok("api-resources", "--verbs=list,patch,watch", "-o", "name").split()
    assert "podCIDR" in api.ok("explain", "clusters", "--recursive")
    assert "FIELDS" in api.ok("explain", "leases.spec")


def test_config_maps_are_made_of_literals_and_files_and_replaced_by_force(api: Api) -> None:
    api.ok("create", "configmap", "c", "--from-literal=a=1", "--from-literal=b=2")
    assert api.read("configmap", "c")["data"] == {"a": "1", "b": "2"}
    made = api.ok("create", "configmap", "c", "--from-literal=a=9", "--dry-run=client", "-o", "yaml")
    uid = api.read("configmap", "c")["metadata"]["uid"]
    api.ok("replace", "--force", "-f", "-", stdin=made)
    replaced = api.read("configmap", "c")
    assert replaced["data"] == {"a": "9"}
    assert replaced["metadata"]["uid"] != uid


def test_apply_prunes_what_is_no_longer_named(api: Api) -> None:
    def config_map(name: str) -> dict[str, object]:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"app": "p"}}}

    prune = ("apply", "--prune", "-l", "app=p", "--prune-allowlist=core/v1/ConfigMap", "-f", "-")
    api.ok(*prune, stdin=yaml.safe_dump_all([config_map("stays"), config_map("goes")]))
    api.ok("create", "configmap", "foreign", "--from-literal=a=1")
    assert "configmap/goes pruned" in api.ok(*prune, stdin=yaml.safe_dump(config_map("stays")))
    assert api.ok("get", "configmaps", "-o", "name").split() == ["configmap/foreign", "configmap/stays"]


def test_several_things_are_labelled_and_deleted_by_selector(api: Api) -> None:
    secrets(api, "a", "b", "c")
    api.ok("label", "secrets", "--all", "seen=yes")
    api.ok("annotate", "secrets", "-l", "place in (a,b)", "note=x")
    assert "--overwrite is false" in api.refused("label", "secret", "a", "seen=no")
    api.ok("label", "secret", "a", "seen=no", "--overwrite")
    api.ok("delete", "secrets", "-l", "seen=yes")
    assert api.ok("get", "secrets", "-o", "name").split() == ["secret/a"]
    assert api.ok("delete", "secret", "none", "--ignore-not-found") == ""


def test_can_i_tells_rights_of_others_too(api: Api) -> None:
    assert api.ok("auth", "can-i", "create", "secrets").strip() == "yes"
    assert api.run("auth", "can-i", "get", "secrets/a", user="nobody").stdout.startswith("no")
    listed = json.loads(api.ok("get", "--raw", f"/api/v1/namespaces/{api.namespace}/secrets?limit=1"))
    assert listed["kind"] == "SecretList"
