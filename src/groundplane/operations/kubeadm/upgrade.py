"""What kubeadm is told when a cluster moves to another version, and how its files say which version they are. Pure.

kubeadm compares versions as SemVer does, so it takes a vendor's build (v1.20.6-tke.1) for an early one and asks for
`--allow-experimental-upgrades`. `--force` would set aside every rule of skew as well, and is never given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

from ..errors import StepRefused

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
# The images are on the machine and checked; kubeadm would pull, among others, a CoreDNS that nobody wants. Its test
# Job would wait for a node that is open for pods, and the only one may be the one that is drained now.
IGNORED = ("CreateJob", "ImagePull")
# They fail where no CoreDNS is; kubeadm itself leaves one that is not there alone.
IGNORED_WITHOUT_DNS = ("CoreDNSMigration", "CoreDNSUnsupportedPlugins")
_VERSION_LINE = re.compile(r"^kubernetesVersion:.*$", re.MULTILINE)


def apply_command(kubeadm: str, version: str, ignore: Sequence[str]) -> list[str]:
    """Return the command of the first control plane."""
    vendor = ["--allow-experimental-upgrades"] if "-" in version or "+" in version else []
    return [kubeadm, "upgrade", "apply", version, "--yes", *vendor, f"--ignore-preflight-errors={','.join(ignore)}"]


def node_command(kubeadm: str, ignore: Sequence[str]) -> list[str]:
    """Return the command of every other control plane."""
    return [kubeadm, "upgrade", "node", f"--ignore-preflight-errors={','.join(ignore)}"]


def kubelet_command(kubeadm: str) -> list[str]:
    """Return the command that gives a node the cluster's kubelet configuration of the new minor."""
    return [kubeadm, "upgrade", "node", "phase", "kubelet-config"]


def manifest_path(component: str) -> str:
    """Return where kubelet finds the manifest of a static pod."""
    return f"/etc/kubernetes/manifests/{component}.yaml"


def image_of(manifest: bytes | None) -> str:
    """Return the image of a static pod's first container, "" when there is none."""
    try:
        document = yaml.safe_load(manifest) if manifest else None
        return str(document["spec"]["containers"][0]["image"]) if document else ""
    except (yaml.YAMLError, KeyError, IndexError, TypeError):
        return ""


def tag_of(image: str) -> str:
    """Return the tag of an image reference, "" when it has none."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def image_tag(version: str) -> str:
    """Return the tag that kubeadm gives the images of a version: a tag has no "+"."""
    return version.replace("+", "_")


def flags_of(manifest: bytes | None) -> dict[str, str]:
    """Return the flags of a static pod's first container, without their dashes."""
    try:
        container = yaml.safe_load(manifest or b"")["spec"]["containers"][0]
        words = [*(container.get("command") or []), *(container.get("args") or [])]
    except (yaml.YAMLError, KeyError, IndexError, TypeError):
        return {}
    pairs = (word.removeprefix("--").partition("=") for word in words if str(word).startswith("--"))
    return {name: value if sign else "true" for name, sign, value in pairs}


def version_in(configuration: str) -> str:
    """Return the version that a ClusterConfiguration names, "" when it names none."""
    document = yaml.safe_load(configuration)
    return str(document.get("kubernetesVersion", "")) if isinstance(document, dict) else ""


def with_version(configuration: str, version: str) -> str:
    """Return the text of a ClusterConfiguration with another version; everything else stays, to the letter."""
    changed, count = _VERSION_LINE.subn(f"kubernetesVersion: {version}", configuration)
    if count != 1:
        raise StepRefused("cannot change kubeadm-config: its ClusterConfiguration names no one kubernetesVersion")
    return changed


def difference(found: object, wanted: object, where: str = "") -> list[str]:
    """Return where two documents differ, as paths; an empty map or list is as good as none."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted({*found, *wanted})
        return [line for key in keys for line in difference(found.get(key), wanted.get(key), f"{where}.{key}")]
    if isinstance(found, list) and isinstance(wanted, list) and _texts(found) and _texts(wanted):
        gone = [f"{where.strip('.')}: {one}" for one in found if one not in wanted]
        return gone + [f"{where.strip('.')}: without {one}" for one in wanted if one not in found]
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = enumerate(zip(found, wanted, strict=True))
        return [line for index, (a, b) in pairs for line in difference(a, b, f"{where}[{index}]")]
    return [] if found == wanted or (not found and not wanted) else [where.strip(".")]


def _texts(values: list[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def rendered(output: str) -> dict[str, object]:
    """Return the manifests in what `kubeadm … --dry-run` prints, by the component's name.

    kubeadm indents each with a tab, below a line that names the file.
    """
    found: dict[str, object] = {}
    lines: list[str] = []
    for line in [*output.splitlines(), ""]:
        if line.startswith("\t"):
            lines.append(line[1:])
            continue
        text, lines = "\n".join(lines), []
        document = yaml.safe_load(text) if text.startswith("apiVersion: v1") else None
        if isinstance(document, dict) and document.get("kind") == "Pod":
            found[str(document["metadata"]["name"])] = document
    return found


__all__ = [
    "COMPONENTS",
    "IGNORED",
    "IGNORED_WITHOUT_DNS",
    "apply_command",
    "difference",
    "flags_of",
    "image_of",
    "image_tag",
    "kubelet_command",
    "manifest_path",
    "node_command",
    "rendered",
    "tag_of",
    "version_in",
    "with_version",
]
