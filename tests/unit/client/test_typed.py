"""Structs and served objects: what is sent is always addressed, what is served is always whole."""

from __future__ import annotations

import pytest

from groundplane.api.machine import Machine
from groundplane.api.registry import KINDS
from groundplane.base.errors import Unexpected
from groundplane.client.typed import RESOURCES, from_struct, to_struct

SERVED = {
    "apiVersion": "groundplane.dev/v1alpha1",
    "kind": "Machine",
    "metadata": {"name": "shop-1", "namespace": "default", "uid": "u", "resourceVersion": "7"},
    "spec": {"address": "198.18.0.11"},
}


def test_every_kind_has_an_address():
    assert {resource.kind for resource in RESOURCES.values()} == {info.kind for info in KINDS}


def test_what_goes_out_names_its_kind_and_comes_back_the_same():
    machine = to_struct(SERVED, Machine)
    sent = from_struct(machine)
    assert (sent["apiVersion"], sent["kind"]) == ("groundplane.dev/v1alpha1", "Machine")
    assert to_struct(sent, Machine) == machine


def test_an_object_that_its_schema_forbids_is_named():
    with pytest.raises(Unexpected, match=r"cannot read Machine default/shop-1: .*address"):
        to_struct(SERVED | {"spec": {"address": 7}}, Machine)
