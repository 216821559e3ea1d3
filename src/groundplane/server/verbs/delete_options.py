"""metav1.DeleteOptions: read from the body of a request or from its query, and judged as kube-apiserver judges them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplane.api.cause import Cause, not_supported
from groundplane.api.cause import invalid as wrong

from ..meta import FOREGROUND, ORPHAN
from ..query import number
from ..status import Json, bad_request, invalid

_POLICIES = ("Foreground", "Background", "Orphan")
_COLLECTOR = (FOREGROUND, ORPHAN)


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """What a deletion is to do, as far as it matters here. None: the caller did not say."""

    propagation: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False
    orphan: bool | None = None

    def finalizers(self, present: list[str]) -> list[str]:
        """Return the finalizers that an object with `present` ones gets: what the caller says wins over what is there.

        k8s.io/apiserver/pkg/registry/generic/registry: deletionFinalizersForGarbageCollection
        """
        kept = [name for name in present if name not in _COLLECTOR]
        if self._orphans(present):
            kept.append(ORPHAN)
        if self._foreground(present):
            kept.append(FOREGROUND)
        return present if set(kept) == set(present) else kept

    def _orphans(self, present: list[str]) -> bool:
        if self.orphan is not None:
            return self.orphan
        if self.propagation is not None:
            return self.propagation == "Orphan"
        return next((name for name in present if name in _COLLECTOR), "") == ORPHAN

    def _foreground(self, present: list[str]) -> bool:
        if self.orphan is not None:
            return False
        if self.propagation is not None:
            return self.propagation == "Foreground"
        return FOREGROUND in present


def parse_options(body: Any, query: Mapping[str, str]) -> DeleteOptions:
    """Read the options from the body, or from the query when there is no body; raises 400 and 422."""
    document = _from_query(query) if body is None else body
    if not isinstance(document, dict) or document.get("kind", "DeleteOptions") != "DeleteOptions":
        raise bad_request("the body of a deletion is not a DeleteOptions")
    preconditions = _typed(document, "preconditions", dict) or {}
    _typed(document, "gracePeriodSeconds", int)
    options = DeleteOptions(
        _typed(document, "propagationPolicy", str),
        _typed(preconditions, "uid", str),
        _typed(preconditions, "resourceVersion", str),
        bool(_typed(document, "dryRun", list)),
        _typed(document, "orphanDependents", bool),
    )
    if causes := _causes(options, document.get("dryRun") or []):
        raise invalid("meta.k8s.io", "DeleteOptions", "", causes)
    return options


def _from_query(query: Mapping[str, str]) -> Json:
    number(query, "gracePeriodSeconds")
    found: Json = {name: query[name] for name in ("propagationPolicy",) if query.get(name)}
    if "orphanDependents" in query:
        found["orphanDependents"] = query["orphanDependents"].lower() not in ("0", "false")
    return found


def _typed(document: Json, name: str, kind: type) -> Any:
    value = document.get(name)
    if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise bad_request(f"the body of a deletion is not a DeleteOptions: {name} is of the wrong type")
    return value


def _causes(options: DeleteOptions, dry_run: list[Any]) -> list[Cause]:
    causes = []
    policy = options.propagation
    if options.orphan is not None and policy is not None:
        rule = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(wrong("propagationPolicy", policy, rule))
    if policy is not None and policy not in _POLICIES:
        causes.append(not_supported("propagationPolicy", policy, (*_POLICIES, "nil")))
    if any(value != "All" for value in dry_run):
        causes.append(not_supported("dryRun", dry_run, ["All"]))
    return causes
