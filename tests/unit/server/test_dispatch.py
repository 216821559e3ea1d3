"""The table of routes, looked at by segments, leads where its rows in their order lead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import compile_path

from groundplane.server.dispatch import Dispatch
from groundplane.server.routes import ROUTES, Row

DISPATCH = Dispatch(ROUTES, lambda row: row)
# Starlette's own reading of a path is the judge.
PATTERNS = [(row, compile_path(row.path)[0]) for row in ROUTES]
WORDS = ["api", "apis", "v1", "namespaces", "status", "log", "machines", "groundplane.dev", "openapi", "v2", "v3", "x"]
REVIEW = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    st.lists(st.sampled_from([*WORDS, "", "é"]), max_size=8).map("/".join) | st.just(REVIEW),
)
def test_the_first_row_whose_path_and_method_fit_is_found(method: str, path: str) -> None:
    fitting = [(row, match) for row, pattern in PATTERNS if (match := pattern.match(f"/{path}"))]
    first = next(((row, match) for row, match in fitting if method in (row.method, "HEAD" if row.head else "")), None)
    found = DISPATCH.find(method, f"/{path}")
    if first is None:
        assert found is None if not fitting else (found is not None and found.target is None)
    else:
        assert found is not None
        assert found.target is first[0]
        assert found.parameters == {**first[1].groupdict(), **dict(first[0].fixed)}


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: f"{row.method} {row.path}")
def test_every_row_can_be_reached(row: Row) -> None:
    path = row.path.replace("{", "").replace("}", "")
    found = DISPATCH.find(row.method, path)
    assert found is not None
    assert found.target is row
