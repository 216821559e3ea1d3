"""Kubeconfig files: read, merged as kubectl merges them, resolved to one Access, written.

A kubeconfig can name files and commands of the machine that reads it. That is fine for the user's own files and
never for a document that came over the API: parsed without a folder, such references are refused by name, but for
the commands that the operator of this machine allows. `flatten` makes of the former what can be the latter.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from groundplane.base.documents import aliased, too_deep
from groundplane.base.errors import Refused
from groundplane.base.files import write_private

_STRICT_EXEC = "client.authentication.k8s.io/v1"
_EXEC_EXTENSION = "client.authentication.k8s.io/exec"


class KubeconfigInvalid(Refused):
    """The kubeconfig cannot be used as it is."""


class CommandNotAllowed(KubeconfigInvalid):
    """The kubeconfig logs in by a command that the operator of this machine does not allow."""


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """A command that prints an ExecCredential; `environment` is added to ours.

    `cluster_config` is what the cluster's extension for plugins says, which goes out with `provide_cluster_info`.
    """

    api_version: str
    command: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    provide_cluster_info: bool = False
    install_hint: str = ""
    interactive_mode: str = "IfAvailable"
    cluster_config: Any = None


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach and log in to one Kubernetes API. Secrets are never shown by repr."""

    server: str
    ca: bytes = b""
    insecure: bool = False
    tls_server_name: str = ""
    proxy: str = ""
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)
    exec_plugin: ExecPlugin | None = field(default=None, repr=False)
    namespace: str = "default"
    context: str = ""


class Kubeconfig:
    """Named clusters, users and contexts, each with the folder that its relative files are looked for in."""

    def __init__(self, commands: Sequence[str] = ()) -> None:
        self.current_context = ""
        self._commands = tuple(commands)
        self._sections: dict[str, dict[str, tuple[dict[str, Any], Path | None]]] = {
            "clusters": {},
            "users": {},
            "contexts": {},
        }

    @classmethod
    def parse(cls, data: bytes, *, source: str = "kubeconfig", commands: Sequence[str] = ()) -> Kubeconfig:
        """Read a document that may not name files, nor commands but `commands` (full paths).

        `source` is what errors call the document.
        """
        config = cls(commands)
        document = _document(data, source)
        if aliased(data):
            raise KubeconfigInvalid(f"cannot use {source}: it has YAML aliases", remedy="write their content out")
        config._merge(document, None, source)
        return config

    @classmethod
    def load(cls, paths: Sequence[Path]) -> Kubeconfig:
        """Read files that belong to the user; of two entries with one name the first counts, as in kubectl."""
        config = cls()
        found = [path for path in paths if path.exists()]
        if not found:
            raise KubeconfigInvalid(
                f"cannot read kubeconfig {', '.join(map(str, paths)) or '(none named)'}: there is no such file",
                remedy="start Groundplane once with `groundplane up`, or name another file with --kubeconfig",
            )
        for path in found:
            try:
                data = path.read_bytes()
            except OSError as exc:
                raise KubeconfigInvalid(f"cannot read kubeconfig {path}: {exc.strerror}") from exc
            config._merge(_document(data, str(path)), path.absolute().parent, str(path))
        return config

    @property
    def contexts(self) -> list[str]:
        """Names of the contexts, in the order of the files."""
        return list(self._sections["contexts"])

    def access(self, context: str = "") -> Access:
        """Resolve `context`, or the current one; raises KubeconfigInvalid naming what is missing."""
        name = context or self.current_context
        entry, _ = self._named("contexts", name, "context")
        cluster, cluster_folder = self._named("clusters", str(entry.get("cluster") or ""), "cluster")
        user: dict[str, Any] = {}
        user_folder = None
        if entry.get("user"):
            user, user_folder = self._named("users", str(entry["user"]), "user")
        if not cluster.get("server"):
            raise KubeconfigInvalid(f"cannot use kubeconfig context {name!r}: its cluster names no server")
        _check_cluster(cluster, name, own=cluster_folder is not None)
        _check_user(user, name)
        token_file = _own_file(user, "tokenFile", user_folder)
        login = _mapped(user, "exec")
        if login and user_folder is None:
            login = _allowed(login, self._commands)
        return Access(
            server=str(cluster["server"]).rstrip("/"),
            ca=_data(cluster, "certificate-authority", cluster_folder),
            insecure=bool(cluster.get("insecure-skip-tls-verify")),
            tls_server_name=str(cluster.get("tls-server-name") or ""),
            proxy=str(cluster.get("proxy-url") or ""),
            token=str(user.get("token") or ""),
            token_file=token_file,
            certificate=_data(user, "client-certificate", user_folder),
            key=_data(user, "client-key", user_folder),
            exec_plugin=_exec_plugin(login, cluster, user_folder),
            namespace=str(entry.get("namespace") or "default"),
            context=name,
        )

    def _merge(self, document: dict[str, Any], folder: Path | None, source: str) -> None:
        self.current_context = self.current_context or str(document.get("current-context") or "")
        for section, known in self._sections.items():
            inner = section.removesuffix("s")
            for entry in _listed(document, section, source):
                if not isinstance(entry, dict) or not entry.get("name"):
                    raise KubeconfigInvalid(f"cannot use {source}: an entry of {section} has no name")
                known.setdefault(str(entry["name"]), (_mapped(entry, inner, source), folder))

    def _named(self, section: str, name: str, word: str) -> tuple[dict[str, Any], Path | None]:
        if name not in self._sections[section]:
            have = ", ".join(self._sections[section]) or "none"
            raise KubeconfigInvalid(f"cannot find {word} {name!r} in the kubeconfig: it has {have}")
        return self._sections[section][name]


