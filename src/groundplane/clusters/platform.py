"""Which kind of Kubernetes a cluster is, told from what it shows of itself. Pure; nothing is guessed.

Three sorts of signs count. The server's version carries a vendor's suffix. Labels, API groups and the server's name
belong to one managed service. Provider ids say on whose machines the nodes run, which anybody may do: they complete a
version's suffix and decide nothing alone. Signs of two platforms, a suffix that nobody here knows and a managed
service whose version is another's are `unknown`, with everything that was seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from groundplane.api.facts import Platform, PlatformFacts

_VERSION = re.compile(r"v?\d+\.\d+\.\d+(?P<suffix>.*)")
_SUFFIXES: dict[str, str] = {
    "": r"(?:-(?:alpha|beta|rc)\.\d+)?",
    "tke": r"-tke\.\d+",
    "eks": r"-eks[.-][0-9A-Za-z]+",
    "gke": r"-gke\.\d+",
    "ack": r"-aliyun\.\d+",
    "rke2": r"(?:-rc\d+)?\+rke2r\d+",
    "k3s": r"(?:-rc\d+)?\+k3s\d+",
    # OpenShift's builds carry the commit: v1.27.6+f67aeb3.
    "openshift": r"\+[0-9a-f]{7,}",
}
# A label's prefix, and the managed service that gives it to its nodes.
_LABELS: tuple[tuple[str, str], ...] = (
    ("cloud.tencent.com/", "tke-managed"),
    ("tke.cloud.tencent.com/", "tke-managed"),
    ("node.tke.cloud.tencent.com/", "tke-managed"),
    ("eks.amazonaws.com/", "eks"),
    ("cloud.google.com/gke-", "gke"),
    ("kubernetes.azure.com/cluster", "aks"),
    ("alibabacloud.com/", "ack"),
    ("ack.aliyun.com", "ack"),
    ("node.openshift.io/", "openshift"),
    ("doks.digitalocean.com/", "DigitalOcean"),
    ("lke.linode.com/", "Linode"),
    ("oke.oraclecloud.com/", "Oracle"),
    ("ibm-cloud.kubernetes.io/", "IBM"),
    ("cce.cloud.com/", "Huawei"),
    ("k8s.scaleway.com/", "Scaleway"),
)
_GROUPS = {"config.openshift.io": "openshift"}
_SERVERS: tuple[tuple[str, str], ...] = (
    (".eks.amazonaws.com", "eks"),
    (".eks.amazonaws.com.cn", "eks"),
    (".azmk8s.io", "aks"),
    (".azmk8s.cn", "aks"),
    (".ccs.tencent-cloud.com", "tke-managed"),
)
_PROVIDERS: tuple[tuple[str, str], ...] = (
    ("qcloud://", "Tencent Cloud"),
    ("aws://", "AWS"),
    ("gce://", "Google Cloud"),
    ("azure://", "Azure"),
    ("alicloud://", "Alibaba Cloud"),
    ("alibabacloud://", "Alibaba Cloud"),
)
# Alibaba Cloud's ids have no scheme: cn-hangzhou.i-bp1…
_ALIBABA_ID = re.compile(r"[a-z]{2}-[a-z0-9-]+\.i-[a-z0-9]+")
# The suffixes that the version of a managed service may have.
_FITTING: dict[str, tuple[str, ...]] = {
    "tke-managed": ("tke",),
    "eks": ("eks",),
    "gke": ("gke",),
    "aks": ("",),
    "ack": ("ack",),
    "openshift": ("", "openshift"),
}
_OWN_CLOUD = {"tke": "Tencent Cloud", "eks": "AWS", "gke": "Google Cloud", "ack": "Alibaba Cloud"}
_BY_SUFFIX: dict[str, Platform] = {"ack": "ack", "rke2": "rke2", "k3s": "k3s"}
_EVIDENCE_SHOWN = 20


@dataclass(slots=True)
class Signs:
    """What of the nodes tells the platform, gathered node by node; counts, and no node is kept."""

    nodes: int = 0
    talos: int = 0
    services: dict[tuple[str, str], int] = field(default_factory=dict)
    clouds: dict[tuple[str, str], int] = field(default_factory=dict)

    def take(self, labels: Iterable[str], provider_id: str, os_image: str) -> None:
        """Take in one node: the keys of its labels, spec.providerID, and its osImage."""
        self.nodes += 1
        self.talos += os_image.startswith("Talos")
        for prefix, service in {(p, s) for key in labels for p, s in _LABELS if key.startswith(p)}:
            self.services[service, f"label {prefix}"] = self.services.get((service, f"label {prefix}"), 0) + 1
        if cloud := _cloud(provider_id):
            self.clouds[cloud] = self.clouds.get(cloud, 0) + 1


def _cloud(provider_id: str) -> tuple[str, str] | None:
    for prefix, cloud in _PROVIDERS:
        if provider_id.startswith(prefix):
            return cloud, prefix
    return ("Alibaba Cloud", "REGION.INSTANCE") if _ALIBABA_ID.fullmatch(provider_id) else None


def platform_of(version: str, signs: Signs, groups: Sequence[str], server: str) -> PlatformFacts:
    """Tell the platform. `groups` are API group versions such as apps/v1, `server` is the URL of the API."""
    suffix, claims = _suffix(version), _claims(signs, groups, server)
    name, why = _decide(suffix, set(claims), {cloud for cloud, _ in signs.clouds}, signs)
    seen = [f"version {version}" if version else "no version"]
    seen += [sign for claim in sorted(claims) for sign in claims[claim]]
    seen += [f"provider id {prefix} on {count} nodes" for (_, prefix), count in sorted(signs.clouds.items())]
    if signs.talos:
        seen.append(f"osImage Talos on {signs.talos} of {signs.nodes} nodes")
    return PlatformFacts(name=name, evidence=[*([why] if why else []), *seen][:_EVIDENCE_SHOWN])


def _suffix(version: str) -> str | None:
    """Return whose suffix the version has, "" for none, None for one that is not known."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    return next((vendor for vendor, rule in _SUFFIXES.items() if re.fullmatch(rule, match["suffix"])), None)


