"""Looks at a machine once more before its container runtime is changed: one script in one exec, one pure parser.

Apart from the survey, which is made often and has to stay cheap (decision 24). What cannot be read is left empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from groundplane.api.migration import (
    ContainerdFacts,
    ContainerFacts,
    CredentialFacts,
    DaemonFacts,
    FlagFacts,
    ImageFacts,
    ImageStoreFacts,
    MigrationFacts,
    PlaceFacts,
    UnitFacts,
)
from groundplane.base.documents import printable

from ..contract import ReadHost
from ..errors import SurveyIncomplete
from .daemon import daemon_facts, without_user, words_of
from .sections import Sections, number, pairs, split, units_of, values

_UNITS = ("docker.service", "docker.socket", "containerd.service", "cri-docker.service", "kubelet.service")
_NEEDS = ("BindsTo", "Requires", "PartOf")
# What config.json has of objects that are no registries.
_NO_REGISTRY = frozenset(
    {"auths", "HttpHeaders", "credHelpers", "proxies", "default", "plugins", "aliases", "features"}
)
_PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"})
_OUR_CRI = re.compile(r"""["'](?:io\.containerd\.(?:grpc\.v1\.cri|cri\.v1\.(?:runtime|images))|cri)["']""")


async def look(host: ReadHost) -> MigrationFacts:
    """Return what a change of the runtime must know of `host`; reads only, in one exec.

    Raises what the door raises, and SurveyIncomplete when the machine's output was cut short.
    """
    output = await host.survey_migration()
    try:
        return parse(split(output.stdout))
    except SurveyIncomplete as exc:
        raise SurveyIncomplete(f"cannot look at {host.name} ({host.address}): {exc}") from exc


def parse(sections: Sections) -> MigrationFacts:
    """Return the facts in the sections of the script's whole output."""
    seen = pairs(sections.get("seen", ()))
    outside, sandboxes = _containers(sections.get("containers", ()))
    return MigrationFacts(
        docker=_daemon(sections),
        units=list(_units(sections)),
        proxies=_proxies(sections.get("docker-environment", ())),
        credentials=list(_credentials(sections.get("credentials", ()))),
        authorities=_paths(sections, "authorities"),
        containers=outside,
        sandboxes=sandboxes,
        users=_paths(sections, "users"),
        pullers=_paths(sections, "pullers"),
        images=_images(sections),
        places=[_place(line) for line in values(sections.get("places", ()), "place")],
        containerd=_containerd(sections.get("containerd", ())),
        kubelet_flags=_flags(sections.get("kubelet", ())),
        cloud_provider=printable(next(iter(sections.get("cloud-provider", ())), "")),
        crictl_endpoint=printable(seen.get("crictl", "").strip("\"'")),
        kvm=seen.get("kvm") == "yes",
        virtualisation=seen.get("virtualisation") == "yes",
        kata=seen.get("kata") == "yes",
        nvidia=seen.get("nvidia") == "yes",
        http2=seen.get("http2") == "yes",
    )


def _paths(sections: Sections, name: str) -> list[str]:
    return sorted({printable(line) for line in sections.get(name, ()) if line})


def _daemon(sections: Sections) -> DaemonFacts:
    content = "\n".join(sections.get("daemon", ())).encode()
    return daemon_facts(content, sections.get("daemon-flags", ()), pairs(sections.get("docker-info", ())))


def _units(sections: Sections) -> Iterator[UnitFacts]:
    states = units_of(sections.get("units", ())).states
    for name in _UNITS:
        state = states.get(name.removesuffix(".service"), {})
        if state.get("LoadState") not in ("loaded", "masked"):
            continue
        yield UnitFacts(
            name=name,
            known=True,
            active=state.get("ActiveState") in ("active", "activating", "reloading"),
            enabled=state.get("UnitFileState") in ("enabled", "enabled-runtime"),
            needs=sorted({unit for key in _NEEDS for unit in state.get(key, "").split() if unit in _UNITS}),
            files=[printable(path) for key in ("FragmentPath", "DropInPaths") for path in state.get(key, "").split()],
        )


def _proxies(lines: Iterable[str]) -> dict[str, str]:
    found = {}
    for line in values(lines, "Environment"):
        for word in words_of(line):
            name, equals, value = word.partition("=")
            if equals and name.upper() in _PROXIES:
                found[name] = printable(without_user(value))
    return found


def _credentials(lines: Iterable[str]) -> Iterator[CredentialFacts]:
    path = ""
    registries: list[str] = []
    helpers: list[str] = []
    for line in [*lines, "file="]:
        name, _, value = line.strip().partition("=")
        value = printable(value)
        if name == "file":
            if path:
                yield CredentialFacts(path=path, registries=sorted(set(registries)), helpers=sorted(set(helpers)))
            path, registries, helpers = value, [], []
        elif name == "object" and value not in _NO_REGISTRY and re.search(r"[.:/]|^localhost$", value):
            registries.append(value)
        elif name == "helper":
            helpers.append(value)
        elif name == "helped":
            registry, _, helper = value.partition(" ")
            registries.append(registry)
            helpers.append(helper)


def _containers(lines: Iterable[str]) -> tuple[list[ContainerFacts], int]:
    """Return the containers that are not Kubernetes', and how many sandboxes of pods run."""
    outside, sandboxes = [], 0
    for line in lines:
        name, image, status, kind, pod = ([*line.split("|"), "", "", "", "", ""])[:5]
        runs = status.startswith("Up")
        if kind or pod:
            sandboxes += runs and kind == "podsandbox"
        elif name:
            outside.append(ContainerFacts(name=printable(name), image=printable(image), running=runs))
    return outside, sandboxes


def _images(sections: Sections) -> ImageStoreFacts:
    used = set(sections.get("used-images", ()))
    rows = [_Image.of(line) for line in sections.get("images", ()) if line.count("|") == 4]
    carried = [row for row in rows if row.names and (row.id in used or not row.pulled)]
    return ImageStoreFacts(
        count=len(rows),
        size=sum(image.adds for image in _sized(rows)),
        carried=_sized(carried),
        local=sorted({name for row in rows if not row.pulled for name in row.names}),
    )


@dataclass(frozen=True, slots=True)
class _Image:
    id: str
    size: int
    pulled: bool
    names: list[str]
    layers: tuple[str, ...]

    @classmethod
    def of(cls, line: str) -> _Image:
        ident, size, digests, names, layers = line.split("|")
        return cls(ident, number(size), digests != "0", printable(names).split(), tuple(layers.split()))


def _sized(rows: Sequence[_Image]) -> list[ImageFacts]:
    """Return the images, the smallest chain of layers first; one that is built on another adds what is on top."""
    whole: dict[tuple[str, ...], int] = {}
    found = []
    for row in sorted(rows, key=lambda one: (len(one.layers), one.names)):
        base = next((whole[row.layers[:n]] for n in range(len(row.layers), 0, -1) if row.layers[:n] in whole), 0)
        whole[row.layers] = row.size
        found.append(ImageFacts(names=row.names, size=row.size, adds=max(row.size - base, 0)))
    return found


def _place(line: str) -> PlaceFacts:
    path, mount, sizes, device, fstab = ([*line.split("|"), "", "", "", "", ""])[:5]
    block, blocks, free = ([number(word) for word in sizes.split()] + [0, 0, 0])[:3]
    source, _, filesystem = device.partition(" ")
    return PlaceFacts(
        path=printable(path),
        mount=printable(mount),
        device=printable(source),
        filesystem=printable(filesystem),
        total=block * blocks,
        available=block * free,
        fstab=printable(fstab.strip()),
    )


def _containerd(lines: Sequence[str]) -> ContainerdFacts:
    found = pairs(lines)
    version = re.search(r"containerd \S+ v?(\S+)", found.get("version", ""))
    disabled = next((line for line in lines if line.startswith("disabled_plugins")), "")
    root = re.search(r"""["']([^"']+)["']""", found.get("root", ""))
    return ContainerdFacts(
        version=printable(version.group(1)) if version else "",
        config="config" in found,
        disabled=bool(_OUR_CRI.search(disabled)),
        root=printable(root.group(1)) if root else "/var/lib/containerd",
        imports=bool(re.search(r"""["']""", found.get("imports", ""))),
    )


def _flags(lines: Iterable[str]) -> list[FlagFacts]:
    found: dict[str, list[str]] = {}
    for line in lines:
        path, _, rest = line.partition(":")
        # Where /lib is /usr/lib, a file shows up under both names.
        path = path.removeprefix("/usr") if path.startswith("/usr/lib/") else path
        name = rest.strip().strip("-").rstrip("=: ")
        if name and name not in found.setdefault(printable(path), []):
            found[printable(path)].append(printable(name))
    return [FlagFacts(path=path, names=sorted(names)) for path, names in sorted(found.items())]
