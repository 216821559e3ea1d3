"""JSON patch (RFC 6902), JSON merge patch (RFC 7396) and Kubernetes' strategic merge patch for the built-in kinds."""

from __future__ import annotations

import copy
from typing import Any

from .status import Json, StatusError, bad_request

# apimachinery's own limit for the operations of one JSON patch.
MAX_OPERATIONS = 10_000


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
    for operation in operations:
        if not isinstance(operation, dict):
            raise bad_request("error decoding patch: an operation is not a JSON object")
        if not isinstance(operation.get("path"), str):
            raise _inapplicable("an operation needs op and path")
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
        _get(document, path)
        return _set(document, path, copy.deepcopy(operation["value"]))
    if kind == "test":
        if _get(document, path) != operation["value"]:
            raise _inapplicable(f"testing path {operation['path']} failed")
        return document
    if kind in ("move", "copy") and isinstance(operation.get("from"), str):
        source = _pointer(operation["from"])
        value = copy.deepcopy(_get(document, source))
        return _add(_remove(document, source) if kind == "move" else document, path, value)
    raise _inapplicable(f"unexpected operation {kind!r}")


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise _inapplicable(f"{text!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _inapplicable(why: str) -> StatusError:
    return StatusError(422, "Invalid", f"the server rejected our request due to an error in our request: {why}")


def _index(container: list[Any], part: str, *, upto: int) -> int:
    if not part.isdigit() or int(part) > upto or (part != "0" and part.startswith("0")):
        raise _inapplicable(f"there is no index {part!r} in a list of {len(container)}")
    return int(part)


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
    parent = _get(document, path[:-1])
    parent[int(path[-1]) if isinstance(parent, list) else path[-1]] = value
    return document


def _remove(document: Any, path: list[str]) -> Any:
    _get(document, path)
    if not path:
        return None
    parent = _get(document, path[:-1])
    del parent[int(path[-1]) if isinstance(parent, list) else path[-1]]
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
    return result


def _merge_field(result: Json, name: str, value: Any) -> None:
    if name.startswith(_ORDER):
        return
    if name.startswith(_DELETE_LIST):
        field = name.removeprefix(_DELETE_LIST)
        result[field] = [item for item in result.get(field) or [] if item not in value]
    elif value is None:
        result.pop(name, None)
    elif name in _MERGED_LISTS and isinstance(value, list):
        result[name] = _merge_items(result.get(name) or [], value, _MERGED_LISTS[name])
    else:
        result[name] = strategic(result.get(name), value)


def _merge_items(items: list[Any], patch: list[Any], key: str) -> list[Any]:
    if not key:
        return [*items, *(value for value in patch if value not in items)]
    result = {item.get(key): item for item in items}
    for change in patch:
        if not isinstance(change, dict) or key not in change:
            raise bad_request(f"unable to apply patch: an item has no {key}, its merge key")
        if change.get("$patch") == "delete":
            result.pop(change[key], None)
        else:
            result[change[key]] = strategic(result.get(change[key], {}), change)
    return list(result.values())
