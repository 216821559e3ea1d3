"""Docker's settings: daemon.json and dockerd's flags as one, and what they say. Pure.

dockerd refuses a setting that is given both ways, so the two are laid side by side; lists are joined.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from groundplane.api.migration import DaemonFacts
from groundplane.base.documents import printable

# dockerd's flag, the name in daemon.json, and whether it may be given many times.
_FLAGS: Mapping[str, tuple[str, bool]] = {
    "data-root": ("data-root", False),
    "graph": ("data-root", False),
    "g": ("data-root", False),
    "storage-driver": ("storage-driver", False),
    "s": ("storage-driver", False),
    "log-driver": ("log-driver", False),
    "log-opt": ("log-opts", True),
    "exec-opt": ("exec-opts", True),
    "registry-mirror": ("registry-mirrors", True),
    "insecure-registry": ("insecure-registries", True),
    "live-restore": ("live-restore", False),
    "default-runtime": ("default-runtime", False),
    "add-runtime": ("runtimes", True),
    "host": ("hosts", True),
    "H": ("hosts", True),
    "bip": ("bip", False),
    "http-proxy": ("http-proxy", False),
    "https-proxy": ("https-proxy", False),
    "no-proxy": ("no-proxy", False),
}
_PROXIES = ("http-proxy", "https-proxy", "no-proxy")
_READ = frozenset({name for name, _ in _FLAGS.values()} | {"graph", "proxies", "default-ulimits", *_PROXIES})
_DRIVER = "native.cgroupdriver="
_USER = re.compile(r"(://)[^/\s\"']*@")


def without_user(url: str) -> str:
    """Return a URL without the user and the password in it."""
    return _USER.sub(r"\1", url)


def started_as(exec_start: str, environment: str) -> list[str]:
    """Return the command line of a unit that does not run, from what systemd shows of its ExecStart and Environment.

    What an EnvironmentFile holds is not shown, and left out.
    """
    match = re.search(r"argv\[\]=(.*?) ; ", f"{exec_start} ; ")
    given = dict(word.partition("=")[::2] for word in words_of(environment))
    words: list[str] = []
    for word in words_of(match.group(1)) if match else ():
        if re.fullmatch(r"\$\w+", word):
            words += given.get(word[1:], "").split()
        else:
            words.append(re.sub(r"\$\{(\w+)\}", lambda found: given.get(found.group(1), ""), word))
    return words


def words_of(text: str) -> list[str]:
    """Return the words of a line as a shell reads them; at blanks where its quotes are not closed."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def settings_of(content: bytes | None, options: Sequence[str] = ()) -> dict[str, Any]:
    """Return Docker's settings in daemon.json's words; `options` is dockerd's command line, the program first.

    Raises ValueError when daemon.json is no JSON object. Secrets are not taken out.
    """
    parsed = json.loads(content) if content is not None and content.strip() else {}
    if not isinstance(parsed, dict):
        raise ValueError("it is not an object")
    found = dict(parsed)
    if "graph" in found:
        found.setdefault("data-root", found.pop("graph"))
    for name, value in _options(options):
        key, many = _FLAGS.get(name, ("", False))
        if key in ("log-opts", "runtimes"):
            left, _, right = value.partition("=")
            entry: object = {"path": right} if key == "runtimes" else right
            found[key] = {**_mapping(found.get(key)), left: entry}
        elif many:
            found[key] = [*_texts(found.get(key)), value]
        elif key in _PROXIES:
            found["proxies"] = {**_mapping(found.get("proxies")), key: value}
        elif key == "live-restore":
            found[key] = value != "false"
        elif key:
            found[key] = value
    return found


def daemon_facts(content: bytes | None, options: Sequence[str], info: Mapping[str, str]) -> DaemonFacts:
    """Return the facts; `info` is what the daemon itself says, which counts where it runs."""
    unreadable = ""
    try:
        settings = settings_of(content, options)
    except (ValueError, RecursionError) as exc:
        unreadable, settings = printable(str(exc)), settings_of(None, options)
    runtimes = _mapping(settings.get("runtimes"))
    return DaemonFacts(
        version=info.get("version", ""),
        data_root=info.get("data-root", "") or _text(settings.get("data-root")) or "/var/lib/docker",
        storage_driver=info.get("storage-driver", "") or _text(settings.get("storage-driver")),
        cgroup_driver=info.get("cgroup-driver", "") or cgroup_driver(settings),
        log_driver=info.get("log-driver", "") or _text(settings.get("log-driver")) or "json-file",
        log_options=_log_options(settings),
        mirrors=[without_user(url) for url in _texts(settings.get("registry-mirrors"))],
        insecure=[without_user(host) for host in _texts(settings.get("insecure-registries"))],
        live_restore=settings.get("live-restore") is True or info.get("live-restore") == "true",
        default_runtime=info.get("default-runtime", "") or _text(settings.get("default-runtime")) or "runc",
        runtimes=sorted(printable(name) for name in runtimes if isinstance(name, str)),
        hosts=_texts(settings.get("hosts")),
        proxies={name: without_user(value) for name, value in proxies_of(settings).items()},
        bip=_text(settings.get("bip")),
        ulimits=sorted(map(printable, _mapping(settings.get("default-ulimits")))),
        ignored=sorted(printable(name) for name in settings if name not in _READ),
        unreadable=unreadable,
    )


def cgroup_driver(settings: Mapping[str, Any]) -> str:
    """Return the cgroup driver that the settings name, or ""."""
    options = [one for one in _texts(settings.get("exec-opts")) if one.startswith(_DRIVER)]
    return options[-1].removeprefix(_DRIVER) if options else ""


def proxies_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the proxies of daemon.json by the names of environment variables; with their passwords."""
    found = _mapping(settings.get("proxies"))
    return {name.replace("-", "_").upper(): str(found[name]) for name in _PROXIES if isinstance(found.get(name), str)}


def _log_options(settings: Mapping[str, Any]) -> dict[str, str]:
    """Values of the two that are carried over; of the others the name alone, for a token may be among them."""
    found = _mapping(settings.get("log-opts"))
    return {
        printable(name): str(value) if name in ("max-size", "max-file") else "" for name, value in sorted(found.items())
    }


def _options(words: Sequence[str]) -> list[tuple[str, str]]:
    """Return dockerd's flags as name and value; one without a value has "true"."""
    found: list[tuple[str, str]] = []
    rest = list(words[1:])
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if not equals:
            value = rest.pop(0) if rest and not rest[0].startswith("-") else "true"
        found.append((name, value))
    return found


def _text(value: object) -> str:
    return printable(value) if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [printable(one) for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
