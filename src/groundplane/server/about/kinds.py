"""The kinds of catalog.groundplane.dev and server.groundplane.dev: not stored, not changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from groundplane.api.schema import PRESERVE, Schema, validator

from ..builtin.common import TEXT, kind_schema, list_of, object_of, path, text
from ..resources import COMMON_FIELDS, FieldOf, Resource
from ..status import Json
from ..table import NAME, Column

VERSION = "v1alpha1"
CATALOG_GROUP = "catalog.groundplane.dev"
SERVER_GROUP = "server.groundplane.dev"
TABLES, SETTINGS, CHECKS = "catalogtables", "serversettings", "serverchecks"
SETTLED = "settled"


def about_resources() -> tuple[Resource, ...]:
    """Return the resources."""
    return (_catalog_tables(), _server_settings(), _server_checks())


def _resource(group: str, plural: str, kind: str, schema: Schema, *columns: Column, **fields: FieldOf) -> Resource:
    return Resource(
        group=group, version=VERSION, plural=plural, singular=kind.lower(), kind=kind, schema=schema,
        validate=validator(schema), namespaced=False, path_names=True, custom=True, verbs=("get", "list"),
        fields={**COMMON_FIELDS, **{f"spec.{name}": reader for name, reader in fields.items()}},
        columns=(NAME, *columns),
    )  # fmt: skip


def _catalog_tables() -> Resource:
    row = {
        "values": {
            "type": "object",
            "description": "What the row says, by column; what was not found in a source is not there.",
            PRESERVE: True,
        },
        "source": text("The address of who says it."),
        "date": text("The day of what it says."),
        "review": text(f'The day to look again; "{SETTLED}" when it cannot change any more.'),
        "verified": text("How it was read: primary, at its source; copy, in another's text of it; memory, not at all."),
        "origin": text("Shipped, or Site for a row that this site brought."),
    }
    spec = {
        "title": text("What the table is about."),
        "key": list_of(TEXT, "The columns that tell a row from the others."),
        "columns": list_of(TEXT, "All columns, in order."),
        "rows": list_of(object_of("One row.", row), "The rows."),
    }
    schema = kind_schema(
        "CatalogTable is one table of what Groundplane knows of Kubernetes, runtimes, kernels, networks and systems.",
        {"spec": object_of("The table.", spec)},
    )
    return _resource(
        CATALOG_GROUP, TABLES, "CatalogTable", schema,
        Column("Rows", "integer", lambda obj, _: len(_rows(obj))),
        Column("Newest", "string", lambda obj, _: max((row["date"] for row in _rows(obj)), default="")),
        Column("To review", "integer", lambda obj, now: sum(_past(row, now) for row in _rows(obj))),
        _count("Memory", "verified", "memory"), _count("Copy", "verified", "copy"), _count("Site", "origin", "Site"),
        Column("What", "string", lambda obj, _: obj["spec"]["title"]),
    )  # fmt: skip


def _rows(obj: Json) -> list[Any]:
    rows: list[Any] = obj["spec"]["rows"]
    return rows


def _past(row: Json, now: datetime) -> bool:
    return bool(row["review"] != SETTLED and row["review"] <= now.date().isoformat())


def _count(title: str, field: str, value: str) -> Column:
    return Column(title, "integer", lambda obj, _: sum(row[field] == value for row in _rows(obj)), priority=1)


def _server_settings() -> Resource:
    spec = {
        "value": text("What holds, as it is written in the settings; of a secret whether there is one."),
        "default": text("What holds when nothing sets it."),
        "differs": {"type": "boolean", "description": "Whether the value is another one than the default."},
        "origin": text("What set it: Default, Environment, Flag or File."),
        "variable": text("The environment variable that sets it."),
        "flag": text("The flag of `groundplane up` that sets it."),
        "file": text("The settings file that sets it, or would."),
        "secret": {"type": "boolean", "description": "Whether the value may be a secret, and so is not shown."},
    }
    schema = kind_schema(
        "ServerSetting is one setting of the server, as it was read when the server started.",
        {"spec": object_of("The setting.", spec)},
    )
    return _resource(
        SERVER_GROUP, SETTINGS, "ServerSetting", schema,
        _column("Value", "value"), _column("Default", "default"), _column("From", "origin"),
        Column("File", "string", lambda obj, _: obj["spec"].get("file", ""), priority=1),
        origin=path("spec", "origin"), differs=lambda obj: "true" if obj["spec"]["differs"] else "false",
    )  # fmt: skip


def _server_checks() -> Resource:
    spec = {
        "state": text("Ready; Degraded, when the server goes on without it; Failed, when nothing should be sent here."),
        "message": text("What is wrong."),
    }
    schema = kind_schema(
        "ServerCheck is how one part of the server is at the moment of the request.",
        {"spec": object_of("How it is.", spec)},
    )
    return _resource(
        SERVER_GROUP, CHECKS, "ServerCheck", schema, _column("State", "state"), _column("Message", "message"),
        state=path("spec", "state"),
    )  # fmt: skip


def _column(title: str, name: str) -> Column:
    return Column(title, "string", lambda obj, _: obj["spec"][name])
