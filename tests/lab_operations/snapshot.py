"""What a machine is, as far as a step could have changed it: files, units, rules, routes, interfaces, settings."""

from __future__ import annotations

from groundplane.hosts.contract import Host

_FOLDERS = "/etc /opt /usr/local /lib/modules-load.d /var/lib/groundplane"
# Where a cluster that runs changes things all the time by itself.
_LIVING = "/var/lib/kubelet /var/lib/etcd /var/lib/cni /var/log/pods"
# A built-in chain that lets everything pass is as good as none: it shows once any rule was ever there.
# A bridge's link is down as soon as its last pod has ended, which no step of ours decides: `linkdown` is left out.
# A unit is enabled by links, so the links are listed: systemctl takes a second to list the units.
# Written by the system itself at any time, or by whoever starts a runtime for the first time.
_NOT = r"/etc/(resolv\.conf|mtab|machine-id|\.updated|ld\.so\.cache|docker/key\.json)"

_SCRIPT = f"""
set -u
find @FOLDERS@ -xdev \\( -type f -o -type l \\) -printf 'mode %p %m %u %g %l\\n' 2>/dev/null |
    grep -Ev '^mode {_NOT}' | sort
find @FOLDERS@ -xdev -type f -print0 2>/dev/null | xargs -0 -r b2sum | grep -Ev '  {_NOT}' | sort -k 2
find /lib/systemd/system /run/systemd/system.control /run/systemd/system -printf 'unit %p %l\\n' 2>/dev/null | sort
systemctl is-active containerd docker docker.socket kubelet groundplane-network | nl | sed 's/^/active /'
for tool in iptables-save ip6tables-save; do
    $tool 2>/dev/null | grep -E '^(:.* (-|DROP) |-A)' | sed 's/\\[[0-9:]*\\]//' | sed "s/^/$tool /"
done
ip -4 route | sed 's/ *linkdown *//; s/ *$//; s/^/route /' | sort
ip -br link | awk '{{print "link", $1}}' | sed 's/@.*//' | sort
for key in net/ipv4/ip_forward net/bridge/bridge-nf-call-iptables net/bridge/bridge-nf-call-ip6tables; do
    echo "sysctl $key $(cat /proc/sys/$key)"
done
cat /proc/swaps
ls /run/groundplane 2>/dev/null | sed 's/^/run /'
"""


async def snapshot(host: Host, *, living: bool) -> list[str]:
    """Return the machine's state as lines that can be compared; with `living` also what a cluster itself changes."""
    folders = f"{_FOLDERS} {_LIVING}" if living else _FOLDERS
    lines = (await host.script(_SCRIPT.replace("@FOLDERS@", folders), timeout=120)).text.splitlines()
    return lines if living else [line for line in lines if "KUBE-" not in line and not line.startswith("link veth")]


def differences(before: list[str], after: list[str]) -> list[str]:
    """Return what differs, with a sign: "-" was there, "+" is there now."""
    return [f"-{line}" for line in before if line not in after] + [f"+{line}" for line in after if line not in before]
