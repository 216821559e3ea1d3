"""Which commands are known to only read. What is not known is refused: the list grows, the rule does not soften.

Each program has a rule over its arguments. Rules name what is allowed, exactly: options may be abbreviated by the
programs, so forbidding single ones would leave holes. A wrong refusal costs a line here; a wrong permission could
change a machine while we only look.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

Rule = Callable[[Sequence[str]], bool]

_FOLDERS = frozenset({"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"})
# A client that waits on the machine for an upgrade; only root can put it there.
_STAGED = re.compile(r"/var/lib/groundplane/stage/kubernetes-v[\w.+-]+/kubectl")


def is_reading(argv: Sequence[str]) -> bool:
    """Tell whether `argv` is a command that is known to change nothing on the machine."""
    if not argv or any("\0" in word for word in argv):
        return False
    folder, slash, program = argv[0].rpartition("/")
    if slash and folder not in _FOLDERS and not _STAGED.fullmatch(argv[0]):
        return False
    rule = _RULES.get(program)
    return rule is not None and rule(argv[1:])


def _anything(words: Sequence[str]) -> bool:
    return True


def _only(pattern: str) -> Rule:
    """Allow arguments that each match `pattern` in full."""
    compiled = re.compile(pattern)
    return lambda words: all(compiled.fullmatch(word) for word in words)


def _exactly(*lines: str) -> Rule:
    """Allow these argument lists and no other."""
    allowed = {tuple(line.split()) for line in lines}
    return lambda words: tuple(words) in allowed


def _words(*leading: str, before: str = r"(?!)", valued: Sequence[str] = (), options: str = r".*") -> Rule:
    """Allow what starts with one of the sub-commands `leading` (one or two words).

    Options before it match `before`, or are one of `valued` and take the next word; options after it match `options`.
    """
    commands = {tuple(line.split()) for line in leading}
    early, late = re.compile(before), re.compile(options)

    def rule(words: Sequence[str]) -> bool:
        rest = list(words)
        while rest and rest[0].startswith("-"):
            option = rest.pop(0)
            if option in valued and rest:
                rest.pop(0)
            elif not early.fullmatch(option):
                return False
        if not any(tuple(rest[: len(command)]) == command for command in commands):
            return False
        return all(late.fullmatch(word) for word in rest if word.startswith("-"))

    return rule


def _ip(words: Sequence[str]) -> bool:
    rest = list(words)
    while rest and rest[0].startswith("-"):
        if not re.fullmatch(r"-(j|json|o|oneline|4|6|d|details|s|stats|br|brief|p|pretty|N)", rest.pop(0)):
            return False
    objects = {"addr", "address", "link", "route", "rule", "neigh", "neighbour", "netns"}
    if not rest or rest[0] not in objects:
        return False
    return len(rest) == 1 or rest[1] in {"show", "list"} or rest[:2] == ["route", "get"]


def _modprobe(words: Sequence[str]) -> bool:
    options = [word for word in words if word.startswith("-")]
    dry = bool({"-n", "--dry-run", "--show-depends"} & set(options))
    return dry and all(re.fullmatch(r"-n|--dry-run|-v|-q|--verbose|--quiet|--show-depends", word) for word in options)


def _rpm(words: Sequence[str]) -> bool:
    if not words or words[0] not in {"-q", "-qa", "-qi", "-ql", "-qf", "--query"}:
        return False
    options = [word for word in words[1:] if word.startswith("-")]
    return all(re.fullmatch(r"-[aliqf]|--all|--info|--list|--file|--qf|--queryformat(=.*)?|--last", o) for o in options)


_CURL_VALUED = frozenset(
    {"-m", "--max-time", "--connect-timeout", "--cacert", "--cert", "--key", "--unix-socket", "--retry", "--noproxy"}
)
_ETCD_QUESTION = re.compile(r"https://[\d.]+:2379/v3/(cluster/member/list|maintenance/status)")


def _curl(words: Sequence[str]) -> bool:
    """Allow a plain GET to standard output, and the two questions that etcd answers only to an empty POST."""
    rest = list(words)
    urls = 0
    asked = words[-1] if words[-3:-1] == ["-d", "{}"] else ""
    if _ETCD_QUESTION.fullmatch(asked):
        rest = [*words[:-3], asked]
    while rest:
        word = rest.pop(0)
        if word in _CURL_VALUED and rest:
            rest.pop(0)
        elif word.startswith(("http://", "https://")):
            urls += 1
        elif not re.fullmatch(r"-[sSkfLI46v]+|--silent|--show-error|--insecure|--fail|--location|--head", word):
            return False
    return urls == 1


def _env(words: Sequence[str]) -> bool:
    """Allow to keep a reading command from using a proxy."""
    rest = list(words)
    while rest and rest[0] in {"NO_PROXY=*", "no_proxy=*"}:
        rest.pop(0)
    return len(rest) < len(words) and is_reading(rest)


# Programs that cannot write, whatever they are told.
# fmt: off
_ONLY_READERS = (
    "[", "arch", "basename", "cat", "cmp", "cut", "df", "dirname", "dpkg-query", "du", "false", "findmnt", "free",
    "getconf", "getenforce", "getent", "grep", "head", "id", "ls", "lsblk", "lscpu", "lsmod", "md5sum", "modinfo",
    "mountpoint", "nproc", "pgrep", "pidof", "ps", "readlink", "realpath", "sestatus", "sha256sum", "stat", "tail",
    "test", "true", "uname", "wc", "which",
)
# fmt: on
_KUBECTL_VALUED = ("--kubeconfig", "-n", "--namespace", "--context", "-s", "--server", "--request-timeout")
# --log-file and --profile-output write files; --cache-dir chooses where kubectl keeps what it learned.
_KUBECTL_OPTIONS = r"(?!--(log|profile|cache|v?module|stderr|alsolog|as)).*"
_SYSTEMCTL_OPTIONS = (
    r"-[aqlp]|--(all|quiet|full|no-pager|plain|no-legend|value|failed)|--(property|type|state|output|lines)=.*"
)
_JOURNALCTL_OPTIONS = (
    r"-[uneobkpqrgtaSUNx]|-n\d+|-o[a-z-]+|-b-?\d*|--no-pager|--no-hostname|--utc|--all|--quiet|--reverse|--dmesg"
    r"|--(unit|lines|output|boot|since|until|priority|grep|identifier)(=.*)?"
)
_FIND_TESTS = (
    r"-(name|iname|path|type|maxdepth|mindepth|size|mtime|mmin|newer|user|group|perm|links|empty|print|print0|printf"
    r"|not|o|a|or|and|prune|xdev|mount|L|H|P|regex|readable|executable|\d+)"
)

_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_ONLY_READERS, _anything),
    "hostname": _only(r"-[fsiIdA]|--(fqdn|long|short|ip-address|all-ip-addresses|domain|all-fqdns)"),
    "date": _only(r"\+.*|-u|--utc|-R|-I(date|hours|minutes|seconds|ns)?"),
    "sysctl": lambda words: (
        bool(words) and _only(r"-[neabN]+|--(values|names|ignore|all)|[A-Za-z0-9_][\w./:-]*")(words)
    ),
    "ss": _only(r"-[tulpnaHheisomxwO046rV]+|--(tcp|udp|listening|numeric|processes|all|no-header|oneline)|[^-].*"),
    "ip": _ip,
    "systemctl": _words(
        "is-active",
        "is-enabled",
        "is-failed",
        "is-system-running",
        "show",
        "cat",
        "status",
        "list-units",
        "list-unit-files",
        "list-dependencies",
        before=_SYSTEMCTL_OPTIONS,
        valued=("-p", "--property", "-t", "--type"),
        options=_SYSTEMCTL_OPTIONS,
    ),
    "docker": _words(
        "version",
        "info",
        "images",
        "ps",
        "inspect",
        "logs",
        "image ls",
        "image inspect",
        "container ls",
        "container inspect",
        "network ls",
        "network inspect",
        "system info",
    ),
    "ctr": _words(
        "version",
        "images ls",
        "images list",
        "images check",
        "image ls",
        "image list",
        "i ls",
        "containers ls",
        "containers list",
        "containers info",
        "container ls",
        "c ls",
        "tasks ls",
        "tasks list",
        "task ls",
        "t ls",
        "namespaces ls",
        "namespaces list",
        "plugins ls",
        "plugins list",
        "content ls",
        "leases ls",
        before=r"(--namespace|--address|-n|-a)=.*",
        valued=("-n", "--namespace", "-a", "--address"),
    ),
    "crictl": _words(
        "info",
        "images",
        "img",
        "ps",
        "pods",
        "version",
        "inspect",
        "inspecti",
        "inspectp",
        "logs",
        "stats",
        before=r"(--runtime-endpoint|--image-endpoint|--timeout|-r|-i|-t)=.*",
        valued=("-r", "--runtime-endpoint", "-i", "--image-endpoint", "-t", "--timeout"),
    ),
    "kubeadm": _words("version", "certs check-expiration", "alpha certs check-expiration"),
    "kubelet": _exactly("--version"),
    "containerd": _exactly("--version", "-v", "config dump", "config default"),
    "dockerd": _exactly("--version", "-v"),
    "runc": _exactly("--version", "-v"),
    "crio": _exactly("--version", "-v", "version"),
    "kubectl": _words(
        "get",
        "version",
        "describe",
        "wait",
        "logs",
        "api-resources",
        "api-versions",
        "auth can-i",
        before=r"--(kubeconfig|namespace|context|server|request-timeout)=.*",
        valued=_KUBECTL_VALUED,
        options=_KUBECTL_OPTIONS,
    ),
    "rpm": _rpm,
    "journalctl": _only(rf"{_JOURNALCTL_OPTIONS}|[^-].*"),
    "timedatectl": _exactly("", "show", "status", "timesync-status", "show-timesync"),
    "chronyc": _exactly("tracking", "sources", "-n tracking", "-n sources"),
    "swapon": lambda words: bool(words) and _only(r"--show(=[A-Z,]+)?|-s|--noheadings|--raw|--bytes")(words),
    "modprobe": _modprobe,
    "iptables-save": _only(r"-c|--counters|-t|[a-z]+"),
    "ip6tables-save": _only(r"-c|--counters|-t|[a-z]+"),
    "nft": lambda words: (
        _words("list", before=r"-[jasn]+|--json|--stateless|--numeric")(words)
        and not any(character in word for word in words for character in ";\n")
    ),
    "find": _only(rf"{_FIND_TESTS}|[^-].*"),
    "firewall-cmd": _exactly("--state", "--list-all", "--list-ports", "--list-services", "--get-active-zones"),
    "ufw": _exactly("status", "status verbose", "status numbered"),
    "curl": _curl,
    "env": _env,
}