def render_kubeconfig(access: Access, *, name: str, user: str = "admin") -> bytes:
    """Return a self-contained kubeconfig of one context called `name`; a token file is read by `flatten` only."""
    cluster: dict[str, Any] = {"server": access.server}
    if access.ca:
        cluster["certificate-authority-data"] = base64.b64encode(access.ca).decode()
    if access.insecure:
        cluster["insecure-skip-tls-verify"] = True
    if access.tls_server_name:
        cluster["tls-server-name"] = access.tls_server_name
    if access.proxy:
        cluster["proxy-url"] = access.proxy
    login: dict[str, Any] = {}
    if access.token:
        login["token"] = access.token
    if access.certificate:
        login["client-certificate-data"] = base64.b64encode(access.certificate).decode()
        login["client-key-data"] = base64.b64encode(access.key).decode()
    if access.exec_plugin is not None:
        login["exec"] = _exec_section(access.exec_plugin)
        if access.exec_plugin.cluster_config is not None:
            cluster["extensions"] = [{"name": _EXEC_EXTENSION, "extension": access.exec_plugin.cluster_config}]
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": user, "user": login}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user, "namespace": access.namespace}}],
        "current-context": name,
    }
    return yaml.safe_dump(document, sort_keys=False).encode()


def flatten(access: Access, *, name: str) -> bytes:
    """Return a kubeconfig that needs no file of this machine: what a token file holds now is its token."""
    if access.token_file is None:
        return render_kubeconfig(access, name=name, user=name)
    try:
        token = access.token_file.read_text().strip()
    except OSError as exc:
        raise KubeconfigInvalid(f"cannot read tokenFile {access.token_file}: {exc.strerror}") from exc
    return render_kubeconfig(replace(access, token=token, token_file=None), name=name, user=name)


def _exec_section(plugin: ExecPlugin) -> dict[str, Any]:
    section: dict[str, Any] = {
        "apiVersion": plugin.api_version,
        "command": plugin.command,
        "args": list(plugin.arguments),
        "env": [{"name": name, "value": value} for name, value in plugin.environment.items()],
        "interactiveMode": plugin.interactive_mode,
        "provideClusterInfo": plugin.provide_cluster_info,
        "installHint": plugin.install_hint,
    }
    return {key: value for key, value in section.items() if value not in ("", [], False)}


def write_kubeconfig(path: Path, data: bytes) -> None:
    """Put `data` at `path`, readable by its owner only, whole or not at all."""
    write_private(path, data)


