#!/bin/bash
# Docker to containerd by hand: the runbook that TKEStack published for its clusters (blog of 2021-09-01), as a script.
#
# The peer of the benchmark `migrate`. Node by node, workers first and the first control plane last, as the runbook has
# it: all of the work lies between a node's cordon and its uncordon, nothing is verified, nothing can be taken back.
# Where the runbook cannot be followed to the letter it was made faster, not slower:
# - containerd is on the machines already, so nothing is downloaded or unpacked;
# - Docker is not restarted beforehand where live-restore is off anyway;
# - kubelet would pull images from a registry; there is none here, so those that the node's pods need come from this host;
# - SystemdCgroup is set, which the runbook leaves out, and without which pods end up in the wrong cgroups.
# A single control plane has to have its etcd backed up, says the runbook: the folder is copied while etcd is down.
#
# usage: runbook.sh LAB.JSON ARTIFACTS-FOLDER [CONTROL-PLANES]
# Prints "NODE seconds" from cordon to uncordon for each node, and "total seconds"; everything else on standard error.
set -euo pipefail

lab=$1
artifacts=$2
planes=${3:-1}
work=$(mktemp -d)
trap 'close_connections; rm -rf "$work"' EXIT

# shellcheck source=lab/machines.sh
source "$(dirname "$0")/../../lab/machines.sh"

seconds_since() { echo "$EPOCHREALTIME $1" | awk '{printf "%.2f", $1 - $2}'; }

kubectl() { on "${addresses[0]}" kubectl --kubeconfig=/etc/kubernetes/admin.conf "$@" >&2; }

live_restore_off() {
    [ "$(docker info --format '{{.LiveRestoreEnabled}}')" = true ] || return 0
    sed -i 's/"live-restore": *true/"live-restore": false/' /etc/docker/daemon.json
    systemctl restart docker
}

leave_docker() { # SAVE-ETCD: yes or no
    systemctl stop kubelet
    systemctl disable --now docker
    systemctl stop containerd
    if [ "$1" = yes ]; then cp -a /var/lib/etcd /root/etcd.backup; fi
}

point_kubelet_at_containerd() {
    local unit=/etc/systemd/system/kubelet.service.d/10-kubeadm.conf
    local arguments='--container-runtime=remote --container-runtime-endpoint=unix:///run/containerd/containerd.sock'
    sed -i -e "/^\[Service\]/a Environment=\"KUBELET_RUNTIME_ARGS=$arguments\"" \
        -e 's/\$KUBELET_EXTRA_ARGS/$KUBELET_RUNTIME_ARGS $KUBELET_EXTRA_ARGS/' "$unit"
    systemctl daemon-reload
}

run_there() { # ADDRESS FUNCTION ARGUMENT…: runs functions of this script on a machine
    local address=$1
    shift
    { declare -f live_restore_off leave_docker point_kubelet_at_containerd start_containerd; echo "set -eu; $*"; } \
        | on "$address" bash >&2
}

migrate() { # INDEX
    local address=${addresses[$1]} name=${names[$1]} images=(pause kube-proxy echo) save=no image
    if [ "$1" -lt "$planes" ]; then
        images+=(etcd kube-apiserver kube-controller-manager kube-scheduler)
        if [ "$planes" = 1 ]; then save=yes; fi
    fi
    kubectl cordon "$name"
    kubectl drain "$name" --ignore-daemonsets --delete-emptydir-data
    run_there "$address" "leave_docker $save"
    run_there "$address" "start_containerd; point_kubelet_at_containerd"
    for image in "${images[@]}"; do
        on "$address" ctr -n k8s.io images import - < "$artifacts/images/$image.tar" >&2
    done
    on "$address" systemctl start kubelet
    # The API of a single control plane is not back at once.
    until kubectl uncordon "$name"; do sleep 0.5; done
}

eval "$(read_lab)"
started=$EPOCHREALTIME
for address in "${addresses[@]}"; do run_there "$address" live_restore_off; done
order=($(seq "$planes" $((${#addresses[@]} - 1))) $(seq $((planes - 1)) -1 0))
for index in "${order[@]}"; do
    cordoned=$EPOCHREALTIME
    migrate "$index"
    echo "${names[$index]} $(seconds_since "$cordoned")"
done
echo "total $(seconds_since "$started")"
