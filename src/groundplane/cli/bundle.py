"""`groundplane bundle create|import|verify`: everything that a site without internet needs, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .session import Target, pass_target

if TYPE_CHECKING:
    from groundplane.api.distribution import Distribution
    from groundplane.artifacts.bundle import Manifest

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def bundle() -> None:
    """Make and read bundles for sites without internet."""


@bundle.command()
@click.argument("name", metavar="[DISTRIBUTION]", required=False, default="")
@click.option("-f", "--filename", "manifest", help="Read the Distribution from this manifest, not from the API.")
@click.option("--version", "versions", multiple=True, help="A release to put in; repeatable. The default is all.")
@click.option("--output", type=_FILE, required=True, help="The bundle to write.")
@pass_target
def create(target: Target, *, name: str, manifest: str | None, versions: tuple[str, ...], output: Path) -> None:
    """Fetch the files of a Distribution and write them as one bundle."""
    if bool(name) == bool(manifest):
        raise click.UsageError("name a DISTRIBUTION of the API, or a file with -f; one of the two")

    async def work() -> Manifest:
        import asyncio

        from groundplane.artifacts import Cache, Depot
        from groundplane.artifacts import bundle as bundles
        from groundplane.base.settings import read_settings

        distribution = _from_file(manifest) if manifest else await _from_api(target, name)
        depot = Depot(Cache(read_settings().cache))
        files = {}
        for artifact in bundles.wanted(distribution, versions):
            click.echo(f"fetching {artifact.name}", err=True)
            files[artifact.sha256] = await depot.fetch(artifact, distribution.spec.sources)
        return await asyncio.to_thread(bundles.create, distribution, versions, output, files=files)

    click.echo(f"wrote {output}: {_described(target.run(work()))}")


@bundle.command("import")
@click.argument("path", metavar="FILE", type=_FILE)
@click.option("--manifest", "out", type=_FILE, help="Write the bundle's Distribution here, to be applied.")
def import_(path: Path, out: Path | None) -> None:
    """Verify a bundle and put its files into the local cache."""
    import msgspec

    from groundplane.artifacts import Cache
    from groundplane.artifacts import bundle as bundles
    from groundplane.base.settings import read_settings

    from .show import document

    found = bundles.import_(path, Cache(read_settings().cache))
    click.echo(f"imported {path}: {_described(found)}")
    if out is not None:
        # Its fields at their defaults are left out, all but the two that say what it is.
        body = {"apiVersion": found.distribution.api_version, "kind": found.distribution.kind}
        out.write_text(document(body | msgspec.to_builtins(found.distribution), "yaml"), "utf-8")
        click.echo(f"wrote {out}; go on with: groundplane apply -f {out}")


@bundle.command()
@click.argument("path", metavar="FILE", type=_FILE)
def verify(path: Path) -> None:
    """Check every file of a bundle against its digest."""
    from groundplane.artifacts import bundle as bundles

    click.echo(f"{path} is whole: {_described(bundles.verify(path))}")


def _described(manifest: Manifest) -> str:
    releases = ", ".join(release.version for release in manifest.distribution.spec.releases)
    size = sum(entry.size for entry in manifest.entries) / (1 << 20)
    name = manifest.distribution.metadata.name
    return f"distribution {name}, releases {releases or 'none'}, {len(manifest.entries)} files, {size:.1f} MiB"


def _from_file(manifest: str) -> Distribution:
    import msgspec

    from groundplane.api.distribution import Distribution
    from groundplane.base.errors import Refused

    from .kinds import DISTRIBUTION
    from .manifests import load

    found = [document for document in load([manifest]) if document.resource == DISTRIBUTION]
    if len(found) != 1:
        raise Refused(f"cannot make a bundle of {manifest}: it holds {len(found)} Distributions, not one")
    try:
        return msgspec.convert(found[0].body, Distribution)
    except msgspec.ValidationError as exc:
        raise Refused(f"cannot make a bundle of {found[0].origin}: {exc}", remedy="correct the field") from exc


async def _from_api(target: Target, name: str) -> Distribution:
    import msgspec

    from groundplane.api.distribution import Distribution

    from .kinds import DISTRIBUTION

    async with target.connect() as api:
        return msgspec.convert(await api.client.get(DISTRIBUTION, api.namespace, name), Distribution)
