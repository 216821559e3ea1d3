"""A Machine: surveyed on a schedule, its host key trusted once, its login tried gently."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import asyncssh
import msgspec
import pytest

from groundplane.api.machine import Machine
from groundplane.api.meta import ANNOTATION_SURVEY, ObjectMeta
from groundplane.base.clock import rfc3339, utc_now
from groundplane.client.typed import SECRETS
from groundplane.controllers import wiring
from groundplane.controllers.access import Access
from groundplane.controllers.machine.reconcile import RETRY_DENIED, RETRY_UNREACHABLE, MachineReconciler
from groundplane.controllers.objects import Objects
from groundplane.controllers.schedule import Schedule
from groundplane.engine.events import EventRecorder
from groundplane.engine.queue import ObjectKey
from groundplane.hosts.errors import HostKeyMismatch

from .site import Host
from .world import NAMESPACE, PASSWORD, World, secret, world

SHOP = ObjectKey(NAMESPACE, "shop")
SURVEY_EVERY = Schedule().every


async def alone(site: World) -> Host:
    """One machine with its Secret."""
    await site.add(secret())
    return await site.add_machine("shop-1", 1)


async def password(site: World, word: bytes) -> None:
    data = {"password": base64.b64encode(word).decode()}
    await site.client.patch(SECRETS, "default", "key", {"data": data})


async def test_the_first_host_key_is_pinned_in_the_status_and_told_once(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await alone(site)
        for _ in range(3):
            await site.look(Machine, "shop-1")
            site.clock.advance(SURVEY_EVERY.total_seconds() + 1)
        machine = await site.get(Machine, "shop-1")
        place = f"[198.18.9.11]:22 through [localhost]:{site.site.port}"
        assert machine.status.host_key.startswith(f"{place} ssh-ed25519 ")
        assert machine.status.facts is not None
        assert machine.status.facts.network.hostname == "shop-1"
        told = await site.told("HostKeyPinned")
        assert [event["count"] for event in told] == [1]


async def test_another_host_key_is_refused_and_what_was_seen_last_stays(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        host = await alone(site)
        await site.look(Machine, "shop-1")
        before = (await site.get(Machine, "shop-1")).status
        await site.site.reinstall(host)
        site.clock.advance(SURVEY_EVERY.total_seconds() + 1)
        again = await site.look(Machine, "shop-1")
        if again.seconds == RETRY_UNREACHABLE.total_seconds():
            # The first look met the end of the old connection.
            again = await site.look(Machine, "shop-1")
        after = (await site.get(Machine, "shop-1")).status
        reachable = await site.condition(Machine, "shop-1", "Reachable")
        assert (reachable.status, reachable.reason) == ("False", "HostKeyMismatch")
        assert "spec.ssh.hostKey" in reachable.message
        assert (after.facts, after.host_key) == (before.facts, before.host_key)
        assert again.seconds == RETRY_DENIED.total_seconds()
        assert host.asked == []


@contextlib.asynccontextmanager
async def restarted(site: World) -> AsyncIterator[Access]:
    """The doors as a new process has them."""
    access = Access(site.objects, now=site.clock)
    try:
        yield access
    finally:
        await access.close()


def pinned_to(machine: Machine, line: str) -> Machine:
    return msgspec.structs.replace(machine, status=msgspec.structs.replace(machine.status, jump_host_key=line))


async def test_the_first_key_of_a_jump_host_is_pinned_and_another_is_refused_after_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add(secret())
        host = await site.site.add("shop-1", "198.18.9.11")
        unpinned = site.machine(host, "shop", "ControlPlane")
        del unpinned["spec"]["ssh"]["jump"]["hostKey"]
        await site.add(unpinned)
        await site.look(Machine, "shop-1")
        pinned = (await site.get(Machine, "shop-1")).status.jump_host_key
        assert pinned == f"[localhost]:{site.site.port} {site.site.host_key}"
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
        seen = await site.get(Machine, "shop-1")
        async with restarted(site) as access:
            with pytest.raises(HostKeyMismatch, match=r"jump host of shop-1.*set spec\.ssh\.jump\.hostKey"):
                await access.look(pinned_to(seen, f"[localhost]:{site.site.port} {other}"))
        async with restarted(site) as access:
            elsewhere = await access.look(pinned_to(seen, f"[elsewhere]:22 {other}"))
            assert elsewhere.network.hostname == "shop-1"


async def test_a_key_that_was_trusted_at_another_address_is_forgotten(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        host = await alone(site)
        wrong = await site.site.add("shop-9", "198.18.9.99")
        await site.patch(Machine, "shop-1", spec={"address": wrong.address})
        await site.look(Machine, "shop-1")
        assert (await site.get(Machine, "shop-1")).status.host_key.startswith("[198.18.9.99]:22 through ")
        await site.patch(Machine, "shop-1", spec={"address": host.address})
        moved = await site.get(Machine, "shop-1")
        async with restarted(site) as access:
            assert (await access.look(moved)).network.hostname == "shop-1", "what was pinned elsewhere says nothing"
        await site.look(Machine, "shop-1")
        machine = await site.get(Machine, "shop-1")
        assert machine.status.facts is not None
        assert machine.status.facts.network.hostname == "shop-1"
        assert machine.status.host_key.startswith("[198.18.9.11]:22 through ")
        assert len(await site.told("HostKeyPinned")) == 2


async def test_a_key_of_the_spec_holds_at_every_address(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        host = await alone(site)
        await site.look(Machine, "shop-1")
        trusted = " ".join((await site.get(Machine, "shop-1")).status.host_key.split()[-2:])
        wrong = await site.site.add("shop-9", "198.18.9.99")
        await site.patch(Machine, "shop-1", spec={"address": wrong.address, "ssh": {"hostKey": trusted}})
        await site.look(Machine, "shop-1")
        assert (await site.condition(Machine, "shop-1", "Reachable")).reason == "HostKeyMismatch"
        await site.patch(Machine, "shop-1", spec={"address": host.address})
        await site.look(Machine, "shop-1")
        assert (await site.condition(Machine, "shop-1", "Reachable")).status == "True"


async def test_a_key_that_an_earlier_version_pinned_holds_and_gets_its_place(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await alone(site)
        await site.look(Machine, "shop-1")
        machine = await site.get(Machine, "shop-1")
        pinned = machine.status.host_key
        plain = msgspec.structs.replace(machine.status, host_key=" ".join(pinned.split()[-2:]))
        await site.objects.write_status(machine, plain)
        old = await site.get(Machine, "shop-1")
        async with restarted(site) as access:
            assert access.trusted_host_key(old) == pinned
            other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
            with pytest.raises(HostKeyMismatch):
                await access.look(msgspec.structs.replace(old, status=msgspec.structs.replace(plain, host_key=other)))
        site.clock.advance(SURVEY_EVERY.total_seconds() + 1)
        await site.look(Machine, "shop-1")
        assert (await site.get(Machine, "shop-1")).status.host_key == pinned


async def test_a_machine_that_is_made_again_after_a_reinstallation_is_trusted_anew(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        host = await alone(site)
        await site.look(Machine, "shop-1")
        old = (await site.get(Machine, "shop-1")).status.host_key
        await site.delete(Machine, "shop-1")
        await site.site.reinstall(host)
        await site.add(site.machine(host, "shop", "ControlPlane"))
        await site.look(Machine, "shop-1")
        machine = await site.get(Machine, "shop-1")
        assert machine.status.host_key
        assert machine.status.host_key != old


async def test_a_login_that_is_denied_is_tried_rarely_and_at_once_when_its_secret_is_mended(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        host = await alone(site)
        await password(site, b"wrong")
        again = await site.look(Machine, "shop-1")
        assert again.seconds == RETRY_DENIED.total_seconds() >= timedelta(minutes=5).total_seconds()
        reachable = await site.condition(Machine, "shop-1", "Reachable")
        assert (reachable.status, reachable.reason) == ("False", "HostDenied")
        assert "wrong" not in reachable.message
        await password(site, PASSWORD.encode())
        document = await site.client.get(SECRETS, "default", "key")
        machines = (await site.client.list(_machines())).items
        assert [key.name for key in wiring.machines_of_secret(document, machines)] == ["shop-1"]
        await site.look(Machine, "shop-1")
        assert (await site.condition(Machine, "shop-1", "Reachable")).status == "True"
        assert host.surveys == 1


def _machines() -> object:
    from groundplane.client.typed import RESOURCES

    return RESOURCES[Machine]


async def test_a_password_that_is_no_text_is_said_and_not_a_defect(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await alone(site)
        await password(site, b"\xff\xfe")
        await site.look(Machine, "shop-1")
        reachable = await site.condition(Machine, "shop-1", "Reachable")
        assert reachable.reason == "NoCredentials"
        assert "UTF-8" in reachable.message


async def test_a_machine_without_its_secret_says_which_one_is_missing(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add_machine("shop-1", 1, key="absent")
        again = await site.look(Machine, "shop-1")
        reachable = await site.condition(Machine, "shop-1", "Reachable")
        assert reachable.reason == "NoCredentials"
        assert "absent" in reachable.message
        assert again.seconds == RETRY_DENIED.total_seconds()


async def test_a_good_survey_is_not_repeated_before_its_time(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        host = await alone(site)
        await site.look(Machine, "shop-1")
        site.clock.advance(60)
        again = await site.look(Machine, "shop-1")
        assert host.surveys == 1
        assert again.seconds is not None
        assert 0 < again.seconds <= SURVEY_EVERY.total_seconds()
        site.clock.advance(SURVEY_EVERY.total_seconds())
        await site.look(Machine, "shop-1")
        assert host.surveys == 2


async def test_what_an_operation_did_is_seen_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        await site.look(Machine, "shop-1")
        first = (await site.get(Machine, "shop-1")).status.facts
        assert first is not None
        site.clock.advance(60)
        await site.look(Machine, "shop-1")
        assert (await site.get(Machine, "shop-1")).status.facts == first
        ended = {
            "metadata": {"namespace": NAMESPACE, "name": "shop-create-1"},
            "spec": {
                "clusterRef": {"name": "shop"},
                "plan": {"steps": [{"machine": "shop-1"}, {"among": ["shop-3"]}, {}]},
            },
            "status": {"finishedAt": rfc3339(site.clock())},
        }
        assert site.schedule.changes.take(ended) == SHOP
        assert site.schedule.changes.take(ended) is None
        # Machines that it was not about are left in peace.
        outdated = [n for n in (1, 2, 3) if site.schedule.changes.outdates(SHOP, f"shop-{n}", first.observed_at)]
        assert outdated == [1, 3]
        site.clock.advance(1)
        await site.look(Machine, "shop-1")
        second = (await site.get(Machine, "shop-1")).status.facts
        assert second is not None
        assert second.observed_at > first.observed_at
        assert await site.writes(Machine, "shop-1") == 0


async def test_what_a_survey_finds_changed_is_kept_as_history(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        host = await alone(site)
        await site.look(Machine, "shop-1")
        assert (await site.get(Machine, "shop-1")).status.history == []
        host.identity = "installed-anew"
        site.clock.advance(SURVEY_EVERY.total_seconds() + 1)
        await site.look(Machine, "shop-1")
        status = (await site.get(Machine, "shop-1")).status
        assert [(one.what, one.before, one.after) for one in status.history] == [
            ("machine id", "shop-1", "installed-anew")
        ]
        assert status.facts is not None
        assert (status.history[0].time, status.history[0].source) == (status.facts.observed_at, "ssh 198.18.9.11")


async def test_a_new_value_of_the_annotation_asks_for_one_survey(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        host = await alone(site)
        await site.look(Machine, "shop-1")
        for value, surveys in (("one", 2), ("one", 2), ("two", 3)):
            await site.annotate(Machine, "shop-1", ANNOTATION_SURVEY, value)
            await site.look(Machine, "shop-1")
            assert await site.writes(Machine, "shop-1") == 0
            assert host.surveys == surveys
            assert (await site.get(Machine, "shop-1")).status.survey_answered == value


async def test_a_request_is_answered_also_when_the_machine_cannot_be_reached(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        host = await alone(site)
        await site.look(Machine, "shop-1")
        site.site.switch_off(host)
        await site.annotate(Machine, "shop-1", ANNOTATION_SURVEY, "now")
        await site.look(Machine, "shop-1")
        assert (await site.get(Machine, "shop-1")).status.survey_answered == "now"
        assert (await site.condition(Machine, "shop-1", "Reachable")).status == "False"
        site.site.switch_on(host)
        await site.look(Machine, "shop-1")
        assert (await site.condition(Machine, "shop-1", "Reachable")).status == "True"


async def test_a_machine_that_is_lost_says_how_old_its_last_facts_are(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        host = await alone(site)
        await site.look(Machine, "shop-1")
        site.site.switch_off(host)
        for hours, age in ((1, "1 h ago"), (3, "4 h ago"), (60, "2 days ago")):
            site.clock.advance(hours * 3600)
            # The first look may meet the end of the old connection.
            for _ in range(2):
                await site.look(Machine, "shop-1")
            assert (await site.condition(Machine, "shop-1", "Reachable")).message.endswith(f"; last facts: {age}")
            site.clock.advance(60)
            assert await site.writes(Machine, "shop-1") == 0


async def test_a_machine_that_was_never_reached_has_no_facts_yet(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        site.site.switch_off(await alone(site))
        await site.look(Machine, "shop-1")
        assert (await site.condition(Machine, "shop-1", "Reachable")).message.endswith("; no facts yet")


def test_machines_that_were_made_at_one_moment_drift_apart() -> None:
    reconciler = MachineReconciler(
        cast(Objects, None), cast(Access, None), cast(EventRecorder, None), schedule=Schedule(), now=utc_now
    )
    machines = [Machine(metadata=ObjectMeta(name=f"m-{n}", uid=f"uid-{n}")) for n in range(1000)]
    intervals = sorted(reconciler.interval(machine).total_seconds() for machine in machines)
    assert 480 <= intervals[0] < 485
    assert 595 < intervals[-1] <= 600
    assert intervals == sorted(reconciler.interval(machine).total_seconds() for machine in machines)
