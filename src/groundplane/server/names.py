"""What names, labels and keys may look like, in the words of k8s.io/apimachinery/pkg/util/validation.

Each function returns what is wrong with a text, empty when nothing is. Clients show these sentences to their users,
and tests of other people match them.
"""

from __future__ import annotations

import re
from functools import lru_cache

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_VALUE = r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_CONFIG_KEY = r"[-._a-zA-Z0-9]+"

_FITS = {pattern: re.compile(pattern).fullmatch for pattern in (_LABEL, _SUBDOMAIN, _VALUE, _QUALIFIED, _CONFIG_KEY)}
_WITH_PREFIX = re.compile(rf"({_SUBDOMAIN}/)?{_QUALIFIED}")

_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character"
)
_QUALIFIED_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_CONFIG_KEY_RULE = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"

MAX_SUBDOMAIN, MAX_LABEL = 253, 63


def _matches(pattern: str, text: str) -> bool:
    return _FITS[pattern](text) is not None


# The same few keys come all the time.
@lru_cache(maxsize=1024)
def _fits_with_prefix(text: str) -> bool:
    return _WITH_PREFIX.fullmatch(text) is not None


def _too_long(text: str, limit: int) -> list[str]:
    return [f"must be no more than {limit} characters"] if len(text.encode()) > limit else []


def _breaks(rule: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {shown}regex used for validation is '{pattern}')"


def label(text: str) -> list[str]:
    """A DNS label, as the names of Namespaces are."""
    found = _too_long(text, MAX_LABEL)
    return found if _matches(_LABEL, text) else [*found, _breaks(_LABEL_RULE, _LABEL, "my-name", "123-abc")]


def subdomain(text: str) -> list[str]:
    """A DNS subdomain, as most names are."""
    found = _too_long(text, MAX_SUBDOMAIN)
    return found if _matches(_SUBDOMAIN, text) else [*found, _breaks(_SUBDOMAIN_RULE, _SUBDOMAIN, "example.com")]


def label_value(text: str) -> list[str]:
    """The value of a label."""
    found = _too_long(text, MAX_LABEL)
    return found if _matches(_VALUE, text) else [*found, _breaks(_VALUE_RULE, _VALUE, "MyValue", "my_value", "12345")]


def qualified_name(text: str) -> list[str]:
    """The key of a label or an annotation, a finalizer: NAME or PREFIX/NAME."""
    # Nearly all of them are in order, and so short that no part of them can be too long.
    if len(text) <= MAX_LABEL and _fits_with_prefix(text):
        return []
    parts = text.split("/")
    if len(parts) > 2:
        rule = f"a qualified name {_QUALIFIED_RULE}"
        broken = _breaks(rule, _QUALIFIED, "MyName", "my.name", "123-abc")
        return [f"{broken} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    found: list[str] = []
    if len(parts) == 2:
        if not parts[0]:
            found.append("prefix part must be non-empty")
        else:
            found += [f"prefix part {problem}" for problem in subdomain(parts[0])]
    name = parts[-1]
    if not name:
        found.append("name part must be non-empty")
    elif len(name.encode()) > MAX_LABEL:
        found.append(f"name part must be no more than {MAX_LABEL} characters")
    if not _matches(_QUALIFIED, name):
        found.append("name part " + _breaks(_QUALIFIED_RULE, _QUALIFIED, "MyName", "my.name", "123-abc"))
    return found


def config_key(text: str) -> list[str]:
    """A key of a Secret or a ConfigMap."""
    found = _too_long(text, MAX_SUBDOMAIN)
    if not _matches(_CONFIG_KEY, text):
        found.append(_breaks(_CONFIG_KEY_RULE, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    if text == ".":
        return [*found, "must not be '.'"]
    if text == "..":
        return [*found, "must not be '..'"]
    return [*found, "must not start with '..'"] if text.startswith("..") else found


def path_segment(text: str) -> list[str]:
    """A name as a part of a path."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{bad}'" for bad in ("/", "%") if bad in text]
