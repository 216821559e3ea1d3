"""Where the built-in server differs from kube-apiserver v1.20.2 on purpose: one table, each row with its reason.

A row covers a difference when the case, the place and, where given, both values match. A row that covers nothing any
more fails the suite, and so does a case in `cases` that does not need it: a difference that vanished is taken out here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .comparing import Difference


@dataclass(frozen=True, slots=True)
class Deliberate:
    """One difference. `cases` are names or patterns of names; `where`, `real` and `ours` are regular expressions."""

    name: str
    cases: tuple[str, ...]
    where: str
    what: str
    why: str
    real: str = ""
    ours: str = ""

    def meant_for(self, case: str) -> bool:
        return any(fnmatchcase(case, pattern) for pattern in self.cases)

    def covers(self, case: str, found: Difference) -> bool:
        """Tell whether this is the difference that the row speaks of."""
        if not self.meant_for(case) or not re.search(self.where, found.path):
            return False
        pairs = ((self.real, found.real), (self.ours, found.ours))
        return all(re.search(pattern, str(value)) is not None for pattern, value in pairs)


EXCEPTIONS: tuple[Deliberate, ...] = (
    Deliberate(
        name="status-for-unknown-paths",
        cases=("reading/by-*", "reading/with-two-slashes", "reading/a-cluster-wide-path-to-one-namespaced-object"),
        where=r"body|headers.content-type",
        real="404 page not found|text/plain",
        ours="the server could not find the requested resource|application/json",
        what="a path that does not exist is answered with a Status instead of the text 404 page not found",
        why="every error has one form; client-go makes the same Status of the text",
    ),
    Deliberate(
        name="paths-below-an-object",
        cases=("reading/a-part-that-there-is-not", "reading/a-part-of-a-part", "reading/a-name-with-an-escaped-slash"),
        where=r"code|body",
        what="an unknown subresource is a path that does not exist, and nothing is served below /status",
        why="v1.20 says of an unknown subresource of a custom resource that the object is not there, though it is, and "
        "ignores what follows a known one; both hide a mistake in the path",
    ),
    Deliberate(
        name="a-revision-that-is-no-number-is-the-callers-mistake",
        cases=(
            "reading/at-a-*-revision",
            "reading/at-a-revision-that-is-no-number",
            "lists/a-revision-that-is-no-number",
            "lists/a-negative-revision",
        ),
        where=r"code|reason",
        real="500|absent",
        ours="400|BadRequest",
        what="400 BadRequest with the same text instead of 500",
        why="5xx tells clients to try again; nothing in the server failed",
    ),
    Deliberate(
        name="items-of-lists-name-their-kind",
        cases=("lists/three-of-a-built-in-kind", "lists/fields-one-that-secrets-have"),
        where=r"items\[\d+\]\.(apiVersion|kind)$",
        real="absent",
        what="items in lists of built-in kinds carry apiVersion and kind, as those of custom resources do",
        why="stored bytes go out as they are, which is what makes lists fast; clients ignore the two fields",
    ),
    Deliberate(
        name="limit-with-revision-0",
        cases=("lists/a-limit-with-revision-0",),
        where=r"items|continue|remainingItemCount",
        what="limit holds for a list at resourceVersion 0 too; v1.20 answers everything out of its cache",
        why="from 1.31 on the cache pages too (https://kep.k8s.io/4988, list from cache snapshots)",
    ),
    Deliberate(
        name="texts-of-go-decoders",
        cases=("lists/a-token-*",),
        where=r"message$",
        real="invalid character|illegal base64",
        ours="it was not made by this server",
        what="what follows 'continue key is not valid: ' is our own",
        why="the text is that of Go's decoders about a token that only the server itself is to read",
    ),
    Deliberate(
        name="warnings-of-unknown-fields",
        cases=("lists/at-a-revision-before-a-change",),
        where=r"headers.warning",
        real="absent",
        ours="unknown field",
        what="a Warning header names fields that were pruned",
        why="fieldValidation, Warn by default, came with v1.25 (https://kep.k8s.io/2885)",
    ),
)
