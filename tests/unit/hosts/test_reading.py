"""Only commands that are known to read pass; everything else is a write until shown otherwise."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.hosts.reading import is_reading

READING = """
cat /etc/os-release
stat -c %s /etc/passwd
test -e /etc/kubernetes/admin.conf
ls -la /etc/cni/net.d
sha256sum /usr/bin/kubelet
/usr/bin/cat /etc/hosts
uname -r
id -u
hostname
hostname -f
getent hosts localhost
date -u +%s.%N
ip addr
ip -j addr show dev eth0
ip -4 route show
ip -o link show up
ip route get 10.0.0.1
ip rule list
ss -Htlnp
ss -tln sport = :6443
sysctl -n net.ipv4.ip_forward
sysctl -a
lsmod
findmnt -n -o FSTYPE /var
df -P /var/lib
free -b
systemctl is-active kubelet
systemctl --no-pager show -p ActiveState containerd.service
systemctl show --property=ActiveState,SubState docker
systemctl -q is-enabled docker
systemctl list-unit-files --no-legend
docker version
docker info --format {{.CgroupDriver}}
docker image inspect k8s.gcr.io/pause:3.2
docker ps -a -q
ctr -n k8s.io images ls -q
ctr --namespace=k8s.io --address /run/containerd/containerd.sock containers ls
ctr version
crictl --runtime-endpoint unix:///run/containerd/containerd.sock ps -a
crictl images
kubeadm version -o short
kubelet --version
kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes -o json
kubectl --kubeconfig=/etc/kubernetes/admin.conf get --raw /readyz
kubectl wait --for=condition=Ready node/a
dpkg-query -W -f ${Version} docker.io
rpm -q containerd
rpm -qa --qf %{NAME}
journalctl -u kubelet -n 50 --no-pager
timedatectl show
swapon --show --noheadings
modprobe -n -v br_netfilter
iptables-save -t nat
nft list ruleset
find /opt/cni/bin -type f -name host-local
curl -sk --max-time 5 https://127.0.0.1:10248/healthz
curl -s -S -m 10 --noproxy * --cacert /a --cert /b --key /c -d {} https://127.0.0.1:2379/v3/maintenance/status
curl -sk -m 5 --noproxy * https://192.0.2.11:6443/healthz
env NO_PROXY=* no_proxy=* kubectl --server=https://192.0.2.11:6443 get --raw=/version
/var/lib/groundplane/stage/kubernetes-v1.21.2-x.1/kubectl get --raw=/version
true
"""

WRITING = """
rm -rf /
touch /tmp/x
sh -c id
bash -c true
env cat /etc/passwd
env NO_PROXY=* rm x
env NO_PROXY=*
env LD_PRELOAD=/tmp/x cat /etc/passwd
/var/lib/groundplane/stage/kubernetes-v1.21.2/kubectl delete node a
/var/lib/groundplane/stage/kubernetes-v1.21.2/../kubectl get nodes
/var/lib/groundplane/stage/kubectl get nodes
timeout 5 reboot
xargs rm
sudo cat /etc/shadow
tee /etc/hosts
dd if=/dev/zero of=/dev/sda
sed -i s/a/b/ /etc/hosts
awk BEGIN{system("reboot")}
sort -o /etc/hosts /etc/hosts
/tmp/cat /etc/hosts
./cat /etc/hosts
hostname evil
hostname -F /etc/hostname
hostname --file /etc/hostname
date -s 12:00
date --set=12:00
date 010100002030
ip route add default via 10.0.0.1
ip addr flush dev eth0
ip link set eth0 down
ip -batch file
ip -b file
ip netns exec a rm x
ip -n other addr del 10.0.0.1/24
ip
ss -K dst 10.0.0.1
ss -tK
ss --kill
ss -D /etc/passwd
sysctl -w net.ipv4.ip_forward=1
sysctl net.ipv4.ip_forward=1
sysctl -p
sysctl -p /etc/sysctl.conf
sysctl --system
sysctl --load=/x
sysctl
systemctl start kubelet
systemctl restart docker
systemctl -H other is-active kubelet
systemctl -p is-active stop kubelet
systemctl --host other show
systemctl daemon-reload
systemctl
docker rm -f x
docker run busybox
docker -H tcp://other ps
docker --context ps rm x
docker image rm x
docker image prune
docker system prune -af
docker
ctr images rm x
ctr -n images ls
ctr -n k8s.io images pull x
ctr -n k8s.io tasks kill x
ctr run x
crictl rmp -a
crictl --config ps rmi x
crictl pull x
kubeadm init
kubeadm reset -f
kubeadm --rootfs version reset
kubeadm token create
kubelet --config /x
kubelet
kubectl delete node a
kubectl apply -f x
kubectl --token get delete pod x
kubectl -v get delete pod x
kubectl --as get delete pod x
kubectl get pods --log-file=/etc/passwd
kubectl get pods --cache-dir /etc
kubectl get pods --profile-output=/etc/passwd
kubectl config set-context x
rpm -i x.rpm
rpm -e containerd
rpm -q --eval %(reboot)
rpm -q --pipe reboot x
rpm --query --define x%(reboot) y
journalctl --vacuum-size=1M
journalctl --vac=1M
journalctl --rotate
journalctl --cursor-file=/etc/passwd
timedatectl set-ntp true
timedatectl -H other show
swapon -a
swapon /dev/sda1
swapon --show /dev/sda1
swapon
modprobe br_netfilter
modprobe -r overlay
modprobe -n -C /x y
iptables-save -f /etc/passwd
iptables-save -M reboot
iptables -F
nft list ruleset ; delete table x
nft delete table x
nft -f x
find / -delete
find / -exec rm {} +
find / -fprint /etc/passwd
find / -ok rm {} ;
curl -o /etc/passwd http://x
curl -so/etc/passwd http://x
curl -X POST http://x
curl -d a http://x
curl -T /etc/passwd http://x
curl -K config http://x
curl -w %output{/etc/passwd} http://x
curl --output=x http://x
curl http://x http://y
curl
firewall-cmd --add-port=1/tcp
ufw disable
chronyc makestep
containerd
mount
umount /
reboot
"""


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


@pytest.mark.parametrize("line", lines(READING))
def test_a_reading_command_passes(line: str) -> None:
    assert is_reading(line.split() if "{" in line or ";" in line else shlex.split(line))


@pytest.mark.parametrize("line", lines(WRITING))
def test_what_may_write_is_refused(line: str) -> None:
    assert not is_reading(line.split())


def test_nothing_and_odd_words_are_refused() -> None:
    assert not is_reading([])
    assert not is_reading([""])
    assert not is_reading(["cat\0", "x"])
    assert not is_reading(["/usr/bin/../../tmp/cat", "x"])


@given(st.lists(st.text(max_size=12), max_size=5))
def test_an_unknown_program_is_refused_whatever_its_arguments(arguments: list[str]) -> None:
    assert not is_reading(["groundplane-unknown", *arguments])


SUBCOMMANDS = {
    "systemctl": ["start", "stop", "restart", "enable", "disable", "mask", "kill", "isolate", "edit", "set-property"],
    "docker": ["run", "rm", "rmi", "kill", "exec", "load", "pull", "build", "start", "stop", "tag"],
    "kubectl": ["apply", "delete", "create", "patch", "edit", "drain", "cordon", "taint", "label", "exec", "scale"],
    "ip": ["route add", "route del", "addr add", "link set", "rule add", "route flush", "route replace"],
    "crictl": ["rm", "rmp", "rmi", "stop", "stopp", "pull", "exec", "runp"],
}


@given(st.data())
def test_no_options_make_a_writing_subcommand_readable(data: st.DataObject) -> None:
    program = data.draw(st.sampled_from(sorted(SUBCOMMANDS)))
    writing = data.draw(st.sampled_from(SUBCOMMANDS[program])).split()
    option = st.from_regex(r"--?[a-z]{1,9}(=[a-z0-9]{1,5})?", fullmatch=True)
    before = data.draw(st.lists(option, max_size=3))
    after = data.draw(st.lists(st.from_regex(r"[a-z0-9/.-]{1,9}", fullmatch=True), max_size=3))
    # An option of the list that takes a value takes the sub-command for it; what follows must then be one as well.
    after = [word for word in after if word not in {"show", "list", "get", "ps", "info", "cat", "status", "images"}]
    assert not is_reading([program, *before, *writing, *after])
