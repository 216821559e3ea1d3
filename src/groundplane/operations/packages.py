"""Package managers of the families of operating systems, as argument lists, and what they say is installed.

What Kubernetes stands on is left out of a general update: its versions are the Distribution's and the Foundation's to
choose. dnf and yum leave packages out by an option; apt and zypper only by marks on the machine (`apt-mark hold`,
`zypper addlock`), so there ours are noted before they are set, and marks of others are never touched. No command
here removes a package, and kernels are installed beside those that are there.

Sources: apt-get(8), apt-mark(8), dpkg-query(1), dnf(8), dnf.conf(5), yum(8), yum.conf(5), zypper(8), rpm(8).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundplane.hosts.contract import Host, ReadHost

from .errors import JobFailed, StepRefused
from .jobs import Job, run_job
from .scope import Scope

# Names of packages whose version is not the operating system's affair, whoever built them.
_KEPT = re.compile(
    r"containerd(\.io)?|docker(\.io|[-.]ce.*|-ee.*|-engine.*|-client.*|-common|-compose-plugin|-buildx-plugin)?|moby-.*"
    r"|runc|cri-o.*|cri-tools|kubelet|kubeadm|kubectl|kubernetes(-.*)?|containernetworking-plugins|kata-.*"
    r"|(lib)?nvidia-container-.*"
)
# A kernel's own package carries its release; what brings the newest one carries none.
_DEBIAN_NEWEST = re.compile(r"linux-image-(?![0-9]|unsigned-|extra-|dbg|.*-dbg$)[a-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class Manager:
    """`listing` only reads. `good`: exit statuses that mean success; 102 and 103 of zypper ask for a restart.

    `exclude` is an option for each package that is left out; without one there are `hold` and `release`.
    """

    name: str
    program: str
    listing: tuple[str, ...]
    refresh: tuple[str, ...]
    upgrade: tuple[str, ...]
    some: tuple[str, ...]
    install: tuple[str, ...]
    repair: tuple[str, ...] = ()
    exclude: str = ""
    hold: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    download: str = ""
    good: tuple[int, ...] = (0,)


# Answers nothing and restarts nothing by itself; a lock that somebody else holds is waited for, files of a person stay.
_APT = (
    *("env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_MODE=l", "apt-get", "-q", "-y"),
    *("-o", "DPkg::Lock::Timeout=600"),
    *("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"),
)
_RPM_LIST = ("rpm", "-qa", "--qf", "ii %{NAME} %{VERSION}-%{RELEASE}\\n")
# 0: no kernel is removed to make room for the new one.
_DNF = ("dnf", "-y", "--setopt=installonly_limit=0")
_YUM = ("yum", "-y", "--setopt=installonly_limit=0")
_ZYPPER = ("zypper", "--non-interactive")

APT = Manager(
    name="apt",
    program="/usr/bin/apt-get",
    listing=("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package} ${Version}\\n"),
    refresh=(*_APT, "update"),
    upgrade=(*_APT, "--with-new-pkgs", "upgrade"),
    some=(*_APT, "--only-upgrade", "install"),
    install=(*_APT, "--no-install-recommends", "install"),
    repair=("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--force-confdef", "--force-confold", "--configure", "-a"),
    hold=("apt-mark", "hold"),
    release=("apt-mark", "unhold"),
    download="--download-only",
)
DNF = Manager(
    name="dnf",
    program="/usr/bin/dnf",
    listing=_RPM_LIST,
    refresh=(*_DNF, "makecache"),
    upgrade=(*_DNF, "upgrade"),
    some=(*_DNF, "upgrade"),
    install=(*_DNF, "install"),
    exclude="--exclude={}",
    download="--downloadonly",
)
YUM = Manager(
    name="yum",
    program="/usr/bin/yum",
    listing=_RPM_LIST,
    refresh=(*_YUM, "makecache"),
    upgrade=(*_YUM, "update"),
    some=(*_YUM, "update"),
    install=(*_YUM, "install"),
    exclude="--exclude={}",
    download="--downloadonly",
)
ZYPPER = Manager(
    name="zypper",
    program="/usr/bin/zypper",
    listing=_RPM_LIST,
    refresh=(*_ZYPPER, "refresh"),
    upgrade=(*_ZYPPER, "update", "--auto-agree-with-licenses"),
    some=(*_ZYPPER, "update", "--auto-agree-with-licenses"),
    install=(*_ZYPPER, "install", "--auto-agree-with-licenses", "--no-recommends"),
    hold=(*_ZYPPER, "addlock"),
    release=(*_ZYPPER, "removelock"),
    download="--download-only",
    good=(0, 102, 103),
)
# dnf before yum: where both are, yum is another name of dnf.
MANAGERS = (APT, DNF, YUM, ZYPPER)


@dataclass(frozen=True, slots=True)
class Installed:
    """The installed packages with their versions.

    `held`: those that somebody's mark keeps as they are; `unfinished`: those whose installation was cut off.
    """

    versions: Mapping[str, tuple[str, ...]]
    held: frozenset[str]
    unfinished: frozenset[str] = frozenset()

    @property
    def lines(self) -> list[str]:
        """One line for each, sorted: what is compared, and noted before an update."""
        return sorted(f"{name} {version}" for name, versions in self.versions.items() for version in versions)

    @property
    def kept(self) -> list[str]:
        """The packages that a general update leaves out."""
        return sorted(name for name in self.versions if _KEPT.fullmatch(name))


async def manager_of(host: ReadHost) -> Manager:
    """Return the machine's package manager; StepRefused when it has none that is known."""
    for manager in MANAGERS:
        if (await host.query(["test", "-x", manager.program])).ok:
            return manager
    raise StepRefused(
        f"cannot handle packages on host {host.name}: it has no package manager that is known (apt, dnf, yum, zypper)",
        remedy="update the machine by its own means",
    )


