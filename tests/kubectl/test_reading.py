"""What kubectl reads: discovery, tables, selectors, watches, descriptions, explanations."""

from __future__ import annotations

import itertools
import json
import signal

import yaml

from .conftest import Api

MACHINES = """
apiVersion: groundplane.dev/v1alpha1
kind: Machine
metadata: {name: m1, labels: {site: a}}
spec: {role: ControlPlane, address: 198.18.0.11, clusterRef: {name: shop}}
---
apiVersion: groundplane.dev/v1alpha1
kind: Machine
metadata: {name: m2, labels: {site: b}}
spec: {role: Worker, address: 198.18.0.12, clusterRef: {name: shop}}
"""


_networks = itertools.count()


def machines(api: Api) -> None:
    """Two machines whose addresses no other test has."""
    api.ok("apply", "-f", "-", stdin=MACHINES.replace("198.18.0.", f"198.18.{next(_networks)}."))


def test_api_resources_lists_every_kind_with_its_short_name(api: Api) -> None:
    listed = {line.split()[0]: line.split() for line in api.ok("api-resources", "--no-headers").splitlines()}
    assert listed["clusters"][1:] == ["gpc", "groundplane.dev/v1alpha1", "true", "Cluster"]
    assert {"machines", "foundations", "operations", "distributions", "secrets", "namespaces", "events"} <= set(listed)
    assert "clusters.groundplane.dev" in api.ok("api-resources", "--categories=groundplane", "-o", "name")


def test_version_tells_ours_and_only_an_older_kubectl_warns_of_the_distance(api: Api) -> None:
    done = api.run("version", "-o", "json")
    told = json.loads(done.stdout)
    assert told["serverVersion"]["gitVersion"].startswith("v1.36.0+groundplane")
    assert told["clientVersion"]["gitVersion"] == api.kubectl.version
    assert ("version difference" in done.stderr) is (api.kubectl.number < 35)


def test_get_prints_the_columns_of_the_kind(api: Api) -> None:
    machines(api)
    narrow, wide = api.ok("get", "machines"), api.ok("get", "gpm", "-o", "wide")
    assert narrow.splitlines()[0].split() == [
        "NAME", "CLUSTER", "ROLE", "ADDRESS", "OS", "KERNEL", "DRIFT", "READY", "AGE",
    ]  # fmt: skip
    assert narrow.splitlines()[1].split()[:3] == ["m1", "shop", "ControlPlane"]
    assert "FINDINGS" in wide.splitlines()[0]


def test_get_answers_yaml_json_and_names(api: Api) -> None:
    machines(api)
    assert yaml.safe_load(api.ok("get", "machine", "m1", "-o", "yaml"))["kind"] == "Machine"
    assert len(json.loads(api.ok("get", "machines", "-o", "json"))["items"]) == 2
    assert api.ok("get", "machines", "-o", "name").split() == [f"machine.groundplane.dev/m{n}" for n in (1, 2)]
    assert api.ok("get", "machine", "m2", "-o", "jsonpath={.spec.role}") == "Worker"


def test_get_filters_by_labels_and_by_name(api: Api) -> None:
    machines(api)
    for selector, names in (("site=a", "m1"), ("site!=a", "m2"), ("site in (a,b)", "m1 m2"), ("!site", "")):
        found = api.run("get", "machines", "-l", selector, "-o", "name").stdout
        assert found.split() == [f"machine.groundplane.dev/{name}" for name in names.split()], selector
    assert api.ok("get", "machines", "--field-selector", "metadata.name=m2", "-o", "name").split() == [
        "machine.groundplane.dev/m2"
    ]


def test_a_field_selector_that_is_not_known_is_refused_by_name(api: Api) -> None:
    assert "field label not supported: spec.role" in api.refused("get", "machines", "--field-selector", "spec.role=x")


def test_get_all_namespaces_shows_where_things_are(api: Api) -> None:
    machines(api)
    assert [api.namespace, "m1"] in [line.split()[:2] for line in api.ok("get", "machines", "-A").splitlines()]


