"""What a bare Debian 12 machine needs before it can hold a lab, installed and started, with the reason printed.

Only what is missing is installed. A Docker engine that already answers is used as it is; one that this module
started is remembered by process id and start time, and is the only one that `stop_engine` ever stops.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from groundplane_lab.errors import LabError
from groundplane_lab.paths import lab_home, locked
from groundplane_lab.progress import Report, timed, to_stderr
from groundplane_lab.shell import attempt, run, wait_until


@dataclass(frozen=True, slots=True)
class Need:
    """One program that the lab runs, the Debian package that brings it, and the reason."""

    program: str
    package: str
    reason: str


NEEDS = (
    Need("dockerd", "docker.io", "runs the lab's machines"),
    Need("docker", "docker.io", "talks to the engine that runs the lab's machines"),
    Need("iptables", "iptables", "the Docker engine sets up the lab's network with it"),
    Need("ip", "iproute2", "cuts a machine off the network, and back on"),
    Need("mmdebstrap", "mmdebstrap", "makes the machines' file system from Debian packages"),
    Need("xz", "xz-utils", "unpacks the Kubernetes binaries"),
    Need("gcc", "gcc", "compiles the pause image, ten lines of C"),
    Need("ssh", "openssh-client", "logs in to the machines"),
    Need("ssh-keygen", "openssh-client", "makes the lab's key"),
)
# Kernel limits that all machines of all labs share, because they share a kernel and the root user.
_SHARED_LIMITS = {"fs/inotify/max_user_instances": 8192, "fs/inotify/max_user_watches": 524288}
_LIBC_HEADER = Path("/usr/include/stdio.h")


def ensure_prerequisites(report: Report = to_stderr) -> None:
    """Make this host able to hold a lab; does nothing, quickly, when it already is."""
    if os.geteuid() != 0:
        raise LabError("cannot set up a lab: it needs root; run the same command with sudo")
    with locked(lab_home() / "prerequisites"):
        _install_missing(report)
        _raise_shared_limits(report)
        _ensure_engine(report)


def missing_packages() -> dict[str, str]:
    """The Debian packages that this host lacks, each with the reason why the lab needs it."""
    missing = {need.package: need.reason for need in NEEDS if shutil.which(need.program) is None}
    if not _LIBC_HEADER.exists():
        missing["libc6-dev"] = "compiles the pause image, ten lines of C"
    return missing


def _install_missing(report: Report) -> None:
    missing = missing_packages()
    if not missing:
        return
    for package, reason in missing.items():
        report(f"installing {package}: {reason}")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    with timed(report, f"installed {', '.join(sorted(missing))}"):
        run(["apt-get", "update", "-q"], environment=environment)
        run(
            ["apt-get", "install", "-q", "-y", "--no-install-recommends", *sorted(missing)],
            environment=environment,
        )


def _raise_shared_limits(report: Report) -> None:
    for name, wanted in _SHARED_LIMITS.items():
        setting = Path("/proc/sys") / name
        if int(setting.read_text()) < wanted:
            setting.write_text(str(wanted))
            report(f"raised {name.replace('/', '.')} to {wanted}: the machines of all labs share it")


# --- the engine --------------------------------------------------------------------------------------------------


def engine_answers() -> bool:
    """Whether a Docker engine answers on its socket."""
    if shutil.which("docker") is None:
        return False
    return attempt(["docker", "version", "--format", "{{.Server.Version}}"]).returncode == 0


def _ensure_engine(report: Report) -> None:
    if engine_answers():
        return
    if Path("/run/systemd/system").is_dir():
        with timed(report, "started the Docker engine with systemd"):
            run(["systemctl", "start", "docker.service"])
        return
    with timed(report, "started the Docker engine (this host has no init system that would)"):
        _start_engine()


# The engine outlives this process on purpose; kept, for a Popen that is dropped while its child runs warns of it.
_started: list[subprocess.Popen[bytes]] = []


def _start_engine() -> None:
    log = lab_home() / "dockerd.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    _started.append(process)
    _engine_file().write_text(json.dumps({"pid": process.pid, "startTime": _start_time(process.pid)}))

    def answered() -> bool | None:
        if process.poll() is not None:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
            raise LabError(f"cannot start the Docker engine: dockerd ended with {process.returncode}; {log}:\n{tail}")
        return engine_answers() or None

    wait_until(f"the Docker engine's socket (see {log})", answered, seconds=60)


def stop_engine(report: Report = to_stderr) -> None:
    """Stop the engine that this lab started; leaves any other engine alone."""
    pid = _own_engine()
    if pid is not None:
        with timed(report, "stopped the Docker engine that the lab had started"):
            os.kill(pid, signal.SIGTERM)
            wait_until("the Docker engine to end", lambda: _own_engine() is None or None, seconds=60)
    _engine_file().unlink(missing_ok=True)


def _engine_file() -> Path:
    return lab_home() / "dockerd.pid"


def _own_engine() -> int | None:
    """The process id of the engine that we started, if it still runs and is still that process."""
    if not _engine_file().exists():
        return None
    remembered = json.loads(_engine_file().read_text())
    pid = int(remembered["pid"])
    return pid if _start_time(pid) == remembered["startTime"] else None


def _start_time(pid: int) -> str | None:
    """When a live process started, in clock ticks (field 22 of proc(5) stat); None when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]
