"""clean-up: the way back is given up: Docker's packages, its units and its data go; containerd stays.

Looked at once more before anything is removed: kubelet runs on containerd, and Docker runs no container. Some package
managers remove containerd with Docker (https://github.com/kubernetes/website/issues/33703), so that one is marked as
wanted first, and it is looked at afterwards.
"""

from __future__ import annotations

from groundplane.api.operation import PlannedChange
from groundplane.hosts.contract import Host, ReadHost

from .. import before, containerd, living, runtimes, systemd
from ..errors import StepRefused
from ..places import STAGE
from ..runtimes import CONTAINERD, DOCKER
from ..scope import ReadScope, Scope
from .stage_runtime import kept_of

_DATA = ("/var/lib/docker", "/var/lib/dockershim", "/var/run/docker.sock")
_PACKAGES = ("docker.io", "docker-ce", "docker-ce-cli", "docker-ce-rootless-extras", "docker-engine", "docker")
_KEEP = ("containerd", "containerd.io", "runc")
_OF_UPGRADES = ("control-plane-*", "kubelet-*", "kubernetes-*", "kubeadm-path")
_PURGE = """set -eu
if command -v apt-get >/dev/null; then
    there=$(dpkg-query -W -f='${{Package}} ${{db:Status-Status}}\\n' {packages} 2>/dev/null | sed -n 's/ installed$//p')
    keep=$(dpkg-query -W -f='${{Package}} ${{db:Status-Status}}\\n' {keep} 2>/dev/null | sed -n 's/ installed$//p')
    [ -z "$keep" ] || apt-mark manual $keep >/dev/null
    [ -z "$there" ] || DEBIAN_FRONTEND=noninteractive apt-get -q purge -y $there
elif command -v rpm >/dev/null; then
    there=$(rpm -q --qf '%{{NAME}}\\n' {packages} 2>/dev/null | grep -v 'not installed' || true)
    [ -z "$there" ] || rpm -e $there
fi
"""


class CleanUp:
    name = "clean-up"
    title = "Remove Docker's packages and data"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        host, changes = scope.host, []
        if await runtimes.installed(host, DOCKER):
            changes.append(PlannedChange(what="Docker", before="installed", after="purged"))
        changes += [PlannedChange(what=path, after="removed for good") for path in _DATA if await _left(host, path)]
        if await before.exists(host, kept_of(DOCKER)):
            changes.append(PlannedChange(what="the way back to Docker", after="given up"))
        if left := await _of_upgrades(host):
            changes.append(PlannedChange(what=", ".join(left), after="removed: what upgrades kept and staged"))
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host = scope.door
        await _require_unused(scope)
        for unit in ("docker.socket", "docker.service"):
            await host.run(["systemctl", "disable", "--now", unit], check=False, timeout=180)
        script = _PURGE.format(packages=" ".join(_PACKAGES), keep=" ".join(_KEEP))
        done = await host.script(script, timeout=600, check=False)
        if not done.ok:
            reason = done.stderr.decode("utf-8", "replace").strip()[-400:]
            raise StepRefused(
                f"cannot purge Docker's packages on host {host.name}: {reason}",
                remedy="mend the machine's package manager, then try again",
            )
        await _require_containerd(host)
        await _remove_data(scope)
        await before.forget(host, kept_of(DOCKER))
        if left := await _of_upgrades(scope.host):
            await host.run(["rm", "-rf", *left])


async def _of_upgrades(host: ReadHost) -> list[str]:
    """Return what upgrades kept for a way back and what they staged; snapshots of etcd are not of these."""
    names = [word for name in _OF_UPGRADES for word in ("-o", "-name", name)][1:]
    found = await host.query(["find", before.HOME, STAGE, "-mindepth", "1", "-maxdepth", "1", "(", *names, ")"])
    return sorted(line for line in found.text.splitlines() if line.startswith((before.HOME, STAGE)))


async def _require_unused(scope: Scope) -> None:
    """Refuse to remove a Docker that still does something."""
    host = scope.door
    if await living.runtime_of(scope.host) != "containerd":
        raise StepRefused(f"cannot remove Docker from host {host.name}: kubelet is set up for it")
    await _require_apart(scope.host)
    if not (await systemd.look(host, DOCKER.unit)).active:
        return
    listed = await host.run(["docker", "ps", "--format", "{{.Names}}"], check=False)
    if not listed.ok:
        reason = listed.stderr.decode("utf-8", "replace").strip()[-400:]
        raise StepRefused(
            f"cannot remove Docker from host {host.name}: it runs, but does not say which containers: {reason}",
            remedy="see `docker ps` there; stop docker.service if nothing of it is needed",
        )
    if running := listed.text.split():
        raise StepRefused(
            f"cannot remove Docker from host {host.name}: it runs {', '.join(running[:5])}",
            remedy="end these containers, or leave Docker on the machine",
        )


async def _require_apart(host: ReadHost) -> None:
    """Refuse where containerd keeps its own data in a folder that is about to be removed."""
    config = containerd.parsed(await host.read(CONTAINERD.config))
    root = str(config.get("root") or CONTAINERD.image_root)
    real = await _real(host, root)
    for path in _DATA:
        if f"{real}/".startswith(f"{await _real(host, path)}/"):
            raise StepRefused(
                f"cannot remove Docker from host {host.name}: containerd keeps its data in {root}, which lies in"
                f" {path}",
                remedy="move containerd's root elsewhere (root in /etc/containerd/config.toml), or leave Docker's data",
            )


async def _real(host: ReadHost, path: str) -> str:
    """Return where a path leads, its links followed."""
    found = await host.query(["realpath", "-m", path])
    return found.text if found.ok and found.text else path


async def _require_containerd(host: Host) -> None:
    if not await runtimes.installed(host, CONTAINERD) or not await runtimes.answers(host, CONTAINERD):
        raise StepRefused(
            f"cannot go on on host {host.name}: containerd does not answer after Docker's packages went",
            remedy="see `systemctl status containerd` there; Docker's data is still in /var/lib/docker",
        )


async def _left(host: ReadHost, path: str) -> bool:
    """Tell whether something is at `path`; an empty folder, such as where a disk is mounted, is nothing."""
    listed = await host.query(["ls", "-A", path])
    return listed.ok and bool(listed.text)


_REMOVE = """set -u
awk -v below={path}/ 'index($2, below) == 1 {{print $2}}' /proc/mounts | sort -r | while read -r mount; do
    umount "$mount" || true
done
if [ -d {path} ]; then
    find {path} -mindepth 1 -maxdepth 1 -exec rm -rf --one-file-system {{}} +
    rmdir {path} 2>/dev/null || true
else
    rm -f {path}
fi
"""


async def _remove_data(scope: Scope) -> None:
    """Remove what Docker kept. A mount that is busy keeps its files, for they may be somebody's volume."""
    for path in _DATA:
        await scope.door.script(_REMOVE.format(path=path), timeout=1800)
