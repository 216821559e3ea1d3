"""`groundplane import` against clusters that follow a script: what it asks, what it writes, and what it says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from groundplane.cli.exits import Exit
from groundplane.cli.kinds import CLUSTER
from groundplane.client.typed import SECRETS
from support.member import Member

from .conftest import Cli, Server, run_cli


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
    import uuid

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
