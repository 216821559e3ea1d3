"""Who set which field: metadata.managedFields for every write, and server-side apply on top of it.

An entry belongs to (manager, operation, subresource). An update takes the changed fields from everybody else; an apply
owns exactly what it names, is refused when it would change a field of another manager (unless forced), and removes
what it no longer names and nobody else owns (structured-merge-diff, as kube-apiserver uses it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from groundplane.base.gotext import quoted

from .fieldset import Path, from_fields, is_set, item_element, leaves, list_key, show, to_fields, whole_fields
from .lists import union
from .status import Json, StatusError, apply_conflict, bad_request


class Owner(NamedTuple):
    """Whose fields an entry holds."""

    manager: str
    operation: str
    subresource: str
    api_version: str

    def __str__(self) -> str:
        if self.operation == "Apply":
            return quoted(self.manager)
        below = f" with subresource {quoted(self.subresource)}" if self.subresource else ""
        return f"{quoted(self.manager)}{below} using {self.api_version}"


class Writer(NamedTuple):
    """Who writes now. `owns` tells which paths this endpoint may set: status only, or all but status."""

    manager: str
    subresource: str
    api_version: str
    time: str
    owns: Callable[[Path], bool]

    def owner(self, operation: str) -> Owner:
        return Owner(self.manager, operation, self.subresource, self.api_version)


Managers = dict[Owner, tuple[frozenset[Path], str]]


def read(obj: Json) -> Managers:
    """Read the entries of an object; raises 400 when they are malformed."""
    found: Managers = {}
    for entry in obj["metadata"].get("managedFields") or []:
        if not isinstance(entry, dict) or not isinstance(entry.get("fieldsV1", {}), dict):
            raise bad_request("metadata.managedFields: an entry is not an object with fieldsV1")
        if not entry:
            continue
        owner = Owner(
            str(entry.get("manager", "")),
            str(entry.get("operation", "Update")),
            str(entry.get("subresource", "")),
            str(entry.get("apiVersion", "")),
        )
        found[owner] = (from_fields(entry.get("fieldsV1", {})), str(entry.get("time", "")))
    return found


def write(obj: Json, managers: Managers) -> None:
    """Put the entries into the object, in a stable order; empty sets are dropped."""
    entries = []
    for owner, (paths, time) in sorted(managers.items(), key=lambda item: (item[0].operation, item[1][1], item[0])):
        if not paths:
            continue
        entries.append(_entry(owner, time, to_fields(paths)))
    if entries:
        obj["metadata"]["managedFields"] = entries
    else:
        obj["metadata"].pop("managedFields", None)


def _entry(owner: Owner, time: str, fields: Json) -> Json:
    entry: Json = {
        "manager": owner.manager,
        "operation": owner.operation,
        "apiVersion": owner.api_version,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    if owner.subresource:
        entry["subresource"] = owner.subresource
    return entry


def track_update(old: Json | None, new: Json, writer: Writer) -> None:
    """Record in `new` that `writer` made it out of `old` by create, update or patch."""
    given = new["metadata"].get("managedFields")
    if old is None and given is None:
        _own_all(new, writer)
        return
    # An explicitly emptied list asks to forget all owners (metav1: "can be reset by setting it to a list of one {}").
    managers = read(new) if old is None or _stated(given) else read(old)
    before = leaves(old, containers=True) if old is not None else {}
    after = leaves(new, containers=True)
    removed = before.keys() - after.keys()
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    mine = writer.owner("Update")
    kept, since = managers.get(mine, (frozenset(), writer.time))
    for owner, (paths, time) in list(managers.items()):
        left = paths - removed - (changed if owner != mine else frozenset())
        managers[owner] = (left, time)
    owned = (kept | {path for path in changed if writer.owns(path)}) - removed
    managers[mine] = (owned, since if owned == kept else writer.time)
    write(new, managers)


def _stated(given: Any) -> bool:
    """Tell whether a caller states the owners: an empty list, or one that cannot be read, leaves them as they were."""
    if not isinstance(given, list) or not given:
        return False
    return given == [{}] or all(
        isinstance(entry, dict)
        and entry.get("operation") in ("Apply", "Update")
        and entry.get("fieldsType") == "FieldsV1"
        and isinstance(entry.get("fieldsV1", {}), dict)
        for entry in given
    )


def _own_all(new: Json, writer: Writer) -> None:
    """Give a new object's fields to its one owner: what comparing with nothing would find, without comparing."""
    fields = whole_fields({name: value for name, value in new.items() if writer.owns((f"f:{name}",))})
    if fields:
        new["metadata"]["managedFields"] = [_entry(writer.owner("Update"), writer.time, fields)]


