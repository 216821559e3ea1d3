#!/bin/bash
# One Kubernetes cluster on the machines of a lab, as a plain script of kubeadm and image commands makes it.
#
# The peer of the benchmark `create_cluster`, and the cluster of somebody else that `groundplane_lab.plain` makes. It has
# no checks, no repair, no undo and no second run: it needs fresh machines. Parallel where a shell makes that easy.
#
# usage: plain.sh LAB.JSON ARTIFACTS-FOLDER [containerd|docker [CONTROL-PLANES ENDPOINT]]
# The first machines are the control planes, behind ENDPOINT (address:port) when it is given; several need one.
# PLAIN_WORKLOAD=no leaves out the workload that proves the cluster.
# Prints the seconds of each phase on standard output, as "phase seconds"; everything else on standard error.
set -euo pipefail

lab=$1
artifacts=$2
runtime=${3:-containerd}
planes=${4:-1}
endpoint=${5:-}
pod_network=10.244.0.0/16
work=$(mktemp -d)
trap 'close_connections; rm -rf "$work"' EXIT

# shellcheck source=lab/machines.sh
source "$(dirname "$0")/machines.sh"
# shellcheck source=lab/pods.sh
source "$(dirname "$0")/pods.sh"

started=$EPOCHREALTIME
phase_started=$started
phase() { # NAME: prints the seconds since the last phase
    echo "$1 $(echo "$EPOCHREALTIME $phase_started" | awk '{printf "%.2f", $1 - $2}')"
    phase_started=$EPOCHREALTIME
}

# --- each machine ---------------------------------------------------------------------------------------------------

write_host_settings() {
    cat > /etc/modules-load.d/kubernetes.conf <<< $'overlay\nbr_netfilter'
    modprobe -a overlay br_netfilter
    printf '%s\n' net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1 \
        > /etc/sysctl.d/99-kubernetes.conf
    sysctl -q --system
}

start_docker() {
    mkdir -p /etc/docker
    echo '{"exec-opts": ["native.cgroupdriver=systemd"], "log-driver": "json-file", "log-opts": {"max-size": "100m"}}' \
        > /etc/docker/daemon.json
    systemctl enable --now docker
}

write_kubelet_unit() {
    mkdir -p /etc/systemd/system/kubelet.service.d /etc/kubernetes/manifests
    cat > /etc/systemd/system/kubelet.service <<'UNIT'
[Unit]
Description=kubelet: The Kubernetes Node Agent
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
UNIT
    cat > /etc/systemd/system/kubelet.service.d/10-kubeadm.conf <<'UNIT'
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
UNIT
    systemctl daemon-reload
    systemctl enable --quiet kubelet
}

load_image() { # ADDRESS NAME
    if [ "$runtime" = docker ]; then
        on "$1" docker load --quiet < "$artifacts/images/$2.tar" >&2
    else
        on "$1" ctr -n k8s.io images import - < "$artifacts/images/$2.tar" >&2
    fi
}

prepare() { # ADDRESS IMAGE…
    local address=$1 image
    shift
    {
        declare -f write_host_settings start_containerd start_docker write_kubelet_unit
        echo "set -eu; write_host_settings; write_kubelet_unit; mkdir -p /opt/cni/bin; start_$runtime"
    } | on "$address" bash >&2
    tar -C "$artifacts" -c kubeadm kubelet kubectl | on "$address" tar -C /usr/bin -x --no-same-owner
    on "$address" tar -C /opt/cni/bin -xz --no-same-owner < "$artifacts/cni-plugins.tar.gz"
    for image in "$@"; do load_image "$address" "$image"; done
}

# --- the cluster ----------------------------------------------------------------------------------------------------

if [ "$runtime" = docker ]; then socket=/var/run/dockershim.sock; else socket=/run/containerd/containerd.sock; fi
ignored='[SystemVerification, FileContent--proc-sys-net-bridge-bridge-nf-call-iptables, FileExisting-crictl]'

# There is no CoreDNS image, and without crictl kubeadm's preflight phase ends on containerd whatever it is told to ignore.
skipped=preflight,addon/coredns

