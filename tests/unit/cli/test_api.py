"""Commands against a running API server: what they print, what they leave in the API, and how they end."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest
import yaml

from groundplane.api.cluster import Cluster, ClusterSpec, KubernetesOverride
from groundplane.api.distribution import Distribution, DistributionSpec, Release
from groundplane.api.machine import Machine, MachineSpec
from groundplane.api.meta import NameReference, ObjectMeta
from groundplane.api.operation import Operation, OperationSpec, Plan, PlannedChange, PlannedStep
from groundplane.api.target import resolve
from groundplane.base.logbook import Logbook
from groundplane.cli.exits import Exit
from groundplane.cli.kinds import CLUSTER, DISTRIBUTION, OPERATION, OURS
from groundplane.client.contract import Resource
from groundplane.client.http import HttpClient
from groundplane.client.typed import SECRETS, from_struct
from groundplane.kube.kubeconfig import render_kubeconfig

from .conftest import Cli, Server, run_cli

FOUNDATION = """
apiVersion: groundplane.dev/v1alpha1
kind: Foundation
metadata: {name: production}
spec:
  kubernetes: {distribution: native, version: v1.20.2}
"""
ALL = (
    """
apiVersion: groundplane.dev/v1alpha1
kind: Machine
metadata: {name: shop-1}
spec: {clusterRef: {name: shop}, role: ControlPlane, address: 198.18.1.11}
---
apiVersion: groundplane.dev/v1alpha1
kind: Cluster
metadata: {name: shop}
spec: {foundationRef: {name: production}}
---
apiVersion: v1
kind: Secret
metadata: {name: lab-key}
type: groundplane.dev/ssh
stringData: {password: not-shown-anywhere}
---
"""
    + FOUNDATION
)


def address(namespace: str) -> str:
    """Return an address that no other test's Machine has: one host is one Machine, in all namespaces."""
    return f"198.18.{int(namespace[2:4], 16)}.{int(namespace[4:6], 16)}"


@pytest.fixture
def everything(namespace: str) -> str:
    """The manifest of a whole cluster, worst first."""
    return ALL.replace("198.18.1.11", address(namespace))


def operation(name: str, namespace: str) -> dict[str, Any]:
    """Return an Operation of cluster shop, as the controller makes it."""
    machine = Machine(metadata=ObjectMeta(name="shop-1"), spec=MachineSpec(role="ControlPlane", address="198.18.1.11"))
    cluster = Cluster(
        metadata=ObjectMeta(name="shop", namespace=namespace),
        spec=ClusterSpec(kubernetes=KubernetesOverride(version="v1.20.2")),
    )
    native = Distribution(
        metadata=ObjectMeta(name="native"), spec=DistributionSpec(releases=[Release(version="v1.20.2")])
    )
    steps = [
        PlannedStep(
            name="runtime/shop-1",
            step="runtime",
            title="Install containerd",
            machine="shop-1",
            changes=[PlannedChange(what="package containerd", after="1.6.20")],
        ),
        PlannedStep(name="verify", step="verify", title="Verify the cluster", after=["runtime/shop-1"]),
    ]
    spec = OperationSpec(
        cluster_ref=NameReference(name="shop"),
        target=resolve(cluster, None, native, [machine]),
        plan=Plan(action="Create", steps=steps),
    )
    labels = {"groundplane.dev/cluster": "shop"}
    return from_struct(Operation(metadata=ObjectMeta(name=name, namespace=namespace, labels=labels), spec=spec))


def test_apply_creates_then_leaves_alone_then_configures(cli: Cli) -> None:
    assert cli("apply", "-f", "-", stdin=FOUNDATION).out == "foundation.groundplane.dev/production created\n"
    assert cli("apply", "-f", "-", stdin=FOUNDATION).out == "foundation.groundplane.dev/production unchanged\n"
    changed = FOUNDATION.replace("v1.20.2", "v1.20.15")
    assert cli("apply", "-f", "-", stdin=changed).out == "foundation.groundplane.dev/production configured\n"
    shown = yaml.safe_load(cli("get", "foundation", "production", "-o", "yaml").out)
    assert shown["spec"]["kubernetes"]["version"] == "v1.20.15"


