"""The kinds of access.groundplane.dev: password users, bearer tokens, and what the audit log holds.

Discovery, roles, tables and OpenAPI know them as they know every kind, but none of them is in the store: users and
tokens are in files of the home, which `groundplane user|token` change too, and events are in the audit log.
"""

from __future__ import annotations

from collections.abc import Sequence

from groundplane.api.cause import Cause, forbidden, invalid, required
from groundplane.api.schema import PRESERVE, Schema, validator

from ..authn.passwords import name_problem, password_problem
from ..builtin.common import TEXT, kind_schema, object_of, path, text
from ..resources import COMMON_FIELDS, Resource
from ..status import Json
from ..table import AGE, NAME, Column
from ..users import ACCESS_GROUP

VERSION = "v1alpha1"
_LONGEST_NAME = 256
_MOST_GROUPS = 100
_NOT_KEPT = ("labels", "annotations", "ownerReferences", "finalizers", "generateName")
_GROUPS: Schema = {"type": "array", "items": TEXT, "description": "The groups that the holder is in."}
_LAST_USED = text("When it was used last, as far as this server knows: since it started, or since a session began.")


def account_resources() -> tuple[Resource, ...]:
    """Return the resources."""
    return (_users(), _tokens(), _audit_events())


def _users() -> Resource:
    spec = {
        "groups": _GROUPS,
        "password": text("The password, when a user is made; it is never answered."),
    }
    schema = kind_schema(
        "User is somebody who signs in by name and password.",
        {
            "spec": object_of("Who the user is.", spec),
            "status": object_of("What is seen of the user.", {"lastUsed": _LAST_USED}),
        },
    )
    return Resource(
        group=ACCESS_GROUP, version=VERSION, plural="users", singular="user", kind="User", schema=schema,
        validate=validator(schema), namespaced=False, has_password=True, path_names=True, custom=True,
        verbs=("create", "delete", "get", "list"), check=_check_user,
        columns=(NAME, _GROUPS_COLUMN, _LAST_USED_COLUMN, AGE),
    )  # fmt: skip


def _tokens() -> Resource:
    spec = {
        "user": text("Whose token it is: the name under which its holder is known."),
        "groups": _GROUPS,
        "expirationSeconds": {
            "type": "integer",
            "format": "int64",
            "description": "How long a new token is good; 720 hours when it is not said.",
        },
    }
    status = {
        "token": text("The token itself: answered once, when it is made."),
        "expirationTimestamp": text("When it ends."),
        "lastUsed": _LAST_USED,
    }
    schema = kind_schema(
        "Token is a bearer token; its name is the beginning of its hash.",
        {"spec": object_of("Whose it is.", spec), "status": object_of("The token, and until when.", status)},
    )
    user = Column("User", "string", lambda obj, _: obj["spec"]["user"])
    expires = Column("Expires", "string", lambda obj, _: obj["status"]["expirationTimestamp"])
    return Resource(
        group=ACCESS_GROUP, version=VERSION, plural="tokens", singular="token", kind="Token", schema=schema,
        validate=validator(schema), namespaced=False, path_names=True, custom=True,
        verbs=("create", "delete", "get", "list"), check=_check_token,
        columns=(NAME, user, _GROUPS_COLUMN, expires, _LAST_USED_COLUMN, AGE),
    )  # fmt: skip


_GROUPS_COLUMN = Column("Groups", "string", lambda obj, _: ",".join(obj["spec"]["groups"]))
_LAST_USED_COLUMN = Column("Last used", "string", lambda obj, _: obj["status"].get("lastUsed", ""))

# What events can be chosen by.
_CHOSEN_BY = (
    "auditID", "level", "stage", "verb", "user.username", "impersonatedUser.username", "objectRef.apiGroup",
    "objectRef.resource", "objectRef.subresource", "objectRef.namespace", "objectRef.name", "responseStatus.code",
)  # fmt: skip


def _audit_events() -> Resource:
    schema = kind_schema(
        "AuditEvent is one line of the audit log; its name says where it is in the log's files.",
        {
            "event": {
                "type": "object",
                "description": "The line: an Event of audit.k8s.io/v1.",
                PRESERVE: True,
            }
        },
    )
    fields = {f"event.{name}": path("event", *name.split(".")) for name in _CHOSEN_BY}
    names = ("Time", "stageTimestamp"), ("User", "user.username"), ("Verb", "verb"), \
            ("Resource", "objectRef.resource"), ("Namespace", "objectRef.namespace"), ("Object", "objectRef.name"), \
            ("Code", "responseStatus.code")  # fmt: skip
    return Resource(
        group=ACCESS_GROUP, version=VERSION, plural="auditevents", singular="auditevent", kind="AuditEvent",
        schema=schema, validate=validator(schema), namespaced=False, path_names=True, custom=True, verbs=("list",),
        fields={**COMMON_FIELDS, **fields}, columns=tuple(_column(title, name) for title, name in names),
    )  # fmt: skip


def _column(title: str, name: str) -> Column:
    read = path("event", *name.split("."))
    return Column(title, "string", lambda obj, _: read(obj))


def _check_user(obj: Json, old: Json | None) -> list[Cause]:
    name, spec = str(obj["metadata"].get("name") or ""), obj.get("spec") or {}
    causes = _check_kept(obj)
    if name and (problem := name_problem(name)):
        causes.append(invalid("metadata.name", name, problem))
    if not spec.get("password"):
        causes.append(required("spec.password"))
    elif problem := password_problem(spec["password"]):
        # The value is not shown: what is refused is recorded.
        causes.append(Cause("spec.password", "FieldValueInvalid", None, f"Invalid value: {problem}"))
    return causes + _check_groups(spec.get("groups") or ())


def _check_token(obj: Json, old: Json | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = _check_kept(obj)
    user = spec.get("user") or ""
    if not user:
        causes.append(required("spec.user", "a token is somebody's"))
    elif problem := _text_problem(user):
        causes.append(invalid("spec.user", user, problem))
    return causes + _check_groups(spec.get("groups") or ())


def _check_kept(obj: Json) -> list[Cause]:
    given = [name for name in _NOT_KEPT if obj["metadata"].get(name)]
    return [forbidden(f"metadata.{name}", None, f"a {obj['kind']} has none") for name in given]


def _check_groups(groups: Sequence[str]) -> list[Cause]:
    if len(groups) > _MOST_GROUPS:
        rule = f"Too many: {len(groups)}: must have at most {_MOST_GROUPS} items"
        return [Cause("spec.groups", "FieldValueInvalid", None, rule)]
    return [
        invalid(f"spec.groups[{number}]", group, problem)
        for number, group in enumerate(groups)
        if (problem := _text_problem(group))
    ]


def _text_problem(name: str) -> str:
    fits = name == name.strip() and 0 < len(name) <= _LONGEST_NAME and name.isprintable()
    return "" if fits else f"has 1 to {_LONGEST_NAME} printable characters, no space before or after them"
