"""Tests that take many minutes each: `make test-long` runs them, `make test` says that it leaves them out."""

from __future__ import annotations

import os

import pytest

long = pytest.mark.skipif(not os.environ.get("GROUNDPLANE_LONG"), reason="takes many minutes: `make test-long` runs it")
