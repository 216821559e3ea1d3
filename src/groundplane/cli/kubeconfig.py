"""`groundplane kubeconfig`: of the Groundplane API, or of a cluster, through Groundplane or past it."""

from __future__ import annotations

import base64
from pathlib import Path

import click

from .session import Api, Target, pass_target


@click.command()
@click.argument("name", metavar="[CLUSTER]", required=False, default="")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file (mode 0600).")
@click.option("--direct", is_flag=True, help="The cluster's own administrator, past Groundplane: for emergencies.")
@pass_target
def kubeconfig(target: Target, *, name: str, output: Path | None, direct: bool) -> None:
    """Print the kubeconfig of the API or of a cluster.

    Without an argument: that of the Groundplane API. With CLUSTER or cluster/CLUSTER: one that leads to the cluster
    through Groundplane, with your own credentials here.
    """
    from .values import reference

    if direct and not name:
        raise click.UsageError("--direct needs a CLUSTER")
    wanted = reference(name, "cluster") if name else ""

    async def work() -> bytes:
        async with target.connect() as api:
            return await _of_cluster(api, target, wanted, direct=direct)

    _put(target.run(work()) if wanted else _of_api(target), output)


def _of_api(target: Target) -> bytes:
    from groundplane.kube.kubeconfig import render_kubeconfig

    access = target.access()
    return render_kubeconfig(access, name=access.context or "groundplane")


async def _of_cluster(api: Api, target: Target, name: str, *, direct: bool) -> bytes:
    from groundplane.client.errors import NotFound

    from .kinds import CLUSTER

    cluster = await api.client.get(CLUSTER, api.namespace, name)
    reference = cluster.get("status", {}).get("kubeconfigRef")
    if not reference:
        imported = cluster["spec"].get("provider") == "Imported"
        wait = "it has not been reached" if imported else "wait until its control plane is up"
        raise NotFound(
            f"cannot print the kubeconfig of cluster {name}: it has none yet",
            remedy=f"{wait}: groundplane {f'explain cluster/{name}' if imported else f'plan {name}'}",
        )
    if direct:
        return await _own(api, name, reference["name"])
    return _through(target, api.namespace, name)


def _through(target: Target, namespace: str, name: str) -> bytes:
    from dataclasses import replace

    from groundplane.kube.kubeconfig import flatten

    access = target.access()
    server = f"{access.server}/clusters/{namespace}/{name}/proxy"
    # The namespace of ours that one works in is none of the cluster's.
    return flatten(replace(access, server=server, namespace="default"), name=name)


async def _own(api: Api, name: str, secret_name: str) -> bytes:
    from groundplane.client.errors import NotFound
    from groundplane.client.typed import SECRETS

    secret = await api.client.get(SECRETS, api.namespace, secret_name)
    data = secret.get("data", {}).get("kubeconfig")
    if not data:
        raise NotFound(f"cannot print the kubeconfig of cluster {name}: secret {secret_name} has no kubeconfig")
    return base64.b64decode(data)


def _put(data: bytes, output: Path | None) -> None:
    from groundplane.base.errors import Refused
    from groundplane.kube.kubeconfig import write_kubeconfig

    if output is None:
        click.echo(data.decode(), nl=False)
        return
    try:
        write_kubeconfig(output, data)
    except OSError as exc:
        raise Refused(f"cannot write {output}: {exc.strerror}", remedy="choose a directory that you may write") from exc
    click.echo(f"wrote {output}", err=True)
