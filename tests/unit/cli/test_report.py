"""The HTML report: one file, nothing from elsewhere, nothing of a cluster's is markup, readable without colour."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from groundplane.api.assessment import StackShare
from groundplane.cli.fleet.rows import Row, row, total
from groundplane.cli.fleet.wire import Fleet, FleetCluster, FleetFoundation
from groundplane.cli.report import pictures, svg
from groundplane.cli.report.markup import escaped, tag
from groundplane.cli.report.page import page
from groundplane.cli.report.style import style
from groundplane.client.typed import from_struct
from support import fleets

from .conftest import Cli, Server

HOSTILE = "<script>alert(1)</script>\"'&\u202egnp.exe\x07"
_VOID = ("meta", "br", "html!")


class _Reader(HTMLParser):
    """Collects the elements, and holds that each one is closed by its own end."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def _read(text: str) -> _Reader:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def _rows(*clusters: Any) -> list[Row]:
    return [row(msgspec.convert(from_struct(each), FleetCluster), fleets.NOW) for each in clusters]


def _page(*clusters: Any, foundations: tuple[Any, ...] = ()) -> str:
    read = Fleet([], [msgspec.convert(from_struct(each), FleetFoundation) for each in foundations])
    return page(read, _rows(*clusters), fleets.NOW, scope="Clusters of namespace default")


def _small() -> str:
    return _page(
        fleets.cluster("shop"),
        fleets.cluster("legacy", number=2, size=6, worse=2),
        fleets.excepted("lab"),
        fleets.unreachable("warehouse"),
        fleets.never_seen("new"),
        foundations=(fleets.foundation(),),
    )


def test_the_command_writes_one_file_with_all_its_parts(
    cli: Cli, server: Server, namespace: str, tmp_path: Path
) -> None:
    world = (fleets.foundation(namespace=namespace), fleets.cluster("shop", namespace=namespace, worse=2))
    server.do(lambda client: fleets.put(client, *world))
    outcome = cli("fleet", "--filter", "drift", "--output", str(tmp_path / "report.html"))
    assert outcome.code == 0, outcome.err
    told = _read((tmp_path / "report.html").read_text()).text
    assert f"Clusters of namespace {namespace} that meet drift; as of 20" in told
    assert "Foundation production: 84 of 100 nodes uniform" in told


def test_it_says_what_needs_a_person_what_it_costs_and_what_was_declared() -> None:
    told = _read(_small()).text
    assert "legacy: 1 high finding (EndOfLife); drift in Kernel, Version" in told
    assert "groundplane -n default explain cluster/legacy" in told
    assert "BandwidthManager stays off; one more kernel to patch" in told
    assert "new hardware comes in March" in told
    assert "2027-03-31" in told
    assert "no answer from https://10.0.0.9:6443 within 10 s" in told
    assert "NotSurveyed" in told
    assert "as of 2026-11-28 03:00 UTC, by Groundplane " in told


