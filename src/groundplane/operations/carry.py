"""What Docker was told, in containerd's and kubelet's words. Pure.

Mirrors, registries without TLS and their certificates become hosts.toml files where containerd reads those (from 1.5
on) and has not been told of mirrors the old way, for it refuses to start with both; else the old tables. Proxies become
a drop-in, which may hold a password: 0600, and in no message. How logs are limited is kubelet's business now. What has
no like is said, never dropped in silence.

https://github.com/containerd/containerd/blob/main/docs/hosts.md
https://github.com/containerd/containerd/blob/main/docs/cri/registry.md
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import tomli_w

from groundplane.hosts.facts.daemon import proxies_of, settings_of, without_user

from . import containerd
from .errors import StepRefused

CERTS = "/etc/containerd/certs.d"
PROXY = "/etc/systemd/system/containerd.service.d/10-groundplane-proxy.conf"
KUBELET_CREDENTIALS = "/var/lib/kubelet/config.json"
ROOT_CREDENTIALS = "/root/.docker/config.json"
# https://github.com/containerd/containerd/blob/v1.5.0/docs/cri/registry.md
_HOSTS_SINCE = (1, 5)
_HUB = "docker.io"
_PULL = ["pull", "resolve"]
_PUSH = [*_PULL, "push"]
_DEFAULT = ("default_runtime_name",)
_PROXY_NAMES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"})
# Docker's own defaults: https://docs.docker.com/engine/logging/drivers/
_FILES = {"json-file": {}, "local": {"max-size": "20m", "max-file": "5"}}
# Settings of the daemon itself, which end with it, and those that are carried over or looked at elsewhere.
# fmt: off
_SILENT = frozenset({
    "data-root", "storage-driver", "storage-opts", "log-driver", "log-opts", "log-level", "exec-opts", "exec-root",
    "registry-mirrors", "insecure-registries", "live-restore", "default-runtime", "runtimes", "hosts", "bip", "proxies",
    "pidfile", "debug", "iptables", "ip6tables", "ip-forward", "ip-masq", "ip", "bridge", "mtu", "fixed-cidr",
    "fixed-cidr-v6", "ipv6", "default-gateway", "default-address-pools", "userland-proxy", "max-concurrent-downloads",
    "max-concurrent-uploads", "max-download-attempts", "features", "experimental", "shutdown-timeout", "tls",
    "tlscacert", "tlscert", "tlskey", "tlsverify", "group", "metrics-addr", "containerd", "raw-logs",
    "oom-score-adjust", "default-cgroupns-mode", "selinux-enabled",
})
# fmt: on


@dataclass(frozen=True, slots=True)
class Carried:
    """`files` by path with content and mode; `config` is for containerd.Wanted.carried, `kubelet` are fields of
    kubelet's config.yaml, for where it says nothing about them. `said` is for people: what could not be carried over.
    """

    files: Mapping[str, tuple[bytes, int]] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    kubelet: Mapping[str, Any] = field(default_factory=dict)
    said: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Beside:
    """What else is on the machine. `options` is dockerd's command line; `config` is containerd's config.toml as it is.

    `credentials` are the config.json files by path.
    """

    options: Sequence[str] = ()
    credentials: Mapping[str, bytes] = field(default_factory=dict)
    config: bytes | None = None
    systemd_cgroup: bool = True


_NOTHING = Beside()


@dataclass(slots=True)
class _Host:
    """One registry: where it is asked, in order, and with which certificates."""

    endpoints: list[str] = field(default_factory=list)
    insecure: bool = False
    authorities: list[str] = field(default_factory=list)
    clients: list[tuple[str, str]] = field(default_factory=list)

    @property
    def tls(self) -> dict[str, Any]:
        """Its certificates, in the words of hosts.toml."""
        pairs = [list(pair) for pair in self.clients]
        named = {"ca": self.authorities, "client": pairs, "skip_verify": self.insecure}
        return {key: value for key, value in named.items() if value}


def carried(
    daemon: bytes | None,
    *,
    certs: Mapping[str, bytes],
    proxy_dropins: Sequence[bytes],
    version: tuple[int, ...],
    beside: Beside = _NOTHING,
) -> Carried:
    """Return what of Docker's settings goes to containerd `version` and to kubelet.

    `daemon` is daemon.json, `certs` are the files below /etc/docker/certs.d by their path there, `proxy_dropins` the
    drop-ins of docker.service. Raises StepRefused when a file cannot be understood.
    """
    settings = _settings(daemon, beside.options)
    there = containerd.parsed(beside.config)
    said = list(_left_behind(settings))
    layout = containerd.layout(there, version[0])
    hosts = _hosts(settings, certs, said)
    config: dict[str, Any] = {}
    files: dict[str, tuple[bytes, int]] = {}
    if hosts:
        registry = _at(there, containerd.registry_path(layout))
        folder = _folder(registry)
        files |= {f"{folder}/{path}": (content, 0o600) for path, content in certs.items()}
        if version >= _HOSTS_SINCE and not _told_the_old_way(registry):
            files |= {f"{folder}/{name}/hosts.toml": (_hosts_toml(name, hosts, folder), 0o644) for name in hosts}
            _put(config, (*containerd.registry_path(layout), "config_path"), folder)
        else:
            _put(config, containerd.registry_path(layout), _tables(hosts, folder, said))
    root = (*containerd.cri_path(layout), "containerd")
    for name, entry in _runtimes(settings, beside.systemd_cgroup, said).items():
        _put(config, (*root, *name), entry)
        if name == _DEFAULT and (own := _at(there, root).get(name[0])) not in ("", None, entry):
            said.append(
                f"containerd's config.toml keeps its default_runtime_name {own}: pods that name no RuntimeClass do not"
                f" get {entry}"
            )
    files |= _proxy_file(settings, proxy_dropins, said)
    files |= _credentials(beside.credentials, said)
    if there.get("imports"):
        said.append("containerd's config.toml takes settings from other files (imports), which were not looked into")
    return Carried(files=files, config=config, kubelet=_kubelet(settings, said), said=tuple(said))


def _settings(daemon: bytes | None, options: Sequence[str]) -> dict[str, Any]:
    try:
        return settings_of(daemon, options)
    except (ValueError, RecursionError) as exc:
        raise StepRefused(f"cannot read Docker's daemon.json: {exc}", remedy="mend the file, or move it away") from exc


def _told_the_old_way(registry: Mapping[str, Any]) -> bool:
    """Tell whether config.toml has tables with which containerd does not take a config_path."""
    configs = registry.get("configs")
    tls = [entry for entry in (configs if isinstance(configs, dict) else {}).values() if _at(entry, ["tls"])]
    return bool(registry.get("mirrors") or tls)


def _left_behind(settings: Mapping[str, Any]) -> Iterator[str]:
    """Settings that containers notice, and that neither containerd nor kubelet has."""
    for name in sorted(set(settings) - _SILENT):
        yield f"daemon.json: {name} has no like in containerd and is left behind"


def _hosts(settings: Mapping[str, Any], certs: Mapping[str, bytes], said: list[str]) -> dict[str, _Host]:
    hosts: dict[str, _Host] = {}
    for entry in _texts(settings, "insecure-registries"):
        name = _name(entry)
        if _is_range(name):
            if not ipaddress.ip_network(name, strict=False).is_loopback:
                said.append(
                    f"daemon.json: insecure-registries has the range {name}, which containerd cannot be told: name"
                    " each of its registries there"
                )
        elif name:
            hosts.setdefault(name, _Host()).insecure = True
    for path in sorted(certs):
        name, _, file = path.partition("/")
        host = hosts.setdefault(name, _Host())
        if file.endswith(".crt"):
            host.authorities.append(file)
        elif file.endswith(".cert"):
            key = f"{file.removesuffix('.cert')}.key"
            if f"{name}/{key}" in certs:
                host.clients.append((file, key))
            else:
                said.append(f"/etc/docker/certs.d/{path} has no key beside it and is not used")
    mirrors = [url.rstrip("/") for url in _texts(settings, "registry-mirrors") if _name(url)]
    if mirrors:
        hosts.setdefault(_HUB, _Host()).endpoints = [without_user(url) for url in mirrors]
    return hosts


def _name(text: str) -> str:
    """Return host and port of a registry, which may be written as a URL."""
    return urlsplit(text).netloc.rpartition("@")[2] if "://" in text else text.strip().rstrip("/")


def _is_range(text: str) -> bool:
    if "/" not in text:
        return False
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _server(name: str) -> str:
    return "https://registry-1.docker.io" if name == _HUB else f"https://{name}"


def _hosts_toml(name: str, hosts: Mapping[str, _Host], folder: str) -> bytes:
    """Return a registry's hosts.toml. What it says at the top is asked last.

    A registry without TLS is asked as Docker does: first by HTTPS whoever shows which certificate, then by HTTP.
    """
    own = hosts[name]
    asked: dict[str, dict[str, Any]] = {}
    for url in own.endpoints:
        asked[url] = {"capabilities": _PULL, **_absolute(hosts.get(_name(url), _Host()).tls, _name(url), folder)}
    # Without a host section, containerd up to 1.7 does not read the file.
    if own.tls or not asked:
        asked[_server(name)] = {"capabilities": _PUSH, **_absolute(own.tls, name, folder)}
    server = f"http://{name}" if own.insecure else _server(name)
    return tomli_w.dumps({"server": server, "host": asked}).encode()


def _absolute(tls: Mapping[str, Any], name: str, folder: str) -> dict[str, Any]:
    """Return certificates with their whole path: those of a mirror are in a folder of its own."""
    base = f"{folder}/{name}"
    whole = dict(tls)
    if "ca" in tls:
        whole["ca"] = [f"{base}/{file}" for file in tls["ca"]]
    if "client" in tls:
        whole["client"] = [[f"{base}/{file}" for file in pair] for pair in tls["client"]]
    return whole


def _tables(hosts: Mapping[str, _Host], folder: str, said: list[str]) -> dict[str, Any]:
    """Return the old form of containerd 1.3 to 1.4: mirrors, and TLS by host."""
    mirrors: dict[str, Any] = {}
    configs: dict[str, Any] = {}
    for name, host in hosts.items():
        if host.endpoints:
            mirrors[name] = {"endpoint": [*host.endpoints, _server(name)]}
        elif host.insecure:
            mirrors[name] = {"endpoint": [f"https://{name}", f"http://{name}"]}
        tls = _absolute(host.tls, name, folder)
        old: dict[str, Any] = {"insecure_skip_verify": True} if host.insecure else {}
        if "ca" in tls:
            old["ca_file"] = tls["ca"][0]
        if "client" in tls:
            old["cert_file"], old["key_file"] = tls["client"][0]
        if len(host.authorities) > 1 or len(host.clients) > 1:
            said.append(f"of the certificates of {name}, containerd before 1.5 can use only the first")
        if old:
            configs[name] = {"tls": old}
    return {key: value for key, value in (("mirrors", mirrors), ("configs", configs)) if value}


def _folder(registry: Mapping[str, Any]) -> str:
    """Return where hosts.toml files go: where containerd looks already, when it does."""
    return str(registry.get("config_path") or "").split(":")[0] or CERTS


def _runtimes(settings: Mapping[str, Any], systemd_cgroup: bool, said: list[str]) -> dict[tuple[str, ...], object]:
    """OCI runtimes of daemon.json, such as nvidia, and the one that is used where none is named."""
    found: dict[tuple[str, ...], object] = {}
    runtimes = settings.get("runtimes")
    for name, entry in sorted((runtimes if isinstance(runtimes, dict) else {}).items()):
        path = entry.get("path") if isinstance(entry, dict) else None
        if name == "runc" or not isinstance(path, str):
            said.append(f"daemon.json: runtime {name} is not a program of its own and is left behind")
            continue
        options = {"BinaryName": path, "SystemdCgroup": systemd_cgroup}
        found["runtimes", name] = {"runtime_type": containerd.RUNC, "options": options}
        if entry.get("runtimeArgs"):
            said.append(f"daemon.json: runtimeArgs of runtime {name} cannot be given to containerd")
    default = settings.get("default-runtime")
    if ("runtimes", str(default)) in found:
        found[_DEFAULT] = default
    elif isinstance(default, str) and default != "runc":
        said.append(f"daemon.json: default-runtime {default} is not known to containerd and is left behind")
    return found


def _proxy_file(settings: Mapping[str, Any], dropins: Sequence[bytes], said: list[str]) -> dict[str, tuple[bytes, int]]:
    """daemon.json counts over the environment, as in Docker."""
    found: dict[str, str] = {}
    for content in dropins:
        for line in re.sub(rb"\\\n", b" ", content).decode("utf-8", "replace").splitlines():
            name, _, value = line.strip().partition("=")
            if name == "Environment":
                # An empty one takes back what was set before.
                found = found | dict(_proxies(value)) if value.strip() else {}
            elif name == "EnvironmentFile":
                said.append(f"docker.service reads {value.strip()}: proxies that are set there are not carried over")
    for name, value in proxies_of(settings).items():
        found = {key: kept for key, kept in found.items() if key.upper() != name}
        found[name] = value.replace("%", "%%")
    if not found:
        return {}
    lines = "".join(f'Environment="{name}={_quoted(value)}"\n' for name, value in sorted(found.items()))
    return {PROXY: (f"[Service]\n{lines}".encode(), 0o600)}


_WORD = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(\S+)""")


