"""The copy of certificates that an earlier renewal left is never what this one puts back."""

from __future__ import annotations

from pathlib import Path

from groundplane.operations.places import STATE
from groundplane.operations.steps import renew_certificates

from .here import Here


async def test_what_an_earlier_renewal_left_is_moved_aside(tmp_path: Path) -> None:
    script = renew_certificates._ASIDE.replace(STATE, str(tmp_path))
    await Here().script(script)
    assert list(tmp_path.iterdir()) == []
    for content in ("first", "second"):
        (tmp_path / "renewal").mkdir()
        (tmp_path / "renewal/whole").write_text(content)
        await Here().script(script)
        assert [one.name for one in tmp_path.iterdir()] == ["renewal.earlier"]
        assert (tmp_path / "renewal.earlier/whole").read_text() == content
