"""Installs a runtime that is not on the machine: from the release's artifacts, else by the package manager."""

from __future__ import annotations

from groundplane.hosts.contract import Host

from . import ledger
from .artifact_set import needed
from .errors import StepRefused
from .places import SBIN
from .runtimes import CONTAINERD, Runtime
from .scope import Scope
from .unpack import unpack

_UNIT = "/etc/systemd/system/containerd.service"
# As containerd ships it: https://github.com/containerd/containerd/blob/main/containerd.service
_UNIT_TEXT = b"""[Unit]
Description=containerd container runtime
Documentation=https://containerd.io
After=network.target local-fs.target

[Service]
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=5
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
"""


async def install(scope: Scope, runtime: Runtime) -> None:
    """Put the runtime on the machine; StepRefused when there is neither an artifact nor a package."""
    host = scope.door
    archives = {a.name: a for a in await needed(host, scope.target, "Archive")}
    if runtime is CONTAINERD and "containerd" in archives:
        await unpack(scope, archives["containerd"], "/usr/local")
        for runc in [a for a in await needed(host, scope.target, "Binary") if a.name == "runc"]:
            await ledger.record(host, f"{SBIN}/runc")
            await scope.delivery.deliver(host, runc, f"{SBIN}/runc", mode=0o755)
        await ledger.put(host, _UNIT, _UNIT_TEXT)
        return
    await _by_package(scope, host, runtime)


async def _by_package(scope: Scope, host: Host, runtime: Runtime) -> None:
    for manager, options in _MANAGERS:
        if not (await host.query(["test", "-x", f"/usr/bin/{manager}"])).ok:
            continue
        reasons = []
        for package in runtime.packages:
            scope.log(f"installing package {package} with {manager}")
            tried = await host.run([*options, "install", "-y", package], timeout=900, check=False)
            if tried.ok:
                await ledger.note_first(host, "package", {"manager": manager, "package": package})
                return
            reasons.append(_last_line(tried.stderr) or _last_line(tried.stdout))
        raise StepRefused(
            f"cannot install {runtime.name} on host {host.name} with {manager}: {'; '.join(reasons)}",
            remedy=f"install {runtime.name} on the machine, or add it to the release's artifacts",
        )
    raise StepRefused(
        f"cannot install {runtime.name} on host {host.name}: it has no package manager that is known (apt, dnf, yum)",
        remedy=f"install {runtime.name} on the machine, or add it to the release's artifacts",
    )


_MANAGERS = (
    ("apt-get", ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "--no-install-recommends"]),
    ("dnf", ["dnf", "-q"]),
    ("yum", ["yum", "-q"]),
)


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