def _proxies(text: str) -> Iterator[tuple[str, str]]:
    """Return the variables for proxies of one Environment= line; what is escaped for systemd stays so."""
    for match in _WORD.finditer(text):
        name, equals, value = next((group for group in match.groups() if group is not None), "").partition("=")
        if equals and name.upper() in _PROXY_NAMES:
            yield name, re.sub(r"""\\(["'\\])""", r"\1", value)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _credentials(files: Mapping[str, bytes], said: list[str]) -> dict[str, tuple[bytes, int]]:
    """kubelet reads its own config.json with any runtime; root's is no service's, but was what people logged in with.

    https://kubernetes.io/docs/concepts/containers/images/#configuring-nodes-to-authenticate-to-a-private-registry
    """
    root = files.get(ROOT_CREDENTIALS)
    if root is None or KUBELET_CREDENTIALS in files:
        return {}
    try:
        parsed = json.loads(root)
        auths = parsed["auths"]
        usable = [name for name, entry in auths.items() if isinstance(entry, dict) and entry]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        usable, parsed = [], {}
    if isinstance(parsed, dict) and (parsed.get("credsStore") or parsed.get("credHelpers")):
        said.append(f"{ROOT_CREDENTIALS} asks a helper program for credentials, which kubelet does not run")
    if not usable:
        return {}
    content = json.dumps({"auths": {name: parsed["auths"][name] for name in usable}}, indent=2).encode() + b"\n"
    return {KUBELET_CREDENTIALS: (content, 0o600)}


