"""`groundplane adopt` against a cluster that follows a script: what it makes, what it refuses, and what it says."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from groundplane.api.meta import SECRET_SSH
from groundplane.cli.exits import Exit
from groundplane.cli.kinds import CLUSTER, OURS
from groundplane.client.errors import Conflict
from groundplane.client.typed import SECRETS
from support.member import Member, node

from .conftest import Cli, Server
from .test_import import config, running, uid

MACHINE = OURS["Machine"]
PLANE = "node-role.kubernetes.io/master"


def at(name: str, address: str, *, plane: bool = False) -> dict[str, Any]:
    found = node(name)
    found["status"]["addresses"] = [{"type": "InternalIP", "address": address}] if address else []
    found["metadata"]["labels"] = {PLANE: ""} if plane else {}
    return found


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "id"
    path.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    path.chmod(0o600)
    return path


@pytest.fixture
def prod(cli: Cli, server: Server, namespace: str, tmp_path: Path) -> Iterator[Member]:
    """An imported cluster of three nodes, one with a host's full name."""
    nodes = [at("n1", "192.0.2.1", plane=True), at("n2.example.com", "192.0.2.2"), at("n3", "192.0.2.3")]
    with running(member := Member(uid(), nodes=nodes)):
        outcome = cli("import", "--kubeconfig", config(tmp_path, prod=member.url))
        assert outcome.code == 0, outcome.err
        yield member
    # One host is one Machine, in all namespaces.
    for name in machines(server, namespace):
        assert cli("delete", f"machine/{name}").code == 0


@contextmanager
def controller(server: Server, namespace: str, **condition: str) -> Iterator[None]:
    """Answer in the controller's place, whatever is asked, with the condition Adopted."""
    done = threading.Event()
    adopted = {"type": "Adopted", "lastTransitionTime": "2026-01-01T00:00:00Z", "message": "", **condition}

    async def answer(client: Any) -> None:
        cluster = await client.get(CLUSTER, namespace, "prod")
        asked = cluster["metadata"]["annotations"].get("groundplane.dev/survey", "")
        status = {"surveyAnswered": asked, "machines": 3, "conditions": [adopted]}
        # What is not different is not written: the watch of the command line would drown in it.
        if asked and cluster.get("status", {}).get("surveyAnswered") != asked:
            await client.update_status(CLUSTER, {**cluster, "status": status})

    def work() -> None:
        while not done.wait(0.05):
            try:
                server.do(answer)
            except Conflict:
                continue

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def machines(server: Server, namespace: str) -> dict[str, dict[str, Any]]:
    listed = server.do(lambda client: client.list(MACHINE, namespace=namespace)).items
    return {one["metadata"]["name"]: one["spec"] for one in listed}


def test_each_node_becomes_a_machine_and_again_changes_nothing(
    cli: Cli, server: Server, namespace: str, prod: Member, key: Path
) -> None:
    with controller(server, namespace, status="True", reason="Matched", message="3 Machines matched"):
        outcome = cli("adopt", "cluster/prod", "--ssh-key", str(key), "--user", "admin", "--jump", "op@jump:2222")
        assert outcome.code == 0, outcome.err
        assert "3 Machines for its Nodes (3 created)" in outcome.out
        assert "nothing was changed on the machines and in the cluster" in outcome.out
        found = machines(server, namespace)
        assert {name: (spec["address"], spec["role"]) for name, spec in found.items()} == {
            "n1": ("192.0.2.1", "ControlPlane"),
            "n2.example.com": ("192.0.2.2", "Worker"),
            "n3": ("192.0.2.3", "Worker"),
        }
        ssh, secret = found["n3"]["ssh"], {"name": "prod-ssh"}
        assert (ssh["user"], ssh["secretRef"]) == ("admin", secret)
        assert ssh["jump"] == {"address": "jump", "user": "op", "port": 2222, "secretRef": secret}
        kept = server.do(lambda client: client.get(SECRETS, namespace, "prod-ssh"))
        assert kept["type"] == SECRET_SSH
        assert base64.b64decode(kept["data"]["ssh-privatekey"]) == key.read_bytes()
        again = cli("adopt", "prod")
        assert again.code == 0, again.err
        assert "(3 as it was)" in again.out
        assert machines(server, namespace) == found
        moved = cli("adopt", "prod", "--address", "n3=198.51.100.3")
        assert "(1 changed, 2 as it was)" in moved.out
        assert machines(server, namespace)["n3"]["address"] == "198.51.100.3"
    assert {request.method for request in prod.requests} == {"GET"}


