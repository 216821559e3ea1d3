"""The default roles over restarts: completed, never reset, left alone on request; and what they gathered is shown."""

from __future__ import annotations

from typing import Any

from groundplane.server.access.bootstrap import AUTOUPDATE, create_roles, defaults
from groundplane.server.access.keeper import Keeper

from .access import RBAC, rule
from .conftest import Running, Start

VIEW = f"{RBAC}/clusterroles/system:aggregate-to-view"
PUBLIC = f"{RBAC}/clusterrolebindings/system:public-info-viewer"


async def _change(running: Running, path: str, **fields: Any) -> None:
    obj = (await running.http.get(path)).json()
    assert (await running.http.put(path, json={**obj, **fields})).status_code == 200


async def test_a_start_that_finds_everything_writes_nothing(start: Start) -> None:
    async with start() as running:
        await Keeper(running.service).write_rules()
        before = await running.service.store.revision()
        await create_roles(running.service)
        await Keeper(running.service).write_rules()
        assert await running.service.store.revision() == before


async def test_a_start_adds_what_is_missing_and_keeps_what_was_added(start: Start) -> None:
    async with start() as running:
        more = rule("list", "things", "example.com")
        await _change(running, VIEW, rules=[more])
        await _change(running, PUBLIC, subjects=[])
        await running.http.delete(f"{RBAC}/clusterroles/edit")
        await create_roles(running.service)
        wanted = next(role for role in defaults() if role["metadata"]["name"] == "system:aggregate-to-view")
        found = (await running.http.get(VIEW)).json()
        assert found["rules"][0] == more
        verbs = {verb for rule in found["rules"][1:] for verb in rule["verbs"]}
        assert verbs == {verb for rule in wanted["rules"] for verb in rule["verbs"]}
        assert len((await running.http.get(PUBLIC)).json()["subjects"]) == 2
        assert (await running.http.get(f"{RBAC}/clusterroles/edit")).status_code == 200


async def test_what_is_not_to_be_updated_is_left_alone(start: Start) -> None:
    async with start() as running:
        metadata = (await running.http.get(PUBLIC)).json()["metadata"]
        metadata["annotations"] = {AUTOUPDATE: "false"}
        await _change(running, PUBLIC, subjects=[], metadata=metadata)
        await create_roles(running.service)
        assert "subjects" not in (await running.http.get(PUBLIC)).json()
        async with running.anonymous() as http:
            assert (await http.get("/livez")).status_code == 401


async def test_an_aggregated_role_shows_the_rules_of_all_that_it_reaches(start: Start) -> None:
    async with start() as running:
        await Keeper(running.service).write_rules()
        rules = (await running.http.get(f"{RBAC}/clusterroles/admin")).json()["rules"]
        resources = {resource for rule in rules for resource in rule["resources"]}
        assert {"rolebindings", "secrets", "clusters", "configmaps"} <= resources
