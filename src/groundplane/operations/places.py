"""Where Groundplane puts things on a machine.

Programs go to /usr/local: what lies in /usr belongs to the machine's package manager, and a delete must not hurt it.
"""

from __future__ import annotations

CLAIM = "/etc/groundplane/machine.json"
STATE = "/var/lib/groundplane"
LEDGER = f"{STATE}/ledger"
BACKUP = f"{STATE}/backup"
NOTES = f"{STATE}/notes"
STAGE = f"{STATE}/stage"
SNAPSHOTS = f"{STATE}/snapshots"
RUN = "/run/groundplane"
"""On tmpfs: gone with a reboot. The only place for files that hold a secret for a short while."""

BIN = "/usr/local/bin"
SBIN = "/usr/local/sbin"
CNI_BIN = "/opt/cni/bin"
CNI_CONF = "/etc/cni/net.d/10-groundplane.conflist"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

MODULES_LOAD = "/etc/modules-load.d/groundplane.conf"
SYSCTL = "/etc/sysctl.d/90-groundplane.conf"
KUBELET_UNIT = "/etc/systemd/system/kubelet.service"
KUBELET_DROPIN = "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf"
NETWORK_UNIT = "/etc/systemd/system/groundplane-network.service"
NETWORK_SCRIPT = "/usr/local/lib/groundplane/network.sh"

KUBERNETES = "/etc/kubernetes"
ADMIN_CONF = f"{KUBERNETES}/admin.conf"
KUBELET_CONF = f"{KUBERNETES}/kubelet.conf"
CA = f"{KUBERNETES}/pki/ca.crt"
