"""The lab's one error: what it could not do, why, and what the reader can do about it."""

from __future__ import annotations


class LabError(Exception):
    """Something of the lab could not be made, found or reached. The message names it and a remedy."""
