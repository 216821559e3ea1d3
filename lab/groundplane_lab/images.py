"""What is inside each image of the lab's Kubernetes, and the CNI plug-ins, from Debian's packages and the binaries.

Machines × images × size is most of the lab's time, so an image holds its program and the libraries that it is linked
to, nothing else: found by asking Debian's own loader about an unpacked tree of packages.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from groundplane_lab.archive import Image
from groundplane_lab.image import SUITE, apt_options, debian_sources
from groundplane_lab.paths import PACKAGE
from groundplane_lab.shell import run

PACKAGES = ("busybox-static", "conntrack", "containernetworking-plugins", "etcd-server", "iptables")
CNI_PLUGINS = ("bandwidth", "bridge", "firewall", "host-local", "loopback", "portmap")
RECIPE = PACKAGE / "kubernetes"
_LIBRARIES = "lib/x86_64-linux-gnu"
_LOADER = "lib64/ld-linux-x86-64.so.2"
_XTABLES = "usr/lib/x86_64-linux-gnu/xtables"
_IPTABLES = ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore")
# What busybox-static answers to in the workload image.
_APPLETS = ("sh", "hostname", "httpd", "mkdir", "wget", "cat", "ls", "ps", "ip", "nslookup", "sleep")


def unpack_packages(folder: Path) -> None:
    """Unpack the packages and all that they depend on into a folder; runs none of their scripts."""
    run(
        [
            *("mmdebstrap", "--mode=root", "--variant=extract", '--aptopt=Apt::Install-Recommends "false"'),
            *("--dpkgopt=path-exclude=/usr/share/*", *apt_options(), f"--include={','.join(PACKAGES)}"),
            *(SUITE, str(folder), *debian_sources()),
        ]
    )


def compile_pause(target: Path) -> None:
    """Compile the pause program, static, so that its image is one file."""
    run(["gcc", "-Os", "-static", "-s", "-o", str(target), str(RECIPE / "pause.c")])


def images(version: str, *, binaries: Path, debian: Path, pause: Path) -> dict[str, Image]:
    """The lab's images by the name of their artifact; references are those that kubeadm of this version asks for."""
    made = {
        name: Image(f"k8s.gcr.io/{name}:{version}", {f"/usr/local/bin/{name}": binaries / name}, entrypoint=[name])
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    }
    made["etcd"] = Image(
        "k8s.gcr.io/etcd:3.4.13-0",
        {"/usr/local/bin/etcd": debian / "usr/bin/etcd", **_libraries(debian, ["usr/bin/etcd"])},
        entrypoint=["etcd"],
    )
    made["kube-proxy"] = _kube_proxy(version, binaries, debian)
    made["pause"] = Image("k8s.gcr.io/pause:3.2", {"/pause": pause}, entrypoint=["/pause"])
    made["echo"] = Image(
        "groundplane.dev/lab/echo:1",
        {"/bin/busybox": debian / "bin/busybox", "/usr/local/bin/echo": RECIPE / "echo.sh"},
        links={f"/bin/{applet}": "busybox" for applet in _APPLETS},
        entrypoint=["/usr/local/bin/echo"],
    )
    return made


def cni_plugins(debian: Path) -> list[Path]:
    """The CNI plug-ins, one file each."""
    return [debian / "usr/lib/cni" / name for name in CNI_PLUGINS]


def _kube_proxy(version: str, binaries: Path, debian: Path) -> Image:
    """kube-proxy with iptables on nf_tables, as on Debian 12 machines: both must write to the same tables."""
    programs = ["usr/sbin/xtables-nft-multi", "usr/sbin/conntrack"]
    extensions = sorted((debian / _XTABLES).glob("*.so"))
    files = {
        "/usr/local/bin/kube-proxy": binaries / "kube-proxy",
        **{f"/{program}": debian / program for program in programs},
        **{f"/{_XTABLES}/{extension.name}": extension for extension in extensions},
        **_libraries(debian, [*programs, *(str(extension.relative_to(debian)) for extension in extensions)]),
    }
    links = {f"/usr/sbin/{name}": "xtables-nft-multi" for name in _IPTABLES}
    return Image(f"k8s.gcr.io/kube-proxy:{version}", files, links=links, entrypoint=["kube-proxy"])


def _libraries(debian: Path, programs: Iterable[str]) -> dict[str, Path]:
    """The shared libraries that programs of an unpacked tree are linked to, by their path in an image."""
    search = f"{debian / _LIBRARIES}:{debian / 'usr' / _LIBRARIES}"
    found = {f"/{_LOADER}": debian / _LOADER}
    for program in programs:
        listed = run([str(debian / _LOADER), "--list", "--library-path", search, str(debian / program)])
        for line in listed.splitlines():
            name, arrow, location = line.strip().partition(" => ")
            if arrow and "/" not in name:
                found[f"/{_LIBRARIES}/{name}"] = Path(location.split(" ")[0])
    return found
