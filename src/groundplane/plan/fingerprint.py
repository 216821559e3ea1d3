"""The digest of the facts that a plan rests on: while it is the same, the plan is still true.

What moves by itself (free disk, clock, uptime, addresses of interfaces, images pulled) is left out, so that an
approved plan does not go stale from noise.
"""

from __future__ import annotations

import hashlib

import msgspec

from groundplane.api.facts import MachineFacts


def fingerprint(facts: MachineFacts) -> str:
    """Return a hex digest of identity, OS, runtimes, kubelet, kubeadm state and swap."""
    kubeadm = facts.kubeadm
    rests_on = [
        facts.machine_id,
        [facts.os.id, facts.os.version_id, facts.os.architecture],
        sorted([runtime.name, runtime.installed, runtime.active] for runtime in facts.runtimes if runtime.installed),
        [facts.kubelet.installed, facts.kubelet.version],
        [
            kubeadm.installed_version,
            kubeadm.owner,
            kubeadm.joined,
            kubeadm.server,
            kubeadm.ca_hash,
            sorted(kubeadm.static_pods),
            kubeadm.admin_conf,
            kubeadm.etcd_data,
        ],
        facts.swap > 0,
    ]
    return hashlib.sha256(msgspec.json.encode(rests_on)).hexdigest()
