# The machines of a lab for shell scripts: source it with `lab` (path of lab.json) and `work` (a folder) set.

read_lab() {
    python3 - "$lab" <<'PY'
import json, sys
lab = json.load(open(sys.argv[1]))
print("key=" + lab["privateKey"])
print("addresses=(" + " ".join(m["address"] for m in lab["machines"]) + ")")
print("names=(" + " ".join(m["name"] for m in lab["machines"]) + ")")
PY
    python3 -c 'import json, sys
for m in json.load(open(sys.argv[1]))["machines"]: print(m["address"], m["hostKey"])' "$lab" > "$work/known_hosts"
}

on() { # ADDRESS COMMAND…: runs a command line on a machine, over one kept connection for each
    local address=$1
    shift
    ssh -i "$key" -o UserKnownHostsFile="$work/known_hosts" -o ControlMaster=auto -o ControlPath="$work/%h" \
        -o ControlPersist=60 -o LogLevel=ERROR "root@$address" "$@"
}

close_connections() {
    for address in "${addresses[@]}"; do
        ssh -o ControlPath="$work/%h" -O exit "root@$address" 2> "$work/exit" || true
    done
}

wait_all() { # fails when any background job failed
    local job
    for job in $(jobs -p); do wait "$job"; done
}

start_containerd() {
    cat > /etc/containerd/config.toml <<'TOML'
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "k8s.gcr.io/pause:3.2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true
TOML
    systemctl enable --now containerd
}
