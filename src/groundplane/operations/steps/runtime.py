"""runtime: containerd or Docker, installed, set up for kubelet, running, and started at boot.

A runtime that is installed stays; its configuration is merged, never replaced. It is restarted only when the
configuration changed. How its units were found is noted first, for delete to put them back.
"""

from __future__ import annotations

import re

from groundplane.api.operation import PlannedChange
from groundplane.hosts.contract import ReadHost
from groundplane.plan.view import cgroup_driver

from .. import containerd, docker, ledger, runtimes, systemd
from ..artifact_set import sandbox_image_of
from ..errors import StepRefused
from ..install_runtime import install
from ..places import CNI_BIN, NOTES
from ..runtimes import DOCKER, Runtime, runtime_of
from ..scope import ReadScope, Scope

_VERSION = re.compile(r"\bv?(\d+)\.(\d+)(?:\.(\d+))?")


class RuntimeStep:
    name = "runtime"
    title = "Set up the container runtime"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        host, runtime = scope.host, runtime_of(scope.target)
        if not await runtimes.installed(host, runtime):
            return [PlannedChange(what="runtime", after=f"{runtime.name}, installed and running")]
        changes = []
        if await _configured(scope, host, runtime) is not None:
            changes.append(PlannedChange(what=runtime.config, after=_in_words(scope)))
        unit = await systemd.look(host, runtime.unit)
        if not unit.enabled:
            changes.append(PlannedChange(what=runtime.unit, before="not enabled", after="started at boot"))
        if not unit.active or not await runtimes.answers(host, runtime):
            changes.append(PlannedChange(what=runtime.unit, before="not running", after="running"))
        if runtime is DOCKER and not changes:
            changes += await _docker_driver(scope, host)
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host, runtime = scope.door, runtime_of(scope.target)
        await _note_units(scope, runtime)
        if not await runtimes.installed(host, runtime):
            await install(scope, runtime)
        edited = await _configured(scope, host, runtime)
        # Written down before it is done: a run that is cut off here must still restart the runtime.
        stale = await ledger.note(host, "runtime-restart") is not None
        if edited is not None:
            await ledger.write_note(host, "runtime-restart", {"unit": runtime.unit})
            await ledger.put(host, runtime.config, edited)
        if runtime is DOCKER:
            await ledger.record(host, docker.IDENTITY)
        wrong = runtime is DOCKER and bool(await _docker_driver(scope, host))
        await systemd.start(host, runtime.unit, restart=edited is not None or stale or wrong)
        if not await runtimes.answers(host, runtime):
            raise StepRefused(
                f"cannot reach {runtime.name} on host {host.name}: its service runs but does not answer",
                remedy=f"look at `journalctl -u {runtime.unit}` there",
            )
        await host.run(["rm", "-f", f"{NOTES}/runtime-restart.json"])


async def _note_units(scope: Scope, runtime: Runtime) -> None:
    """Note how the units were found: Docker brings its socket and containerd along."""
    found = {}
    names = (
        ["containerd.service"] if runtime is not DOCKER else ["docker.service", "docker.socket", "containerd.service"]
    )
    for name in names:
        unit = await systemd.look(scope.host, name)
        found[name] = {"known": unit.known, "active": unit.active, "enabled": unit.enabled}
    await ledger.note_first(scope.door, "runtime", {"name": runtime.name, "units": found})


async def _configured(scope: ReadScope, host: ReadHost, runtime: Runtime) -> bytes | None:
    """Return the configuration to write, or None when the one that is there is right."""
    found = await host.read(runtime.config)
    driver = cgroup_driver(scope.target)
    if runtime is DOCKER:
        return docker.edited(found, driver=driver)
    wanted = containerd.Wanted(
        systemd_cgroup=driver == "systemd",
        sandbox_image=sandbox_image_of(scope.target),
        cni_bin=CNI_BIN,
        handlers=scope.target.runtime.handlers,
    )
    return containerd.edited(found, wanted, major=await major_of(host, runtime))


async def version_of(host: ReadHost, runtime: Runtime) -> tuple[int, ...]:
    """Return the version of the runtime that is installed, as far as it says; major and minor at least."""
    said = (await host.query([runtime.program, "--version"])).text
    found = _VERSION.search(said)
    return tuple(int(part) for part in found.groups() if part) if found else (1, 6)


async def major_of(host: ReadHost, runtime: Runtime) -> int:
    """Return the major version of the runtime that is installed; 1 when it does not say."""
    return (await version_of(host, runtime))[0]


async def _docker_driver(scope: ReadScope, host: ReadHost) -> list[PlannedChange]:
    """The driver that Docker runs with; it may have been started before its file was changed."""
    now = (await host.query(["docker", "info", "--format", "{{.CgroupDriver}}"], timeout=60)).text
    wanted = cgroup_driver(scope.target)
    return [] if now == wanted else [PlannedChange(what="docker cgroup driver", before=now, after=wanted)]


def _in_words(scope: ReadScope) -> str:
    return f"cgroup driver {cgroup_driver(scope.target)}, pause image {sandbox_image_of(scope.target) or 'as found'}"