def test_get_pages_through_a_long_list(api: Api) -> None:
    documents = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"s{n:02}"}, "stringData": {"n": str(n)}}
        for n in range(12)
    ]
    api.ok("create", "-f", "-", stdin=yaml.safe_dump_all(documents))
    paged = api.ok("get", "secrets", "--chunk-size=5", "-o", "name")
    assert paged.split() == [f"secret/s{n:02}" for n in range(12)]


def test_watch_shows_what_happens_after_the_list(api: Api) -> None:
    machines(api)
    watch = api.start("get", "machines", "-w", "--output-watch-events")
    assert watch.stdout is not None
    first = [watch.stdout.readline() for _ in range(3)]
    assert [line.split()[0] for line in first] == ["EVENT", "ADDED", "ADDED"]
    api.ok("label", "machine", "m1", "new=yes")
    assert watch.stdout.readline().split()[:2] == ["MODIFIED", "m1"]
    api.ok("delete", "machine", "m2")
    assert watch.stdout.readline().split()[:2] == ["DELETED", "m2"]
    watch.send_signal(signal.SIGINT)
    watch.communicate(timeout=10)


def test_describe_shows_the_events_of_the_object(api: Api) -> None:
    machines(api)
    uid = api.read("machine", "m1")["metadata"]["uid"]
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "m1."},
        "involvedObject": {
            "apiVersion": "groundplane.dev/v1alpha1",
            "kind": "Machine",
            "name": "m1",
            "namespace": api.namespace,
            "uid": uid,
        },
        "type": "Warning",
        "reason": "HostDown",
        "message": "the machine does not answer",
        "source": {"component": "groundplane"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 3,
    }
    api.ok("create", "-f", "-", stdin=json.dumps(event))
    described = api.ok("describe", "machine", "m1")
    assert "HostDown" in described
    assert "the machine does not answer" in described
    selected = api.ok("get", "events", "--field-selector", "involvedObject.name=m1,type=Warning,reason=HostDown")
    assert "machine/m1" in selected
    assert api.ok("get", "events", "--field-selector", "reason=Other", "-o", "name") == ""
    assert "HostDown" in api.ok("events", "--for", "machine/m1")


def test_describe_of_a_secret_hides_its_values(api: Api) -> None:
    api.ok("create", "secret", "generic", "key", "--from-literal=password=hunter2")
    described = api.ok("describe", "secret", "key")
    assert "password:  7 bytes" in described
    assert "hunter2" not in described


def test_describe_works_for_namespaces(api: Api) -> None:
    assert "Status:       Active" in api.ok("describe", "namespace", api.namespace)


def test_explain_knows_fields_and_their_enums(api: Api) -> None:
    told = api.ok("explain", "machine.spec.role")
    assert "part in the Cluster" in told
    # Older ones do not show what a field may be.
    assert ("ENUM:\n    ControlPlane\n    Worker" in told) is (api.kubectl.number > 28)
    assert "podCIDR" in api.ok("explain", "cluster.spec", "--recursive")
    assert "FIELDS" in api.ok("explain", "secret")


def test_whoami_and_can_i_answer(api: Api) -> None:
    assert "system:masters" in api.ok("auth", "whoami")
    assert api.ok("auth", "can-i", "delete", "clusters").strip() == "yes"
    assert api.run("auth", "can-i", "delete", "clusters", user="nobody").stdout.startswith("no")


def test_a_user_without_rights_reads_nothing(api: Api) -> None:
    said = api.refused("get", "secrets", user="nobody")
    assert 'User "nobody" cannot list resource "secrets"' in said


def test_what_is_not_there_is_named(api: Api) -> None:
    assert api.refused("get", "machine", "none").strip() == (
        'Error from server (NotFound): machines.groundplane.dev "none" not found'
    )
    assert "the server doesn't have a resource type" in api.refused("get", "pods")


def test_raw_paths_answer_health(api: Api) -> None:
    assert api.ok("get", "--raw", "/livez") == "ok"
    assert "[+]store ok" in api.ok("get", "--raw", "/readyz?verbose")
    assert json.loads(api.ok("get", "--raw", "/openapi/v2"))["swagger"] == "2.0"
