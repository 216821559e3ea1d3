# Prints what there is to know about this machine. Only reads. POSIX sh, for dash, bash and busybox.
# A missing tool or file leaves its place empty; nothing here may fail the script. No secrets are printed.
#
# What it costs is the programs that it starts and the times that it writes, each of which is a packet on its way, and
# hardly the files that it reads. So grep prints files many at a time ("path:line"), the shell notes what it sees by
# itself and prints its notes at once, and a program that is not there, or could not answer, is not started.
#
# Format: "@@ NAME" opens a section; a line of a section starts with one space where it could be taken for a section.
# The section `files` is a mixture: lines of files, notes (name=value), what `ss` and `ip` print. "@@ begin" is the
# first line and "@@ end" the last; what stands before and behind is no output of ours.
set -u
LC_ALL=C; export LC_ALL
date -u '+@@ begin%n@@ clock%n%s.%N%n@@ files' 2>/dev/null
cd /proc 2>/dev/null

notes=""
newline='
'
note() { notes="$notes$1=$2$newline"; }
section() { printf '\n@@ %s\n' "$1"; }
lines() { sed 's/^/ /' 2>/dev/null; }
have() { command -v "$1" >/dev/null 2>&1; }
limited() { if have timeout; then timeout 5 "$@"; else "$@"; fi 2>/dev/null </dev/null; }
show() { if have "$2"; then section "$1"; shift; limited "$@" | lines; fi; }
value() { printf ' %s=%s\n' "$1" "$2"; }

release=""; if [ -r sys/kernel/osrelease ]; then read -r release < sys/kernel/osrelease; fi
booted=""; [ ! -d /run/systemd/system ] || booted=yes
named=/etc/os-release; [ -r "$named" ] || named=/usr/lib/os-release
# The patterns leave out tcp_fastopen_key, which is a secret, and stat_refresh, which makes every CPU work when read.
set -- "$named" /etc/machine-id /proc/sys/kernel/random/boot_id /sys/class/dmi/id/product_uuid \
  /proc/sys/kernel/hostname /proc/sys/kernel/osrelease /proc/sys/kernel/arch /proc/1/comm \
  /sys/devices/system/cpu/online /proc/meminfo /proc/swaps /proc/modules /sys/fs/selinux/enforce \
  /sys/module/apparmor/parameters/enabled /etc/ufw/ufw.conf /sys/kernel/kexec_crash_loaded \
  /var/lib/kubelet/kubeadm-flags.env /etc/groundplane/machine.json /var/lib/groundplane/notes/packages.json \
  /var/lib/groundplane/notes/virtual-ip.json /var/lib/groundplane/notes/kubeadm.json /run/systemd/container \
  /proc/sys/net/bridge/bridge-nf-call-iptables /proc/sys/net/bridge/bridge-nf-call-ip6tables \
  /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/all/rp_filter /proc/sys/net/ipv4/conf/default/rp_filter \
  /proc/sys/net/ipv4/conf/all/forwarding /proc/sys/net/ipv4/ip_local_port_range \
  /proc/sys/net/ipv4/ip_local_reserved_ports /proc/sys/net/ipv4/neigh/default/gc_thresh[123] \
  /proc/sys/net/ipv4/tcp_[!f]* /proc/sys/net/ipv4/tcp_f[!a]* /proc/sys/net/ipv4/tcp_fack \
  /proc/sys/net/ipv4/tcp_fastopen /proc/sys/net/ipv4/tcp_fastopen_b* /proc/sys/net/ipv6/conf/all/forwarding \
  /proc/sys/net/ipv6/conf/all/disable_ipv6 /proc/sys/net/core/* /proc/sys/net/netfilter/nf_conntrack_max \
  /proc/sys/net/netfilter/nf_conntrack_tcp_* /proc/sys/vm/[!s]* /proc/sys/vm/s[!t]* /proc/sys/vm/stat_interval \
  /proc/sys/kernel/panic* /proc/sys/kernel/pid_max /proc/sys/kernel/threads-max \
  /proc/sys/kernel/unprivileged_bpf_disabled /proc/sys/kernel/keys/root_max* /proc/sys/fs/inotify/* \
  /proc/sys/fs/file-max /proc/sys/fs/nr_open /proc/sys/user/max_user_namespaces \
  /proc/sys/kernel/stats_isolated /proc/sys/kernel/sched_bt_*
grep -a -s -H -m 1000 '' "$@" 2>/dev/null

# Of larger files only the lines that say something: routes through a gateway, mounts; sockets that listen where there
# is no ss, which asks the kernel for these alone. Processes are looked for where systemd cannot be asked, and where
# the program is installed.
more=""; have ss || more="net/tcp net/tcp6 net/udp net/udp6"
[ -n "$booted" ] || ! { have chronyd || have ntpd || have openntpd || have kubelet; } || more="$more [0-9]*/comm"
lines='	000[2367]	|^[^ ]*	00000000	|[2367abef] +[a-z][^ ]*$| /[a-z/]* r[ow],|:0000 0[A7] |^(chronyd|ntpd|openntpd|kubelet)$'
picked=""
case $more in
  *comm) picked=$(grep -a -s -H -m 1000 -E "$lines" net/route net/ipv6_route self/mountinfo $more 2>/dev/null) ;;
  *) grep -a -s -H -m 1000 -E "$lines" net/route net/ipv6_route self/mountinfo $more 2>/dev/null ;;