init_config() {
    cat <<YAML
apiVersion: kubeadm.k8s.io/v1beta2
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: ${addresses[0]}}
nodeRegistration: {name: ${names[0]}, criSocket: $socket, ignorePreflightErrors: $ignored}
---
apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterConfiguration
kubernetesVersion: v1.20.2
networking: {podSubnet: $pod_network, serviceSubnet: 10.96.0.0/16}
${endpoint:+controlPlaneEndpoint: "$endpoint"}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: systemd
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
conntrack: {maxPerCore: 0, min: 0}
YAML
}

join_config() { # INDEX TOKEN HASH
    cat <<YAML
apiVersion: kubeadm.k8s.io/v1beta2
kind: JoinConfiguration
discovery: {bootstrapToken: {token: $2, apiServerEndpoint: "${endpoint:-${addresses[0]}:6443}", caCertHashes: ["$3"]}}
nodeRegistration: {name: ${names[$1]}, criSocket: $socket, ignorePreflightErrors: $ignored}
YAML
    if [ "$1" -lt "$planes" ]; then
        echo "controlPlane: {localAPIEndpoint: {advertiseAddress: ${addresses[$1]}}, certificateKey: $certificate_key}"
    fi
}

join() { # INDEX TOKEN HASH
    local without=
    [ "$1" -ge "$planes" ] || without=--skip-phases=preflight
    join_config "$1" "$2" "$3" \
        | on "${addresses[$1]}" "cat > /root/join.yaml && kubeadm join --config /root/join.yaml $without" >&2
}

join_control_planes() { # TOKEN HASH: one after another, for etcd takes one new member at a time
    local index
    for index in $(seq 1 $((planes - 1))); do join "$index" "$1" "$2"; done
}

renew_watches() { # ADDRESS: its API server starts anew, and so does each watch that it gave out
    # An etcd of one member has no leader while the second one comes, so the API server fills its caches anew; a watch that
    # is asked for in that moment was seen to get no events for minutes with v1.20.2 (kubernetes #116122, mended in v1.27).
    on "$1" "pkill -x kube-apiserver" >&2
    on "$1" "curl --silent --insecure --fail --max-time 5 --retry 60 --retry-delay 1 --retry-all-errors https://$1:6443/readyz" >&2
}

workload() {
    cat <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo}
spec:
  replicas: 2
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      containers:
      - {name: echo, image: "groundplane.dev/lab/echo:1", imagePullPolicy: Never, ports: [{containerPort: 8080}], readinessProbe: {httpGet: {port: 8080}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {name: echo}
spec: {selector: {app: echo}, ports: [{port: 80, targetPort: 8080}]}
YAML
}

eval "$(read_lab)"
control_plane=(pause etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy echo)
worker=(pause kube-proxy echo)

for address in "${addresses[@]:0:$planes}"; do prepare "$address" "${control_plane[@]}" & done
for address in "${addresses[@]:$planes}"; do prepare "$address" "${worker[@]}" & done
wait_all
phase prepare

init_config | on "${addresses[0]}" "cat > /root/init.yaml && kubeadm init --config /root/init.yaml --skip-phases=$skipped" >&2
if [ "$planes" -gt 1 ]; then
    certificate_key=$(on "${addresses[0]}" kubeadm init phase upload-certs --upload-certs | tail -1)
fi
phase init

read -r token hash < <(on "${addresses[0]}" kubeadm token create --print-join-command \
    | awk '{for (i = 1; i < NF; i++) { if ($i == "--token") t = $(i + 1); if ($i ~ /ca-cert-hash/) h = $(i + 1) } print t, h}')
join_control_planes "$token" "$hash" &
for index in $(seq "$planes" $((${#addresses[@]} - 1))); do join "$index" "$token" "$hash" & done
wait_all
[ "$planes" -eq 1 ] || renew_watches "${addresses[0]}"
phase join

connect_pods "${#addresses[@]}"
kubectl wait --for=condition=Ready nodes --all --timeout=120s >&2
phase ready

[ "${PLAIN_WORKLOAD:-yes}" = yes ] || exit 0
workload | kubectl apply -f - >&2
kubectl rollout status deployment/echo --timeout=120s >&2
service=$(kubectl get service echo -o "jsonpath={.spec.clusterIP}")
for address in "${addresses[@]}"; do
    on "$address" "curl --silent --show-error --fail --max-time 10 --retry 20 --retry-delay 1 --retry-connrefused http://$service/" >&2
done
phase workload
echo "total $(echo "$EPOCHREALTIME $started" | awk '{printf "%.2f", $1 - $2}')"
