# Prints what there is to know about this machine, in sections. Only reads. POSIX sh, for dash and busybox too.
# A missing tool or file leaves its section empty; nothing here may fail the script. No secrets are printed.
# Format: "@@ NAME" opens a section; its lines follow, each behind one space; "@@ end" is the last line; the rest is air.
set -u
LC_ALL=C; export LC_ALL

section() { printf '\n@@ %s\n' "$1"; }
lines() { sed 's/^/ /' 2>/dev/null; }
have() { command -v "$1" >/dev/null 2>&1; }
show() { section "$1"; shift; if have "$1"; then "$@" 2>/dev/null </dev/null | lines; fi; }
file() { section "$1"; [ ! -r "$2" ] || lines < "$2" 2>/dev/null; }
value() { printf ' %s=%s\n' "$1" "$2"; }
limited() { if have timeout; then timeout 5 "$@"; else "$@"; fi; }
# A process of a container is not the machine's, even when it shows up in /proc.
ours() { [ "$(readlink "$1/ns/pid" 2>/dev/null)" = "$(readlink /proc/1/ns/pid 2>/dev/null)" ]; }

file os-release /etc/os-release
section identity
value machine-id "$(cat /etc/machine-id 2>/dev/null)"
value boot-id "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
value product-uuid "$(cat /sys/class/dmi/id/product_uuid 2>/dev/null)"
value hostname "$(cat /proc/sys/kernel/hostname 2>/dev/null)"
value kernel "$(uname -r 2>/dev/null)"
value architecture "$(uname -m 2>/dev/null)"
value init "$(cat /proc/1/comm 2>/dev/null)"
value cpus "$(getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c ^processor /proc/cpuinfo 2>/dev/null)"

section kernel-config
config=""
for f in /proc/config.gz "/boot/config-$(uname -r)" "/lib/modules/$(uname -r)/config" "/usr/lib/modules/$(uname -r)/config"; do
  if [ -z "$config" ] && [ -r "$f" ]; then config=$f; fi
done
if [ -n "$config" ]; then
  value source "$config"
  case $config in *.gz) zcat "$config" 2>/dev/null || gzip -dc "$config" 2>/dev/null ;; *) cat "$config" ;; esac |
    grep -E '^CONFIG_(BPF|CGROUP|NAMESPACES|NET_|NETFILTER|NETKIT|IP_|IP6_|IPV6|NF_|VETH|VXLAN|GENEVE|BRIDGE|OVERLAY_FS|XFRM|CRYPTO_(AEAD|AES|GCM|SEQIV|CBC|HMAC|SHA256|SHA1|USER_API_HASH)|HAVE_EBPF|PERF_EVENTS|SCHEDSTATS|KPROBE|FTRACE|SCHED_|MEMCG|CFS_|FAIR_GROUP|BLK_CGROUP|CPUSETS|PSI|DEBUG_INFO_BTF|SECURITY_(SELINUX|APPARMOR)|SECCOMP|INET_|TCP_CONG_|IFB|DUMMY|MACVLAN|IPVLAN|POSIX_MQUEUE|KEYS|EXT4_FS|XFS_FS|WIREGUARD|USER_NS|PID_NS|IPC_NS|UTS_NS|LWTUNNEL)[A-Z0-9_]*=' | lines
fi
section modules
[ ! -r /proc/modules ] || cut -d ' ' -f 1 /proc/modules 2>/dev/null | lines
builtin="/lib/modules/$(uname -r)/modules.builtin"
section builtin-modules
[ ! -r "$builtin" ] || sed -n 's|.*/\([^/]*\)\.ko.*|\1|p' "$builtin" 2>/dev/null |
  grep -E '^(br_netfilter|overlay|bridge|nf_|xt_|ip_|ip6_|nft_|ipt|veth|vxlan)' | lines
section module-folders
for m in br_netfilter overlay bridge ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh nf_conntrack vxlan; do
  [ ! -d "/sys/module/$m" ] || printf ' %s\n' "$m"