def _claims(signs: Signs, groups: Sequence[str], server: str) -> dict[str, list[str]]:
    """Return the managed services that something speaks for, with what does."""
    found: dict[str, list[str]] = {}
    for (service, sign), count in sorted(signs.services.items()):
        found.setdefault(service, []).append(f"{sign} on {count} nodes")
    for group in sorted({group.partition("/")[0] for group in groups}):
        if service := _GROUPS.get(group, ""):
            found.setdefault(service, []).append(f"API group {group}")
    host = urlsplit(server).hostname or ""
    for ending, service in _SERVERS:
        if host.endswith(ending):
            found.setdefault(service, []).append(f"server name *{ending}")
    return found


def _decide(suffix: str | None, claims: set[str], clouds: set[str], signs: Signs) -> tuple[Platform, str]:
    """Return the platform, and why it is unknown when it is."""
    if len(claims) > 1:
        return "unknown", f"signs of {' and '.join(sorted(claims))} together"
    for claim in claims:
        if claim not in _FITTING:
            return "unknown", f"signs of {claim}, which is not told apart here"
        if suffix not in _FITTING[claim]:
            return "unknown", f"signs of {claim}, with a version that is not of it"
        return _named(claim), ""
    if suffix is None or suffix == "openshift":
        return "unknown", "the version's suffix is of no known vendor"
    if suffix in _OWN_CLOUD:
        return _by_cloud(suffix, clouds)
    if suffix:
        return _BY_SUFFIX[suffix], ""
    if signs.talos:
        return ("talos", "") if signs.talos == signs.nodes else ("unknown", "some nodes run Talos, and some do not")
    return "native", ""


def _by_cloud(suffix: str, clouds: set[str]) -> tuple[Platform, str]:
    """A vendor's version without any other sign of its managed service: the machines decide."""
    own = _OWN_CLOUD[suffix]
    if clouds - {own}:
        return "unknown", f"a version of {suffix} on machines of {' and '.join(sorted(clouds - {own}))}"
    if suffix == "tke":
        return ("tke-managed" if clouds else "tke"), ""
    if suffix == "ack" or clouds:
        return _named(suffix), ""
    return "unknown", f"a version of {suffix}, and nothing else that speaks for {own}"


def _named(name: str) -> Platform:
    known: dict[str, Platform] = {
        "tke-managed": "tke-managed",
        "eks": "eks",
        "gke": "gke",
        "aks": "aks",
        "ack": "ack",
        "openshift": "openshift",
    }
    return known[name]