esac
notes="$notes$picked$newline"

paths=""
for p in / /usr/local/bin /opt /opt/cni/bin /var /var/lib /var/lib/groundplane /var/lib/docker /var/lib/containerd \
  /var/lib/kubelet /var/lib/etcd /boot; do
  [ ! -d "$p" ] || paths="$paths $p"
done
stat -f -c 'disk=%n %S %b %a %i %T' $paths 2>/dev/null

set -- /sys/class/net/*
[ ! -e "$1" ] || note interfaces $#
if ! have ip; then :
elif [ $# -gt 256 ]; then ip -o addr show scope global 2>/dev/null | head -n 256
else ip -o addr show scope global 2>/dev/null; fi
# Which program holds a port is asked only where Kubernetes' own ports are concerned: that means to look at every file
# that every process has open.
if have ss; then
  sockets=$(ss -H -tuln 2>/dev/null)
  case $sockets in
    *:6443\ * | *:2379\ * | *:2380\ * | *:10250\ * | *:10257\ * | *:10259\ *) sockets=$(ss -H -tulnp 2>/dev/null) ;;
    *) [ ! -d /etc/kubernetes ] || sockets=$(ss -H -tulnp 2>/dev/null) ;;
  esac
  notes="$notes$sockets$newline"
fi

[ -s sys/kernel/arch ] || note architecture "$(uname -m 2>/dev/null)"
[ -r /sys/devices/system/cpu/online ] || note cpus "$(getconf _NPROCESSORS_ONLN 2>/dev/null)"
[ -r /sys/fs/selinux/enforce ] || ! have getenforce || note selinux "$(getenforce 2>/dev/null)"
for m in br_netfilter overlay bridge ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh nf_conntrack vxlan kpatch; do
  [ ! -d "/sys/module/$m" ] || note module "$m"
done
for s in /run/docker.sock /var/run/docker.sock /run/containerd/containerd.sock /run/docker/containerd/containerd.sock \
  /run/crio/crio.sock /var/run/dockershim.sock; do
  [ ! -S "$s" ] || note socket "$s"
done
for f in /etc/cni/net.d/*; do [ ! -f "$f" ] || note cni-config "${f##*/}"; done
for f in /opt/cni/bin/* /usr/lib/cni/*; do [ ! -f "$f" ] || note cni-plugin "${f##*/}"; done
for c in apparmor_parser awk chronyc conntrack containerd crictl crio ctr curl docker dockerd ebtables ethtool firewall-cmd getenforce \
  gzip ip ip6tables ipset iptables ipvsadm jq kubeadm kubectl kubelet losetup modprobe mount nft nsenter python3 runc \
  sha256sum socat ss sudo swapoff sysctl systemctl tar tc timedatectl timeout ufw xz zcat; do
  if have "$c"; then note command "$c"; fi
done
[ ! -d /var/lib/etcd/member ] || note etcd-data yes
[ ! -c /dev/kvm ] || note kvm yes