def test_apply_sorts_so_that_each_object_finds_what_it_refers_to(cli: Cli, everything: str, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(everything)
    outcome = cli("apply", "-f", str(tmp_path))
    assert outcome.code == 0, outcome.err
    assert [line.split("/")[0] for line in outcome.out.splitlines()] == [
        "secret", "foundation.groundplane.dev", "cluster.groundplane.dev", "machine.groundplane.dev",
    ]  # fmt: skip
    assert "not-shown-anywhere" not in outcome.out + outcome.err


def test_a_dry_run_is_checked_by_the_server_and_changes_nothing(cli: Cli) -> None:
    outcome = cli("apply", "--dry-run", "-f", "-", stdin=FOUNDATION)
    assert outcome.out == "foundation.groundplane.dev/production created (dry run)\n"
    assert cli("get", "foundation/production").code == 4


def test_a_misspelt_field_is_named_with_its_document(cli: Cli) -> None:
    outcome = cli("apply", "-f", "-", stdin=FOUNDATION.replace("version:", "versoin:"))
    assert outcome.code == 3
    assert "versoin" in outcome.err
    assert "standard input, document 1" in outcome.err
    assert "Traceback" not in outcome.err
    assert cli("get", "foundations").out == ""


def test_a_wrong_value_is_named_with_its_field(cli: Cli) -> None:
    cluster = "{apiVersion: groundplane.dev/v1alpha1, kind: Cluster, metadata: {name: c}, spec: {provider: Clay}}"
    outcome = cli("apply", "-f", "-", stdin=cluster)
    assert outcome.code == 3
    assert "spec.provider" in outcome.err


def test_get_prints_the_servers_table(cli: Cli, everything: str, namespace: str) -> None:
    cli("apply", "-f", "-", stdin=everything)
    lines = cli("get", "machines").out.splitlines()
    assert lines[0].split()[:4] == ["NAME", "CLUSTER", "ROLE", "ADDRESS"]
    assert lines[1].split()[:4] == ["shop-1", "shop", "ControlPlane", address(namespace)]
    assert "FINDINGS" not in lines[0]
    assert "FINDINGS" in cli("get", "machines", "-o", "wide").out
    everywhere = cli("get", "machines", "-A").out.splitlines()
    assert everywhere[0].startswith("NAMESPACE")
    assert any(line.startswith(namespace) for line in everywhere)


def test_get_gives_json_yaml_and_names(cli: Cli, everything: str) -> None:
    cli("apply", "-f", "-", stdin=everything)
    assert cli("get", "gpc", "-o", "name").out == "cluster.groundplane.dev/shop\n"
    listed = json.loads(cli("get", "Cluster", "-o", "json").out)
    assert [item["metadata"]["name"] for item in listed["items"]] == ["shop"]
    assert "managedFields" not in listed["items"][0]["metadata"]
    assert next(yaml.safe_load_all(cli("get", "cluster/shop", "-o", "yaml").out))["kind"] == "Cluster"


def test_nothing_there_is_said_and_is_no_error(cli: Cli, namespace: str) -> None:
    outcome = cli("get", "clusters")
    assert (outcome.code, outcome.out) == (0, "")
    assert f"there are no clusters in namespace {namespace}" in outcome.err


def test_an_unknown_kind_and_a_missing_object_have_codes_of_their_own(cli: Cli) -> None:
    assert cli("get", "gadgets").code == 3
    missing = cli("get", "cluster", "nope")
    assert missing.code == 4
    assert "nope" in missing.err
    assert cli("delete", "cluster", "nope").code == 4


def test_delete_waits_until_the_object_is_gone(cli: Cli) -> None:
    cli("apply", "-f", "-", stdin=FOUNDATION)
    outcome = cli("delete", "foundation", "production", "--wait", "--timeout", "20s")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1] == "foundation.groundplane.dev/production is gone"
    assert cli("get", "foundation/production").code == 4


def _command(server: Server, namespace: str, *arguments: str) -> list[str]:
    own = ["--kubeconfig", str(server.kubeconfig), "-n", namespace]
    return [sys.executable, "-m", "groundplane.cli.main", *own, *arguments]


