"""Jobs: long commands on a machine that outlive the connection, and the Groundplane, that started them.

A job is a transient systemd unit whose output and exit status go to files in /run. Whoever comes next (after a cut
connection, or after Groundplane was killed) finds the unit running, follows it to its end, and never starts it twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from shlex import join, quote

from groundplane.hosts.contract import Host

from .errors import JobFailed
from .places import PATH, RUN
from .scope import ReadScope

# kubeadm prints bootstrap tokens (https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/).
_TOKEN = re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b|--certificate-key \S+")
_POLL = 0.5

_START = """set -eu
unit={unit}
dir={folder}
if systemctl is-active --quiet "$unit"; then exit 0; fi
systemctl reset-failed "$unit" 2>/dev/null || true
mkdir -p -m 700 {run} "$dir"
rm -f "$dir/status" "$dir/log"
: > "$dir/log"
systemd-run --quiet --unit="$unit" -- /bin/sh -c {body} "$dir" {command}
"""
_BODY = 'umask 022; "$@" >>"$0/log" 2>&1 </dev/null; echo $? >"$0/status.new"; mv "$0/status.new" "$0/status"'


@dataclass(frozen=True, slots=True)
class Job:
    """`name` is unique on the machine; `argv` must hold no secret, for process lists show it.

    `path` is a folder that programs are looked for in when they are nowhere else.
    `good`: the exit statuses that mean success.
    """

    name: str
    argv: Sequence[str]
    seconds: float = 600
    path: str = ""
    good: Sequence[int] = (0,)

    @property
    def unit(self) -> str:
        return f"groundplane-{self.name}.service"

    @property
    def shown(self) -> str:
        """The program and its first word, without what only sets its environment."""
        words = list(self.argv)
        while words and (words[0] == "env" or re.match(r"[A-Z_]+=", words[0])):
            words.pop(0)
        return " ".join(words[:2])

    @property
    def folder(self) -> str:
        return f"{RUN}/jobs/{self.name}"


async def running(host: Host, job: Job) -> bool:
    """Tell whether the job runs on the machine now."""
    return (await host.query(["systemctl", "is-active", job.unit])).text in ("active", "activating")


async def run_job(scope: ReadScope, host: Host, job: Job) -> None:
    """Start the job, or follow the one that runs already, to its end; JobFailed when it ends with an error."""
    if await running(host, job):
        scope.log(f"{job.shown} still runs from before: following it")
    command = join(["env", f"PATH={PATH}:{job.path}" if job.path else f"PATH={PATH}", *job.argv])
    await host.script(
        _START.format(unit=job.unit, folder=job.folder, run=RUN, body=quote(_BODY), command=command), timeout=60
    )
    status, tail = await _follow(scope, host, job)
    if status not in job.good:
        words = "; ".join(telling(tail)) or "no output"
        raise JobFailed(
            f"cannot run {job.shown} on host {host.name}: exit status {status}: {words}",
            remedy="mend what the message names on the machine, then try again",
        )


def telling(lines: Sequence[str]) -> list[str]:
    """Return the lines that name errors, as kubeadm marks them; the last ones when none does."""
    named = [line.strip() for line in lines if line.lstrip().lower().startswith(("error", "[error", "fatal"))]
    return (named or [line.strip() for line in lines])[-5:]


async def _follow(scope: ReadScope, host: Host, job: Job) -> tuple[int, list[str]]:
    """Pass the job's lines on as they come; return its exit status and its last lines."""
    deadline = scope.clock.monotonic() + job.seconds
    offset, rest, tail = 0, "", list[str]()
    while True:
        status = await host.read(f"{job.folder}/status")
        alive = status is None and await running(host, job)
        fresh = (await host.query(["tail", "-c", f"+{offset + 1}", f"{job.folder}/log"])).stdout
        offset += len(fresh)
        *lines, rest = (rest + fresh.decode("utf-8", "replace")).split("\n")
        for line in filter(str.strip, lines):
            tail.append(_TOKEN.sub("(secret)", line))
            scope.log(tail[-1])
        if status is not None:
            return int(status), tail
        if not alive and await host.read(f"{job.folder}/status") is None:
            raise JobFailed(f"cannot finish {job.argv[0]} on host {host.name}: it was killed", remedy="try again")
        if scope.clock.monotonic() > deadline:
            await host.run(["systemctl", "stop", job.unit], check=False)
            raise JobFailed(f"cannot finish {job.argv[0]} on host {host.name} within {job.seconds:.0f} s")
        await scope.clock.sleep(_POLL)
