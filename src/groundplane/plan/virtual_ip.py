"""Who has what part in the virtual IP of the control planes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_interface

from groundplane.api.operation import PlannedChange, PlannedStep

from .checks import Finding
from .view import View

KEY = "virtual-ip"
TITLE = "Keep the virtual IP of the control planes"


def wanted(view: View) -> bool:
    """Tell whether Groundplane keeps a virtual IP for this cluster."""
    return view.target.endpoint.provider == "VirtualIP" and view.target.origin == "Made"


def virtual_ip(view: View, name: str) -> list[PlannedChange]:
    """A control plane that does not keep the address yet, or not together with all of the others."""
    if not wanted(view) or view.role(name) != "ControlPlane":
        return []
    now, address = view.of(name).virtual_ip, view.target.endpoint.host
    others = {one: view.spec(one).spec.address for one in view.target.control_planes if one != name}
    if view.ours(name) and (now.address, now.peers, now.active) == (address, sorted(others.values()), True):
        return []
    beside = f", together with {', '.join(others)}" if others else ""
    before = "keepalived does not run" if now.address and not now.active else now.address and "kept"
    return [PlannedChange(what=f"virtual IP {address}", before=before, after=f"kept{beside}")]


def without(view: View, gone: Sequence[str], after: Sequence[str]) -> Iterator[PlannedStep]:
    """Yield the steps, one after another, by which the control planes that stay forget those that are gone."""
    if not wanted(view) or not any(view.role(name) == "ControlPlane" for name in gone):
        return
    before = list(after)
    for name in (name for name in view.target.control_planes if name in view.facts):
        if changes := virtual_ip(view, name):
            yield PlannedStep(name=f"{KEY}/{name}", step=KEY, title=TITLE, machine=name, after=before, changes=changes)
            before = [f"{KEY}/{name}"]


def in_its_network(view: View, name: str) -> Iterator[Finding]:
    """The address moves between machines of one network: without a router, and by their own addresses."""
    address, own = view.target.endpoint.host, view.spec(name).spec.address
    if not wanted(view) or view.role(name) != "ControlPlane":
        return
    networks = [ip_interface(one) for one in view.of(name).network.addresses]
    if not any(str(one.ip) == own and ip_address(address) in one.network for one in networks):
        yield Finding(
            KEY,
            f"it has no interface with {own} in a network that virtual IP {address} is in",
            "choose a free address of the network that all control planes are in, by the addresses of the Machines;"
            " across networks use provider External with a load balancer",
        )
