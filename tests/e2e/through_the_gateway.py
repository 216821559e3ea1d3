"""kubectl on the made cluster through Groundplane: reading, writing, a shell, a log, a forwarded port, a viewer."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import yaml

from groundplane_lab.engine import Done, cluster_kubectl

from .world import World, wait_for


def use(world: World, folder: Path) -> None:
    """Work through the gateway as an administrator, then as somebody who may only look."""
    admin = folder / "through.kubeconfig"
    world.engine.cli("kubeconfig", "cluster/e2e", "--output", str(admin))
    assert "/clusters/default/e2e/proxy" in admin.read_text()
    _read_and_write(admin)
    _shell(admin)
    _forwarded_port(admin)
    _viewer(world, admin, folder)


def _read_and_write(admin: Path) -> None:
    nodes = json.loads(cluster_kubectl(admin, "get", "nodes", "-o", "json").stdout)["items"]
    assert len(nodes) == 3
    cluster_kubectl(admin, "create", "configmap", "through", "--from-literal=a=b")
    cluster_kubectl(admin, "wait", "--for=condition=Available", "deployment/echo", "--timeout=60s")
    cluster_kubectl(admin, "delete", "configmap", "through")


def _shell(admin: Path) -> None:
    pod = cluster_kubectl(admin, "get", "pods", "-l", "app=echo", "-o", "name").stdout.split()[0]
    assert cluster_kubectl(admin, "exec", pod, "--", "hostname").stdout.strip() == pod.removeprefix("pod/")
    sent = "".join(f"line {number}\n" for number in range(20_000))
    assert cluster_kubectl(admin, "exec", "-i", pod, "--", "cat", stdin=sent).stdout == sent
    failed = cluster_kubectl(admin, "exec", pod, "--", "sh", "-c", "exit 7", check=False)
    assert failed.returncode == 7
    cluster_kubectl(admin, "logs", pod)


def _forwarded_port(admin: Path) -> None:
    command = [str(Path(sys.executable).with_name("kubectl")), "--kubeconfig", str(admin)]
    with subprocess.Popen(
        [*command, "port-forward", "service/echo", ":80"], stdout=subprocess.PIPE, text=True
    ) as forwarding:
        try:
            assert forwarding.stdout is not None
            found = re.search(r"127\.0\.0\.1:(\d+)", forwarding.stdout.readline())
            assert found is not None
            with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/", timeout=10) as answer:
                assert b"echo-" in answer.read()
        finally:
            forwarding.terminate()


def _viewer(world: World, admin: Path, folder: Path) -> None:
    token = world.engine.cli("token", "create", "vera", "--home", str(world.engine.home)).stdout
    found = re.search(r"\S{30,}", token)
    assert found is not None
    document = yaml.safe_load(admin.read_text())
    document["users"][0]["user"] = {"token": found[0]}
    viewer = folder / "viewer.kubeconfig"
    viewer.write_text(yaml.safe_dump(document))
    viewer.chmod(0o600)

    def refused(*words: str) -> str:
        done: Done = cluster_kubectl(viewer, *words, check=False)
        assert done.returncode != 0
        return done.stderr

    # Discovery comes first, so kubectl says "unknown" of what is refused there.
    assert "vera" in refused("get", "--raw", "/version")
    world.engine.kubectl("create", "rolebinding", "vera", "--clusterrole=view", "--user=vera")
    assert 'User "groundplane:vera" cannot list resource "pods"' in refused("get", "pods")
    cluster_kubectl(admin, "create", "clusterrolebinding", "viewers", "--clusterrole=view", "--group=groundplane:view")

    def seen() -> bool:
        return "echo-" in cluster_kubectl(viewer, "get", "pods", check=False).stdout

    wait_for("the viewer to be let in", seen, seconds=30)
    assert 'cannot create resource "clusters/proxy"' in refused("exec", "deployment/echo", "--", "hostname")
    assert 'cannot delete resource "clusters/proxy"' in refused("delete", "deployment/echo")