def apply(live: Json, config: Json, writer: Writer, *, force: bool) -> Json:
    """Return `live` with `config` applied by `writer`; raises 409 naming every conflict."""
    managers = read(live) or _before_first_apply(live, writer)
    mine = writer.owner("Apply")
    wanted = frozenset(path for path in leaves(config) if writer.owns(path))
    merged: Json = _merge(live, config, (), writer.owns)
    # With the maps: an empty one that is named changes nothing where there is one with fields.
    before, after = leaves(live, containers=True), leaves(merged, containers=True)
    changed = frozenset(p for p in wanted if p not in before or before[p] != after.get(p))
    conflicts = [(owner, path) for owner, (paths, _) in managers.items() if owner != mine for path in paths & changed]
    if conflicts and not force:
        raise apply_conflict((str(owner), show(path)) for owner, path in sorted(conflicts))
    last, since = managers.get(mine, (frozenset(), writer.time))
    for owner, (paths, time) in list(managers.items()):
        managers[owner] = (paths - changed if owner != mine else paths, time)
    others = [paths for owner, (paths, _) in managers.items() if owner != mine]
    _prune(merged, last - wanted, others, wanted)
    managers[mine] = (wanted, since if wanted == last else writer.time)
    write(merged, managers)
    return merged


def _before_first_apply(live: Json, writer: Writer) -> Managers:
    """Own what is there: an object that nobody owned is not taken over silently by who applies first."""
    paths = frozenset(path for path in leaves(live, containers=True) if writer.owns(path))
    return {writer.owner("Update")._replace(manager="before-first-apply"): (paths, writer.time)}


def _merge(live: Any, config: Any, path: Path, owns: Callable[[Path], bool]) -> Any:
    if isinstance(live, dict) and isinstance(config, dict):
        result = dict(live)
        for name, value in config.items():
            below = (*path, f"f:{name}")
            if path or below == ("f:metadata",) or owns(below):
                result[name] = _merge(live.get(name), value, below, owns)
        return result
    if isinstance(config, dict):
        return _merge({}, config, path, owns) if config else {}
    if isinstance(config, list):
        return _merge_list(live if isinstance(live, list) else [], config, path, owns)
    return config


def _merge_list(live: list[Any], config: list[Any], path: Path, owns: Callable[[Path], bool]) -> list[Any]:
    if is_set(path):
        _refuse_twice(path, ["v:" + msgspec.json.encode(value).decode() for value in config])
        return union(live, config)
    key = list_key(path)
    if key is None:
        return config
    for index, item in enumerate(config):
        # The rules of metadata say what an owner lacks.
        if not isinstance(item, dict) or (key not in item and path[0] != "f:metadata"):
            what = f"associative list with keys has an element that omits key field {quoted(key)}"
            raise _untyped(f"{show(path)}: element {index}: {what} (and doesn't have default value)")
    _refuse_twice(path, [item_element(key, item) for item in config])
    result = {item_element(key, item): item for item in live}
    for item in config:
        element = item_element(key, item)
        result[element] = _merge(result.get(element, {}), item, (*path, element), owns)
    return list(result.values())


def _refuse_twice(path: Path, elements: list[str]) -> None:
    seen: set[str] = set()
    for element in elements:
        if element in seen:
            raise _untyped(f"{show(path)}: duplicate entries for key {show((element,))}")
        seen.add(element)


def _untyped(why: str) -> StatusError:
    return bad_request(f"failed to create typed patch object: {why}")


def _prune(obj: Json, gone: Iterable[Path], others: list[frozenset[Path]], wanted: frozenset[Path]) -> None:
    held = set(wanted).union(*others) if others else set(wanted)
    # An item of a list goes before its fields, for its key is one of them; a map goes with its last field, unless
    # somebody named the map itself.
    for path in sorted(gone, key=len):
        if any(other[: len(path)] == path for other in held):
            continue
        _remove(obj, path)
        parent = path[:-1]
        while len(parent) > 1 and parent not in held and _find(obj, parent) in ({}, []):
            _remove(obj, parent)
            parent = parent[:-1]


def _find(node: Any, path: Path) -> Any:
    for element in path:
        if node is None:
            return None
        node = _step(node, element)
    return node


def _step(node: Any, element: str) -> Any:
    if element.startswith("f:"):
        return node.get(element[2:]) if isinstance(node, dict) else None
    if not isinstance(node, list):
        return None
    return next((item for item in node if _is_item(item, element)), None)


def _is_item(item: Any, element: str) -> bool:
    if element.startswith("f:"):
        return False
    wanted = msgspec.json.decode(element[2:].encode())
    if element.startswith("v:"):
        return bool(item == wanted)
    return isinstance(item, dict) and all(item.get(key) == value for key, value in wanted.items())


def _remove(obj: Json, path: Path) -> None:
    parent = _find(obj, path[:-1])
    if isinstance(parent, dict):
        parent.pop(path[-1][2:], None)
    elif isinstance(parent, list):
        parent[:] = [item for item in parent if not _is_item(item, path[-1])]
