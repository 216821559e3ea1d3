"""The resources that this server serves: how each is addressed, printed, checked and prepared.

The five kinds come from `api.registry`; the built-in ones from `builtin`. A resource that is not here does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from groundplane.api.cause import Cause
from groundplane.api.cleaning import Clean, cleaner
from groundplane.api.registry import KINDS, KindInfo
from groundplane.api.schema import Schema, Validate, object_schema, validator

from .status import Json
from .table import NAME, Column, from_printer

if TYPE_CHECKING:
    from .service import Call, Service

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")

FieldOf = Callable[[Json], str]
# Changes the object in place before it is checked; the second argument is the old object, None on create.
Prepare = Callable[[Json, Json | None], None]
Check = Callable[[Json, Json | None], list[Cause]]
# Raises 403 when the caller may not write just this object: service, call, the new object and the old one.
Guard = Callable[["Service", "Call", Json, Json | None], None]


def metadata_field(name: str) -> FieldOf:
    """Return a reader of one field of metadata."""
    return lambda obj: str(obj["metadata"].get(name, ""))


COMMON_FIELDS: dict[str, FieldOf] = {
    "metadata.name": metadata_field("name"),
    "metadata.namespace": metadata_field("namespace"),
}


def _nothing(obj: Json, old: Json | None) -> None:
    """Most kinds need no preparation."""


def _no_causes(obj: Json, old: Json | None) -> list[Cause]:
    return []


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource. `fields` are what field selectors know; `generation`: counts changes of what is wanted.

    `needs_revision`: nobody replaces it without saying which revision was seen.
    `refusal` tells what to do instead of a verb that is not among `verbs`.
    """

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    schema: Schema
    validate: Validate
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespaced: bool = True
    has_status: bool = False
    has_log: bool = False
    has_plan: bool = False
    has_exec: bool = False
    has_token: bool = False
    has_password: bool = False
    generation: bool = False
    columns: tuple[Column, ...] = (NAME,)
    fields: Mapping[str, FieldOf] = field(default_factory=lambda: dict(COMMON_FIELDS))
    patches: tuple[str, ...] = (JSON_PATCH, MERGE, APPLY)
    prepare: Prepare = _nothing
    check: Check = _no_causes
    label_names: bool = False
    path_names: bool = False
    custom: bool = False
    verbs: tuple[str, ...] = VERBS
    refusal: str = ""
    creates_on_update: bool = False
    needs_revision: bool = False
    returns_deleted: bool = False
    guard: Guard | None = None
    # Made from the others: pruning and defaulting, group and version as objects carry them, the name in the store.
    clean: Clean = field(init=False)
    api_version: str = field(init=False)
    stored: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "clean", cleaner(self.schema))
        object.__setattr__(self, "api_version", f"{self.group}/{self.version}" if self.group else self.version)
        object.__setattr__(self, "stored", f"{self.plural}.{self.group}" if self.group else self.plural)

    def verbs_on(self, subresource: str) -> tuple[str, ...]:
        """Return the verbs on an object, or on the part of it that has one of its own."""
        return ("update",) if subresource == "password" else self.verbs


@dataclass(frozen=True, slots=True)
class Resources:
    """All resources, by (group, version, plural) and by what the store calls them."""

    all: tuple[Resource, ...]
    by_path: Mapping[tuple[str, str, str], Resource] = field(init=False)
    by_stored: Mapping[str, Resource] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_path", {(r.group, r.version, r.plural): r for r in self.all})
        object.__setattr__(self, "by_stored", {r.stored: r for r in self.all})

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """Return the resource of a path, or None."""
        return self.by_path.get((group, version, plural))

    def groups(self) -> dict[tuple[str, str], list[Resource]]:
        """Return the resources by (group, version), the core group first."""
        found: dict[tuple[str, str], list[Resource]] = {}
        for resource in self.all:
            found.setdefault((resource.group, resource.version), []).append(resource)
        return found


def of_kind(info: KindInfo, guard: Guard | None = None) -> Resource:
    """Make the resource of one of the five kinds."""
    schema = object_schema(info)
    return Resource(
        group=info.group,
        version=info.version,
        plural=info.plural,
        singular=info.singular,
        kind=info.kind,
        schema=schema,
        validate=validator(schema),
        short_names=info.short_names,
        categories=info.categories,
        has_status=info.has_status,
        has_log=info.kind == "Operation",
        has_plan=info.kind == "Foundation",
        has_exec=info.kind == "Machine",
        generation=True,
        custom=True,
        needs_revision=True,
        guard=guard,
        columns=(NAME, *(from_printer(column) for column in info.columns)),
    )


@cache
def load() -> Resources:
    """Return every resource of the server; made once, for compiling the schemas takes a while."""
    from .about.kinds import about_resources
    from .access.kinds import access_resources
    from .access.local_files import guard_distribution, guard_operation
    from .accounts.kinds import account_resources
    from .builtin import builtin_resources

    guards: dict[str, Guard] = {"Distribution": guard_distribution, "Operation": guard_operation}
    ours = (of_kind(info, guards.get(info.kind)) for info in KINDS)
    return Resources((*builtin_resources(), *access_resources(), *account_resources(), *about_resources(), *ours))
