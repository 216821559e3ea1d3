"""Facts of the container runtimes: Docker, containerd, CRI-O."""

from __future__ import annotations

import re
from collections.abc import Sequence

from groundplane.api.facts import HandlerFacts, RuntimeFacts

from .sections import Sections, Units, pairs

_SOCKETS = {
    "docker": ("/run/docker.sock", "/var/run/docker.sock"),
    "containerd": ("/run/containerd/containerd.sock",),
    "crio": ("/run/crio/crio.sock",),
}
_VERSIONS = {
    "docker": r"Docker version ([^,\s]+)",
    "containerd": r"containerd \S+ v?(\S+)",
    "crio": r"crio version (\S+)",
}

_HANDLERS = {"runc": r"^runc version v?(\S+)", "kata": r"^(?:kata-runtime|Kata Containers containerd shim)\b.*?(\d\S*)"}
_PRINTED_BY = {"runc": ("runc-version",), "kata": ("kata-version", "shim-kata-version")}


def runtime_facts(sections: Sections, units: Units) -> list[RuntimeFacts]:
    """Return one value for each runtime that is installed."""
    details = {"docker": _docker, "containerd": _containerd}
    there = set(sections.get("sockets", ()))
    found = []
    for name in ("docker", "containerd", "crio"):
        version = _version(name, sections.get(f"{name}-version", ()))
        if not version:
            continue
        cri, driver, sandbox, images = details[name](sections) if name in details else (True, "", "", [])
        sockets = [path for path in _SOCKETS[name] if path in there]
        found.append(
            RuntimeFacts(
                name=name,
                version=version,
                socket=sockets[0] if sockets else "",
                installed=True,
                active=units.active(name),
                enabled=units.enabled(name),
                cri_enabled=cri,
                cgroup_driver=driver,
                sandbox_image=sandbox,
                images=images,
            )
        )
    return found


def handler_facts(sections: Sections) -> list[HandlerFacts]:
    """Return the OCI runtimes that containers can be started with."""
    found = []
    for name, pattern in _HANDLERS.items():
        text = "\n".join(line for key in _PRINTED_BY[name] for line in sections.get(key, ()))
        match = re.search(pattern, text, re.MULTILINE)
        if match:
            found.append(HandlerFacts(name=name, version=match.group(1)))
    return found


def _version(name: str, lines: Sequence[str]) -> str:
    match = re.search(_VERSIONS[name], "\n".join(lines))
    return match.group(1) if match else ""


def _docker(sections: Sections) -> tuple[bool, str, str, list[str]]:
    driver = pairs(sections.get("docker-info", ())).get("cgroup-driver", "")
    if not driver:
        configured = pairs(sections.get("docker-config", ()))
        driver = configured.get("native.cgroupdriver", "")
    images = sorted({line for line in sections.get("docker-images", ()) if line and "<none>" not in line})
    return False, driver, "", images


def _containerd(sections: Sections) -> tuple[bool, str, str, list[str]]:
    text = "\n".join(sections.get("containerd-config", ()))
    disabled = re.search(r"^\s*disabled_plugins\s*=\s*\[([^\]]*)", text, re.MULTILINE)
    cri = not (disabled and re.search(r"""["'](io\.containerd\.grpc\.v1\.)?cri["']""", disabled.group(1)))
    driver = "systemd" if re.search(r"^\s*SystemdCgroup\s*=\s*true\s*$", text, re.MULTILINE) else "cgroupfs"
    sandbox = re.search(r"""^\s*sandbox(?:_image)?\s*=\s*["']([^"']*)["']""", text, re.MULTILINE)
    listed = sections.get("containerd-images", ())
    images = sorted({line for line in listed if line and not line.startswith("sha256:")})
    return cri, driver, sandbox.group(1) if sandbox else "", images
