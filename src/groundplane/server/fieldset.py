"""Sets of field paths, as server-side apply keeps them (FieldsV1 of metav1.ManagedFieldsEntry).

A path is a tuple of FieldsV1 keys: "f:name" for a field, 'k:{"uid":"…"}' for an item of a keyed list, 'v:"x"' for
a member of a set. Lists are atomic unless named here: one owner for the whole list.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from .status import Json

Path = tuple[str, ...]

# The only lists that are not atomic; a path matches by its end.
_KEYED: dict[Path, str] = {("f:metadata", "f:ownerReferences"): "uid", ("f:status", "f:conditions"): "type"}
_SETS: frozenset[Path] = frozenset({("f:metadata", "f:finalizers")})
# The same by what is at the top above them.
_LISTS: dict[str, tuple[Path, ...]] = {
    top: tuple(path for path in (*_KEYED, *_SETS) if path[0] == top) for top in ("f:metadata", "f:status")
}
_SHORT = 512
# A container is remembered by a marker, so that it never equals a value.
_CONTAINER = object()

_SYSTEM_METADATA = (
    "name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields", "resourceVersion",
)  # fmt: skip
_NOT_OWNED = (".", *(f"f:{name}" for name in _SYSTEM_METADATA))
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
    """Return the FieldsV1 of every field of an object: `to_fields(leaves(obj, containers=True))`, in one walk.

    Parts of it are shared with those of other objects: it is to be written and not to be changed.
    """
    tree: Json = {}
    for name in sorted(obj):
        value = obj[name]
        element = f"f:{name}"
        if name == "metadata" and isinstance(value, dict):
            # The excluded fields all lie here and at the top; metadata itself has no owner.
            members = {**_members(value), **_lists(element, value)}
            for excluded in _NOT_OWNED:
                members.pop(excluded, None)
            if members:
                tree[element] = members
        elif (element,) not in EXCLUDED:
            fields = _members(value) if isinstance(value, dict) and value else {}
            tree[element] = {**fields, **_lists(element, value)} if element in _LISTS else fields
    return tree


def _members(value: Json) -> Json:
    names = tuple(value)
    # The same few sets of names come all the time; long ones are somebody's attempt to fill our memory.
    known = _known_leaves(names) if len("".join(names)) <= _SHORT else _leaves(names)
    tree = known
    for name, child in value.items():
        if isinstance(child, dict) and child:
            if tree is known:
                tree = dict(known)
            tree[f"f:{name}"] = _members(child)
    return tree


def _leaves(names: tuple[str, ...]) -> Json:
    """Return the fields of a map with these names, as if none of its values had fields of its own."""
    return {**{f"f:{name}": {} for name in sorted(names)}, ".": {}}


_known_leaves = lru_cache(maxsize=256)(_leaves)


def _lists(top: str, value: Any) -> Json:
    """Return the fields of the lists in a map at the top that are not atomic; there are no such lists elsewhere."""
    tree: Json = {}
    for path in _LISTS[top]:
        items = value.get(path[1][2:]) if isinstance(value, dict) else None
        if isinstance(items, list):
            # They are few and short: the general way will do.
            found: dict[Path, Any] = {}
            _walk_items(items, path, found, True)
            tree[path[1]] = to_fields(below[2:] for below in found if below != path)
            if tree[path[1]]:
                tree[path[1]]["."] = {}
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
