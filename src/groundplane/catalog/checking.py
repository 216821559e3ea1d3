"""Contradictions: rows that cannot all be true, within a table or between two. Pure, for shipped and for a site's rows.

A contradiction is one sentence that names the table and the row. Every check looks at the rows that it is given only,
so that a test can hold it against rows that are wrong on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from itertools import pairwise
from typing import TypeVar

from groundplane.base import versions
from groundplane.base.versions import KernelRule, UnknownVersion

from .kernel import KernelNeed
from .kubeadm import ConfigAPI, Images
from .lines import RuntimeLine, SecurityFix
from .network import NetworkBase, NetworkFeature
from .releases import KubernetesRelease, Minor, PlatformRelease, Policy, TkeRelease, minor_of
from .runtimes import ContainerdSupport, Dockershim, DockerSupport
from .skew import SkewRule
from .sources import SETTLED, Sourced
from .systems import System
from .tables import Tables

Row = TypeVar("Row", bound=Sourced)
_ORDER = ("released", "maintenance", "end_of_life", "ends")


def contradictions(tables: Tables) -> tuple[str, ...]:
    """Return every contradiction, in the order of the checks."""
    try:
        return tuple(fault for check in _CHECKS for fault in check(tables))
    except UnknownVersion as error:
        return (error.message,)


def _rows(tables: Tables, kind: type[Row]) -> list[Row]:
    return [row for rows in tables.values() for row in rows if isinstance(row, kind)]


def _named(table: str, row: Sourced) -> str:
    return f"{table} {' '.join(row.identity())}".rstrip()


def _duplicates(tables: Tables) -> Iterator[str]:
    for table, rows in tables.items():
        seen: set[tuple[str, ...]] = set()
        for row in rows:
            if row.identity() in seen:
                yield f"{_named(table, row)}: there twice"
            seen.add(row.identity())


def _days(tables: Tables) -> Iterator[str]:
    """Days exist, and what comes first is not later."""
    for table, rows in tables.items():
        for row in rows:
            days = [(name, str(getattr(row, name))) for name in _ORDER if getattr(row, name, "")]
            review = [("review", row.review)] if row.review not in ("", SETTLED) else []
            for name, day in [*days, ("date", row.date), *review]:
                if not _is_day(day):
                    yield f"{_named(table, row)}: {name} {day} is no day"
            for (before, first), (after, second) in pairwise(days):
                if first > second:
                    yield f"{_named(table, row)}: {after} {second} is before {before} {first}"


def _memory(tables: Tables) -> Iterator[str]:
    """What nobody has read is looked up again, and not taken for settled."""
    for table, rows in tables.items():
        for row in rows:
            if row.verified == "memory" and row.review in ("", SETTLED):
                yield f"{_named(table, row)}: written from memory, without a day of review"


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _kubernetes(tables: Tables) -> Iterator[str]:
    rows = sorted(_rows(tables, KubernetesRelease), key=lambda row: minor_of(row.minor))
    for row in rows:
        if versions.minor(row.newest_patch) != minor_of(row.minor):
            yield f"kubernetes {row.minor}: newest patch {row.newest_patch} is of another minor"
    for older, newer in pairwise(rows):
        (major, minor), following = minor_of(older.minor), minor_of(newer.minor)
        if following != (major, minor + 1):
            yield f"kubernetes {newer.minor}: follows {older.minor}, with minors between them missing"
        if newer.released <= older.released:
            yield f"kubernetes {newer.minor}: released {newer.released}, not after {older.minor}"


def _tke(tables: Tables) -> Iterator[str]:
    known = _known_minors(tables)
    builds = []
    for row in _rows(tables, TkeRelease):
        found = versions.parse(row.version)
        if found.vendor != "tke":
            yield f"tke {row.version}: no build of the TKE distribution"
            continue
        builds.append(row)
        if found.minor not in known:
            yield f"tke {row.version}: its minor is not in kubernetes"
        elif row.released < known[found.minor].released:
            yield f"tke {row.version}: released {row.released}, before its minor"
    for older, newer in pairwise(sorted(builds, key=lambda row: versions.parse(row.version))):
        same = versions.minor(older.version) == versions.minor(newer.version)
        if same and newer.released < older.released:
            yield f"tke {newer.version}: released {newer.released}, before {older.version}"


def _platforms(tables: Tables) -> Iterator[str]:
    known = _known_minors(tables)
    policies = {row.platform: row for row in _rows(tables, Policy)}
    for policy in policies.values():
        if policy.follows not in ("", "native"):
            yield f"policies {policy.platform}: follows {policy.follows}, which has no table of releases"
        if policy.minors not in ("all", "even"):
            yield f'policies {policy.platform}: minors "{policy.minors}" is neither all nor even'
    for row in _rows(tables, PlatformRelease):
        where = f"platforms {row.platform} {row.minor}"
        kept_by, minor = policies.get(row.platform), minor_of(row.minor)
        if kept_by is None:
            yield f"{where}: its platform has no policy"
        elif kept_by.follows or (kept_by.minors == "even" and minor[1] % 2):
            yield f"{where}: its platform's policy leaves no place for dates of its own"
        if minor not in known:
            yield f"{where}: its minor is not in kubernetes"
        elif row.ends <= known[minor].released:
            yield f"{where}: ends {row.ends}, before the minor was released"


def _docker(tables: Tables) -> Iterator[str]:
    shims = _rows(tables, Dockershim)
    for shim in shims:
        if minor_of(shim.removed) <= minor_of(shim.deprecated):
            yield f"dockershim: removed in {shim.removed}, not after it was deprecated in {shim.deprecated}"
    yield from _overlaps("docker", [(row.since, row.until, "") for row in _rows(tables, DockerSupport)])
    for row in _rows(tables, DockerSupport):
        if any(minor_of(row.until) >= minor_of(shim.removed) for shim in shims):
            yield f"docker {row.since}: until {row.until}, where dockershim is gone"


def _overlaps(table: str, spans: list[tuple[str, str, str]]) -> Iterator[str]:
    """Faults of spans (since, until, name): backwards, or two of one name that share a minor."""
    ordered = sorted(spans, key=lambda span: (span[2], minor_of(span[0])))
    for since, until, name in ordered:
        if until and minor_of(until) < minor_of(since):
            yield f"{table} {name or since}: ends in {until}, before it begins in {since}"
    for (since, until, name), (following, _, other) in pairwise(ordered):
        if name == other and (not until or minor_of(following) <= minor_of(until)):
            yield f"{table} {name or since}: the spans from {since} and from {following} overlap"


def _containerd(tables: Tables) -> Iterator[str]:
    known = _known_minors(tables)
    lines = {minor_of(row.line): row for row in _rows(tables, RuntimeLine) if row.name == "containerd"}
    for row in _rows(tables, ContainerdSupport):
        where, minor = f"containerd {row.kubernetes}", minor_of(row.kubernetes)
        floors = row.lowest
        if minor not in known:
            yield f"{where}: its minor is not in kubernetes"
        if versions.loose(row.below) <= floors[-1]:
            yield f"{where}: below {row.below} leaves nothing above {floors[-1]}"
        if "v1" not in row.cri and versions.loose(row.below) > versions.loose("2.0.0"):
            yield f"{where}: containerd 2 does not speak CRI {', '.join(row.cri)}"
        for floor in floors:
            if (floor.major, floor.minor) not in lines:
                yield f"{where}: line {floor.major}.{floor.minor} is not in runtime_lines"
        ends = [lines[line].end_of_life for floor in floors if (line := (floor.major, floor.minor)) in lines]
        if minor in known and ends and all(end and end < known[minor].released for end in ends):
            yield f"{where}: every line had ended when the minor was released"


def _kubeadm(tables: Tables) -> Iterator[str]:
    known = _known_minors(tables)
    for row in _rows(tables, Images):
        if minor_of(row.kubernetes) not in known:
            yield f"images {row.kubernetes}: its minor is not in kubernetes"
    since = [minor_of(row.since) for row in _rows(tables, ConfigAPI)]
    if since != sorted(set(since)):
        yield "kubeadm: versions of the configuration API are not in the order of their minors"


def _network(tables: Tables) -> Iterator[str]:
    bases = {(row.plugin, row.version): row for row in _rows(tables, NetworkBase)}
    for base in bases.values():
        KernelRule.parse(base.kernel)
    for row in _rows(tables, NetworkFeature):
        where = f"network_features {row.plugin} {row.version} {row.name}"
        found, rule = bases.get((row.plugin, row.version)), KernelRule.parse(row.kernel)
        if found is None:
            yield f"{where}: its table has no base"
            continue
        base_rule = KernelRule.parse(found.kernel)
        # Kernels that meet the base by a distribution's back-ports need a feature's own floor, lower than the base's.
        if row.kernel and not base_rule.rebuilds and rule.lowest < base_rule.lowest:
            yield f"{where}: kernel {row.kernel} is below the base {found.kernel}"


def _kernel(tables: Tables) -> Iterator[str]:
    rows = _rows(tables, KernelNeed)
    for row in rows:
        KernelRule.parse(row.kernel)
    yield from _overlaps("kernel_needs", [(row.since, row.until, row.name) for row in rows])
    for system in _rows(tables, System):
        versions.kernel_release(system.kernel)


def _skew(tables: Tables) -> Iterator[str]:
    rows = sorted(_rows(tables, SkewRule), key=lambda row: (row.component, row.against, minor_of(row.since)))
    for row in rows:
        if row.component == row.against and row.behind != row.ahead:
            yield f"skew {row.component}: beside itself, behind {row.behind} and ahead {row.ahead} must be equal"
    for older, newer in pairwise(rows):
        same = (older.component, older.against) == (newer.component, newer.against)
        if same and newer.behind < older.behind:
            yield f"skew {newer.component} {newer.against}: narrower from {newer.since} on than before"


def _fixes(tables: Tables) -> Iterator[str]:
    for row in _rows(tables, SecurityFix):
        found = [versions.loose(first) for first in row.fixed]
        lines = [(first.major, first.minor) for first in found]
        if not found or lines != sorted(set(lines)):
            yield f"security_fixes {row.name} {row.id}: needs one release of each line, lowest first"
        elif row.since and versions.loose(row.since) >= found[0]:
            yield f"security_fixes {row.name} {row.id}: since {row.since}, not before it was fixed in {row.fixed[0]}"


def _known_minors(tables: Tables) -> dict[Minor, KubernetesRelease]:
    return {minor_of(row.minor): row for row in _rows(tables, KubernetesRelease)}


_CHECKS: tuple[Callable[[Tables], Iterator[str]], ...] = (
    _duplicates,
    _days,
    _kubernetes,
    _tke,
    _platforms,
    _docker,
    _containerd,
    _kubeadm,
    _network,
    _kernel,
    _skew,
    _fixes,
    _memory,
)