def _kubelet(settings: Mapping[str, Any], said: list[str]) -> dict[str, Any]:
    """Limits of log files as kubelet's containerLogMaxSize and containerLogMaxFiles."""
    driver = str(settings.get("log-driver") or "json-file")
    if driver not in _FILES:
        said.append(
            f"daemon.json: log-driver {driver} has no like: kubelet writes logs to files below /var/log/pods, and an"
            " agent has to read them there"
        )
        return {}
    given = settings.get("log-opts")
    options: dict[str, Any] = {**_FILES[driver], **(given if isinstance(given, dict) else {})}
    for name in sorted(set(options) - {"max-size", "max-file", "compress", "mode", "max-buffer-size"}):
        said.append(f"daemon.json: log option {name} has no like in kubelet")
    edits: dict[str, Any] = {}
    size = _size(str(options.get("max-size", "")))
    if size:
        edits["containerLogMaxSize"] = size
    files = str(options.get("max-file", ""))
    if files.isdigit() and int(files) > 0 and size:
        # kubelet does not start with fewer than two.
        edits["containerLogMaxFiles"] = max(int(files), 2)
        if int(files) < 2:
            said.append("daemon.json: max-file 1 became containerLogMaxFiles 2, the fewest that kubelet takes")
    return edits


def _size(text: str) -> str:
    """Return Docker's "10m", which counts by 1024, as a Kubernetes quantity; "" when it sets no limit."""
    match = re.fullmatch(r"(\d+)\s*([kmgt]?)i?b?", text.strip().lower())
    if match is None or int(match.group(1)) == 0:
        return ""
    return match.group(1) + (f"{match.group(2).upper()}i" if match.group(2) else "")


def _texts(settings: Mapping[str, Any], key: str) -> list[str]:
    found = settings.get(key)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _at(config: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    at: Any = config
    for name in path:
        at = at.get(name) if isinstance(at, Mapping) else None
    return at if isinstance(at, Mapping) else {}


def _put(config: dict[str, Any], path: Sequence[str], value: object) -> None:
    at = config
    for name in path[:-1]:
        at = at.setdefault(name, {})
    at[path[-1]] = value
