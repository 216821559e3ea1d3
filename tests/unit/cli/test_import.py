"""`groundplane import` against clusters that follow a script: what it asks, what it writes, and what it says."""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from groundplane.api.meta import SECRET_KUBECONFIG
from groundplane.api.validation.values import dns_label
from groundplane.cli.exits import Exit
from groundplane.cli.importing import label_of
from groundplane.cli.kinds import CLUSTER
from groundplane.client.typed import SECRETS
from support.member import Member, hang

from .conftest import Cli, Server, run_cli

NOBODYS = {"metadata": {"ownerReferences": None}}


@contextmanager
def running(*members: Member) -> Iterator[None]:
    """Serve the members from a thread of their own: a command line brings its own event loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def do(work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(10)

    for member in members:
        do(member.__aenter__())
    try:
        yield
    finally:
        for member in members:
            do(member.__aexit__())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def config(folder: Path, **servers: str) -> str:
    """Write a kubeconfig with a context for each server."""
    document = {
        "clusters": [{"name": name, "cluster": {"server": url}} for name, url in servers.items()],
        "users": [{"name": "me", "user": {"token": "t"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in servers],
        "current-context": next(iter(servers)),
    }
    file = folder / "config"
    file.write_text(yaml.safe_dump(document))
    return str(file)


def uid() -> str:
    """An identity that no other test has: the server is shared."""
    return str(uuid.uuid4())


def test_an_import_makes_a_secret_and_a_cluster_and_again_changes_nothing(
    cli: Cli, server: Server, namespace: str, tmp_path: Path
) -> None:
    with running(member := Member(uid())):
        file = config(tmp_path, prod=member.url)
        outcome = cli("import", "--kubeconfig", file, "--foundation", "ground")
        assert outcome.code == 0, outcome.err
        assert outcome.out == f"context prod: cluster.groundplane.dev/prod imported (v1.20.6-tke.3, {member.url})\n"
        again = cli("import", "--kubeconfig", file)
        assert again.out == "context prod: cluster.groundplane.dev/prod already imported, unchanged\n"
    assert {request.method for request in member.requests} == {"GET"}
    cluster = server.do(lambda client: client.get(CLUSTER, namespace, "prod"))
    assert cluster["spec"]["provider"] == "Imported"
    assert cluster["spec"]["foundationRef"] == {"name": "ground"}
    secret = server.do(lambda client: client.get(SECRETS, namespace, "prod-kubeconfig"))
    assert [owner["uid"] for owner in secret["metadata"]["ownerReferences"]] == [cluster["metadata"]["uid"]]


def test_one_bad_context_stops_no_other_and_each_is_told(cli: Cli, tmp_path: Path) -> None:
    with running(one := Member(uid()), two := Member(uid(), version="v1.28.4")):
        dead = socket.create_server(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{dead.getsockname()[1]}"
        dead.close()
        file = config(tmp_path, one=one.url, gone=gone, two=two.url)
        outcome = cli("import", "--kubeconfig", file, "--all-contexts")
        assert outcome.code == Exit.UNAVAILABLE
        assert [line.split(": ")[0] for line in outcome.out.splitlines()] == ["context one", "context two"]
        assert (
            f"context gone: error: cannot get /api/v1/namespaces/kube-system: {gone} cannot be reached" in outcome.err
        )
        assert "context gone: remedy: mend it and import again, or import it as it is with --allow" in outcome.err
        assert outcome.err.endswith("3 contexts: 2 imported or known, 1 failed\n")
        allowed = cli("import", "--kubeconfig", file, "--all-contexts", "--allow-unreachable")
        assert allowed.code == 0
        assert "context gone: cluster.groundplane.dev/gone imported (not reached yet" in allowed.out
        assert "remedy: it has not been reached: groundplane explain cluster/gone" in cli("kubeconfig", "gone").err
        assert allowed.out.count("already imported, unchanged") == 2


def test_a_foundation_that_is_not_there_is_warned_of_and_another_one_is_not_put_in_its_place(
    cli: Cli, namespace: str, tmp_path: Path
) -> None:
    with running(member := Member(uid())):
        file = config(tmp_path, prod=member.url)
        slip = cli("import", "--kubeconfig", file, "--foundation", "graund")
        assert slip.code == 0
        assert slip.err == f"warning: there is no Foundation graund in namespace {namespace}: " + (
            "nothing is compared until there is\n"
        )
        again = cli("import", "--kubeconfig", file, "--foundation", "ground")
    assert "context prod: warning: Cluster prod stays with Foundation graund; to change that: kubectl" in again.err
    assert "already imported, unchanged" in again.out


def test_a_context_that_never_answers_is_given_up(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundplane.cli.importing.DEADLINE", 0.5)
    with running(slow := Member(uid()), fine := Member(uid())):
        slow.spoiled["/api/v1/namespaces/kube-system"] = hang
        outcome = cli("import", "--kubeconfig", config(tmp_path, slow=slow.url, fine=fine.url), "--all-contexts")
        assert outcome.code == Exit.UNAVAILABLE
        assert "context fine: cluster.groundplane.dev/fine imported" in outcome.out
        assert "context slow: error" in outcome.err


def test_two_contexts_of_one_name_are_two_clusters_and_two_of_one_cluster_are_one(cli: Cli, tmp_path: Path) -> None:
    with running(one := Member(uid()), two := Member(uid())):
        file = config(tmp_path, **{"Prod@EU": one.url, "prod.eu": two.url, "again": one.url})
        outcome = cli("import", "--kubeconfig", file, "--all-contexts")
        assert outcome.code == 0, outcome.err
        lines = outcome.out.splitlines()
        assert lines[0].startswith("context Prod@EU: cluster.groundplane.dev/prod-eu imported")
        assert lines[1].startswith(f"context prod.eu: cluster.groundplane.dev/prod-eu-{two.uid[:8]} imported")
        assert lines[2] == "context again: cluster.groundplane.dev/prod-eu already imported, unchanged"
        taken = cli("import", "--kubeconfig", file, "--context", "prod.eu", "--name", "prod-eu")
        assert taken.code == Exit.REFUSED


@pytest.mark.parametrize("left", ["the Secret alone", "a Cluster that does not own its Secret", "a Cluster alone"])
def test_an_import_that_was_interrupted_is_completed_by_the_next(
    cli: Cli, server: Server, namespace: str, tmp_path: Path, left: str
) -> None:
    with running(member := Member(uid())):
        file = config(tmp_path, prod=member.url)
        assert cli("import", "--kubeconfig", file).code == 0
        if left == "the Secret alone":
            server.do(lambda client: client.patch(SECRETS, namespace, "prod-kubeconfig", NOBODYS))
            server.do(lambda client: client.delete(CLUSTER, namespace, "prod"))
        elif left == "a Cluster alone":
            server.do(lambda client: client.delete(SECRETS, namespace, "prod-kubeconfig"))
        else:
            server.do(lambda client: client.patch(SECRETS, namespace, "prod-kubeconfig", NOBODYS))
        assert cli("import", "--kubeconfig", file).code == 0
    cluster = server.do(lambda client: client.get(CLUSTER, namespace, "prod"))
    secret = server.do(lambda client: client.get(SECRETS, namespace, "prod-kubeconfig"))
    assert [owner["uid"] for owner in secret["metadata"]["ownerReferences"]] == [cluster["metadata"]["uid"]]
    assert base64.b64decode(secret["data"]["kubeconfig"]).decode().count(member.url) == 1


def test_credentials_are_renewed_on_demand_and_only_for_the_same_cluster(
    cli: Cli, server: Server, namespace: str, tmp_path: Path
) -> None:
    def token() -> str:
        secret = server.do(lambda client: client.get(SECRETS, namespace, "prod-kubeconfig"))
        found = yaml.safe_load(base64.b64decode(secret["data"]["kubeconfig"]))["users"][0]["user"]["token"]
        return str(found)

    with running(member := Member(uid()), other := Member(uid())):
        file = Path(config(tmp_path, prod=member.url))
        assert cli("import", "--kubeconfig", str(file)).code == 0
        file.write_text(file.read_text().replace("token: t", "token: newer"))
        assert cli("import", "--kubeconfig", str(file)).out.endswith("already imported, unchanged\n")
        assert token() == "t"
        assert cli("import", "--kubeconfig", str(file), "--renew").out.endswith("credentials renewed\n")
        assert token() == "newer"
        file.write_text(file.read_text().replace(member.url, other.url).replace("newer", "newest"))
        refused = cli("import", "--kubeconfig", str(file), "--renew", "--name", "prod")
        assert refused.code == Exit.REFUSED
        assert token() == "newer"


def test_a_name_that_no_cluster_can_have_is_said_of_the_flag_and_once(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("import", "--kubeconfig", config(tmp_path, prod="https://127.0.0.1:1"), "--name", "Prod_EU")
    assert outcome.code == Exit.USAGE
    assert "--name: 'Prod_EU' is no name of a Cluster" in outcome.err
    assert "such as prod-eu" in outcome.err
    assert "kubeconfig" not in outcome.err.partition("--name")[2]


def test_a_secret_of_a_person_is_not_taken(cli: Cli, server: Server, namespace: str, tmp_path: Path) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prod-kubeconfig", "namespace": namespace}}
    server.do(lambda client: client.create(SECRETS, body))
    with running(member := Member(uid())):
        outcome = cli("import", "--kubeconfig", config(tmp_path, prod=member.url))
    assert outcome.code == Exit.REFUSED
    assert "is not that of an import" in outcome.err


def test_a_cluster_that_is_refused_leaves_no_credentials_behind(
    cli: Cli, server: Server, namespace: str, tmp_path: Path
) -> None:
    with running(member := Member(uid())):
        outcome = cli("import", "--kubeconfig", config(tmp_path, prod=member.url), "--foundation", "No Name")
    assert outcome.code == Exit.REFUSED
    assert "spec.foundationRef.name" in outcome.err
    secrets = server.do(lambda client: client.list(SECRETS, namespace=namespace)).items
    assert [secret for secret in secrets if secret["type"] == SECRET_KUBECONFIG] == []


def test_what_may_not_work_where_groundplane_runs_is_said(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    with running(member := Member(uid())):
        file = Path(config(tmp_path, prod=member.url))
        file.write_text(file.read_text().replace("token: t", "tokenFile: token"))
        outcome = cli("import", "--kubeconfig", str(file))
    assert outcome.code == 0
    assert "may expire; import again with --renew then" in outcome.err


@pytest.mark.parametrize("flags", [["--context", "a"], ["--name", "a"]])
def test_flags_that_exclude_each_other_are_a_usage_error(cli: Cli, tmp_path: Path, flags: list[str]) -> None:
    file = config(tmp_path, a="http://127.0.0.1:1")
    assert cli("import", "--kubeconfig", file, "--all-contexts", *flags).code == Exit.USAGE


@given(st.text())
def test_a_name_made_of_any_context_is_a_label_and_always_the_same(context: str) -> None:
    label = label_of(context)
    assert dns_label("name", label) is None
    assert len(label) <= 52
    assert label_of(context) == label


def test_long_names_that_differ_at_their_end_differ() -> None:
    arn = "arn:aws:eks:eu-central-1:123456789012:cluster/the-production-cluster-of-shop-number-"
    assert label_of(f"{arn}1") != label_of(f"{arn}2")


def test_a_second_import_is_refused_and_names_the_first(
    cli: Cli, server: Server, namespace: str, tmp_path: Path
) -> None:
    with running(member := Member(uid())):
        file = config(tmp_path, prod=member.url)
        assert cli("import", "--kubeconfig", file).code == 0
        outcome = cli("import", "--kubeconfig", file, "--name", "other")
        assert outcome.code == Exit.REFUSED
        assert f"{namespace}/prod" in outcome.err
        outcome = run_cli(["--kubeconfig", str(server.kubeconfig), "import", "--kubeconfig", file])
        assert outcome.code == Exit.REFUSED
        assert f"{namespace}/prod" in outcome.err


def test_a_server_that_takes_credentials_in_clear_is_refused_before_it_is_asked(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("import", "--kubeconfig", config(tmp_path, clear="http://kube.invalid:8080"))
    assert outcome.code == Exit.REFUSED
    assert "which sends credentials in clear" in outcome.err
    assert "https address" in outcome.err