async def installed(host: ReadHost, manager: Manager) -> Installed:
    """Return what is installed on the machine."""
    found = parse(await _lines(host, manager.listing))
    if manager is not ZYPPER:
        return found
    locks = parse_locks((await host.read("/etc/zypp/locks") or b"").decode("utf-8", "replace"))
    return Installed(found.versions, frozenset(locks))


def parse(lines: Sequence[str]) -> Installed:
    """Read lines of state, name and version. The state is dpkg's: what is wanted (h: held), and what is (i: installed).

    A package that is not whole counts: it is there, and has its version.
    """
    versions: dict[str, list[str]] = {}
    held, unfinished = set(), set()
    for line in lines:
        state, _, rest = line.strip().partition(" ")
        name, _, version = rest.strip().partition(" ")
        if len(state) < 2 or state[1] in "nc" or not name or not version:
            continue
        versions.setdefault(name, []).append(version.strip())
        if state[0] == "h":
            held.add(name)
        if state[1] != "i":
            unfinished.add(name)
    found = {name: tuple(several) for name, several in versions.items()}
    return Installed(found, frozenset(held), frozenset(unfinished))


def parse_locks(text: str) -> list[str]:
    """Return the names in zypper's file of locks, each a block with a line "solvable_name: NAME"."""
    return [line.partition(":")[2].strip() for line in text.splitlines() if line.strip().startswith("solvable_name:")]


async def kernel_packages(host: ReadHost, manager: Manager, found: Installed, release: str) -> list[str]:
    """Return the packages to update for a new kernel of the kind that runs; empty when it came in no package."""
    if manager is APT:
        return sorted(name for name in found.versions if _DEBIAN_NEWEST.fullmatch(name))
    for path in (f"/lib/modules/{release}", f"/boot/vmlinuz-{release}"):
        owner = await host.query(["rpm", "-q", "--qf", "%{NAME}\\n", "-f", path])
        names = owner.text.split()
        if owner.ok and names:
            base = names[0].removesuffix("-core").removesuffix("-modules")
            return sorted(name for name in found.versions if name == base or name.startswith(f"{base}-"))
    return []


def updating(manager: Manager, kept: Sequence[str], names: Sequence[str] = (), *, download: bool = False) -> list[str]:
    """Return the command that updates everything but `kept`, or only `names`; with `download` it installs nothing."""
    left_out = [manager.exclude.format(name) for name in kept] if manager.exclude else []
    base = list(manager.some if names else manager.upgrade)
    options = [manager.download] if download else []
    return [*base, *options, *left_out, *names]


async def install(scope: Scope, manager: Manager, names: Sequence[str]) -> None:
    """Install packages, with what the package sources have now; raises JobFailed."""
    scope.log(f"installing {' '.join(names)} with {manager.name}")
    job = Job(f"install-{names[0]}", [*manager.install, *names], 1800, good=manager.good)
    try:
        await run_job(scope, scope.door, job)
    except JobFailed:
        # An old index names versions that the sources do not have any more.
        await run_job(scope, scope.door, Job("packages-refresh", manager.refresh, 900, good=manager.good))
        await run_job(scope, scope.door, job)


async def marks(host: Host, command: Sequence[str], names: Sequence[str]) -> None:
    """Set or take away marks on packages."""
    if names:
        await host.run([*command, *names], timeout=300)


async def _lines(host: ReadHost, argv: Sequence[str]) -> list[str]:
    answer = await host.query(list(argv))
    if not answer.ok:
        raise StepRefused(
            f"cannot list the packages of host {host.name}: {answer.stderr.decode('utf-8', 'replace').strip()}",
            remedy=f"see what `{argv[0]}` says on the machine",
        )
    return answer.stdout.decode("utf-8", "replace").splitlines()