def _document(data: bytes, source: str) -> dict[str, Any]:
    try:
        if too_deep(data):
            raise KubeconfigInvalid(f"cannot read {source}: it is nested too deep for a kubeconfig")
        document = yaml.load(data, yaml.CSafeLoader)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        # The text of the error quotes the document, which holds secrets.
        where = f" at line {mark.line + 1}" if mark else ""
        raise KubeconfigInvalid(f"cannot read {source}: it is not YAML{where}") from None
    except ValueError:
        # Such as a day that no month has; its text quotes the document too.
        raise KubeconfigInvalid(f"cannot read {source}: a number or a day in it is none") from None
    if not isinstance(document, dict) or document.get("kind", "Config") != "Config":
        raise KubeconfigInvalid(f"cannot read {source}: it is not a kubeconfig")
    return document


def _listed(entry: Mapping[str, Any], name: str, source: str = "the kubeconfig") -> list[Any]:
    found = entry.get(name) or []
    if not isinstance(found, list):
        raise KubeconfigInvalid(f"cannot use {source}: {name} is no list")
    return found


def _mapped(entry: Mapping[str, Any], name: str, source: str = "the kubeconfig") -> dict[str, Any]:
    found = entry.get(name) or {}
    if not isinstance(found, dict):
        raise KubeconfigInvalid(f"cannot use {source}: {name} is no mapping")
    return found


def _own_file(entry: Mapping[str, Any], name: str, folder: Path | None) -> Path | None:
    if not entry.get(name):
        return None
    if folder is None:
        raise KubeconfigInvalid(
            f"cannot use the kubeconfig: {name} points to a file of the machine that it was made on",
            remedy=f"put the content in as {name}-data, or as token (kubectl config view --flatten --raw does it)",
        )
    return folder / str(entry[name])


def _data(entry: Mapping[str, Any], name: str, folder: Path | None) -> bytes:
    inline = entry.get(f"{name}-data")
    if inline:
        try:
            return base64.b64decode(str(inline), validate=False)
        except binascii.Error as exc:
            raise KubeconfigInvalid(f"cannot use the kubeconfig: {name}-data is not base64") from exc
    file = _own_file(entry, name, folder)
    if file is None:
        return b""
    try:
        return file.read_bytes()
    except OSError as exc:
        raise KubeconfigInvalid(f"cannot read {name} {file}: {exc.strerror}") from exc


def _check_cluster(cluster: Mapping[str, Any], context: str, *, own: bool) -> None:
    """Refuse what would send credentials to whoever answers, and what cannot be done."""
    insecure = bool(cluster.get("insecure-skip-tls-verify"))
    if insecure and (cluster.get("certificate-authority") or cluster.get("certificate-authority-data")):
        raise KubeconfigInvalid(
            f"cannot use kubeconfig context {context!r}: specifying a root certificates file with the insecure flag "
            "is not allowed",
            remedy="take insecure-skip-tls-verify out",
        )
    if insecure and not own:
        raise KubeconfigInvalid(
            f"cannot use kubeconfig context {context!r}: insecure-skip-tls-verify lets anybody pose as the server",
            remedy="put the server's CA in as certificate-authority-data instead",
        )
    if not own:
        refuse_clear(str(cluster.get("server") or ""), context)
    if "@" in str(cluster.get("server") or "").partition("//")[2].partition("/")[0]:
        # The server is named in messages, conditions and facts.
        raise KubeconfigInvalid(
            f"cannot use kubeconfig context {context!r}: its server has a user or a password in it",
            remedy="use a token or a client certificate",
        )
    for name in ("server", "proxy-url"):
        url = str(cluster.get(name) or "")
        if url and not _is_http(url):
            raise KubeconfigInvalid(
                f"cannot use kubeconfig context {context!r}: its {name} is neither http nor https",
                remedy="write it like https://kube.example.com:6443",
            )


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def refuse_clear(server: str, context: str) -> None:
    """Refuse a server that credentials go to in clear, over more than this machine."""
    if server.lower().startswith("http:") and _is_http(server) and not is_here(server):
        raise KubeconfigInvalid(
            f"cannot use kubeconfig context {context!r}: its server is http, which sends credentials in clear",
            remedy="use the server's https address; http is for servers on 127.0.0.1, ::1 or localhost only",
        )