@contextmanager
def _background(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Run a command whose output is read line by line; it does not outlive the block, whatever fails in it."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    # A test run in the background hands an ignored SIGINT down, and the command would ignore it too.
    attend = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    options: dict[str, Any] = {"preexec_fn": attend, "env": environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout
        finally:
            process.kill()


def test_deleting_a_cluster_waits_for_the_operation_that_takes_it_down(
    cli: Cli, everything: str, server: Server, namespace: str
) -> None:
    cli("apply", "-f", "-", stdin=everything)
    server.do(lambda client: client.patch(CLUSTER, namespace, "shop", {"metadata": {"finalizers": ["test/hold"]}}))
    command = _command(server, namespace, "delete", "cluster", "shop", "--wait", "--timeout", "60s")
    with _background(command) as (process, lines):
        assert lines.readline() == "cluster.groundplane.dev/shop deleted\n"
        delete = operation("op-1", namespace)
        delete["spec"]["plan"]["action"] = "Delete"
        server.do(lambda client: client.create(OPERATION, delete))
        assert "op-1: Delete cluster shop: Pending, 0/2 steps" in lines.readline()
        server.do(lambda client: client.patch(CLUSTER, namespace, "shop", {"metadata": {"finalizers": []}}))
        assert lines.readlines()[-1] == "cluster.groundplane.dev/shop is gone\n"
        assert process.wait() == 0


def test_approve_cancel_and_retry_write_what_they_say(
    cli: Cli, everything: str, server: Server, namespace: str
) -> None:
    cli("apply", "-f", "-", stdin=everything)
    server.do(lambda client: client.create(OPERATION, operation("op-1", namespace)))
    assert cli("approve", "op-1").code == 0
    assert cli("operation", "cancel", "operation/op-1").code == 0
    spec = server.do(lambda client: client.get(OPERATION, namespace, "op-1"))["spec"]
    assert (spec["approval"], spec["cancel"]) == ("Approved", "Requested")
    late = cli("approve", "op-1")
    assert (late.code, "it is being cancelled" in late.err, "groundplane plan shop" in late.err) == (3, True, True)
    stamps = set()
    for _ in range(2):
        assert cli("retry", "shop").code == 0
        cluster = server.do(lambda client: client.get(CLUSTER, namespace, "shop"))
        stamps.add(cluster["metadata"]["annotations"]["groundplane.dev/retry"])
    assert len(stamps) == 2


def test_update_packages_asks_the_cluster_or_the_machines_that_are_named(
    cli: Cli, everything: str, server: Server, namespace: str
) -> None:
    cli("apply", "-f", "-", stdin=everything)

    def asked(resource: Resource, name: str) -> str:
        found = server.do(lambda client: client.get(resource, namespace, name))
        return str(found["metadata"].get("annotations", {}).get("groundplane.dev/update-packages", ""))

    assert cli("update-packages", "cluster/shop", "--machine", "shop-1").code == 0
    assert asked(OURS["Machine"], "shop-1")
    assert not asked(CLUSTER, "shop")
    stamps = set()
    for _ in range(2):
        assert "groundplane plan shop" in cli("update-packages", "shop").out
        stamps.add(asked(CLUSTER, "shop"))
    assert len(stamps - {""}) == 2
    refused = cli("update-packages", "other")
    assert (refused.code, "other" in refused.err) == (cli("get", "cluster", "other").code, True)


def test_plan_shows_steps_changes_and_waves_of_the_open_operation(
    cli: Cli, everything: str, server: Server, namespace: str
) -> None:
    cli("apply", "-f", "-", stdin=everything)
    server.do(lambda client: client.create(OPERATION, operation("op-1", namespace)))
    out = cli("plan", "shop").out
    assert "2 steps in 2 waves" in out
    assert "1. Install containerd" in out
    assert "+ package containerd: 1.6.20" in out
    assert "2. Verify the cluster" in out
    assert "groundplane approve op-1" in out


def test_plan_names_every_problem_when_there_is_no_operation(
    cli: Cli, everything: str, server: Server, namespace: str
) -> None:
    cli("apply", "-f", "-", stdin=everything)
    message = "shop-1: swap is on (turn it off); shop-2: port 6443 is taken (stop nginx)"
    set_status(server, namespace, [("PreflightPassed", "False", "Problems", message)])
    lines = cli("plan", "shop").out.splitlines()
    assert "  - shop-1: swap is on (turn it off)" in lines
    assert "  - shop-2: port 6443 is taken (stop nginx)" in lines


def set_status(server: Server, namespace: str, conditions: list[tuple[str, str, str, str]], **more: Any) -> None:
    async def work(client: HttpClient) -> None:
        cluster = await client.get(CLUSTER, namespace, "shop")
        fields = ("type", "status", "reason", "message")
        listed = [
            dict(zip(fields, row, strict=True)) | {"lastTransitionTime": "2026-01-01T00:00:00Z"} for row in conditions
        ]
        status = {"observedGeneration": cluster["metadata"]["generation"], "conditions": listed, **more}
        await client.update_status(CLUSTER, cluster | {"status": status})

    server.do(work)


def test_applying_and_waiting_ends_when_the_cluster_is_ready(
    cli: Cli, everything: str, server: Server, namespace: str
) -> None:
    cli("apply", "-f", "-", stdin=everything)
    set_status(server, namespace, [("Ready", "True", "AllNodesReady", "1 nodes are ready")], machines=1, phase="Ready")
    outcome = cli("apply", "--wait", "--timeout", "20s", "-f", "-", stdin=everything)
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1] == "cluster.groundplane.dev/shop is Ready"


def test_waiting_for_a_cluster_says_what_blocks_it_and_stops_when_the_time_is_up(
    cli: Cli, everything: str, server: Server, namespace: str
) -> None:
    cli("apply", "-f", "-", stdin=everything)
    set_status(server, namespace, [("PreflightPassed", "False", "Problems", "shop-1: swap is on (turn it off)")])
    outcome = cli("apply", "--wait", "--timeout", "1s", "-f", "-", stdin=everything)
    assert outcome.code == 7
    assert "shop-1: swap is on (turn it off)" in outcome.out
    assert "the time was up" in outcome.err


def finish(server: Server, namespace: str, name: str, phase: str, **runtime: str) -> None:
    async def work(client: HttpClient) -> None:
        found = await client.get(OPERATION, namespace, name)
        step = {"name": "runtime/shop-1", "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:05Z"}
        status = {
            "phase": phase,
            "startedAt": "2026-01-01T00:00:00Z",
            "finishedAt": "2026-01-01T00:00:05Z",
            "steps": [step | runtime],
        }
        await client.update_status(OPERATION, found | {"status": status})

    server.do(work)


def migration(name: str, namespace: str, *, clean_up: bool = False) -> dict[str, Any]:
    """An Operation that moves shop-1 to containerd, or one that removes Docker from it."""
    made = operation(name, namespace)
    key = "clean-up" if clean_up else "switch-runtime"
    step = {"name": f"{key}/shop-1", "step": key, "title": key, "machine": "shop-1"}
    made["spec"]["plan"] = {"action": "CleanUp" if clean_up else "Change", "steps": [step]}
    return made


def ended(server: Server, namespace: str, name: str, phase: str, step: str = "") -> None:
    """Say that an Operation is in a phase, with its one step done where it is named."""

    async def work(client: HttpClient) -> None:
        found = await client.get(OPERATION, namespace, name)
        at = "2026-01-01T00:00:00Z"
        steps = [{"name": step, "state": "Succeeded", "startedAt": at, "finishedAt": at}] if step else []
        status = {"phase": phase, "steps": steps} | ({"startedAt": at} if step else {})
        await client.update_status(OPERATION, found | {"status": status})

    server.do(work)


def asked_of(server: Server, namespace: str, name: str) -> str:
    found = server.do(lambda client: client.get(OPERATION, namespace, name))
    return str(found["metadata"].get("annotations", {}).get("groundplane.dev/rollback", ""))


def test_asking_for_a_rollback_again_is_another_request(cli: Cli, server: Server, namespace: str) -> None:
    server.do(lambda client: client.create(OPERATION, migration("op-1", namespace)))
    ended(server, namespace, "op-1", "Succeeded", "switch-runtime/shop-1")
    asked = []
    for _ in range(2):
        assert cli("operation", "rollback", "op-1", "--machine", "shop-1").code == 0
        asked.append(asked_of(server, namespace, "op-1"))
    assert [one.partition("@")[0] for one in asked] == ["shop-1", "shop-1"]
    assert asked[0] != asked[1]


@pytest.mark.parametrize(
    ("phase", "machine", "told"),
    [
        (
            "AwaitingApproval",
            "",
            "it has not ended (AwaitingApproval) remedy: stop it with: groundplane operation cancel op-1",
        ),
        ("Running", "", "it has not ended (Running) remedy: stop it with: groundplane operation cancel op-1"),
        ("Cancelled", "", "it is Cancelled and changed nothing remedy: choose an Operation that migrated a runtime"),
        ("Succeeded", "nope", "it did not move nope remedy: choose among shop-1"),
    ],
)
def test_a_rollback_that_cannot_be_done_is_refused_and_asks_nothing(  # noqa: PLR0917 - pytest hands them over by name
    cli: Cli, server: Server, namespace: str, phase: str, machine: str, told: str
) -> None:
    server.do(lambda client: client.create(OPERATION, migration("op-1", namespace)))
    ended(server, namespace, "op-1", phase, "switch-runtime/shop-1" if phase in ("Running", "Succeeded") else "")
    outcome = cli("operation", "rollback", "op-1", *(["--machine", machine] if machine else []))
    assert outcome.code == 3
    assert told in " ".join(outcome.err.split()), outcome.err
    assert asked_of(server, namespace, "op-1") == ""


def test_a_clean_up_makes_way_for_a_rollback_only_while_it_waits(cli: Cli, server: Server, namespace: str) -> None:
    server.do(lambda client: client.create(OPERATION, migration("op-1", namespace)))
    ended(server, namespace, "op-1", "Succeeded", "switch-runtime/shop-1")
    server.do(lambda client: client.create(OPERATION, migration("op-2", namespace, clean_up=True)))
    ended(server, namespace, "op-2", "AwaitingApproval")
    outcome = cli("operation", "rollback", "op-1")
    assert outcome.code == 0, outcome.err
    assert "operation.groundplane.dev/op-2, which waits for approval, is cancelled for it" in outcome.out
    server.do(lambda client: client.patch(OPERATION, namespace, "op-2", {"spec": {"approval": "Approved"}}))
    ended(server, namespace, "op-2", "Pending")
    running = cli("operation", "rollback", "op-1")
    assert (running.code, "clean-up op-2 has not ended (Pending)" in running.err) == (3, True)
    ended(server, namespace, "op-2", "Succeeded", "clean-up/shop-1")
    late = cli("operation", "rollback", "op-1")
    assert (late.code, "docker was removed from shop-1 by op-2" in late.err) == (3, True)
    assert "spec.runtime" in late.err


def test_a_clean_up_is_refused_while_an_operation_is_open(
    cli: Cli, everything: str, server: Server, namespace: str
) -> None:
    cli("apply", "-f", "-", stdin=everything)
    server.do(lambda client: client.create(OPERATION, migration("op-1", namespace)))
    ended(server, namespace, "op-1", "AwaitingApproval")
    outcome = cli("clean-up", "shop")
    assert outcome.code == 3
    assert "operation op-1 has not ended (AwaitingApproval)" in outcome.err
    assert "groundplane operation cancel op-1" in outcome.err
    ended(server, namespace, "op-1", "Succeeded", "switch-runtime/shop-1")
    assert cli("clean-up", "shop").code == 0


@pytest.mark.parametrize(("phase", "code"), [("Succeeded", 0), ("Failed", 1), ("Cancelled", 7)])
def test_watching_an_operation_ends_as_it_ends(cli: Cli, server: Server, namespace: str, phase: str, code: int) -> None:
    server.do(lambda client: client.create(OPERATION, operation("op-1", namespace)))
    finish(server, namespace, "op-1", phase, state=phase, message="disk is full (make room)" if code == 1 else "")
    outcome = cli("operation", "watch", "op-1", "--timeout", "20s")
    assert outcome.code == code, outcome.err
    assert f"shop-1: Install containerd: {phase} in 5.0s" in outcome.out
    if code == 1:
        assert "disk is full (make room)" in outcome.err
        assert "groundplane retry shop" in outcome.err


def test_waiting_for_a_cluster_ends_with_how_long_what_took(
    cli: Cli, everything: str, server: Server, namespace: str
) -> None:
    cli("apply", "-f", "-", stdin=everything)
    server.do(lambda client: client.create(OPERATION, operation("op-1", namespace)))
    finish(server, namespace, "op-1", "Succeeded", state="Succeeded")
    set_status(server, namespace, [("Ready", "True", "AllNodesReady", "")], machines=1, phase="Ready")
    outcome = cli("apply", "--wait", "--timeout", "20s", "-f", "-", stdin=everything)
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-2:] == ["  Install containerd  5.0s", "cluster.groundplane.dev/shop is Ready"]


