"""Certificates as they are found: older kubeadms gave authorities the serial number 0, and the library warns of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.utils import CryptographyDeprecationWarning


@contextmanager
def as_found() -> Iterator[None]:
    """Load certificates of others within it, without warnings of what they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        yield