def is_here(url: str) -> bool:
    """Tell whether a server is on this machine."""
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


_REFUSED_LOGINS = {
    "auth-provider": "use the provider's exec plugin",
    "username": "use a token or a client certificate",
    "password": "use a token or a client certificate",
    "as": "use credentials of the user that is meant",
    "as-uid": "use credentials of the user that is meant",
    "as-groups": "use credentials of the user that is meant",
    "as-user-extra": "use credentials of the user that is meant",
}


def _check_user(user: Mapping[str, Any], context: str) -> None:
    """Refuse by name what would be left out silently, and so act as somebody else."""
    for name, remedy in _REFUSED_LOGINS.items():
        if user.get(name):
            raise KubeconfigInvalid(
                f"cannot use kubeconfig context {context!r}: its user has {name}, which is not supported",
                remedy=remedy,
            )


# What makes a program load or run something else than itself.
_LOADERS = ("LD_", "DYLD_", "PYTHON", "PERL", "RUBY", "NODE_", "BASH", "GCONV_")
_SEARCH = frozenset({"PATH", "ENV", "IFS", "SHELL", "HOME"})


def _allowed(entry: dict[str, Any], commands: Sequence[str]) -> dict[str, Any]:
    """Return the exec section with the full path of its command, if that is one of `commands`."""
    named = str(entry.get("command") or "")
    found = next((c for c in commands if c == named or ("/" not in named and Path(c).name == named)), None)
    if found is None:
        raise CommandNotAllowed(
            f"cannot use the kubeconfig: its user logs in by running the command {named!r}, which is not allowed here",
            remedy="add the command's full path to GROUNDPLANE_EXEC_PLUGINS where Groundplane runs, or use a kubeconfig"
            " with a token or a client certificate",
        )
    names = [str(pair.get("name") or "") for pair in _listed(entry, "env") if isinstance(pair, dict)]
    loaders = sorted(name for name in names if name in _SEARCH or name.startswith(_LOADERS))
    if loaders:
        raise CommandNotAllowed(
            f"cannot use the kubeconfig: it sets {', '.join(loaders)} for the command {named!r}, which could make it"
            " run something else",
            remedy=f"take {', '.join(loaders)} out of the env of its exec section",
        )
    return entry | {"command": found}


def _exec_plugin(entry: Mapping[str, Any], cluster: Mapping[str, Any], folder: Path | None) -> ExecPlugin | None:
    if not entry:
        return None
    command = str(entry.get("command") or "")
    mode = str(entry.get("interactiveMode") or ("" if entry.get("apiVersion") == _STRICT_EXEC else "IfAvailable"))
    if mode not in ("Never", "IfAvailable", "Always"):
        what = f"interactiveMode {mode!r} is not Never, IfAvailable or Always" if mode else (
            f"interactiveMode must be specified for {command} to use exec authentication plugin")  # fmt: skip
        raise KubeconfigInvalid(f"cannot use the kubeconfig: {what}")
    pairs = [pair for pair in _listed(entry, "env") if isinstance(pair, dict)]
    extensions = [one for one in _listed(cluster, "extensions") if isinstance(one, dict)]
    config = next((one.get("extension") for one in extensions if one.get("name") == _EXEC_EXTENSION), None)
    # As in kubectl: with a slash it is a path relative to the file, without one it is looked for in PATH.
    return ExecPlugin(
        api_version=str(entry.get("apiVersion") or ""),
        command=str(folder / command) if folder is not None and "/" in command else command,
        arguments=tuple(map(str, _listed(entry, "args"))),
        environment={str(pair.get("name") or ""): str(pair.get("value") or "") for pair in pairs},
        provide_cluster_info=bool(entry.get("provideClusterInfo")),
        install_hint=str(entry.get("installHint") or ""),
        interactive_mode=mode,
        cluster_config=config,
    )
