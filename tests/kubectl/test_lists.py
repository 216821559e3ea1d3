"""kubectl and manifests that are a v1 List."""

from __future__ import annotations

import json

from .conftest import Api

LIST = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}},
            {
                "apiVersion": "groundplane.dev/v1alpha1",
                "kind": "Foundation",
                "metadata": {"name": "f"},
                "spec": {"kubernetes": {"version": "v1.20.2"}},
            },
        ],
    }
)


def test_a_list_is_created_applied_compared_and_deleted_item_by_item(api: Api) -> None:
    created = ["configmap/c created", "foundation.groundplane.dev/f created"]
    assert api.ok("create", "-f", "-", stdin=LIST).splitlines() == created
    assert api.ok("diff", "-f", "-", stdin=LIST.replace('"List"', '"List", "metadata": {}')) == ""
    api.ok("apply", "--server-side", "-f", "-", stdin=LIST)
    # The value belongs to kubectl create so far.
    wanted = LIST.replace('"1"', '"2"')
    changed = api.ok("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=wanted).splitlines()
    assert changed == ["configmap/c serverside-applied", "foundation.groundplane.dev/f serverside-applied"]
    assert api.read("configmap", "c")["data"] == {"a": "2"}
    assert len(api.ok("delete", "-f", "-", stdin=LIST).splitlines()) == 2
    assert api.ok("apply", "-f", "-", stdin=LIST).splitlines() == created


def test_an_unknown_field_inside_a_list_is_refused(api: Api) -> None:
    said = api.refused("apply", "-f", "-", stdin=LIST.replace('"kubernetes"', '"kubernets"'))
    assert "kubernets" in said