def test_what_does_not_match_is_said_with_its_remedy(
    cli: Cli, server: Server, namespace: str, prod: Member, key: Path
) -> None:
    message = "machine n3: it is another host (correct spec.address); machine n1: no answer (start it)"
    with controller(server, namespace, status="False", reason="NotMatched", message=message):
        outcome = cli("adopt", "cluster/prod", "--ssh-key", str(key))
    assert outcome.code == Exit.FAILED
    assert "  - machine n3: it is another host (correct spec.address)\n" in outcome.out
    rows = {line.split()[0]: line.split()[-1] for line in outcome.out.splitlines() if line.startswith("  n")}
    assert rows == {"n1": "refused", "n2.example.com": "mismatch", "n3": "refused"}
    assert "no mismatch" in outcome.out
    assert "cluster prod is not adopted (NotMatched): 2 mismatches" in outcome.err


def test_a_dry_run_shows_the_machines_and_writes_nothing(
    cli: Cli, server: Server, namespace: str, prod: Member, key: Path
) -> None:
    outcome = cli("adopt", "prod", "--ssh-key", str(key), "--dry-run")
    assert outcome.code == 0, outcome.err
    assert "3 Machines for its Nodes (3 would be created); nothing is written" in outcome.out
    assert "n2.example.com" in outcome.out
    assert machines(server, namespace) == {}
    secrets = server.do(lambda client: client.list(SECRETS, namespace=namespace)).items
    assert "prod-ssh" not in {one["metadata"]["name"] for one in secrets}


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        ((), Exit.USAGE, "--ssh-key FILE, or --secret NAME"),
        (("--secret", "a", "--ssh-key", "{key}"), Exit.USAGE, "give one of the two"),
        (("--secret", "a", "--address", "n9=192.0.2.9"), Exit.REFUSED, "it has no Node n9"),
        (("--secret", "a", "--address", "n3"), Exit.USAGE, "is not NODE=IPv4-ADDRESS"),
        (("--secret", "a", "--jump", "@x"), Exit.USAGE, "[USER@]HOST[:PORT]"),
        (("--jump", "x"), Exit.USAGE, "--jump is part of a login"),
        (("--secret", "nope"), Exit.REFUSED, "there is no Secret"),
        (("--secret", "nope", "--dry-run"), Exit.REFUSED, "--type=groundplane.dev/ssh"),
    ],
)
def test_what_the_flags_lack_is_said_before_anything_is_written(
    cli: Cli, server: Server, namespace: str, prod: Member, key: Path, *, flags: tuple[str, ...], code: Exit, words: str
) -> None:
    outcome = cli("adopt", "prod", *(flag.format(key=key) for flag in flags))
    assert outcome.code == code
    assert words in outcome.err
    assert machines(server, namespace) == {}
    assert {request.method for request in prod.requests} == {"GET"}


def test_a_login_that_is_given_anew_is_the_whole_of_it(
    cli: Cli, server: Server, namespace: str, prod: Member, key: Path
) -> None:
    with controller(server, namespace, status="True", reason="Matched", message="3 Machines matched"):
        cli("adopt", "prod", "--ssh-key", str(key), "--jump", "op@wrong:2222")
        before = cli("adopt", "prod", "--ssh-key", str(key), "--jump", "right", "--dry-run")
        assert "(3 would be changed); nothing is written" in before.out
        cli("adopt", "prod", "--ssh-key", str(key), "--jump", "right")
        jump = machines(server, namespace)["n3"]["ssh"]["jump"]
        assert (jump["address"], jump.get("user", "root"), jump.get("port", 22)) == ("right", "root", 22)
        same = cli("adopt", "prod", "--ssh-key", str(key), "--jump", "right", "--dry-run")
        assert "(3 as it was); nothing is written" in same.out
        assert "(3 as it was)" in cli("adopt", "prod").out
        assert "jump" in machines(server, namespace)["n3"]["ssh"], "the login was not given anew"
        gone = cli("adopt", "prod", "--ssh-key", str(key))
        assert "(3 changed)" in gone.out
        assert machines(server, namespace)["n3"]["ssh"].get("jump") is None
        assert "(3 as it was)" in cli("adopt", "prod", "--ssh-key", str(key)).out


def test_another_key_is_a_changed_login(cli: Cli, server: Server, namespace: str, prod: Member, key: Path) -> None:
    with controller(server, namespace, status="True", reason="Matched", message="3 Machines matched"):
        assert "another key" not in cli("adopt", "prod", "--ssh-key", str(key)).out
        key.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
        before = cli("adopt", "prod", "--ssh-key", str(key), "--dry-run")
        assert "(3 would be changed)" in before.out
        assert "the key in Secret prod-ssh would be replaced" in before.out
        outcome = cli("adopt", "prod", "--ssh-key", str(key))
        assert "(3 changed)" in outcome.out
        assert "their login is changed: Secret prod-ssh has another key now" in outcome.out
        kept = server.do(lambda client: client.get(SECRETS, namespace, "prod-ssh"))
        assert base64.b64decode(kept["data"]["ssh-privatekey"]) == key.read_bytes()


