"""Keeps the objects of access tidy: aggregated ClusterRoles show the rules that they gathered, dead tokens go.

Decisions do not wait for this (see `index`); it is what `kubectl describe clusterrole` shows.
"""

from __future__ import annotations

import asyncio

import msgspec

from groundplane.base.errors import GroundplaneError
from groundplane.base.logs import get_logger
from groundplane.base.tasks import TaskOwner
from groundplane.store.contract import Compacted, WatcherTooSlow

from ..service import Call, Options, Service
from ..status import Json
from ..users import CONTROLLER
from ..verbs.update import Transform, rewrite
from .index import CLUSTER_ROLES
from .rules import Rule

_SWEEP_SECONDS = 3600.0

_log = get_logger(__name__)


class Keeper:
    """Runs until cancelled."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def run(self) -> None:
        """Write gathered rules after each change of a ClusterRole, and forget tokens that are over."""
        async with TaskOwner("roles") as owner:
            owner.start(self._sweep(), name="sweep")
            await self._follow()

    async def _sweep(self) -> None:
        while True:
            try:
                await self._service.accounts.sweep()
            except GroundplaneError as error:
                _log.warning("tokens that are over are kept for now", error=error.message)
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _follow(self) -> None:
        store = self._service.store
        while True:
            revision = await store.revision()
            await self.write_rules()
            try:
                async with store.watch(CLUSTER_ROLES, revision=revision) as changes:
                    async for _ in changes:
                        await self.write_rules()
                    return
            except (Compacted, WatcherTooSlow):
                continue

    async def write_rules(self) -> None:
        """Write the rules of every aggregated role; nothing is written where they are right."""
        index = self._service.authorizer.index
        resource = self._service.resources.by_stored[CLUSTER_ROLES]
        for key in index.aggregated():
            options = Options(field_manager="clusterrole-aggregation-controller")
            call = Call(CONTROLLER, resource, name=key.name, options=options)
            try:
                await rewrite(self._service, call, _with_rules(index.rules(key) or ()))
            except GroundplaneError as error:
                # It may have gone, or the disk is full: the next change of a role, or the next start, tries again.
                _log.warning("rules of a role are not written", role=key.name, error=error.message)


def _with_rules(rules: tuple[Rule, ...]) -> Transform:
    def transform(obj: Json) -> Json:
        # As JSON has them, with lists and not tuples, or they would never equal those that are there.
        obj["rules"] = msgspec.json.decode(msgspec.json.encode(rules)) or None
        return obj

    return transform
