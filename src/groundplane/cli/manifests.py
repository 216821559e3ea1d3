"""Manifests: YAML or JSON documents from files, folders and standard input, checked as far as no server is needed.

Dates stay text, as JSON has none; a key given twice is an error, because the first would be lost in silence.
Every complaint names the file and the place in it. All problems are found before anything is sent.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from groundplane.base.errors import Refused
from groundplane.client.contract import Object, Resource

from . import kinds

_SUFFIXES = (".yaml", ".yml", ".json")


class ManifestError(Refused):
    """A document cannot be read or is not an object."""


@dataclass(frozen=True, slots=True)
class Document:
    """One object with its origin, such as "demo/cluster.yaml, document 2"."""

    origin: str
    resource: Resource
    body: Object

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])


class _Loader(yaml.CSafeLoader):
    """CSafeLoader without timestamps and with unique keys."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise yaml.MarkedYAMLError(problem=f"key {key!r} is not text", problem_mark=key_node.start_mark)
        if key in result:
            raise yaml.MarkedYAMLError(problem=f"key {key!r} is given twice", problem_mark=key_node.start_mark)
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(paths: Sequence[str]) -> list[Document]:
    """Read all documents and return them in the order in which they are to be applied."""
    documents = [document for path in paths for source in _sources(path) for document in _documents(*source)]
    if not documents:
        raise ManifestError(f"cannot apply {', '.join(paths)}: there is no document in it")
    return sorted(documents, key=_rank)


def parse(text: str, origin: str) -> list[Object]:
    """Return the objects of a multi-document YAML text; `origin` names it in errors."""
    return [document.body for document in _documents(origin, text)]


def _rank(document: Document) -> int:
    kind = document.resource.kind
    return kinds.ORDER.index(kind) if kind in kinds.ORDER else len(kinds.ORDER)


def _sources(path: str) -> Iterator[tuple[str, str]]:
    if path == "-":
        yield "standard input", sys.stdin.read()
        return
    place = Path(path)
    files = sorted(p for p in place.rglob("*") if p.suffix in _SUFFIXES) if place.is_dir() else [place]
    for file in files:
        try:
            yield str(file), file.read_text("utf-8")
        except OSError as exc:
            raise ManifestError(f"cannot read {file}: {exc.strerror}", remedy="check the path") from exc
        except UnicodeDecodeError as exc:
            raise ManifestError(f"cannot read {file}: it is not UTF-8 text") from exc


def _documents(origin: str, text: str) -> Iterator[Document]:
    try:
        bodies = list(yaml.load_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as exc:
        line = f", line {exc.problem_mark.line + 1}" if exc.problem_mark else ""
        raise ManifestError(f"cannot read {origin}{line}: {exc.problem}", remedy="correct the YAML") from exc
    except yaml.YAMLError as exc:
        raise ManifestError(f"cannot read {origin}: {exc}", remedy="correct the YAML") from exc
    for number, body in enumerate(bodies, 1):
        if body is not None:
            yield from _expanded(f"{origin}, document {number}", body)


def _expanded(origin: str, body: Any) -> Iterator[Document]:
    if isinstance(body, dict) and body.get("kind") == "List":
        for number, item in enumerate(body.get("items") or [], 1):
            yield _checked(f"{origin}, item {number}", item)
        return
    yield _checked(origin, body)


def _checked(origin: str, body: Any) -> Document:
    if not isinstance(body, dict):
        raise ManifestError(f"cannot use {origin}: it is not an object", remedy="begin with apiVersion, kind, metadata")
    metadata = body.get("metadata")
    for field, value in (
        ("apiVersion", body.get("apiVersion")),
        ("kind", body.get("kind")),
        ("metadata.name", metadata.get("name") if isinstance(metadata, dict) else None),
    ):
        if not isinstance(value, str) or not value:
            raise ManifestError(f"cannot use {origin}: {field} is missing or not text")
    resource = kinds.of_object(body["apiVersion"], body["kind"])
    if resource is None:
        known = ", ".join(sorted(kinds.OURS))
        raise ManifestError(
            f"cannot use {origin}: unknown type {body['apiVersion']} {body['kind']}",
            remedy=f"the kinds of groundplane.dev/v1alpha1 are {known}; Secret and Namespace are v1",
        )
    return Document(origin=origin, resource=resource, body=body)