def test_nothing_is_loaded_from_elsewhere_and_the_policy_forbids_it() -> None:
    reader = _read(_small())
    for name, attributes in reader.tags:
        assert name not in ("script", "link", "img", "iframe", "object", "embed", "form", "base"), name
        assert not any(key == "style" or key.startswith("on") or key in ("src", "srcset") for key in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"url\(|@import", style())
    policy = next(a["content"] or "" for n, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_nothing_that_a_cluster_says_becomes_markup() -> None:
    evil = fleets.cluster(HOSTILE, number=2, size=3, worse=1)
    assert evil.status.assessment is not None
    finding = msgspec.structs.replace(evil.status.assessment.findings[0], message=HOSTILE, subject=HOSTILE)
    feature = msgspec.structs.replace(evil.status.assessment.features[0], feature=HOSTILE, needs=HOSTILE)
    drift = [
        msgspec.structs.replace(each, found=HOSTILE, wanted=HOSTILE, cost=HOSTILE, subject=HOSTILE, state=state)
        for each, state in zip(evil.status.assessment.drift, ("Drift", "Exception"), strict=True)
    ]
    held = msgspec.structs.replace(
        evil.status.assessment, findings=[finding], features=[feature], drift=drift,
        stacks=[StackShare(operating_system=HOSTILE, nodes=3)],
    )  # fmt: skip
    gone = fleets.condition("Reachable", "False", "Unreachable", HOSTILE)
    status = msgspec.structs.replace(evil.status, assessment=held, version=HOSTILE, conditions=[gone])
    text = _page(msgspec.structs.replace(evil, status=status))
    assert "<script" not in text
    assert not set("\u202e\x07") & set(text)
    reader = _read(text)
    assert {name for name, _ in reader.tags} & {"script", "gnp.exe"} == set()
    assert reader.text.count("<script>alert(1)</script>") >= 12


def test_pictures_and_tables_can_be_read_by_those_who_do_not_see_them() -> None:
    text = _small()
    reader = _read(text)
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    images = [attributes for name, attributes in reader.tags if name == "svg"]
    assert len(images) == 4
    for each in images:
        assert each["role"] == "img"
        assert set((each["aria-labelledby"] or "").split()) <= set(ids)
    assert all(attributes.get("scope") in ("col", "row") for name, attributes in reader.tags if name == "th")
    tables = [name for name, _ in reader.tags if name in ("table", "caption", "thead")]
    assert tables.count("table") == tables.count("caption") == tables.count("thead") > 4
    assert next(n for n, _ in reader.tags if n in ("h1", "h2")) == "h1"
    assert ("html", {"lang": "en"}) in reader.tags


def test_many_clusters_are_shown_in_groups_and_the_file_stays_small() -> None:
    many = [fleets.cluster(f"c{n:04}", number=n % 4, size=10, worse=n % 3) for n in range(1000)]
    text = _page(*many, foundations=(fleets.foundation(),))
    told = _read(text).text
    assert "Groups of clusters by dimension" in told
    assert "native 1.18" in told
    assert "250 cl., 2,500 nodes" in told
    assert "the first 120 are shown, groundplane fleet -o csv has all" in told
    assert len(text) < 400_000


def test_more_groups_than_can_be_read_are_summed_up() -> None:
    many = [fleets.cluster(f"c{n}", size=1) for n in range(60)]
    many = [msgspec.structs.replace(c, status=msgspec.structs.replace(c.status, version=f"v1.{n}.0"))
            for n, c in enumerate(many)]  # fmt: skip
    told = _read(str(pictures.heat(_rows(*many)))).text
    assert "16 others" in told
    odd = [msgspec.structs.replace(c, status=msgspec.structs.replace(c.status, version="main")) for c in many]
    assert "tke main" in _read(str(pictures.heat(_rows(*odd)))).text


def test_names_that_are_in_two_namespaces_are_told_apart() -> None:
    told = _read(_page(fleets.cluster("shop", worse=1), fleets.cluster("shop", namespace="other", worse=2))).text
    assert "other/shop" in told
    assert "groundplane -n other explain cluster/shop" in told


def test_where_there_is_nothing_to_show_it_says_so() -> None:
    told = _read(_page()).text
    assert "Nothing here needs a person." in told
    assert "There is no history yet" in told
    assert "Nothing was assessed yet." in told
    assert "There are no findings." in told
    assert "No Foundation wants a network feature." in told


def test_stacks_beyond_the_largest_are_counted() -> None:
    many = fleets.cluster("c", size=30)
    assert many.status.assessment is not None
    stacks = [StackShare(operating_system=f"os {n}", nodes=2) for n in range(15)]
    held = msgspec.structs.replace(many.status.assessment, stacks=stacks)
    rows = _rows(msgspec.structs.replace(many, status=msgspec.structs.replace(many.status, assessment=held)))
    told = _read(str(pictures.stacks(total(rows)))).text
    assert "Shown are the 12 largest; 3 others hold 6 nodes." in told


def test_a_history_of_one_point_or_of_no_times_is_no_curve() -> None:
    one = msgspec.convert(from_struct(fleets.foundation(points=1)), FleetFoundation)
    assert "no history yet" in pictures.uniformity([one])
    base = fleets.foundation(points=4)
    torn = [msgspec.structs.replace(each, time="yesterday") for each in base.status.history]
    broken = msgspec.structs.replace(base, status=msgspec.structs.replace(base.status, history=torn))
    assert "no history yet" in pictures.uniformity([msgspec.convert(from_struct(broken), FleetFoundation)])


def test_points_of_one_moment_do_not_divide_by_nothing() -> None:
    picture = svg.curve("t", "x", [(5.0, 40.0), (5.0, 50.0)], ["2026-11-27", "2026-11-28"])
    assert "From 40.0% on 2026-11-27 to 50.0% on 2026-11-28" in picture


def test_markup_is_escaped_once() -> None:
    assert tag("p", "a<b", tag("br"), class_="x", aria_label='"') == '<p class="x" aria-label="&quot;">a&lt;b<br></p>'
    assert escaped(escaped("&")) == "&amp;"


def _colours(block: str) -> dict[str, tuple[float, float, float]]:
    found = re.findall(r"--([\w-]+): #([0-9a-f]{3,6});", block)
    wide = {name: code if len(code) == 6 else "".join(c * 2 for c in code) for name, code in found}
    return {name: tuple(int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)) for name, code in wide.items()}  # type: ignore[misc]


def _light(colour: tuple[float, float, float]) -> float:
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


_PAIRS = [("text", "ground"), ("soft", "ground"), ("text", "panel"), ("soft", "panel"), ("accent", "ground")] + [
    (f"{name}-t", name) for name in ("ok", "drift", "deep", "exc", "unk", "none")
]


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
@pytest.mark.parametrize(("text", "ground"), _PAIRS)
def test_every_pair_of_text_and_ground_has_enough_contrast(theme: str, text: str, ground: str) -> None:
    blocks = [_colours(block) for block in re.findall(r":root \{(.*?)\}", style(), re.DOTALL)]
    light, dark, paper = blocks
    colours = {"light": light, "dark": light | dark, "print": light | paper}[theme]
    high, low = sorted((_light(colours[text]), _light(colours[ground])), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_headings_are_in_order_and_on_paper_heads_of_tables_come_again() -> None:
    levels = [int(name[1]) for name, _ in _read(_small()).tags if re.fullmatch("h[1-6]", name)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    paper = style().partition("@media print")[2]
    assert "thead { display: table-header-group; }" in paper
    assert "size: A4" in style()