def test_waiting_for_a_cluster_fails_with_its_operation(
    cli: Cli, everything: str, server: Server, namespace: str
) -> None:
    cli("apply", "-f", "-", stdin=everything)
    server.do(lambda client: client.create(OPERATION, operation("op-1", namespace)))
    finish(server, namespace, "op-1", "Failed", state="Failed", message="disk is full (make room)")
    outcome = cli("apply", "--wait", "--timeout", "20s", "-f", "-", stdin=everything)
    assert outcome.code == 1
    assert "disk is full (make room)" in outcome.err


def test_the_log_of_an_operation_is_printed_by_step_and_to_its_end(cli: Cli, server: Server, namespace: str) -> None:
    uid = server.do(lambda client: client.create(OPERATION, operation("op-1", namespace)))["metadata"]["uid"]
    logbook = Logbook(server.home / "logs")
    logbook.append(uid, "runtime/shop-1", "unpacking containerd")
    logbook.append(uid, "verify", "all nodes are ready")
    logbook.finish(uid)
    assert [line.split(maxsplit=1)[1] for line in cli("operation", "logs", "op-1", "-f").out.splitlines()] == [
        "runtime/shop-1           unpacking containerd",
        "verify                   all nodes are ready",
    ]
    assert cli("operation", "logs", "op-1", "--step", "verify").out.count("\n") == 1
    assert cli("operation", "logs", "nope").code == 4


