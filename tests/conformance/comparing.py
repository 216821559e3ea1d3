"""Two lists of answers, made comparable, and what differs between them, leaf by leaf.

What a server makes up is replaced by what it stands for: the n-th uid of the case, the n-th revision in the order of
the writes, the present time. So two objects that share a uid on one server must share one on the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from .sending import Answer

_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_GENERATED = re.compile(r"\bgen-([^/\s\"]*?)[bcdfghjklmnpqrstvwxz2456789]{5}\b")
_AGE = re.compile(r"(\d+[smhd])+\Z")
# What a test writes down itself is far from now; what a server sets is not.
_NOW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Difference:
    """One leaf: `path` names the step and the place in its answer, such as 2.body.metadata.generation."""

    path: str
    real: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.path}\n    real: {str(self.real)[:_SHOWN]}\n    ours: {str(self.ours)[:_SHOWN]}"


# Characters of a value that a failure shows.
_SHOWN = 700
_ABSENT = "<absent>"


@dataclass(slots=True)
class _Names:
    """What the values of one case are called."""

    uids: dict[str, str] = field(default_factory=dict)
    revisions: dict[str, str] = field(default_factory=dict)

    def uid(self, value: str) -> str:
        return self.uids.setdefault(value, f"<uid {len(self.uids) + 1}>")


def differences(real: list[Answer], ours: list[Answer], namespaces: tuple[str, str]) -> list[Difference]:
    """Return every leaf in which two runs of one case differ."""
    left, right = plain(real, namespaces[0]), plain(ours, namespaces[1])
    return list(_compare("", left, right))


def plain(answers: list[Answer], namespace: str) -> dict[str, Any]:
    """Return the answers without what is a server's own."""
    names = _Names()
    documents = {
        str(number): {"code": answer.code, "headers": answer.headers, "body": answer.body}
        for number, answer in enumerate(answers, 1)
    }
    written = sorted({int(text) for answer in answers for text in _revisions(answer.body)})
    names.revisions = {str(value): f"<write {number}>" for number, value in enumerate(written, 1)}
    found: dict[str, Any] = _plain(documents, names, namespace)
    return found


def _revisions(value: Any) -> Iterator[str]:
    """Yield the revisions of objects; those of lists and bookmarks depend on what else goes on in the server."""
    if isinstance(value, list):
        for item in value:
            yield from _revisions(item)
    elif isinstance(value, dict):
        if value.get("type") == "BOOKMARK":
            return
        metadata = value.get("metadata")
        if isinstance(metadata, dict) and metadata.get("uid"):
            text = metadata.get("resourceVersion")
            if isinstance(text, str) and text.isdigit():
                yield text
        for child in value.values():
            yield from _revisions(child)


def _plain(value: Any, names: _Names, namespace: str, key: str = "") -> Any:
    if isinstance(value, dict):
        # Keys of managedFields have uids in them.
        found = {
            _UID.sub(lambda match: names.uid(match[0]), name): _plain(child, names, namespace, name)
            for name, child in value.items()
        }
        metadata = found.get("metadata")
        if isinstance(metadata, dict) and "uid" not in metadata:
            _plain_list(metadata)
        if found.get("kind") == "Status":
            _plain_status(found)
        if found.get("kind") == "APIResourceList":
            # Their order, and that of their verbs, says nothing.
            found["resources"] = {item["name"]: {**item, "verbs": sorted(item["verbs"])} for item in found["resources"]}
        if isinstance(found.get("managedFields"), list):
            found["managedFields"] = _by_manager(found["managedFields"])
        return found
    if isinstance(value, list):
        return [_plain(item, names, namespace, key) for item in value]
    return _text(value, names, namespace, key) if isinstance(value, str) else value


def _by_manager(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put entries in one order, those of one manager together: v1.20 does not tell subresources apart."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        key = str([entry.get(name) for name in ("manager", "operation", "apiVersion")])
        found[key] = _united(found[key], entry) if key in found else entry
    return [found[key] for key in sorted(found)]


def _united(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = {**one, **other}
    for name in one.keys() & other.keys():
        if isinstance(one[name], dict) and isinstance(other[name], dict):
            both[name] = _united(one[name], other[name])
    return both


def _plain_list(metadata: dict[str, Any]) -> None:
    """Take from a list's metadata what says nothing: an empty token, and the revision of everything in the server."""
    if metadata.get("continue") == "":
        del metadata["continue"]
    if str(metadata.get("resourceVersion", "")).startswith("<"):
        metadata["resourceVersion"] = "<revision>"


def _plain_status(status: dict[str, Any]) -> None:
    """Put several causes into one order (Go's maps have none), and take them out of the message, which repeats them."""
    details = status.get("details")
    if not details:
        status.pop("details", None)
        return
    causes = details.get("causes")
    if causes and len(causes) > 1:
        causes.sort(key=str)
        for cause in sorted(causes, key=lambda cause: -len(cause["message"])):
            text = f"{cause['field']}: {cause['message']}" if cause.get("field") else cause["message"]
            status["message"] = status["message"].replace(text, "…", 1)


def _text(text: str, names: _Names, namespace: str, key: str) -> str:
    if key == "resourceVersion":
        return names.revisions.get(text, "<revision>") if text.isdigit() and text != "0" else text
    if key == "continue":
        return "<token>" if text else ""
    if key == "cells":
        return "<age>" if _AGE.match(text) else text
    text = text.replace(namespace, "{ns}")
    text = _UID.sub(lambda match: names.uid(match[0]), text)
    text = _GENERATED.sub(r"gen-\1<random>", text)
    text = _TIME.sub(lambda match: "<now>" if _recent(match[0]) else match[0], text)
    return re.sub(r"\b\d+\b", lambda match: names.revisions.get(match[0], match[0]), text) if key == "message" else text


def _recent(text: str) -> bool:
    try:
        return abs(datetime.now(UTC) - datetime.fromisoformat(text)) < _NOW
    except ValueError:
        return False


def _unlike(real: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Tell whether two documents are of different kinds, so that their fields need not be held against each other."""
    return "kind" in real and "kind" in ours and real["kind"] != ours["kind"]


def _compare(path: str, real: Any, ours: Any) -> Iterator[Difference]:
    if isinstance(real, dict) and isinstance(ours, dict) and not _unlike(real, ours):
        for name in dict.fromkeys([*real, *ours]):
            below = f"{path}.{name}" if path else name
            yield from _compare(below, real.get(name, _ABSENT), ours.get(name, _ABSENT))
    elif isinstance(real, list) and isinstance(ours, list) and len(real) == len(ours):
        for index, (left, right) in enumerate(zip(real, ours, strict=True)):
            yield from _compare(f"{path}[{index}]", left, right)
    elif real != ours or type(real) is not type(ours):
        yield Difference(path, real, ours)