# Files that a kernel has when it can show a container its own numbers, and other abilities: docs/abilities.md.
# Some are in every control group but the topmost one, so the first below is looked at, too.
for d in cpuset memory cpuacct blkio cpu ''; do
  [ -d "/sys/fs/cgroup/$d" ] || continue
  set -- "/sys/fs/cgroup/$d"/*/
  for f in cpuset.cpus cpuset.stat cpuset.cpuinfo cpuset.loadavg memory.usage_in_bytes memory.vmstat memory.meminfo \
    cpuacct.usage cpuacct.uptime blkio.reset_stats blkio.weight blkio.diskstats cpu.bt_shares; do
    [ -z "$d" ] || [ "${f%%.*}" = "$d" ] || continue
    if [ -e "/sys/fs/cgroup/$d/$f" ]; then note ability "/sys/fs/cgroup/$d/$f"
    elif [ -e "$1$f" ]; then note ability "$1$f"; fi
  done
done
for f in /proc/bt_stat /sys/kernel/livepatch /sys/kernel/kpatch; do
  [ ! -e "$f" ] || note ability "$f"
done
words=""; if [ -r cmdline ]; then read -r words < cmdline; fi
for word in $words; do
  case $word in crashkernel=* | offline_class*) note boot "$word" ;; esac
done
# What the next boot has is asked only where there is something to be ready for: a reservation comes with that service.
case $words in
  *crashkernel=*) ;;
  *) for f in /usr/lib/systemd/system/kdump.service /lib/systemd/system/kdump-tools.service; do
      [ -e "$f" ] || continue
      grep -a -s -q -E '^[^#]*crashkernel=' /boot/grub/grub.cfg /boot/grub2/grub.cfg /boot/grub2/grubenv \
        /boot/loader/entries/*.conf /boot/efi/EFI/*/grub.cfg 2>/dev/null && note next-boot crashkernel
      break
    done ;;
esac
config=""
for f in "/boot/config-$release" "/lib/modules/$release/config" "/usr/lib/modules/$release/config" /proc/config.gz; do
  if [ -r "$f" ]; then config=$f; note config-source "$f"; break; fi
done

# Prints the process that runs the program $1, from systemd or from what was picked. A process of a container is not the
# machine's, even when it shows up here.
process() {
  case $picked in *"/comm:$1"*) ;; *) return 1 ;; esac
  for d in [0-9]*; do
    case "$newline$picked$newline" in *"$newline$d/comm:$1$newline"*)
      if [ "$d/ns/pid" -ef 1/ns/pid ]; then found=$d; return 0; fi ;;
    esac
  done
  return 1
}
for service in chronyd ntpd openntpd; do if process "$service"; then note process "$service"; fi; done
[ ! -e /run/systemd/timesync/synchronized ] || note NTPSynchronized yes
printf '%s' "$notes"

