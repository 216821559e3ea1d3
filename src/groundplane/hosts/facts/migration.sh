# Prints what must be known before the container runtime of this machine is changed. Only reads. POSIX sh, as survey.sh,
# and in its form: "@@ NAME" opens a section, a line of a section starts with one space.
#
# Of credentials only the names of registries are printed, and of URLs what stands behind the user. Of Docker's settings
# the parser keeps no value that could be a secret.
set -u
LC_ALL=C; export LC_ALL
echo '@@ begin'

section() { printf '\n@@ %s\n' "$1"; }
lines() { sed 's/^/ /' 2>/dev/null; }
have() { command -v "$1" >/dev/null 2>&1; }
limited() { if have timeout; then timeout 20 "$@"; else "$@"; fi 2>/dev/null </dev/null; }
value() { printf ' %s=%s\n' "$1" "$2"; }
hidden() { sed 's#\(://\)[^/ "'\'']*@#\1#g'; }

section daemon
[ ! -r /etc/docker/daemon.json ] || hidden < /etc/docker/daemon.json | lines
section daemon-flags
pid=""
for f in /run/docker.pid /var/run/docker.pid; do [ -n "$pid" ] || pid=$(cat "$f" 2>/dev/null); done
if [ -z "$pid" ] && have pidof; then pid=$(pidof dockerd 2>/dev/null); pid=${pid%% *}; fi
[ ! -r "/proc/${pid:-none}/cmdline" ] || tr '\0' '\n' < "/proc/$pid/cmdline" 2>/dev/null | hidden | lines

