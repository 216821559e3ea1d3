"""Rules for single values: names, addresses, durations, keys. Each returns a cause, or None when the value is well.

Syntax of names, labels and taints is that of Kubernetes:
https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and .../labels/
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import date
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError

from groundplane.base import durations, versions

from ..cause import Cause, invalid, required

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NAME = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_WORD = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_FLAG = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*")
_SYSCTL = re.compile(r"[a-z0-9_-]+([./][A-Za-z0-9_*-]+)+")
_MODULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
_OS = re.compile(r"[a-z0-9][a-z0-9._-]*")
_BYTE = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_BYTE}(\.{_BYTE}){{3}}")
# How nearly every address begins: all ranges that have a meaning of their own begin otherwise.
_ORDINARY = frozenset(str(first) for first in range(1, 224)) - {"127", "169"}
_PERCENT = re.compile(r"(\d{1,3})%")
_KEY_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)


def is_date(value: str) -> bool:
    """Tell whether the text is a day of the calendar, as YYYY-MM-DD."""
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def dns_label(path: str, value: str) -> Cause | None:
    """A DNS label: what Node names, object names and host names have in common."""
    if _LABEL.fullmatch(value):
        return None
    return invalid(path, value, "must be a DNS label: lower case letters, digits and -, at most 63, such as shop-1")


def dns_name(path: str, value: str) -> Cause | None:
    """A DNS name: labels joined by dots."""
    if len(value) <= 253 and _NAME.fullmatch(value):
        return None
    return invalid(path, value, "must be a DNS name: labels of lower case letters, digits and - joined by dots")


def label_key(path: str, value: str) -> Cause | None:
    """Key of a label or taint: an optional DNS name and a slash, then a word."""
    prefix, slash, word = value.rpartition("/")
    if _WORD.fullmatch(word) and (not slash or dns_name(path, prefix) is None):
        return None
    return invalid(path, value, "must be a word of letters, digits, - _ and ., at most 63, after an optional prefix/")


def label_value(path: str, value: str) -> Cause | None:
    """Value of a label or taint: a word, or empty."""
    if not value or _WORD.fullmatch(value):
        return None
    return invalid(path, value, "must be empty, or letters, digits, - _ and ., at most 63")


def host(path: str, value: str) -> Cause | None:
    """An IPv4 address that a machine can have, or a DNS name."""
    # What looks like an address must be one: "10.0.0.300" is no DNS name that anybody means.
    if re.fullmatch(r"[0-9.]+", value):
        return address(path, value)
    return dns_name(path, value)


def address(path: str, value: str) -> Cause | None:
    """An IPv4 address that a machine can have."""
    match = _IPV4.fullmatch(value)
    if match is not None and match[1] in _ORDINARY:
        return None
    try:
        found = IPv4Address(value)
    except AddressValueError:
        return invalid(path, value, "must be an IPv4 address, such as 198.18.0.11")
    kinds = {
        "the unspecified address": found.is_unspecified,
        "a loopback address": found.is_loopback,
        "a multicast address": found.is_multicast,
        "a link-local address": found.is_link_local,
        "a reserved address": found.is_reserved,
    }
    kind = next((name for name, is_it in kinds.items() if is_it), "")
    if not kind:
        return None
    return invalid(path, value, f"is {kind}; choose the address that the other machines reach the host by")


def network(path: str, value: str) -> Cause | None:
    """An IPv4 network in CIDR notation, without host bits."""
    if ":" in value or "," in value:
        return invalid(path, value, "must be one IPv4 network; IPv6 and dual stack are not supported yet")
    try:
        found = IPv4Network(value, strict=False)
    except (AddressValueError, NetmaskValueError):
        return invalid(path, value, "must be a network in CIDR notation, such as 10.244.0.0/16")
    if str(found) != value:
        return invalid(path, value, f"must be the network address with its prefix length; choose {found}")
    odd = found.is_loopback or found.is_multicast or found.is_link_local or found.is_unspecified
    if odd or found.prefixlen == 0:
        return invalid(path, value, "is not a network that pods or Services can have; choose a private one (RFC 1918)")
    return None


def prefix_between(path: str, value: str, widest: int, narrowest: int, why: str) -> Cause | None:
    """A network whose prefix length lies in bounds; `why` is the reason for them."""
    length = IPv4Network(value).prefixlen
    if widest <= length <= narrowest:
        return None
    size = "large" if length < widest else "small"
    return invalid(path, value, f"is too {size}: {why}; choose a prefix length from /{widest} to /{narrowest}")


def kubernetes_version(path: str, value: str) -> Cause | None:
    """A Kubernetes version of a known vendor."""
    try:
        versions.parse(value)
    except versions.UnknownVersion as error:
        return invalid(path, value, str(error))
    return None


def constraint(path: str, value: str) -> Cause | None:
    """A version constraint of a runtime."""
    try:
        versions.parse_constraint(value)
    except versions.UnknownVersion as error:
        return invalid(path, value, str(error))
    return None


def kernel_minimum(path: str, value: str) -> Cause | None:
    """A kernel release, or empty."""
    if not value or re.fullmatch(r"\d+\.\d+(\.\d+)?", value):
        return None
    return invalid(path, value, "must be a kernel release of two or three numbers, such as 5.4.119")


def duration(path: str, value: str) -> Cause | None:
    """A duration above zero."""
    if durations.seconds(value):
        return None
    return invalid(path, value, "must be a duration above zero of h, m and s, such as 5m or 1h30m")


def unavailable(path: str, value: int | str) -> Cause | None:
    """A count from 1, or a percentage from 1% to 100%."""
    rule = 'must be a count from 1, or a percentage from "1%" to "100%"'
    if isinstance(value, int):
        return None if value >= 1 else invalid(path, value, f"{rule}; with {value} nothing could ever be changed")
    match = _PERCENT.fullmatch(value)
    if match is not None and 1 <= int(match[1]) <= 100:
        return None
    return invalid(path, value, rule)


def host_key(path: str, value: str) -> Cause | None:
    """A public host key in OpenSSH's notation, or empty (trust on first use)."""
    if not value:
        return None
    kind, _, rest = value.partition(" ")
    if kind not in _KEY_TYPES:
        return invalid(path, value, f'must be "type base64", with a type of {", ".join(_KEY_TYPES)}')
    try:
        blob = base64.b64decode(rest.split(" ")[0], validate=True)
    except ValueError:  # binascii.Error, or letters outside ASCII
        blob = b""
    length = int.from_bytes(blob[:4], "big")
    # RFC 4253 §6.6: the blob opens with its own type, as a length and that many bytes.
    if blob[4 : 4 + length] != kind.encode() or len(blob) <= 4 + length:
        return invalid(path, value, "is cut or damaged; take it from /etc/ssh/ssh_host_*_key.pub on the host")
    return None


