"""The audit policy (audit.k8s.io/v1 Policy): the first rule that matches a request says how much is recorded of it.

Whatever a policy says, nothing that carries credentials is recorded above Metadata: Secrets, tokens, their reviews,
password users, requests that a managed cluster answers, and requests to paths (such as /login). A mistake in a policy
must not write a password to a file.
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

import msgspec
import yaml

from groundplane.base.documents import document as read_document
from groundplane.base.errors import Refused, one_line

from ..requestinfo import RequestInfo
from ..users import ACCESS_GROUP, User

STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")


class PolicyRefused(Refused):
    """The audit policy cannot be used."""


class Level(IntEnum):
    """How much is recorded."""

    NONE = 0
    METADATA = 1
    REQUEST = 2
    REQUEST_RESPONSE = 3


_LEVELS = {
    "None": Level.NONE,
    "Metadata": Level.METADATA,
    "Request": Level.REQUEST,
    "RequestResponse": Level.REQUEST_RESPONSE,
}
LEVEL_NAMES = {level: name for name, level in _LEVELS.items()}


class GroupResources(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Resources of one API group; no resources means all of them."""

    group: str = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One rule; an empty list does not restrict."""

    level: str
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")
    omit_stages: tuple[str, ...] = ()

    def matches(self, info: RequestInfo, user: User | None) -> bool:
        """Tell whether the rule is about this request, by kube-apiserver's comparisons."""
        if self.users and (user is None or user.name not in self.users):
            return False
        if self.user_groups and (user is None or not set(user.groups) & set(self.user_groups)):
            return False
        if self.verbs and info.verb not in self.verbs:
            return False
        if self.namespaces or self.resources:
            return self._matches_resource(info)
        if self.non_resource_urls:
            return not info.resource and any(_matches_path(url, info.path) for url in self.non_resource_urls)
        return True

    def _matches_resource(self, info: RequestInfo) -> bool:
        if not info.resource or (self.namespaces and info.namespace not in self.namespaces):
            return False
        return not self.resources or any(_matches_group(one, info) for one in self.resources)


class _Metadata(msgspec.Struct, frozen=True):
    name: str = ""


class Policy(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The whole policy."""

    rules: tuple[Rule, ...]
    api_version: str = ""
    kind: str = ""
    metadata: _Metadata = _Metadata()
    omit_stages: tuple[str, ...] = ()

    def judge(self, info: RequestInfo, user: User | None) -> tuple[Level, tuple[str, ...]]:
        """Return the level of a request and the stages that are left out."""
        for rule in self.rules:
            if rule.matches(info, user):
                level = min(_LEVELS[rule.level], _most(info))
                return level, (*self.omit_stages, *rule.omit_stages)
        return Level.NONE, ()


def _most(info: RequestInfo) -> Level:
    """Return the highest level at which the request may be recorded."""
    resource, subresource = info.resource, info.subresource
    secret = (
        not resource
        or (info.group == "" and resource == "secrets")
        or (info.group == "authentication.k8s.io" and resource.startswith("token"))
        or subresource == "token"
        # Passwords are sent there, tokens answered, and the log itself is read.
        or info.group == ACCESS_GROUP
        # Whatever a managed cluster is sent may be a Secret there.
        or info.passed_on
    )
    return Level.METADATA if secret else Level.REQUEST_RESPONSE


def _matches_path(spec: str, path: str) -> bool:
    if spec.endswith("*"):
        return path.startswith(spec[:-1])
    return spec == path


def _matches_group(one: GroupResources, info: RequestInfo) -> bool:
    if one.group != info.group:
        return False
    if not one.resources:
        return True
    if one.resource_names and info.name not in one.resource_names:
        return False
    wanted = one.resources
    if "*" in wanted or f"{info.resource}/*" in wanted:
        return True
    if not info.subresource:
        return info.resource in wanted
    return f"{info.resource}/{info.subresource}" in wanted or f"*/{info.subresource}" in wanted


DEFAULT = b"""\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  # Health checks, discovery, schemas and the files of the console are asked for all the time and change nothing.
  - level: None
    verbs: [get]
    nonResourceURLs: ["/livez*", "/readyz*", "/healthz*", "/version", "/api*", "/openapi*", "/console*"]
  # Events are a record already, and leases are renewed every few seconds.
  - level: None
    resources: [{group: "", resources: [events]}, {group: events.k8s.io}, {group: coordination.k8s.io}]
  # May hold credentials.
  - level: Metadata
    resources: [{group: "", resources: [secrets, configmaps, serviceaccounts/token]}, {group: authentication.k8s.io}]
  - level: Metadata
    verbs: [get, list, watch]
  # Who changed what, and to what.
  - level: Request
    resources: [{group: groundplane.dev}, {group: rbac.authorization.k8s.io}]
  - level: Metadata
"""


def load_policy(path: Path | None) -> Policy:
    """Read and check a policy; the default policy without a path. Raises PolicyRefused."""
    source = str(path) if path else "the default policy"
    try:
        text = path.read_bytes() if path else DEFAULT
        document = read_document(text)
        policy = msgspec.convert(document, Policy)
    except OSError as error:
        raise PolicyRefused(f"cannot read audit policy {source}: {error.strerror}") from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise PolicyRefused(f"cannot use audit policy {source}: {one_line(error)}") from error
    problem = _problem(policy)
    if problem:
        raise PolicyRefused(f"cannot use audit policy {source}: {problem}")
    return policy


def _problem(policy: Policy) -> str:
    if policy.api_version != "audit.k8s.io/v1" or policy.kind != "Policy":
        return "it is no Policy of audit.k8s.io/v1"
    if not policy.rules:
        return "it has no rules"
    for number, rule in enumerate(policy.rules):
        where = f"rules[{number}]"
        if rule.level not in _LEVELS:
            return f'{where}.level: Unsupported value: "{rule.level}": supported values: {", ".join(_LEVELS)}'
        if rule.non_resource_urls and (rule.resources or rule.namespaces):
            return f"{where}.nonResourceURLs: Invalid value: rules cannot apply to both regular resources and " \
                   "non-resource URLs"  # fmt: skip
        if bad := _bad_url(rule.non_resource_urls):
            return f'{where}.nonResourceURLs: Invalid value: "{bad}": begins with "/", "*" only at its end'
    stages = {stage for rule in policy.rules for stage in rule.omit_stages} | set(policy.omit_stages)
    unknown = sorted(stages - set(STAGES))
    return f'omitStages: Unsupported value: "{unknown[0]}"' if unknown else ""


def _bad_url(urls: tuple[str, ...]) -> str:
    for url in urls:
        if url != "*" and (not url.startswith("/") or "*" in url[:-1]):
            return url
    return ""