case $config in /*[!z])
  section kernel-config
  grep -E '^CONFIG_(BPF|CGROUP|NAMESPACES|NET_|NETFILTER|NETKIT|IP_|IP6_|IPV6|NF_|VETH|VXLAN|GENEVE|BRIDGE|OVERLAY_FS|XFRM|CRYPTO_(AEAD|AES|GCM|SEQIV|CBC|HMAC|SHA256|SHA1|USER_API_HASH)|HAVE_EBPF|PERF_EVENTS|SCHEDSTATS|KPROBE|FTRACE|SCHED_|MEMCG|CFS_|FAIR_GROUP|BLK_CGROUP|CPUSETS|PSI|DEBUG_INFO_BTF|SECURITY_(SELINUX|APPARMOR)|SECCOMP|INET_|TCP_CONG_|IFB|DUMMY|MACVLAN|IPVLAN|POSIX_MQUEUE|KEYS|EXT4_FS|XFS_FS|WIREGUARD|USER_NS|PID_NS|IPC_NS|UTS_NS|LWTUNNEL|LIVEPATCH|KPATCH|BT_(GROUP_)?SCHED|CRASH_DUMP|KEXEC)[A-Z0-9_]*=' "$config" 2>/dev/null ;;
esac
if [ -r "/lib/modules/$release/modules.builtin" ]; then
  section builtin-modules
  grep -o -E '/(br_netfilter|overlay|bridge|nf_|xt_|ip_|ip6_|nft_|ipt|veth|vxlan)[^/]*\.ko' "/lib/modules/$release/modules.builtin" 2>/dev/null
fi
if [ -r /etc/containerd/config.toml ]; then
  section containerd-config
  grep -E '^[[:space:]]*(version|imports|disabled_plugins|SystemdCgroup|systemd_cgroup|sandbox_image|sandbox)[[:space:]]*=|^[[:space:]]*"?(io\.containerd\.grpc\.v1\.)?cri"?,?[[:space:]]*\]?$|^[[:space:]]*[][]' \
    /etc/containerd/config.toml 2>/dev/null
fi
units=""
if [ -n "$booted" ] && have systemctl; then
  units=$(limited systemctl show --property=Id,LoadState,ActiveState,UnitFileState,MainPID --no-pager kubelet.service \
    docker.service docker.socket containerd.service crio.service firewalld.service ufw.service nftables.service \
    chronyd.service chrony.service systemd-timesyncd.service ntpd.service ntp.service ntpsec.service openntpd.service \
    kdump-tools.service kdump.service keepalived.service)
  section units
  printf '%s\n' "$units"
fi
# What the service itself says comes first; timedatectl has to wake a service of its own to answer.
if have chronyc && { [ -e /run/chrony/chronyd.pid ] || [ -e /run/chronyd.pid ] || process chronyd; }; then
  section time; limited chronyc -n tracking
elif [ -n "$booted" ] && [ ! -e /run/systemd/timesync/synchronized ] && have timedatectl; then
  section time; limited timedatectl show | grep '^NTPSynchronized='
fi

show docker-version docker --version
show containerd-version containerd --version
show crio-version crio --version
show runc-version runc --version
show kata-version kata-runtime --version
show shim-kata-version containerd-shim-kata-v2 --version
if have ctr && [ -S /run/containerd/containerd.sock ]; then show containerd-images ctr -n k8s.io images ls -q; fi
if have docker && [ -S /var/run/docker.sock ]; then
  show docker-info docker info --format 'cgroup-driver={{.CgroupDriver}}'
  show docker-images docker images --format '{{.Repository}}:{{.Tag}}'
fi
if [ -r /etc/docker/daemon.json ]; then
  section docker-config
  grep -o 'native.cgroupdriver=[a-z]*' /etc/docker/daemon.json 2>/dev/null
fi
show kubelet-version kubelet --version
show kubeadm-version kubeadm version -o short
# Its process says which flags it runs with. The kubelet is the first of the units above.
found=${units#*MainPID=}; found=${found%%[!0-9]*}
[ "${found:-0}" -gt 0 ] || { found=""; process kubelet; }
if [ -n "$found" ]; then section kubelet-command; tr '\0' '\n' < "$found/cmdline" 2>/dev/null | lines; fi
if [ -d /etc/kubernetes ] || [ -d /var/lib/kubelet ]; then
  section kubelet-config
  grep -s -h -E '^(cgroupDriver|containerRuntimeEndpoint):' /var/lib/kubelet/config.yaml
  section kubelet-instance-config
  grep -s -h -E '^containerRuntimeEndpoint:' /var/lib/kubelet/instance-config.yaml
  section kubeadm
  if [ -r /etc/kubernetes/kubelet.conf ]; then
    value kubelet-conf yes
    value server "$(sed -n 's/^ *server: *//p' /etc/kubernetes/kubelet.conf 2>/dev/null | head -n 1)"
  fi
  [ ! -r /etc/kubernetes/pki/ca.crt ] || value ca-hash "$(sha256sum < /etc/kubernetes/pki/ca.crt 2>/dev/null | cut -c1-64)"
  [ ! -e /etc/kubernetes/admin.conf ] || value admin-conf yes
  for f in /etc/kubernetes/manifests/*.yaml /etc/kubernetes/manifests/*.json; do [ ! -f "$f" ] || value static-pod "${f##*/}"; done
  section certificates
  # Never a key: of each file only what stands between the two lines of a certificate, and nothing
  # behind one that is not whole.
  for f in /etc/kubernetes/pki/*.crt /etc/kubernetes/pki/etcd/*.crt /var/lib/kubelet/pki/kubelet-client-current.pem \
    /var/lib/kubelet/pki/kubelet.crt; do
    [ -r "$f" ] || continue
    value file "$f"
    sed -n '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/{ /PRIVATE/q; /-----BEGIN/{ /CERTIFICATE-----/!q; }; p; }' "$f" 2>/dev/null
  done
  grep -s -H -E '^ *client-certificate-data: *[A-Za-z0-9+/=]+ *$' /etc/kubernetes/admin.conf /etc/kubernetes/kubelet.conf \
    /etc/kubernetes/controller-manager.conf /etc/kubernetes/scheduler.conf
fi
# Packed as it is: whoever reads this knows how to unpack it, and the machines of one kernel all send the same.
case $config in *.gz) section packed-config; cat "$config" 2>/dev/null ;; esac
section end
exit 0
