"""Sealed values: nothing in the clear on disk, and a clear error when the key is not the right one."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from groundplane.store.contract import Key
from groundplane.store.sealing import CannotUnseal, KeyFileRefused, Sealer
from groundplane.store.sqlite import open_sqlite

SECRET = b"correct-horse-battery-staple"
ONE = Key("secrets", "default", "one")
TWO = Key("secrets", "default", "two")


def test_what_is_sealed_opens_under_the_same_key_and_name_only(tmp_path):
    sealer = Sealer(tmp_path / "seal.key")
    envelope = sealer.seal(ONE, SECRET)
    assert SECRET not in envelope
    assert Sealer(tmp_path / "seal.key").unseal(ONE, envelope) == SECRET
    with pytest.raises(CannotUnseal, match="secrets/default/two"):
        sealer.unseal(TWO, envelope)


def test_a_changed_byte_anywhere_is_noticed(tmp_path):
    sealer = Sealer(tmp_path / "seal.key")
    envelope = sealer.seal(ONE, SECRET)
    for place in range(len(envelope)):
        damaged = bytearray(envelope)
        damaged[place] ^= 1
        with pytest.raises(CannotUnseal):
            sealer.unseal(ONE, bytes(damaged))


def test_the_same_value_is_never_sealed_to_the_same_bytes(tmp_path):
    sealer = Sealer(tmp_path / "seal.key")
    assert len({sealer.seal(ONE, SECRET) for _ in range(50)}) == 50


def test_the_key_file_is_made_for_its_owner_only_and_refused_when_others_can_read_it(tmp_path):
    keyfile = tmp_path / "seal.key"
    Sealer(keyfile)
    assert keyfile.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [keyfile]
    keyfile.chmod(0o640)
    with pytest.raises(KeyFileRefused, match=r"seal\.key.*0640"):
        Sealer(keyfile)


@pytest.mark.parametrize("content", [b"", b"not base64!", base64.b64encode(b"short"), b"\xff\xfe"])
def test_a_file_that_holds_no_key_is_refused_and_left_as_it_is(tmp_path, content):
    keyfile = tmp_path / "seal.key"
    keyfile.write_bytes(content)
    keyfile.chmod(0o600)
    with pytest.raises(KeyFileRefused, match=r"seal\.key"):
        Sealer(keyfile)
    assert keyfile.read_bytes() == content


def test_a_key_put_in_front_seals_and_the_old_one_still_unseals(tmp_path):
    old = tmp_path / "old.key"
    envelope = Sealer(old).seal(ONE, SECRET)
    both = tmp_path / "both.key"
    Sealer(both)
    new_line = both.read_bytes()
    both.write_bytes(new_line + old.read_bytes())
    rotated = Sealer(both)
    assert rotated.unseal(ONE, envelope) == SECRET
    both.write_bytes(new_line)
    assert Sealer(both).unseal(ONE, rotated.seal(ONE, SECRET)) == SECRET


def _files_with(folder: Path, text: bytes) -> list[str]:
    return [file.name for file in folder.rglob("*") if file.is_file() and text in file.read_bytes()]


async def test_a_secret_is_in_no_file_of_the_data_directory_at_any_time(tmp_path):
    store = await open_sqlite(tmp_path / "state.db", sealed={"secrets": Sealer(tmp_path / "seal.key")})
    try:
        entry = await store.create(ONE, lambda r: b'{"data": "%s"}' % SECRET)
        await store.create(Key("configmaps", "default", "one"), lambda r: b"plain-words")
        assert _files_with(tmp_path, SECRET) == []
        assert "state.db-wal" in _files_with(tmp_path, b"plain-words")
        entry = await store.update(ONE, lambda r: b'{"more": "%s"}' % SECRET, expected=entry.revision)
        assert SECRET in (await store.get(ONE)).value
        await store.delete(ONE, expected=entry.revision)
        assert _files_with(tmp_path, SECRET) == []
        await store.compact(await store.revision())
    finally:
        await store.close()
    assert _files_with(tmp_path, SECRET) == []
    assert _files_with(tmp_path, b"plain-words") == ["state.db"]


async def test_sealed_values_come_back_after_a_restart_and_not_with_another_key(tmp_path):
    path, keyfile = tmp_path / "state.db", tmp_path / "seal.key"
    store = await open_sqlite(path, sealed={"secrets": Sealer(keyfile)})
    entry = await store.create(ONE, lambda r: SECRET)
    await store.close()

    again = await open_sqlite(path, sealed={"secrets": Sealer(keyfile)})
    assert await again.get(ONE) == entry
    await again.close()

    with pytest.raises(CannotUnseal, match=r"secrets/default/one.*other\.key") as caught:
        await open_sqlite(path, sealed={"secrets": Sealer(tmp_path / "other.key")})
    assert "put the key file" in caught.value.remedy
    with pytest.raises(CannotUnseal, match="no key file was given"):
        await open_sqlite(path)
    again = await open_sqlite(path, sealed={"secrets": Sealer(keyfile)})
    assert await again.get(ONE) == entry
    await again.close()
