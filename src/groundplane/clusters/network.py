"""Which network plugin a cluster runs, with its version and features, and what kube-proxy does. Pure.

Told from the images of its DaemonSets and from three ConfigMaps. Names of features are those that a Foundation uses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from groundplane.api.facts import ComponentFacts, PodNetworkFacts

# The end of an image's name without its tag, and the plugin whose agent it is. The first that is found is the plugin:
# those that can sit on top of another come first.
_AGENTS: tuple[tuple[str, str], ...] = (
    (r"(^|.*/)cilium", "cilium"),
    (r"(^|.*/)anetd|.*/gke-cilium.*|.*/cilium/cilium", "cilium"),
    (r".*calico/node|.*/calico-node|.*/mirrored-calico-node", "calico"),
    (r".*kubeovn/kube-ovn.*", "kube-ovn"),
    (r".*antrea/antrea-(?:agent-)?ubuntu|.*/antrea-agent.*", "antrea"),
    (r".*/ovn-kubernetes.*|.*/ovnkube.*", "ovn-kubernetes"),
    (r".*cloudnativelabs/kube-router", "kube-router"),
    (r".*weaveworks/weave-kube|.*/weave-kube", "weave"),
    (r".*/amazon-k8s-cni", "aws-vpc-cni"),
    (r".*/terway", "terway"),
    (r".*/azure-cns", "azure-cni"),
    (r".*/tke-eni-agent|.*/tke-bridge-agent", "tke-cni"),
    (r".*/galaxy", "galaxy"),
    (r".*/kindnetd", "kindnet"),
    (r".*/netd-amd64|.*/gke-netd.*", "gke-netd"),
    (r".*/flannel|.*/mirrored-flannel.*|.*/hyperkube-flannel", "flannel"),
)
_PATTERNS = tuple((re.compile(pattern), plugin) for pattern, plugin in _AGENTS)
# A key of cilium-config, the values that switch it on, and the feature.
# https://docs.cilium.io/en/stable/network/kubernetes/configuration/
_CILIUM: tuple[tuple[str, frozenset[str], str], ...] = (
    ("kube-proxy-replacement", frozenset({"true", "strict", "partial", "probe"}), "KubeProxyReplacement"),
    ("enable-bandwidth-manager", frozenset({"true"}), "BandwidthManager"),
    ("enable-wireguard", frozenset({"true"}), "WireGuard"),
    ("enable-ipsec", frozenset({"true"}), "IPsecTunnel"),
    ("enable-local-redirect-policy", frozenset({"true"}), "LocalRedirectPolicy"),
    ("enable-session-affinity", frozenset({"true"}), "SessionAffinity"),
    ("enable-host-reachable-services", frozenset({"true"}), "HostReachableServices"),
    ("enable-ipv4-big-tcp", frozenset({"true"}), "BigTCPv4"),
    ("enable-ipv6-big-tcp", frozenset({"true"}), "BigTCPv6"),
    ("multicast-enabled", frozenset({"true"}), "Multicast"),
    ("datapath-mode", frozenset({"netkit", "netkit-l2"}), "Netkit"),
)
_HIDDEN_PROXY = frozenset({"k3s", "eks", "openshift", "unknown"})
# A field at the top of a KubeProxyConfiguration. Not parsed as YAML: it is somebody else's text, and one line of it.
_MODE = re.compile(r"""^mode:[ \t]*["']?([a-zA-Z]{0,20})["']?[ \t]*\r?$""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ProxySeen:
    """What was seen of kube-proxy: whether one runs (None: not known), and its ConfigMap's data."""

    runs: bool | None
    config: Mapping[str, Any]


def image_version(image: str) -> str:
    """Return the tag of an image, "" for none: k8s.gcr.io/pause:3.2@sha256:… has 3.2."""
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2]


def _image_name(image: str) -> str:
    path = image.partition("@")[0]
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{name.partition(':')[0]}"


def plugin_of(image: str) -> str:
    """Return the network plugin whose agent the image is, or ""."""
    name = _image_name(image)
    return next((plugin for pattern, plugin in _PATTERNS if pattern.fullmatch(name)), "")


def network_of(agents: Sequence[ComponentFacts], cilium: Mapping[str, Any] | None, proxy: ProxySeen) -> PodNetworkFacts:
    """Tell the pod network from the DaemonSets' images, cilium-config (None: not there) and kube-proxy."""
    order = [plugin for _, plugin in _PATTERNS]
    found = sorted(
        ((plugin, agent) for agent in agents if (plugin := plugin_of(agent.image))),
        key=lambda pair: (order.index(pair[0]), pair[1].name),
    )
    plugin, agent = found[0] if found else ("", None)
    seen = [f"DaemonSet {one.namespace}/{one.name} runs {one.image}" for _, one in found[:5]]
    features = cilium_features(cilium) if plugin == "cilium" and cilium is not None else []
    return PodNetworkFacts(
        plugin=plugin,
        version=image_version(agent.image) if agent else "",
        kube_proxy=proxy_mode(proxy),
        features=features,
        evidence="; ".join(seen),
    )


def cilium_features(config: Mapping[str, Any]) -> list[str]:
    """Return the features that the data of cilium-config switches on."""
    values = {key: value for key, value in config.items() if isinstance(value, str)}
    found = {feature for key, on, feature in _CILIUM if values.get(key, "").lower() in on}
    # Host routing by eBPF is what Cilium does by itself once it has taken kube-proxy's place and masquerades.
    legacy = values.get("enable-host-legacy-routing", "").lower()
    if legacy == "false" or (not legacy and {"KubeProxyReplacement"} <= found and _on(values, "enable-bpf-masquerade")):
        found.add("HostRouting")
    if values.get("tunnel", "disabled") != "disabled" or values.get("routing-mode") == "tunnel":
        found.add("Tunneling")
    return sorted(found)


def _on(values: Mapping[str, str], key: str) -> bool:
    return values.get(key, "").lower() == "true"


def proxy_mode(proxy: ProxySeen) -> str:
    """Return kube-proxy's mode; "None" when none runs, "" when it is not known."""
    if proxy.runs is False:
        return "None"
    for key in ("config.conf", "config", "kube-proxy-config.yaml"):
        raw = proxy.config.get(key)
        if isinstance(raw, str) and (match := _MODE.search(raw)):
            # An empty mode is the default of the platform, which on Linux is iptables.
            return match[1] or "iptables"
    return ""


def with_hidden_proxy(network: PodNetworkFacts, platform: str) -> PodNetworkFacts:
    """Take "None" back where kube-proxy may run as no pod: inside another process, or as a service of the node."""
    if network.kube_proxy != "None" or platform not in _HIDDEN_PROXY or "KubeProxyReplacement" in network.features:
        return network
    return msgspec.structs.replace(network, kube_proxy="")
