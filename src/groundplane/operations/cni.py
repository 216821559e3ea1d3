"""Giving back the network of pods whose runtime is about to go: CNI DEL, as the runtime itself would have called it.

A runtime that is stopped leaves addresses taken and port rules set (leaked addresses are the classic of migrations:
https://github.com/Netcracker/KubeMarine/pull/208). libcni keeps for each pod what it was set up with
(https://github.com/containernetworking/cni/blob/main/libcni/api.go, cachedInfo); the plugins are called with just that.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplane.hosts.contract import Host, Result
from groundplane.hosts.errors import HostTimeout

from .scope import Scope

_CACHES = ("/var/lib/cni/results", "/var/lib/cni/cache/results")
_LOOPBACK = "cni-loopback"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one plugin: the program's name, its environment, and what it reads."""

    plugin: str
    environment: Mapping[str, str]
    config: bytes


def deletions(cached: Mapping[str, Any], *, netns: str, folders: str) -> list[Call]:
    """Return the calls that give back one pod's network, the last plugin first. Pure.

    `cached` is libcni's entry; `netns` the path of the network namespace, "" when it is gone already.
    """
    config: dict[str, Any] = json.loads(base64.b64decode(cached["config"]))
    plugins = config.get("plugins") or [config]
    environment = {
        "CNI_COMMAND": "DEL",
        "CNI_CONTAINERID": str(cached["containerId"]),
        "CNI_NETNS": netns,
        "CNI_IFNAME": str(cached["ifName"]),
        "CNI_ARGS": ";".join(f"{key}={value}" for key, value in cached.get("cniArgs") or []),
        "CNI_PATH": folders,
    }
    calls = []
    for plugin in reversed(plugins):
        given = dict(plugin)
        given["name"], given["cniVersion"] = config.get("name", ""), config.get("cniVersion", "")
        wanted = plugin.get("capabilities") or {}
        offered = cached.get("capabilityArgs") or {}
        if runtime := {key: offered[key] for key, on in wanted.items() if on and key in offered}:
            given["runtimeConfig"] = runtime
        if cached.get("result") is not None:
            given["prevResult"] = cached["result"]
        calls.append(Call(str(plugin["type"]), environment, json.dumps(given).encode()))
    return calls


async def give_back(scope: Scope, pods: Mapping[str, str], *, folders: str) -> None:
    """Give back the network of the sandboxes in `pods` (id to network namespace); what is given back is forgotten.

    A plugin that fails is said in the log: its pod goes all the same, and the plugin's own collector finds the rest.
    """
    host = scope.door
    for path, cached in (await _cached(host)).items():
        identity = str(cached.get("containerId", ""))
        if identity not in pods or not cached.get("config"):
            continue
        failed = False
        for call in deletions(cached, netns=pods[identity], folders=folders):
            program = await _program(host, call.plugin, folders)
            words = [f"{key}={value}" for key, value in call.environment.items()]
            try:
                done = await host.run(["env", *words, program], stdin=call.config, check=False, timeout=60)
                said = "" if done.ok else _said(done)
            except HostTimeout as error:
                said = error.message
            if said:
                failed = True
                scope.log(f"network of pod {identity[:12]} was not given back by {call.plugin}: {said[:300]}")
        if not failed:
            await host.run(["rm", "-f", path])


def _said(done: Result) -> str:
    output = (done.stdout or done.stderr).decode("utf-8", "replace").strip()
    return output or f"exit status {done.status}"


async def _cached(host: Host) -> dict[str, dict[str, Any]]:
    """Return libcni's entries by path, those of the loopback left out: it has nothing to give back."""
    found: dict[str, dict[str, Any]] = {}
    for folder in _CACHES:
        listed = await host.query(["ls", "-1", folder])
        for name in listed.text.splitlines() if listed.ok else []:
            if name.startswith(_LOOPBACK):
                continue
            content = await host.read(f"{folder}/{name}")
            entry = _entry(content)
            if entry:
                found[f"{folder}/{name}"] = entry
    return found


def _entry(content: bytes | None) -> dict[str, Any]:
    """Return a cached entry; older libcni kept only the result, and of that nothing can be given back."""
    try:
        value = json.loads(content or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) and value.get("kind") == "cniCacheV1" else {}


async def _program(host: Host, plugin: str, folders: str) -> str:
    for folder in folders.split(":"):
        if await host.stat(f"{folder}/{plugin}") is not None:
            return f"{folder}/{plugin}"
    return plugin