def user(path: str, value: str) -> Cause | None:
    """A Unix user name."""
    return None if _USER.fullmatch(value) else invalid(path, value, "must be a Unix user name, such as root")


def os_id(path: str, value: str) -> Cause | None:
    """An ID of os-release."""
    if _OS.fullmatch(value):
        return None
    return invalid(path, value, "must be an ID of /etc/os-release: lower case letters, digits, . _ and -")


def flag(path: str, value: str) -> Cause | None:
    """A command-line flag without its dashes."""
    if _FLAG.fullmatch(value):
        return None
    return invalid(path, value, "must be a flag without its leading dashes and without =, such as max-pods")


def module(path: str, value: str) -> Cause | None:
    """A kernel module."""
    return None if _MODULE.fullmatch(value) else invalid(path, value, "must be a kernel module, such as br_netfilter")


def sysctls(path: str, values: Mapping[str, str]) -> list[Cause]:
    """Kernel parameters: names with dots or slashes, values of one line."""
    causes = []
    for name, value in values.items():
        at = f"{path}[{name}]"
        if not _SYSCTL.fullmatch(name):
            causes.append(invalid(at, name, "must be a kernel parameter, such as net.ipv4.ip_forward"))
        elif not value.strip():
            causes.append(required(at, "a kernel parameter needs a value"))
        elif "\n" in value:
            causes.append(invalid(at, value, "must be one line"))
    return causes