done
section sysctls
for f in /proc/sys/net/bridge/bridge-nf-call-iptables /proc/sys/net/bridge/bridge-nf-call-ip6tables \
  /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/all/rp_filter /proc/sys/net/ipv4/conf/default/rp_filter \
  /proc/sys/net/ipv4/conf/all/forwarding /proc/sys/net/ipv4/ip_local_port_range \
  /proc/sys/net/ipv4/ip_local_reserved_ports /proc/sys/net/ipv4/neigh/default/gc_thresh[123] \
  /proc/sys/net/ipv4/tcp_* /proc/sys/net/ipv6/conf/all/forwarding /proc/sys/net/ipv6/conf/all/disable_ipv6 \
  /proc/sys/net/core/* /proc/sys/net/netfilter/nf_conntrack_max /proc/sys/net/netfilter/nf_conntrack_tcp_* \
  /proc/sys/vm/* /proc/sys/kernel/panic* /proc/sys/kernel/pid_max /proc/sys/kernel/threads-max \
  /proc/sys/kernel/unprivileged_bpf_disabled /proc/sys/kernel/keys/root_max* /proc/sys/fs/inotify/* \
  /proc/sys/fs/file-max /proc/sys/fs/nr_open /proc/sys/user/max_user_namespaces; do
  if [ -f "$f" ] && [ -r "$f" ]; then printf '%s\n' "$f"; fi
done | grep -v -e tcp_fastopen_key -e compact_memory -e drop_caches -e stat_refresh | {
  names=$(cat)
  grep -s '' $names /dev/null
} 2>/dev/null | sed -n 's|^/proc/sys/|| ; s|^\([^:]*\):|\1=|p' | lines
section cgroup
value type "$(stat -f -c %T /sys/fs/cgroup 2>/dev/null)"
grep -E ' /sys/fs/cgroup' /proc/self/mounts 2>/dev/null | cut -d ' ' -f 2,3 | lines

file meminfo /proc/meminfo
file swaps /proc/swaps
section disks
for p in / /usr/local/bin /opt /opt/cni/bin /var /var/lib /var/lib/groundplane /var/lib/docker /var/lib/containerd \
  /var/lib/kubelet /var/lib/etcd /boot; do
  [ -d "$p" ] || continue
  printf ' %s\t%s\t%s\t%s\n' "$p" "$(stat -f -c '%S %b %a %T' "$p" 2>/dev/null)" \
    "$(df -P -T "$p" 2>/dev/null | sed -n '2p' | tr -s ' ' | cut -d ' ' -f 2)" "$(stat -L -c %d "$p" 2>/dev/null)"
done

section time
if have timedatectl; then limited timedatectl show 2>/dev/null | lines; fi
section processes
for d in /proc/[0-9]*; do
  [ -r "$d/comm" ] || continue
  read -r name < "$d/comm" 2>/dev/null || continue
  case $name in
    systemd-timesyn | chronyd | ntpd | openntpd)
      if ours "$d"; then printf ' %s %s\n' "${d#/proc/}" "$name"; fi ;;
  esac
done 2>/dev/null
section chrony
if have chronyc; then limited chronyc -n tracking 2>/dev/null | lines; fi

section security
value selinux "$(if have getenforce; then getenforce 2>/dev/null; elif [ -r /sys/fs/selinux/enforce ]; then cat /sys/fs/selinux/enforce; fi)"
value apparmor "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)"
section units
if have systemctl; then
  limited systemctl show --property=Id,LoadState,ActiveState,UnitFileState --no-pager docker.service docker.socket \
    containerd.service crio.service kubelet.service firewalld.service ufw.service nftables.service \
    chronyd.service chrony.service systemd-timesyncd.service ntpd.service ntp.service ntpsec.service \
    openntpd.service 2>/dev/null </dev/null | lines
fi
section ufw
[ ! -r /etc/ufw/ufw.conf ] || grep '^ENABLED=' /etc/ufw/ufw.conf | lines

show listening ss -H -tulnp
section listening-proc
if ! have ss; then cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | sed -n 's/^ *[0-9]*: \([0-9A-F]*:[0-9A-F]*\) [0-9A-F:]* 0A .*/\1/p' | lines; fi
section addresses
if have ip; then ip -o addr show 2>/dev/null | lines; fi
section routes
if have ip; then ip -4 route show 2>/dev/null | lines; ip -6 route show 2>/dev/null | lines; fi
section cni-configs
for f in /etc/cni/net.d/*; do [ ! -f "$f" ] || printf ' %s\n' "${f##*/}"; done
section cni-plugins
for f in /opt/cni/bin/* /usr/lib/cni/*; do [ ! -f "$f" ] || printf ' %s\n' "${f##*/}"; done

