"""Content negotiation: which of our forms of an answer the caller takes, and what form its body has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import msgspec
import yaml

from groundplane.base.documents import too_deep

from . import protobuf
from .protobuf import PROTOBUF
from .status import Json, StatusError, bad_request, not_acceptable, unsupported_media_type
from .strict import unfolds

JSON = "application/json"
_SHORT = 256
YAML = "application/yaml"
YAML_TYPES = (YAML, "application/apply-patch+yaml")
# Reading YAML takes a thousand times as long as reading JSON; this much takes seconds already.
MAX_YAML = 256 * 1024
JSON_TYPES = (
    JSON, "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
)  # fmt: skip

Form = Literal["object", "table", "partial"]


@dataclass(frozen=True, slots=True)
class MediaType:
    """One member of an Accept header, such as application/json;as=Table;g=meta.k8s.io;v=v1."""

    name: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> bool:
        """Whether JSON satisfies it, or the YAML that is made of it."""
        return self.name in (JSON, YAML, "application/*", "*/*")


def parse(accept: str) -> list[MediaType]:
    """Return the members of an Accept header, the most wanted first."""
    found: list[tuple[float, MediaType]] = []
    for member in accept.split(","):
        name, *rest = (part.strip() for part in member.split(";"))
        parameters = dict(part.partition("=")[::2] for part in rest)
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 0.0
        if name and quality > 0:
            found.append((quality, MediaType(name.lower(), parameters)))
    found.sort(key=lambda pair: -pair[0])
    return [media for _, media in found] or [MediaType("*/*")]


def prefers_yaml(accept: str) -> bool:
    """Tell whether the answer is to be YAML: it comes before JSON and whatever else JSON satisfies."""
    return YAML in accept and next((media.name == YAML for media in parse(accept) if media.json), False)


def require_stream(accept: str) -> None:
    """Raise 406 when the caller takes YAML alone, which is no stream of documents here."""
    if prefers_yaml(accept) and not any(media.json and media.name != YAML for media in parse(accept)):
        raise not_acceptable([f"{JSON};stream=watch"])


def form(accept: str) -> Form:
    """Return the form in which an object or list is answered; raises 406."""
    # Clients send the same few headers all the time; a long one is somebody's attempt to fill our memory.
    return _known_form(accept) if len(accept) <= _SHORT else _form(accept)


def _form(accept: str) -> Form:
    wanted = {"Table": "table", "PartialObjectMetadata": "partial", "PartialObjectMetadataList": "partial"}
    for media in parse(accept):
        if not media.json:
            continue
        transformed = media.parameters.get("as")
        if transformed is None:
            return "object"
        known = media.parameters.get("g") == "meta.k8s.io" and media.parameters.get("v") == "v1"
        if known and transformed in wanted:
            return "table" if wanted[transformed] == "table" else "partial"
    raise not_acceptable([JSON, YAML])


_known_form = lru_cache(maxsize=256)(_form)


def wants_discovery(accept: str) -> str:
    """Return the version of aggregated discovery that the caller prefers ("v2", "v2beta1"), "" for the plain one."""
    for media in parse(accept):
        if not media.json:
            continue
        if media.parameters.get("as") is None:
            return ""
        version = media.parameters.get("v", "")
        if media.parameters.get("g") == "apidiscovery.k8s.io" and version in ("v2", "v2beta1"):
            return version
    raise not_acceptable([JSON, YAML])


def require_json(accept: str) -> None:
    """Raise 406 when the caller does not take JSON (it asked for protobuf alone, for one)."""
    if not any(media.json for media in parse(accept)):
        raise not_acceptable([JSON, YAML])


class _Loader(yaml.CSafeLoader):
    """YAML without timestamps: a date in a manifest is text, as in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def decode_body(content_type: str, body: bytes, *, allowed: Iterable[str]) -> Any:
    """Return the decoded body; raises 415 for a type that is not allowed, 400 for a malformed body."""
    accepted = tuple(allowed)
    name = content_type.partition(";")[0].strip().lower() or JSON
    if name not in accepted:
        raise unsupported_media_type(accepted)
    if name == PROTOBUF:
        return protobuf.decode(body)
    try:
        return _load_yaml(body) if name in YAML_TYPES else msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the body of the request could not be decoded: {error}") from error


def _load_yaml(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        pass
    if len(body) > MAX_YAML:
        message = f"Request entity too large: limit of YAML is {MAX_YAML}; send JSON"
        raise StatusError(413, "RequestEntityTooLarge", message)
    try:
        if too_deep(body):
            raise bad_request("the body of the request is not YAML: it is nested too deep")
        # YAML can say more than JSON: dates, sets, pairs, keys that are no texts.
        return msgspec.json.decode(msgspec.json.encode(_constructed(body)))
    except yaml.YAMLError as error:
        # The problem alone: the error's text would quote the body, which may hold a secret.
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "malformed"
        raise bad_request(f"the body of the request is not YAML: {problem}{where}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise bad_request("the body of the request is not YAML: it holds what cannot be written as JSON") from error


def _constructed(body: bytes) -> Any:
    loader = _Loader(body)
    try:
        node = loader.get_single_node()
        if node is not None and not unfolds(node):
            raise bad_request("the body of the request is not YAML: document contains excessive aliasing")
        return loader.construct_document(node) if node is not None else None
    finally:
        loader.dispose()


def encode(document: Json) -> bytes:
    """Return a document as JSON bytes."""
    return msgspec.json.encode(document)