def test_get_watch_prints_each_change_as_it_comes(cli: Cli, server: Server, namespace: str) -> None:
    cli("apply", "-f", "-", stdin=FOUNDATION)
    command = _command(server, namespace, "get", "foundations", "-w")
    with _background(command) as (process, lines):
        assert lines.readline().startswith("NAME")
        assert "v1.20.2 " in lines.readline()
        cli("apply", "-f", "-", stdin=FOUNDATION.replace("v1.20.2", "v1.20.15"))
        assert "v1.20.15" in lines.readline()
        cli("delete", "foundation/production")
        assert lines.readline() == "production deleted\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 7


def test_in_a_terminal_an_operation_is_one_screen(server: Server, namespace: str) -> None:
    server.do(lambda client: client.create(OPERATION, operation("op-1", namespace)))
    finish(server, namespace, "op-1", "Failed", state="Failed", message="disk is full (make room)")
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": "24"}
    command = _command(server, namespace, "operation", "watch", "op-1")
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=environment) as process:
        assert process.wait(20) == 1
    os.close(theirs)
    screen = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "Create cluster shop: Failed" in screen
    assert "✘" in screen
    assert "disk is full (make room)" in screen


def test_the_kubeconfig_of_the_api_works_as_one(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    outcome = cli("kubeconfig", "--output", str(file))
    assert (outcome.code, outcome.out) == (0, "")
    assert file.stat().st_mode & 0o777 == 0o600
    assert run_cli(["--kubeconfig", str(file), "get", "namespaces"]).code == 0


def test_the_kubeconfig_of_a_cluster_leads_through_groundplane_or_is_that_of_its_secret(
    cli: Cli, everything: str, server: Server, namespace: str
) -> None:
    cli("apply", "-f", "-", stdin=everything)
    early = cli("kubeconfig", "shop")
    assert early.code == 4
    assert "it has none yet" in early.err
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "shop-kubeconfig", "namespace": namespace},
        "type": "groundplane.dev/kubeconfig",
        "stringData": {"kubeconfig": "the kubeconfig\n"},
    }
    server.do(lambda client: client.create(SECRETS, secret))
    set_status(server, namespace, [], kubeconfigRef={"name": "shop-kubeconfig"})
    assert cli("kubeconfig", "cluster/shop", "--direct").out == "the kubeconfig\n"
    through = yaml.safe_load(cli("kubeconfig", "cluster/shop").out)
    assert through["current-context"] == "shop"
    assert through["clusters"][0]["cluster"]["server"] == f"{server.access.server}/clusters/{namespace}/shop/proxy"
    assert through["contexts"][0]["context"]["namespace"] == "default"
    assert through["users"][0]["user"] == {"token": server.access.token}, "one's own, and no key of the cluster"
    assert cli("kubeconfig", "--direct").code == 2