show docker-version docker --version
show containerd-version containerd --version
show crio-version crio --version
show runc-version runc --version
section sockets
for s in /run/docker.sock /var/run/docker.sock /run/containerd/containerd.sock /run/docker/containerd/containerd.sock \
  /run/crio/crio.sock /var/run/dockershim.sock; do
  [ ! -S "$s" ] || printf ' %s\n' "$s"
done
section containerd-config
if [ -r /etc/containerd/config.toml ]; then
  value file /etc/containerd/config.toml
  grep -E '^[[:space:]]*(version|imports|disabled_plugins|SystemdCgroup|systemd_cgroup|sandbox_image|sandbox)[[:space:]]*=|^[[:space:]]*"?(io\.containerd\.grpc\.v1\.)?cri"?,?[[:space:]]*\]?$|^[[:space:]]*[][]' \
    /etc/containerd/config.toml 2>/dev/null | lines
fi
section containerd-images
if have ctr && [ -S /run/containerd/containerd.sock ]; then limited ctr -n k8s.io images ls -q 2>/dev/null </dev/null | lines; fi
section docker-info
if have docker && [ -S /var/run/docker.sock ]; then
  limited docker info --format 'cgroup-driver={{.CgroupDriver}}' 2>/dev/null </dev/null | lines
fi
section docker-images
if have docker && [ -S /var/run/docker.sock ]; then
  limited docker images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null </dev/null | lines
fi
section docker-config
[ ! -r /etc/docker/daemon.json ] || grep -o 'native.cgroupdriver=[a-z]*' /etc/docker/daemon.json 2>/dev/null | lines

show kubelet-version kubelet --version
show kubeadm-version kubeadm version -o short
section kubelet-flags-file
[ ! -r /var/lib/kubelet/kubeadm-flags.env ] || sed 's/^/ /' /var/lib/kubelet/kubeadm-flags.env 2>/dev/null
section kubelet-command
for d in /proc/[0-9]*; do
  [ -r "$d/comm" ] || continue
  read -r name < "$d/comm" 2>/dev/null || continue
  if [ "$name" = kubelet ] && ours "$d"; then tr '\0' '\n' < "$d/cmdline" 2>/dev/null | lines; break; fi
done 2>/dev/null
section kubelet-config
[ ! -r /var/lib/kubelet/config.yaml ] || grep -E '^(cgroupDriver|containerRuntimeEndpoint):' /var/lib/kubelet/config.yaml | lines
section kubelet-instance-config
[ ! -r /var/lib/kubelet/instance-config.yaml ] || grep -E '^containerRuntimeEndpoint:' /var/lib/kubelet/instance-config.yaml | lines
section kubeadm
if [ -r /etc/kubernetes/kubelet.conf ]; then
  value kubelet-conf yes
  value server "$(sed -n 's/^ *server: *//p' /etc/kubernetes/kubelet.conf 2>/dev/null | head -n 1)"
fi
[ ! -r /etc/kubernetes/pki/ca.crt ] || value ca-hash "$(sha256sum < /etc/kubernetes/pki/ca.crt 2>/dev/null | cut -c1-64)"
[ ! -e /etc/kubernetes/admin.conf ] || value admin-conf yes
for f in /etc/kubernetes/manifests/*.yaml /etc/kubernetes/manifests/*.json; do [ ! -f "$f" ] || value static-pod "${f##*/}"; done
if [ -d /var/lib/etcd/member ]; then value etcd-data yes; fi
file owner /etc/groundplane/machine.json

section commands
for c in apparmor_parser awk chronyc conntrack containerd crictl crio ctr curl docker dockerd ebtables ethtool firewall-cmd getenforce \
  gzip ip ip6tables ipset iptables ipvsadm jq kubeadm kubectl kubelet losetup modprobe mount nft nsenter python3 runc \
  sha256sum socat ss sudo swapoff sysctl systemctl tar tc timedatectl timeout ufw xz zcat; do
  if have "$c"; then printf ' %s\n' "$c"; fi
done
printf '\n@@ end\n'
exit 0
