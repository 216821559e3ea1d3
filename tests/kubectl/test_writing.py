"""What kubectl writes: create, apply of both kinds, patches, edits, deletions, waits."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Api

FOUNDATION = """
apiVersion: groundplane.dev/v1alpha1
kind: Foundation
metadata: {name: f}
spec: {kubernetes: {version: v1.20.2}}
"""
OWNED = """
apiVersion: v1
kind: Secret
metadata:
  name: child
  ownerReferences: [{apiVersion: groundplane.dev/v1alpha1, kind: Foundation, name: f, uid: UID}]
"""


def with_child(api: Api) -> None:
    """A Foundation that owns a Secret."""
    api.ok("apply", "-f", "-", stdin=FOUNDATION)
    api.ok("create", "-f", "-", stdin=OWNED.replace("UID", api.read("foundation", "f")["metadata"]["uid"]))


def test_apply_creates_then_leaves_then_changes(api: Api) -> None:
    assert api.ok("apply", "-f", "-", stdin=FOUNDATION) == "foundation.groundplane.dev/f created\n"
    assert api.ok("apply", "-f", "-", stdin=FOUNDATION) == "foundation.groundplane.dev/f unchanged\n"
    before = api.read("foundation", "f")
    assert api.ok("apply", "-f", "-", stdin=FOUNDATION.replace("v1.20.2", "v1.21.0")).endswith("configured\n")
    after = api.read("foundation", "f")
    assert after["spec"]["kubernetes"]["version"] == "v1.21.0"
    assert (before["metadata"]["generation"], after["metadata"]["generation"]) == (1, 2)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


def test_defaults_are_filled_in(api: Api) -> None:
    api.ok("apply", "-f", "-", stdin=FOUNDATION)
    assert api.read("foundation", "f")["spec"]["runtime"]["name"] == "containerd"


def test_apply_names_a_misspelt_field(api: Api) -> None:
    said = api.refused("apply", "-f", "-", stdin=FOUNDATION.replace("version:", "verison:"))
    assert 'strict decoding error: unknown field "spec.kubernetes.verison"' in said
    warned = api.run("apply", "-f", "-", "--validate=warn", stdin=FOUNDATION.replace("version:", "verison:"))
    assert warned.returncode == 0
    assert 'Warning: unknown field "spec.kubernetes.verison"' in warned.stderr


def test_apply_lists_every_cause_of_a_refusal(api: Api) -> None:
    bad = """
    apiVersion: groundplane.dev/v1alpha1
    kind: Machine
    metadata: {name: m}
    spec: {role: Boss, address: 10.0.0.1, ssh: {port: 0, sudo: Maybe}}
    """
    said = api.refused("apply", "-f", "-", stdin=bad)
    assert 'spec.role: Unsupported value: "Boss": supported values: "ControlPlane", "Worker"' in said
    assert "spec.ssh.sudo" in said


def test_admission_sees_the_objects_of_other_namespaces(api: Api) -> None:
    machine = """
    apiVersion: groundplane.dev/v1alpha1
    kind: Machine
    metadata: {name: m}
    spec: {address: 198.18.251.NUMBER}
    """.replace("NUMBER", str(api.kubectl.number))
    api.ok("apply", "-f", "-", stdin=machine)
    other = api.within(f"{api.namespace}-b"[-60:])
    other.ok("create", "namespace", other.namespace)
    said = other.refused("apply", "-f", "-", stdin=machine)
    assert f"198.18.251.{api.kubectl.number}" in said


def test_server_side_apply_reports_and_takes_conflicts(api: Api) -> None:
    applied = api.ok("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=FOUNDATION)
    assert applied == "foundation.groundplane.dev/f serverside-applied\n"
    other = FOUNDATION.replace("v1.20.2", "v1.22.0")
    said = api.refused("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=other)
    assert 'Apply failed with 1 conflict: conflict with "one": .spec.kubernetes.version' in said
    assert api.read("foundation", "f")["spec"]["kubernetes"]["version"] == "v1.20.2"
    api.ok("apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-", stdin=other)
    found = api.read("foundation", "f")
    assert found["spec"]["kubernetes"]["version"] == "v1.22.0"
    assert {entry["manager"] for entry in found["metadata"]["managedFields"]} == {"two"}


def test_server_side_apply_removes_what_it_no_longer_names(api: Api) -> None:
    labelled = FOUNDATION.replace("{name: f}", "{name: f, labels: {a: '1', b: '2'}}")
    api.ok("apply", "--server-side", "-f", "-", stdin=labelled)
    api.ok("apply", "--server-side", "-f", "-", stdin=labelled.replace(", b: '2'", ""))
    assert api.read("foundation", "f")["metadata"]["labels"] == {"a": "1"}


def test_server_side_apply_takes_over_from_client_side_apply(api: Api) -> None:
    api.ok("apply", "-f", "-", stdin=FOUNDATION)
    api.ok("apply", "--server-side", "-f", "-", stdin=FOUNDATION)
    api.ok("apply", "--server-side", "-f", "-", stdin=FOUNDATION.replace("v1.20.2", "v1.22.0"))
    assert api.read("foundation", "f")["spec"]["kubernetes"]["version"] == "v1.22.0"


def test_create_refuses_what_is_there(api: Api) -> None:
    assert api.ok("create", "-f", "-", stdin=FOUNDATION) == "foundation.groundplane.dev/f created\n"
    assert "(AlreadyExists)" in api.refused("create", "-f", "-", stdin=FOUNDATION)


def test_replace_needs_the_present_revision(api: Api) -> None:
    api.ok("create", "-f", "-", stdin=FOUNDATION)
    stale = api.read("foundation", "f")
    api.ok("label", "foundation", "f", "touched=yes")
    stale["spec"]["kubernetes"]["version"] = "v1.21.0"
    assert "(Conflict)" in api.refused("replace", "-f", "-", stdin=json.dumps(stale))
    fresh = api.read("foundation", "f")
    fresh["spec"]["kubernetes"]["version"] = "v1.21.0"
    assert api.ok("replace", "-f", "-", stdin=json.dumps(fresh)).endswith("replaced\n")
    assert api.read("foundation", "f")["spec"]["kubernetes"]["version"] == "v1.21.0"


def test_patches_of_both_kinds_change_the_object(api: Api) -> None:
    api.ok("apply", "-f", "-", stdin=FOUNDATION)
    api.ok("patch", "foundation", "f", "--type=merge", "-p", '{"spec":{"kubernetes":{"version":"v1.21.0"}}}')
    assert api.read("foundation", "f")["spec"]["kubernetes"]["version"] == "v1.21.0"
    operations = [
        {"op": "test", "path": "/spec/kubernetes/version", "value": "v1.21.0"},
        {"op": "replace", "path": "/spec/kubernetes/version", "value": "v1.22.0"},
    ]
    api.ok("patch", "foundation", "f", "--type=json", "-p", json.dumps(operations))
    assert api.read("foundation", "f")["spec"]["kubernetes"]["version"] == "v1.22.0"
    assert "testing path" in api.refused("patch", "foundation", "f", "--type=json", "-p", json.dumps(operations))


def test_strategic_merge_works_for_built_in_kinds_and_is_refused_for_ours(api: Api) -> None:
    api.ok("create", "secret", "generic", "s", "--from-literal=a=1")
    api.ok("patch", "secret", "s", "-p", '{"stringData":{"b":"2"},"metadata":{"labels":{"x":"y"}}}')
    found = api.read("secret", "s")
    assert {key: base64.b64decode(value) for key, value in found["data"].items()} == {"a": b"1", "b": b"2"}
    assert found["metadata"]["labels"] == {"x": "y"}
    api.ok("apply", "-f", "-", stdin=FOUNDATION)
    said = api.refused("patch", "foundation", "f", "-p", '{"metadata":{"labels":{"x":"y"}}}')
    assert "application/strategic-merge-patch+json is not supported by groundplane.dev/v1alpha1" in said


def test_the_type_of_a_secret_cannot_change(api: Api) -> None:
    api.ok("create", "secret", "generic", "s", "--from-literal=a=1")
    said = api.refused("patch", "secret", "s", "-p", '{"type":"groundplane.dev/ssh"}')
    assert "field is immutable" in said


def test_status_is_written_apart_and_wait_sees_it(api: Api) -> None:
    api.ok("apply", "-f", "-", stdin=FOUNDATION)
    waiting = api.start("wait", "--for=condition=Ready", "foundation/f", "--timeout=30s")
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Fine",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    patch = json.dumps({"spec": {"kubernetes": {"version": "v1.99.0"}}, "status": {"conditions": [ready]}})
    api.ok("patch", "foundation", "f", "--subresource=status", "--type=merge", "-p", patch)
    output, errors = waiting.communicate(timeout=30)
    assert (output, errors) == ("foundation.groundplane.dev/f condition met\n", "")
    found = api.read("foundation", "f")
    assert found["spec"]["kubernetes"]["version"] == "v1.20.2"
    assert found["metadata"]["generation"] == 1
    api.ok("patch", "foundation", "f", "--type=merge", "-p", '{"status":{"conditions":[]}}')
    assert api.read("foundation", "f")["status"]["conditions"][0]["reason"] == "Fine"


def test_label_and_annotate_set_and_remove(api: Api) -> None:
    api.ok("apply", "-f", "-", stdin=FOUNDATION)
    api.ok("label", "foundation", "f", "a=1", "b=2")
    api.ok("label", "foundation", "f", "a-")
    api.ok("annotate", "foundation", "f", "note=hello")
    metadata = api.read("foundation", "f")["metadata"]
    assert metadata["labels"] == {"b": "2"}
    assert metadata["annotations"]["note"] == "hello"
    assert metadata["generation"] == 1


def test_edit_writes_what_the_editor_left(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api.ok("apply", "-f", "-", stdin=FOUNDATION)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/version: v1.20.2/version: v1.21.0/" "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("KUBE_EDITOR", str(editor))
    assert "edited" in api.ok("edit", "foundation", "f")
    assert api.read("foundation", "f")["spec"]["kubernetes"]["version"] == "v1.21.0"


def test_dry_run_and_diff_change_nothing(api: Api, manifest: Callable[[str], str]) -> None:
    api.ok("apply", "-f", "-", stdin=FOUNDATION)
    revision = api.read("foundation", "f")["metadata"]["resourceVersion"]
    changed = manifest(FOUNDATION.replace("v1.20.2", "v1.21.0"))
    api.ok("apply", "--dry-run=server", "-f", changed)
    different = api.run("diff", "-f", changed)
    assert different.returncode == 1
    assert "-    version: v1.20.2\n+    version: v1.21.0" in different.stdout
    assert api.ok("diff", "-f", manifest(FOUNDATION)) == ""
    api.ok("delete", "foundation", "f", "--dry-run=server")
    assert api.read("foundation", "f")["metadata"]["resourceVersion"] == revision


def test_delete_waits_for_finalizers(api: Api) -> None:
    api.ok("apply", "-f", "-", stdin=FOUNDATION.replace("{name: f}", "{name: f, finalizers: [groundplane.dev/x]}"))
    deleting = api.start("delete", "foundation", "f", "--timeout=30s")
    waiting = api.start("wait", "--for=delete", "foundation/f", "--timeout=30s")
    api.ok("wait", "foundation/f", "--for=jsonpath={.metadata.deletionGracePeriodSeconds}=0", "--timeout=20s")
    marked = api.read("foundation", "f")["metadata"]
    assert (marked["finalizers"], marked["generation"]) == (["groundplane.dev/x"], 2)
    assert "no new finalizers can be added" in api.refused(
        "patch", "foundation", "f", "--type=merge", "-p", '{"metadata":{"finalizers":["groundplane.dev/x","a.b/c"]}}'
    )
    api.ok("patch", "foundation", "f", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    for process in (deleting, waiting):
        _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (0, "")
    assert "NotFound" in api.refused("get", "foundation", "f")


def test_delete_in_the_background_takes_what_was_owned(api: Api) -> None:
    with_child(api)
    api.ok("delete", "foundation", "f", "--cascade=background")
    api.ok("wait", "--for=delete", "secret/child", "--timeout=20s")


def test_delete_in_the_foreground_waits_for_what_is_owned(api: Api) -> None:
    with_child(api)
    api.ok("patch", "secret", "child", "-p", '{"metadata":{"finalizers":["groundplane.dev/x"]}}')
    api.ok("delete", "foundation", "f", "--cascade=foreground", "--wait=false")
    api.ok("wait", "secret/child", "--for=jsonpath={.metadata.deletionGracePeriodSeconds}=0", "--timeout=20s")
    assert api.read("foundation", "f")["metadata"]["finalizers"] == ["foregroundDeletion"]
    api.ok("patch", "secret", "child", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    api.ok("wait", "--for=delete", "foundation/f", "--timeout=20s")


def test_delete_with_orphans_leaves_what_was_owned(api: Api) -> None:
    with_child(api)
    api.ok("delete", "foundation", "f", "--cascade=orphan")
    assert "ownerReferences" not in api.read("secret", "child")["metadata"]


def test_delete_all_leaves_nothing(api: Api) -> None:
    for name in ("a", "b", "c"):
        api.ok("create", "secret", "generic", name, "--from-literal=x=y")
    api.ok("delete", "secrets", "--all")
    assert api.ok("get", "secrets", "-o", "name") == ""


def test_a_namespace_goes_with_its_contents(api: Api) -> None:
    api.ok("create", "secret", "generic", "s", "--from-literal=a=1")
    api.ok("delete", "namespace", api.namespace, "--timeout=20s")
    assert "NotFound" in api.refused("get", "secret", "s")
    said = api.refused("create", "secret", "generic", "s", "--from-literal=a=1")
    assert f'namespaces "{api.namespace}" not found' in said


def test_a_namespace_with_a_cluster_stays(api: Api) -> None:
    api.ok("apply", "-f", "-", stdin=FOUNDATION.replace("Foundation", "Cluster").replace("name: f", "name: shop"))
    said = api.refused("delete", "namespace", api.namespace)
    assert "it holds clusters: shop; delete these first" in said
    api.ok("delete", "cluster", "shop")
    api.ok("delete", "namespace", api.namespace)


def test_namespaces_that_are_always_there_stay(api: Api) -> None:
    assert "may not be deleted" in api.refused("delete", "namespace", "default")
    assert set(api.ok("get", "namespaces", "-o", "name").split()) >= {
        "namespace/default",
        "namespace/groundplane-system",
    }


def test_a_secret_is_in_no_file_in_the_clear(api: Api) -> None:
    api.ok("create", "secret", "generic", "s", "--from-literal=password=correct-horse-battery")
    needle = base64.b64encode(b"correct-horse-battery").decode()
    for path in api.folder.rglob("*"):
        if path.is_file() and not path.relative_to(api.folder).parts[0].startswith("cache-"):
            content = path.read_bytes()
            assert b"correct-horse-battery" not in content, path
            assert needle.encode() not in content, path


def test_generated_names_are_unlike(api: Api) -> None:
    body = '{"apiVersion":"v1","kind":"Secret","metadata":{"generateName":"s-"}}'
    names = {api.ok("create", "-f", "-", "-o", "name", stdin=body) for _ in range(2)}
    assert len(names) == 2


def test_files_of_the_home_are_for_their_owner_alone(api: Api) -> None:
    home = api.folder / "home"
    assert all(os.stat(home / name).st_mode & 0o077 == 0 for name in ("ca.key", "server.key", "tokens", "seal.key"))
    token = json.loads((api.folder / "kubeconfig").read_text())["users"][0]["user"]["token"]
    found = subprocess.run(["grep", "-rlF", token, str(home)], capture_output=True, text=True, check=False)
    assert found.stdout == ""
