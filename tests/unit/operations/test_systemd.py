"""What systemd says of several units at once, each by its own block, in the order of the question."""

from __future__ import annotations

from groundplane.operations import systemd
from groundplane.operations.systemd import Unit

from .here import Here

# systemd 252, `systemctl show docker.socket kubelet.service nothing.service --property=…`
SAID = """LoadState=loaded
ActiveState=active
UnitFileState=enabled
NeedDaemonReload=no

LoadState=loaded
ActiveState=inactive
UnitFileState=disabled
NeedDaemonReload=yes

LoadState=not-found
ActiveState=inactive
UnitFileState=
NeedDaemonReload=no
"""


async def test_each_unit_has_its_own_answer() -> None:
    found = await systemd.look_at(Here({"systemctl": lambda _: SAID}), ["docker.socket", "kubelet.service", "nothing"])
    assert found == [
        Unit("docker.socket", known=True, active=True, enabled=True, read=True),
        Unit("kubelet.service", known=True, active=False, enabled=False, read=False),
        Unit("nothing", known=False, active=False, enabled=False, read=True),
    ]


async def test_a_unit_that_nothing_was_said_of_is_not_known() -> None:
    found = await systemd.look_at(Here({"systemctl": lambda _: ""}), ["docker.socket", "kubelet.service"])
    assert [(unit.name, unit.known, unit.read) for unit in found] == [
        ("docker.socket", False, False),
        ("kubelet.service", False, False),
    ]