def test_a_user_without_rights_and_one_without_a_token_are_denied(server: Server, tmp_path: Path) -> None:
    from dataclasses import replace

    for number, access in enumerate((server.nobody, replace(server.access, token="wrong"))):
        file = tmp_path / str(number)
        file.write_bytes(render_kubeconfig(access, name="x"))
        assert run_cli(["--kubeconfig", str(file), "get", "clusters"]).code == 6


def test_a_server_that_is_not_there_is_unavailable(server: Server, tmp_path: Path) -> None:
    from dataclasses import replace

    file = tmp_path / "kubeconfig"
    file.write_bytes(render_kubeconfig(replace(server.access, server="https://127.0.0.1:1"), name="x"))
    outcome = run_cli(["--kubeconfig", str(file), "get", "clusters"])
    assert outcome.code == 5
    assert "127.0.0.1:1" in outcome.err


def test_a_bundle_is_made_of_a_distribution_of_the_api(
    cli: Cli, server: Server, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    monkeypatch.setenv("GROUNDPLANE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "kubelet").write_bytes(b"kubelet")
    artifact = {
        "name": "kubelet",
        "type": "Binary",
        "path": "kubelet",
        "sha256": hashlib.sha256(b"kubelet").hexdigest(),
    }
    body = {
        "apiVersion": "groundplane.dev/v1alpha1",
        "kind": "Distribution",
        "metadata": {"name": "native", "namespace": namespace},
        "spec": {
            "sources": [{"type": "Directory", "path": str(tmp_path)}],
            "releases": [{"version": "v1.20.2", "artifacts": [artifact]}],
        },
    }
    server.do(lambda client: client.create(DISTRIBUTION, body))
    made = cli("bundle", "create", "native", "--version", "v1.20.2", "--output", str(tmp_path / "b.tar"))
    assert made.code == 0, made.err
    assert "releases v1.20.2, 1 files" in cli("bundle", "verify", str(tmp_path / "b.tar")).out
    monkeypatch.setenv("GROUNDPLANE_CACHE", str(tmp_path / "other-cache"))
    imported = cli("bundle", "import", str(tmp_path / "b.tar"), "--manifest", str(tmp_path / "d.yaml"))
    assert imported.code == 0, imported.err
    applied = cli("apply", "-f", str(tmp_path / "d.yaml"), "--force-conflicts")
    assert applied.code == 0, applied.err


def test_a_groundplane_that_does_not_run_is_answered_with_how_to_start_it(tmp_path: Path, server: Server) -> None:
    for url, remedy in (
        ("https://127.0.0.1:1", "remedy: start it: groundplane up --detach\n"),
        ("https://127.0.0.2:1", "remedy: see that Groundplane runs at https://127.0.0.2:1\n"),
    ):
        file = tmp_path / "k"
        file.write_bytes(render_kubeconfig(replace(server.access, server=url), name="gone"))
        file.chmod(0o600)
        outcome = run_cli(["--kubeconfig", str(file), "get", "clusters"])
        assert outcome.code == Exit.UNAVAILABLE
        assert f"{url} cannot be reached: Connection refused" in outcome.err
        assert outcome.err.endswith(remedy)


@pytest.mark.parametrize("command", [("plan", "nope"), ("survey", "nope"), ("get", "cluster", "nope")])
def test_a_name_that_is_not_there_is_answered_with_where_to_look(cli: Cli, command: tuple[str, ...]) -> None:
    outcome = cli(*command)
    assert outcome.code == 4
    assert "remedy: groundplane get clusters shows those that are there; -n names another namespace" in outcome.err
