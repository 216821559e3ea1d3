"""What of a cluster uses API versions that are removed on the way."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.plan.removed_apis import in_words, removed_between, requested, uses, writers

NAME = "apiserver_requested_deprecated_apis"
METRICS = f"""# HELP {NAME} [ALPHA] Gauge of deprecated APIs that have been requested
# TYPE {NAME} gauge
{NAME}{{group="networking.k8s.io",removed_release="1.22",resource="ingresses",version="v1beta1"}} 1
{NAME}{{group="policy",removed_release="1.25",resource="podsecuritypolicies",version="v1beta1"}} 1
{NAME}{{group="batch",removed_release="1.25",resource="cronjobs",version="v1beta1"}} 0
apiserver_request_total{{code="200",group="policy"}} 7
"""
MINORS = st.integers(14, 36).map(lambda minor: f"v1.{minor}.0")


def ingress(version: str, *, applied: str = "") -> dict[str, Any]:
    annotation = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"apiVersion": applied})}
    return {
        "metadata": {
            "name": "shop",
            "namespace": "web",
            "annotations": annotation if applied else {},
            "managedFields": [{"manager": "helm", "apiVersion": version}, {"manager": "nginx", "apiVersion": "v9"}],
        }
    }


def test_nothing_is_removed_within_a_minor_and_a_vendor_changes_nothing_of_it() -> None:
    assert removed_between("v1.20.2", "v1.20.6-tke.1") == ()
    assert removed_between("v1.20.6-tke.1", "v1.21.2-tke.1") == ()
    assert {row.removed for row in removed_between("v1.21.2-tke.1", "v1.22.5-tke.1")} == {"1.22"}


@given(MINORS, MINORS, MINORS)
def test_a_way_in_hops_removes_what_the_whole_way_removes(one: str, two: str, three: str) -> None:
    a, b, c = sorted((one, two, three), key=lambda text: int(text.split(".")[1]))
    hops = [removed_between(x, y) for x, y in itertools.pairwise((a, b, c))]
    assert [row for hop in hops for row in hop] == list(removed_between(a, c))


def test_the_metric_says_what_was_asked_for() -> None:
    assert requested(METRICS) == {
        ("networking.k8s.io", "v1beta1", "ingresses"),
        ("policy", "v1beta1", "podsecuritypolicies"),
    }


def test_an_object_says_who_wrote_it_and_who_will_apply_it_again() -> None:
    old = "networking.k8s.io/v1beta1"
    assert writers(old, ingress(old, applied=old)) == ["web/shop by helm", "web/shop by kubectl apply"]
    assert writers(old, ingress("networking.k8s.io/v1")) == []


@pytest.mark.parametrize("broken", [{}, {"metadata": None}, {"metadata": {"managedFields": None}}])
def test_an_object_without_a_past_says_nothing(broken: dict[str, Any]) -> None:
    assert writers("networking.k8s.io/v1beta1", broken) == []


def test_what_is_removed_and_used_is_named_with_its_users_and_what_takes_its_place() -> None:
    removed = removed_between("v1.21.2", "v1.22.0")
    found = uses(removed, requested(METRICS), {"ingresses": [ingress("networking.k8s.io/v1beta1")]})
    words = in_words(found, "v1.22.0")
    assert "networking.k8s.io/v1beta1 ingresses (removed in 1.22)" in words
    assert "asked for since the API server started, web/shop by helm; instead: networking.k8s.io/v1" in words
    assert "podsecuritypolicies" not in words
    assert in_words(uses(removed, (), {}), "v1.22.0") == ""
