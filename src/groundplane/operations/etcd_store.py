"""etcd as kubeadm runs it beside an API server: where it is, whether it is well, and its store saved and read back.

Nothing is brought to the machine for it. etcd itself answers over HTTP with the certificates that kubeadm made for
health checks, and the program that reads a snapshot back is the one that runs, started a second time in its own
container's file system, with a folder and ports of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from groundplane.hosts.contract import Host, ReadHost

from .errors import StepRefused
from .kubeadm.upgrade import flags_of, manifest_path
from .scope import Scope

MANIFEST = manifest_path("etcd")


def json_of(text: str) -> dict[str, Any]:
    """Return a JSON object, empty when the text is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class Member:
    """The member on a machine: its address for clients there, and the files that a client needs."""

    url: str
    ca: str
    certificate: str
    key: str

    def curl(self, path: str, body: str = "", *, seconds: int = 20) -> list[str]:
        """Return the command that asks the member."""
        asked = ["--data", body] if body else []
        trust = ["--cacert", self.ca, "--cert", self.certificate, "--key", self.key]
        limits = ["--max-time", str(seconds), "--noproxy", "*"]
        return ["curl", "-sS", "--fail", *limits, *trust, *asked, f"{self.url}{path}"]


async def is_stacked(host: ReadHost) -> bool:
    """Tell whether the machine has an etcd of kubeadm's."""
    return await host.stat(MANIFEST) is not None


async def member(host: ReadHost) -> Member:
    """Return the member on the machine, by its manifest."""
    flags = flags_of(await host.read(MANIFEST))
    urls = flags.get("listen-client-urls", "https://127.0.0.1:2379").split(",")
    url = next((one for one in urls if "127.0.0.1" in one or "localhost" in one), urls[0])
    folder = flags.get("cert-file", "/etc/kubernetes/pki/etcd/server.crt").rpartition("/")[0]
    client = f"{folder}/healthcheck-client"
    return Member(url, flags.get("trusted-ca-file", f"{folder}/ca.crt"), f"{client}.crt", f"{client}.key")


async def trouble(host: Host) -> str:
    """Return what is wrong with the member on the machine, "" when it is well."""
    asked = await host.run((await member(host)).curl("/health"), check=False, timeout=40)
    if not asked.ok:
        return asked.stderr.decode("utf-8", "replace").strip() or "it does not answer"
    health = json_of(asked.text).get("health")
    return "" if str(health).lower() == "true" else f"it says health: {health}"


async def require_health(scope: Scope) -> None:
    """Raise StepRefused when the member on the machine at hand is not well."""
    if found := await trouble(scope.door):
        raise StepRefused(
            f"cannot go on: etcd on host {scope.name} is not well: {found}",
            remedy="look at the container etcd there, and at `journalctl -u kubelet`",
        )


async def keys(host: Host, asked: Member, *, revision: int = 0) -> tuple[int, int]:
    """Return a store's revision and how many keys it has: now, or at a revision. Raises CommandFailed."""
    body = {"key": "AA==", "range_end": "AA==", "count_only": True, "serializable": True, "revision": revision}
    answer = json_of((await host.run(asked.curl("/v3/kv/range", json.dumps(body)))).text)
    return int(answer["header"]["revision"]), int(answer.get("count", 0))


async def pid(host: Host) -> str:
    """Return the process of the running member: the one that keeps its data where the manifest says."""
    folder = flags_of(await host.read(MANIFEST)).get("data-dir", "/var/lib/etcd")
    found = await host.run(["pgrep", "-f", f"^([^ ]*/)?etcd .*--data-dir={folder}( |$)"], check=False)
    if not found.ok:
        raise StepRefused(f"cannot find the process of etcd on host {host.name}", remedy="look at its container there")
    return found.text.split()[0]
