# The pod network of a plain cluster, as its owner sets it up: CNI configuration and routes, on the machines themselves.
#
# Source it after machines.sh, when `read_lab` has told of the machines; the first one is a control plane.

kubectl() { on "${addresses[0]}" kubectl --kubeconfig=/etc/kubernetes/admin.conf "$@"; }

write_pod_network() { # OWN-RANGE, then lines "RANGE ADDRESS" of the other machines on standard input; kept at a restart
    mkdir -p /etc/cni/net.d
    cat > /etc/cni/net.d/10-pods.conflist <<JSON
{"cniVersion": "0.3.1", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$1"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
    cat > /etc/systemd/system/pod-routes.service <<UNIT
[Unit]
Description=Routes to the pods of the other machines
After=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /usr/local/sbin/pod-routes

[Install]
WantedBy=multi-user.target
UNIT
    while read -r range address; do [ -z "$range" ] || echo "ip route replace $range via $address"; done > /usr/local/sbin/pod-routes
    sh -e /usr/local/sbin/pod-routes
    systemctl enable --quiet --no-reload pod-routes
}

connect_pods() { # NODES: how many have to have a range of pod addresses
    local ranges own others index seconds=60
    # The controller manager gives a node its range a moment after the node has come.
    until
        ranges=$(kubectl get nodes -o "'jsonpath={range .items[*]}{.spec.podCIDR} {.status.addresses[0].address}{\"\\n\"}{end}'")
        [ "$(awk 'NF == 2' <<< "$ranges" | wc -l)" -ge "$1" ]
    do
        [ "$((seconds -= 1))" -gt 0 ] || { echo "nodes without a range for pods: $ranges" >&2; return 1; }
        sleep 1
    done
    for index in "${!addresses[@]}"; do
        own=$(awk -v address="${addresses[$index]}" '$2 == address {print $1}' <<< "$ranges")
        [ -n "$own" ] || continue
        others=$(awk -v address="${addresses[$index]}" '$2 != address' <<< "$ranges")
        { declare -f write_pod_network; echo "write_pod_network $own <<'R'"; echo "$others"; echo R; } | on "${addresses[$index]}" bash >&2 &
    done
    wait_all
}