running=""
if have docker && { [ -S /var/run/docker.sock ] || [ -S /run/docker.sock ]; }; then running=yes; fi
root=$(sed -n 's/.*"data-root" *: *"\([^"]*\)".*/\1/p' /etc/docker/daemon.json 2>/dev/null | head -n 1)
root=${root:-/var/lib/docker}
if [ -n "$running" ]; then
  section docker-info
  info=$(limited docker info --format 'version={{.ServerVersion}}
data-root={{.DockerRootDir}}
storage-driver={{.Driver}}
cgroup-driver={{.CgroupDriver}}
log-driver={{.LoggingDriver}}
live-restore={{.LiveRestoreEnabled}}
default-runtime={{.DefaultRuntime}}')
  printf '%s\n' "$info" | lines
  found=$(printf '%s\n' "$info" | sed -n 's/^data-root=//p')
  root=${found:-$root}
  section containers
  limited docker ps --all --no-trunc --format \
    '{{.Names}}|{{.Image}}|{{.Status}}|{{.Label "io.kubernetes.docker.type"}}|{{.Label "io.kubernetes.pod.uid"}}' | lines
  section used-images
  ids=$(limited docker ps --quiet --no-trunc)
  [ -z "$ids" ] || limited docker container inspect --format '{{.Image}}' $ids | sort -u | lines
  section images
  ids=$(limited docker image ls --quiet --no-trunc | sort -u)
  [ -z "$ids" ] || limited docker image inspect --format \
    '{{.Id}}|{{.Size}}|{{len .RepoDigests}}|{{range .RepoTags}}{{.}} {{end}}|{{range .RootFS.Layers}}{{.}} {{end}}' $ids | lines
fi

section units
if [ -d /run/systemd/system ] && have systemctl; then
  limited systemctl show --no-pager --property=Id,LoadState,ActiveState,UnitFileState,BindsTo,Requires,PartOf,FragmentPath,DropInPaths \
    docker.service docker.socket containerd.service cri-docker.service kubelet.service | lines
  section docker-environment
  limited systemctl show --no-pager --property=Environment,EnvironmentFiles docker.service | hidden | lines
fi

# Names of objects inside a config.json: its registries are among them, and what it has of secrets is not.
section credentials
for f in /root/.docker/config.json /var/lib/kubelet/config.json /.docker/config.json; do
  [ -r "$f" ] || continue
  value file "$f"
  text=$(tr -d '\n\r\t' < "$f" 2>/dev/null)
  printf '%s\n' "$text" | grep -o '"[^"]*" *: *{' | sed -n 's/^"\([^"]*\)".*/ object=\1/p' | hidden
  printf '%s\n' "$text" | grep -o '"credsStore" *: *"[^"]*"' | sed -n 's/.*"\([^"]*\)"$/ helper=\1/p'
  printf '%s\n' "$text" | sed -n 's/.*"credHelpers" *: *{\([^}]*\)}.*/\1/p' | grep -o '"[^"]*" *: *"[^"]*"' \
    | sed -n 's/^"\([^"]*\)" *: *"\([^"]*\)"$/ helped=\1 \2/p'
done
section authorities
for f in /etc/docker/certs.d/*/*; do [ ! -f "$f" ] || printf ' %s\n' "$f"; done

# Who calls Docker on the machine itself, and who brings it up. Packages' own units of the runtimes are not asked.
section users
set -- /etc/systemd/system/*.service /etc/systemd/system/*/*.conf /usr/local/lib/systemd/system/*.service \
  /lib/systemd/system/*.service
calls='^[^#]*(Exec[A-Za-z]*=.*docker|docker\.sock)'
grep -l -s -E "$calls" "$@" /dev/null | grep -v -E '/(docker|containerd|cri-docker)\.(service|socket)(\.d/.*)?$' | sort -u | lines
grep -l -s -E '^[^#]*docker' /etc/crontab /etc/cron.*/* /var/spool/cron/* /var/spool/cron/crontabs/* /dev/null | lines
section pullers
grep -l -s -E '^(Requires|Requisite|Wants|BindsTo|PartOf|Upholds)=.*docker\.(service|socket)' "$@" /dev/null \
  | grep -v -E '/(docker|cri-docker)\.(service|socket)(\.d/.*)?$' | sort -u | lines

# The folder itself, or the one above it that exists.
section places
containerd_root=$(sed -n 's/^root *= *"\([^"]*\)".*/\1/p' /etc/containerd/config.toml 2>/dev/null | head -n 1)
containerd_root=${containerd_root:-/var/lib/containerd}
for wanted in "$root" "$containerd_root" /var/lib/groundplane; do
  p=$wanted
  while [ ! -d "$p" ] && [ "$p" != / ]; do p=$(dirname -- "$p"); done
  mount=$(stat -c %m -- "$p" 2>/dev/null)
  printf ' place=%s|%s|%s|' "$wanted" "$mount" "$(stat -f -c '%S %b %a' -- "$p" 2>/dev/null)"
  while read -r _ _ _ _ at rest; do
    if [ "$at" = "$mount" ]; then rest=${rest#* - }; set -- $rest; printf '%s %s' "${2:-}" "${1:-}"; break; fi
  done < /proc/self/mountinfo
  printf '|'
  [ ! -r /etc/fstab ] || while read -r what at type _; do
    case $what in '#'*) continue ;; esac
    if [ "$at" = "$mount" ]; then printf '%s %s %s' "$what" "$at" "$type"; break; fi
  done < /etc/fstab
  if have systemd-escape && [ "$mount" != / ]; then
    unit=$(systemd-escape -p --suffix=mount -- "$mount" 2>/dev/null)
    [ ! -f "/etc/systemd/system/$unit" ] || printf ' %s' "$unit"
  fi
  printf '\n'
done

section containerd
! have containerd || value version "$(limited containerd --version)"
if [ -r /etc/containerd/config.toml ]; then
  value config yes
  tr '\n' ' ' < /etc/containerd/config.toml 2>/dev/null | grep -o 'disabled_plugins *= *\[[^]]*\]' | lines
  grep -E '^ *(imports|root) *=' /etc/containerd/config.toml 2>/dev/null | lines
fi

section kubelet
for f in /var/lib/kubelet/kubeadm-flags.env /etc/default/kubelet /etc/sysconfig/kubelet \
  /etc/systemd/system/kubelet.service /etc/systemd/system/kubelet.service.d/*.conf \
  /usr/lib/systemd/system/kubelet.service /usr/lib/systemd/system/kubelet.service.d/*.conf \
  /lib/systemd/system/kubelet.service /lib/systemd/system/kubelet.service.d/*.conf \
  /var/lib/kubelet/config.yaml /var/lib/kubelet/instance-config.yaml; do
  [ ! -r "$f" ] || sed '/^ *[#;]/d' "$f" 2>/dev/null | grep -o -E \
    -e '--(container-runtime|container-runtime-endpoint|image-service-endpoint|network-plugin|cni-conf-dir|cni-bin-dir|cni-cache-dir|network-plugin-mtu|docker|docker-endpoint|docker-root|image-pull-progress-deadline|pod-infra-container-image|cgroup-driver|runtime-cgroups)[= ]' \
    -e '^(containerRuntimeEndpoint|imageServiceEndpoint|cgroupDriver):' | sed "s#^# $f:#"
done
section cloud-provider
if have pidof; then pid=$(pidof kubelet 2>/dev/null); else pid=""; fi
pid=${pid%% *}
[ ! -r "/proc/${pid:-none}/cmdline" ] || tr '\0' '\n' < "/proc/$pid/cmdline" 2>/dev/null | sed -n 's/^--cloud-provider=\(.*\)/ \1/p'

section seen
value crictl "$(sed -n 's/^runtime-endpoint: *//p' /etc/crictl.yaml 2>/dev/null | head -n 1)"
[ ! -c /dev/kvm ] || value kvm yes
! grep -q -s -m 1 -E '^flags.* (vmx|svm)( |$)' /proc/cpuinfo || value virtualisation yes
! have containerd-shim-kata-v2 || value kata yes
! have nvidia-container-runtime || value nvidia yes
if have curl && limited curl --version | grep -q -s HTTP2; then value http2 yes; fi
section end
exit 0
