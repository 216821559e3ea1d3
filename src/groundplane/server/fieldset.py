"""Sets of field paths, as server-side apply keeps them (FieldsV1 of metav1.ManagedFieldsEntry).

A path is a tuple of FieldsV1 keys: "f:name" for a field, 'k:{"uid":"…"}' for an item of a keyed list, 'v:"x"' for
a member of a set. Lists are atomic unless named here: one owner for the whole list.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from .status import Json

Path = tuple[str, ...]

# The only lists that are not atomic; a path matches by its end.
_KEYED: dict[Path, str] = {("f:metadata", "f:ownerReferences"): "uid", ("f:status", "f:conditions"): "type"}
_SETS: frozenset[Path] = frozenset({("f:metadata", "f:finalizers")})
# A container is remembered by a marker, so that it never equals a value.
_CONTAINER = object()

_SYSTEM_METADATA = (
    "name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields", "resourceVersion",
)  # fmt: skip
EXCLUDED: frozenset[Path] = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",), *(("f:metadata", f"f:{name}") for name in _SYSTEM_METADATA)}
)


def list_key(path: Path) -> str | None:
    """Return the field that identifies items of the list at `path`, or None when it is not keyed."""
    return _KEYED.get(path)


def is_set(path: Path) -> bool:
    """Tell whether the list at `path` is a set of values."""
    return path in _SETS


def item_element(key: str, item: Json) -> str:
    """Return the path element of an item of a keyed list."""
    return "k:" + msgspec.json.encode({key: item.get(key)}).decode()


def leaves(obj: Json, *, containers: bool = False) -> dict[Path, Any]:
    """Return every leaf path with its value, and with `containers` the maps above them too."""
    found: dict[Path, Any] = {}
    _walk(obj, (), found, containers)
    for path in [p for p in found if p in EXCLUDED or p[:2] in EXCLUDED]:
        del found[path]
    return found


def _walk(value: Any, path: Path, found: dict[Path, Any], containers: bool) -> None:
    if isinstance(value, dict) and value:
        if containers and path:
            found[path] = _CONTAINER
        for name, child in value.items():
            _walk(child, (*path, f"f:{name}"), found, containers)
    elif isinstance(value, list) and (path in _KEYED or path in _SETS):
        _walk_items(value, path, found, containers)
    else:
        found[path] = value


def _walk_items(items: list[Any], path: Path, found: dict[Path, Any], containers: bool) -> None:
    key = list_key(path)
    if containers:
        found[path] = _CONTAINER
    for item in items:
        if key is None or not isinstance(item, dict):
            found[(*path, "v:" + msgspec.json.encode(item).decode())] = item
            continue
        element = (*path, item_element(key, item))
        _walk(item, element, found, containers)
        found[element] = _CONTAINER


def to_fields(paths: Iterable[Path]) -> Json:
    """Write a set as FieldsV1."""
    members = set(paths)
    tree: Json = {}
    for path in sorted(members):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
    for path in members:
        node = tree
        for element in path:
            node = node[element]
        if node:
            node["."] = {}
    return tree


def whole_fields(obj: Json) -> Json:
    """Return the FieldsV1 of every field of an object: `to_fields(leaves(obj, containers=True))`, in one walk."""
    tree: Json = {}
    for name in sorted(obj):
        element = f"f:{name}"
        if name == "metadata" and isinstance(obj[name], dict):
            # The excluded fields all lie here and at the top; metadata itself has no owner.
            below = {key: value for key, value in obj[name].items() if key not in _SYSTEM_METADATA}
            if below:
                tree[element] = _members(below, (element,))
        elif (element,) not in EXCLUDED:
            tree[element] = _fields(obj[name], (element,))
    return tree


def _members(value: Json, path: Path) -> Json:
    return {element: _fields(value[element[2:]], (*path, element)) for element in sorted(f"f:{key}" for key in value)}


def _fields(value: Any, path: Path) -> Json:
    if isinstance(value, dict) and value:
        tree = _members(value, path)
    elif isinstance(value, list) and (path in _KEYED or path in _SETS):
        # Lists of this kind are few and short: the general way will do.
        found: dict[Path, Any] = {}
        _walk_items(value, path, found, True)
        tree = to_fields(below[len(path) :] for below in found if below != path)
    else:
        return {}
    if tree:
        tree["."] = {}
    return tree


def from_fields(fields: Json) -> frozenset[Path]:
    """Read FieldsV1."""
    found: set[Path] = set()

    def walk(node: Json, path: Path) -> None:
        if not node and path:
            found.add(path)
        for element, child in node.items():
            if element == ".":
                found.add(path)
            elif isinstance(child, dict):
                walk(child, (*path, element))

    walk(fields, ())
    return frozenset(found)


def show(path: Path) -> str:
    """Write a path for people: .spec.network.podCIDR, .status.conditions[type="Ready"]."""
    parts = []
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "f":
            parts.append(f".{rest}")
        elif kind == "k":
            keys = msgspec.json.decode(rest.encode(), type=dict[str, Any])
            parts.append("[" + ",".join(f"{k}={msgspec.json.encode(v).decode()}" for k, v in keys.items()) + "]")
        else:
            parts.append(f"[={rest}]")
    return "".join(parts)
