"""Runs inside the peers' environment: pyinfra's own facts where it has them, else one command, as its users do."""

# mypy: ignore-errors
from __future__ import annotations

import json
import sys
import time

from pyinfra.api import Config, Inventory, State
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.context import ctx_host, ctx_state
from pyinfra.facts import hardware, server

FACTS = [
    (server.LinuxDistribution, ()),
    (server.Kernel, ()),
    (server.KernelVersion, ()),
    (server.Arch, ()),
    (server.Hostname, ()),
    (server.KernelModules, ()),
    (server.Mounts, ()),
    (server.Sysctl, ()),
    (server.Selinux, ()),
    (server.Date, ()),
    (hardware.Cpus, ()),
    (hardware.Memory, ()),
    (hardware.NetworkDevices, ()),
    (server.Command, ("cat /etc/machine-id /proc/sys/kernel/random/boot_id /proc/swaps",)),
    (server.Command, ("stat -f -c '%n %S %b %a %i %T' / /var /opt /boot",)),
    (server.Command, ("ss -H -tuln",)),
    (server.Command, ("ip route show; ip -6 route show",)),
    (server.Command, ("gzip -cd /proc/config.gz 2>/dev/null || cat /boot/config-$(uname -r)",)),
    (server.Command, ("ls /etc/cni/net.d /opt/cni/bin /run/*.sock /etc/kubernetes /sys/module 2>/dev/null; true",)),
    (server.Command, ("for c in docker containerd runc kubelet kubeadm; do command -v $c; done; true",)),
]


def main(path: str) -> None:
    """Connect to all machines and print one line for each that told everything."""
    with open(path) as listed:
        targets = json.load(listed)
    hosts = [
        (
            name,
            {
                "ssh_hostname": address,
                "ssh_port": port,
                "ssh_user": "root",
                "ssh_key": key,
                "ssh_strict_host_key_checking": "off",
                "ssh_known_hosts_file": "/dev/null",
            },
        )
        for name, address, port, key in targets
    ]
    started = time.monotonic()
    state = State(Inventory((hosts, {})), Config(PARALLEL=len(hosts)))
    connect_all(state)

    def ask(host):
        with ctx_state.use(state), ctx_host.use(host):
            for fact, arguments in FACTS:
                host.get_fact(fact, *arguments)
        print(f"surveyed {host.name}", flush=True)

    greenlets = [state.pool.spawn(ask, host) for host in state.inventory.iter_activated_hosts()]
    for greenlet in greenlets:
        greenlet.get()
    disconnect_all(state)
    print(f"seconds {time.monotonic() - started}")


if __name__ == "__main__":
    main(sys.argv[1])