def test_of_a_cluster_that_is_not_reached_nothing_was_compared(
    cli: Cli, server: Server, namespace: str, prod: Member, key: Path
) -> None:
    message = "no answer (see that it is up; it is tried again); nothing is known of it yet"
    with controller(server, namespace, type="Reachable", status="False", reason="Unreachable", message=message):
        outcome = cli("adopt", "cluster/prod", "--ssh-key", str(key))
    assert outcome.code == Exit.FAILED
    assert f"  - {message}\n" in outcome.out
    assert outcome.out.count("not compared") == 3
    assert "mismatch" not in outcome.err


def test_a_node_without_an_address_is_named(cli: Cli, namespace: str, prod: Member, key: Path) -> None:
    prod.nodes[2] = at("n3", "")
    outcome = cli("adopt", "prod", "--ssh-key", str(key))
    assert outcome.code == Exit.REFUSED
    assert "Node n3 has no InternalIP" in outcome.err
    assert "--address n3=IP" in outcome.err


def test_a_machine_of_another_cluster_is_left_alone(
    cli: Cli, server: Server, namespace: str, prod: Member, key: Path
) -> None:
    spec = {"address": "192.0.2.77"}
    foreign = {"apiVersion": "groundplane.dev/v1alpha1", "kind": "Machine", "spec": spec}
    metadata = {"metadata": {"name": "n3", "namespace": namespace}}
    server.do(lambda client: client.create(MACHINE, foreign | metadata))
    outcome = cli("adopt", "prod", "--ssh-key", str(key))
    assert outcome.code == Exit.REFUSED
    assert "Machine n3 is there already and belongs to no cluster" in outcome.err
    assert machines(server, namespace) == {"n3": spec | machines(server, namespace)["n3"]}


def test_a_cluster_that_groundplane_made_is_refused(cli: Cli, server: Server, namespace: str, key: Path) -> None:
    made = {"apiVersion": "groundplane.dev/v1alpha1", "kind": "Cluster", "spec": {}}
    metadata = {"metadata": {"name": "made", "namespace": namespace}}
    made["spec"] = {"kubernetes": {"version": "v1.20.2"}}
    server.do(lambda client: client.create(CLUSTER, made | metadata))
    outcome = cli("adopt", "made", "--ssh-key", str(key))
    assert outcome.code == Exit.REFUSED
    assert "Groundplane made it from its Machines" in outcome.err


def test_a_key_that_cannot_be_used_is_refused_with_what_to_type(cli: Cli, namespace: str, key: Path) -> None:
    private = asyncssh.generate_private_key("ssh-ed25519")
    key.write_bytes(private.export_private_key(passphrase="secret"))
    outcome = cli("adopt", "cluster/prod", "--ssh-key", str(key))
    assert "kubectl create secret generic prod-ssh --type=groundplane.dev/ssh" in outcome.err
    assert (
        f"--from-file=ssh-privatekey={key} --from-literal=passphrase=…; then adopt with --secret prod-ssh"
        in outcome.err
    )
    public = key.with_suffix(".pub")
    public.write_bytes(private.export_public_key())
    public.chmod(0o644)
    outcome = cli("adopt", "prod", "--ssh-key", str(public))
    assert outcome.code == Exit.REFUSED
    assert "it is the public key" in outcome.err
    assert f"--ssh-key {key}" in outcome.err
    assert "chmod" not in outcome.err


def test_a_key_that_others_may_read_or_that_is_none_is_refused(cli: Cli, namespace: str, key: Path) -> None:
    key.chmod(0o644)
    outcome = cli("adopt", "prod", "--ssh-key", str(key))
    assert outcome.code == Exit.DENIED
    assert f"chmod 600 {key}" in outcome.err
    key.chmod(0o600)
    private = asyncssh.generate_private_key("ssh-ed25519")
    key.write_bytes(private.export_private_key(passphrase="secret"))
    outcome = cli("adopt", "prod", "--ssh-key", str(key))
    assert outcome.code == Exit.REFUSED
    assert "it is encrypted" in outcome.err
    key.write_bytes(private.export_public_key())
    outcome = cli("adopt", "prod", "--ssh-key", str(key))
    assert outcome.code == Exit.REFUSED
    assert "name the private key" in outcome.err
    key.write_bytes(b"nothing of the kind")
    assert "it is no private key of SSH" in cli("adopt", "prod", "--ssh-key", str(key)).err


def test_a_secret_that_is_not_of_an_adoption_is_left_alone(
    cli: Cli, server: Server, namespace: str, prod: Member, key: Path
) -> None:
    theirs = {"apiVersion": "v1", "kind": "Secret", "type": SECRET_SSH, "data": {"password": "eA=="}}
    metadata = {"metadata": {"name": "prod-ssh", "namespace": namespace}}
    server.do(lambda client: client.create(SECRETS, theirs | metadata))
    outcome = cli("adopt", "prod", "--ssh-key", str(key))
    assert outcome.code == Exit.REFUSED
    assert "--secret prod-ssh" in outcome.err
