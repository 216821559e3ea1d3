"""What a plain decoder takes in silence: keys given twice, and YAML whose aliases would unfold without end.

A key given twice is decoded to its last value, as everywhere; what becomes of it is the fieldValidation of the
request: an error, a warning, or nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

# apimachinery reports no more of them (sigs.k8s.io/json).
MOST_ERRORS = 100
# What a document may become when its aliases are written out: so many values, and so many times what it has.
_MOST_ALIASED = 10_000
_MOST_TIMES = 10


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with every key as it was given."""


class _Twice(Exception):
    """A key is given twice."""


def _refuse_twice(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _Twice


_QUICK = json.JSONDecoder(object_pairs_hook=_refuse_twice)
_EXACT = json.JSONDecoder(object_pairs_hook=_Pairs)


def duplicates(body: bytes, decoded: Any, *, is_yaml: bool) -> list[str]:
    """Return a text for every key that a body gives twice; `decoded` is what it was decoded to."""
    if not is_yaml and _loses_nothing(body, decoded):
        return []
    text = body.decode(errors="replace")
    try:
        _QUICK.decode(text)
    except _Twice:
        return [f'duplicate field "{path}"' for path in _json_paths(_EXACT.decode(text), "")][:MOST_ERRORS]
    except ValueError:
        return _yaml_duplicates(text) if is_yaml else []
    return []


def _loses_nothing(body: bytes, decoded: Any) -> bool:
    """Tell whether a JSON body is, but for blanks, what its value is written as: of a key given twice, one is gone."""
    return msgspec.json.format(body, indent=-1) == msgspec.json.encode(decoded)


def _json_paths(value: Any, at: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        seen = set()
        for key, child in value:
            path = f"{at}.{key}" if at else key
            if key in seen:
                yield path
            seen.add(key)
            yield from _json_paths(child, path)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _json_paths(child, f"{at}[{index}]")


def _yaml_duplicates(text: str) -> list[str]:
    found = [
        f'line {key.start_mark.line + 1}: key "{key.value}" already set in map'
        for node in _nodes(yaml.compose(text, Loader=yaml.CSafeLoader))
        for key in _repeated(node)
    ]
    return ["yaml: unmarshal errors: " + ", ".join(found[:MOST_ERRORS])] if found else []


def _nodes(root: yaml.Node | None) -> Iterator[yaml.Node]:
    """Give every node once, however many aliases it has."""
    seen: set[int] = set()
    waiting = [root] if root is not None else []
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        waiting += _children(node)


def _repeated(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    if not isinstance(node, yaml.MappingNode):
        return
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                yield key
            seen.add(key.value)


def unfolds(root: yaml.Node) -> bool:
    """Tell whether a YAML document can be made: no alias inside itself, and not much more with aliases written out.

    Asked of the nodes, before anything is made of them: merging maps (`<<`) already writes aliases out.
    """
    sizes: dict[int, int] = {}
    most = _MOST_ALIASED + _MOST_TIMES * sum(1 for _ in _nodes(root))

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            # While a node is measured it counts as too large: only an alias inside itself comes back here.
            sizes[id(node)] = most + 1
            sizes[id(node)] = 1 + sum(size(child) for child in _children(node))
        return sizes[id(node)]

    return size(root) <= most


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value
