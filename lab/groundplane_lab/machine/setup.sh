#!/bin/sh
# Runs once, while the machine image is built: turns the unpacked packages into a fresh host.
set -eu

# A fresh host: the runtimes are installed, and nothing runs them until the product asks for it.
systemctl disable docker.service docker.socket containerd.service keepalived.service
rm -rf /var/lib/docker /var/lib/containerd
mkdir -p /var/lib/docker /var/lib/containerd /var/lib/kubelet /var/lib/etcd

# These have no device to manage in a container and would only leave the system "degraded".
systemctl mask systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket \
    systemd-logind.service getty.target console-getty.service \
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount dev-hugepages.mount dev-mqueue.mount

# Every machine makes keys and an id of its own at its first start.
rm -f /etc/ssh/ssh_host_*
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id

# The accounts that the tests log in with. The password is a lab value and opens nothing else.
useradd --create-home --shell /bin/bash admin
useradd --create-home --shell /bin/bash nosudo
echo 'admin:lab-password' | chpasswd
echo 'nosudo:lab-password' | chpasswd
chmod 0440 /etc/sudoers.d/admin
chmod 0755 /usr/local/sbin/lab-entrypoint /usr/local/sbin/runc
