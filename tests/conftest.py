"""Rules that every test lives under: an async test gets an event loop of its own and may leave no task behind.

With `-n 2`, as `make test` has it, two processes share the tests out as support.lanes says.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from groundplane.base.logs import configure_logging


@pytest.fixture(autouse=True)
def _plain_log() -> None:
    """Log as the process does; structlog's own default renders every local variable of a traceback."""
    configure_logging()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test in a fresh event loop in debug mode, and fail it when it leaves a task running."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments: dict[str, Any] = {name: pyfuncitem.funcargs[name] for name in wanted if name in pyfuncitem.funcargs}
    with asyncio.Runner(debug=True) as runner:
        leftovers = runner.run(_run(pyfuncitem.obj, arguments))
    if leftovers:
        pytest.fail("the test left tasks running: " + ", ".join(sorted(leftovers)), pytrace=False)
    return True


async def _run(function: Any, arguments: dict[str, Any]) -> list[str]:
    before = asyncio.all_tasks()
    await function(**arguments)
    # A task that is about to end may take a few turns of the loop to get there; one that waits does not end.
    for _ in range(20):
        if asyncio.all_tasks() <= before:
            return []
        await asyncio.sleep(0)
    return [f"{task.get_name()} ({task.get_coro()})" for task in asyncio.all_tasks() - before]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Share the tests out between processes; asked for only where there are several."""
    from support.lanes import Lanes

    return Lanes(config, log)
