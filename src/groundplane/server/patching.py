"""JSON patch (RFC 6902), JSON merge patch (RFC 7396) and Kubernetes' strategic merge patch for the built-in kinds."""

from __future__ import annotations

import copy
import re
from collections import deque
from typing import Any

import msgspec

from .lists import identity, places, union
from .status import Json, StatusError, bad_request

# apimachinery's own limit for the operations of one JSON patch.
MAX_OPERATIONS = 10_000
_NUMBER = re.compile(r"(0|[1-9][0-9]*)\Z")
# What the copies of one patch may add up to, in bytes of JSON: each could double what is there.
MAX_COPIED = 3 * 1024 * 1024


def merge(target: Any, patch: Any) -> Any:
    """Apply a merge patch: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def json_patch(document: Json, operations: Any) -> Any:
    """Apply a JSON patch; malformed → 400, not applicable → 422, as kube-apiserver answers."""
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: a JSON patch is a list of operations")
    if len(operations) > MAX_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise StatusError(413, "RequestEntityTooLarge", f"Request entity too large: {message}")
    result: Any = copy.deepcopy(document)
    copied = 0
    for operation in operations:
        if not isinstance(operation, dict):
            raise bad_request("error decoding patch: an operation is not a JSON object")
        if not isinstance(operation.get("path"), str):
            raise _inapplicable("an operation needs op and path")
        copied += _growth(result, operation)
        if copied > MAX_COPIED:
            raise _inapplicable(
                "Unable to complete the copy, the accumulated size increase of copy operation is "
                f"{copied}, exceeding the limit {MAX_COPIED}"
            )
        result = _operate(result, operation)
    return result


def _operate(document: Any, operation: Json) -> Any:
    kind, path = operation.get("op"), _pointer(operation["path"])
    if kind in ("add", "replace", "test") and "value" not in operation:
        raise bad_request(f"error decoding patch: {kind} at {operation['path']} has no value")
    if kind == "add":
        return _add(document, path, copy.deepcopy(operation["value"]))
    if kind == "remove":
        return _remove(document, path)
    if kind == "replace":
        return _set(document, path, copy.deepcopy(operation["value"]))
    if kind == "test":
        if _tested(document, path) != operation["value"]:
            raise _inapplicable(f"testing path {operation['path']} failed")
        return document
    if kind in ("move", "copy") and isinstance(operation.get("from"), str):
        source = _pointer(operation["from"])
        value = _get(document, source)
        if kind == "move":
            return _add(_remove(document, source), path, value)
        return _add(document, path, copy.deepcopy(value))
    raise _inapplicable(f"unexpected operation {kind!r}")


def _growth(document: Any, operation: Json) -> int:
    """Return the bytes of what the operation copies."""
    if operation.get("op") != "copy" or not isinstance(operation.get("from"), str):
        return 0
    return len(msgspec.json.encode(_get(document, _pointer(operation["from"]))))


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise _inapplicable(f"{text!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _inapplicable(why: str) -> StatusError:
    return StatusError(422, "Invalid", f"the server rejected our request due to an error in our request: {why}")


def _index(container: list[Any], part: str, *, upto: int) -> int:
    digits = part.removeprefix("-")
    # As kube-apiserver has it: -1 is the last place.
    place = int(part) + (upto + 1 if part.startswith("-") else 0) if _NUMBER.match(digits) else -1
    if not 0 <= place <= upto:
        raise _inapplicable(f"there is no index {part!r} in a list of {len(container)}")
    return place


def _get(document: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list):
            document = document[_index(document, part, upto=len(document) - 1)]
        else:
            raise _inapplicable(f"there is nothing at {'/' + '/'.join(path)}")
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, part = _get(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        at = len(parent) if part == "-" else _index(parent, part, upto=len(parent))
        parent.insert(at, value)
    elif isinstance(parent, dict):
        parent[part] = value
    else:
        raise _inapplicable(f"{'/' + '/'.join(path[:-1])} is neither an object nor a list")
    return document


def _set(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, part = _get(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent[_index(parent, part, upto=len(parent) - 1)] = value
    elif isinstance(parent, dict):
        # As kube-apiserver has it: what is replaced need not be there, and clients count on that.
        parent[part] = value
    else:
        raise _inapplicable(f"{'/' + '/'.join(path[:-1])} is neither an object nor a list")
    return document


def _tested(document: Any, path: list[str]) -> Any:
    """Return what a test compares: what is not in its object is null, as kube-apiserver has it."""
    parent = _get(document, path[:-1])
    return parent.get(path[-1]) if path and isinstance(parent, dict) else _get(document, path)


def _remove(document: Any, path: list[str]) -> Any:
    _get(document, path)
    if not path:
        return None
    parent = _get(document, path[:-1])
    del parent[_index(parent, path[-1], upto=len(parent) - 1) if isinstance(parent, list) else path[-1]]
    return document


# Which lists of the built-in kinds merge: by key, or as values ("").
_MERGED_LISTS = {"ownerReferences": "uid", "finalizers": ""}
_DELETE_LIST = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategic(target: Any, patch: Any) -> Any:
    """Apply a strategic merge patch: as a merge patch, but known lists merge and directives are obeyed."""
    if not isinstance(patch, dict):
        return patch
    directive = patch.get("$patch")
    body = {name: value for name, value in patch.items() if name not in ("$patch", "$retainKeys")}
    if directive == "delete":
        return {}
    if directive not in (None, "merge", "replace"):
        raise bad_request(f"unable to apply patch: unknown $patch directive {directive!r}")
    result = dict(target) if isinstance(target, dict) and directive != "replace" else {}
    kept = patch.get("$retainKeys")
    if isinstance(kept, list):
        result = {name: value for name, value in result.items() if name in kept}
    for name, value in body.items():
        _merge_field(result, name, value)
    for name, key in _MERGED_LISTS.items():
        given, before = body.get(f"{_ORDER}{name}", body.get(name)), result.get(name)
        if isinstance(given, list) and isinstance(before, list):
            present = target.get(name) if isinstance(target, dict) else None
            result[name] = _in_order(before, given, present or [], key)
    return result


def _in_order(items: list[Any], asked: list[Any], present: list[Any], key: str) -> list[Any]:
    """Put what the patch names into its order; the others keep their places among those that were there."""

    def named(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    wanted, before = places(map(named, asked)), places(map(named, present))
    known = [(identity(named(item)), item) for item in items]
    right = deque(sorted((pair for pair in known if pair[0] in wanted), key=lambda pair: wanted[pair[0]]))
    left = deque(pair for pair in known if pair[0] not in wanted)
    merged = []
    while left and right:
        one, other = before.get(left[0][0]), before.get(right[0][0])
        first = one is not None and other is not None and one < other
        merged.append((left if first else right).popleft())
    return [item for _, item in (*merged, *left, *right)]


def _merge_field(result: Json, name: str, value: Any) -> None:
    if name.startswith(_ORDER):
        return
    if name.startswith(_DELETE_LIST):
        field = name.removeprefix(_DELETE_LIST)
        result[field] = [item for item in result.get(field) or [] if item not in value]
    elif value is None:
        result.pop(name, None)
    elif name in _MERGED_LISTS and isinstance(value, list):
        result[name] = _merge_items(result.get(name), value, _MERGED_LISTS[name])
    else:
        result[name] = strategic(result.get(name), value)


def _merge_items(items: Any, patch: list[Any], key: str) -> list[Any]:
    if not key:
        return union(items or (), patch)
    changes = [change for change in patch if not isinstance(change, dict) or change.get("$patch") != "replace"]
    if items is None or len(changes) < len(patch):
        return [change for change in changes if not isinstance(change, dict) or "$patch" not in change]
    result = {item.get(key): item for item in items}
    for change in changes:
        if not isinstance(change, dict) or key not in change:
            raise bad_request(f"unable to apply patch: an item has no {key}, its merge key")
        if change.get("$patch") == "delete":
            result.pop(change[key], None)
        else:
            result[change[key]] = strategic(result.get(change[key], {}), change)
    return list(result.values())
