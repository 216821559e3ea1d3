"""The hook that runs async tests is itself tested: it must be able to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
CONFTEST = Path(__file__).parents[1] / "conftest.py"


def run(pytester: pytest.Pytester, body: str) -> dict[str, int]:
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makepyfile("import asyncio, pytest\n" + body)
    return pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:cacheprovider").parseoutcomes()


def test_an_async_test_runs_and_its_failure_is_seen(pytester: pytest.Pytester) -> None:
    outcome = run(
        pytester,
        "async def test_good(tmp_path): await asyncio.sleep(0); assert tmp_path.exists()\n"
        "async def test_bad(): await asyncio.sleep(0); assert False\n",
    )
    assert outcome == {"passed": 1, "failed": 1}


def test_an_async_test_that_leaves_a_task_behind_fails(pytester: pytest.Pytester) -> None:
    outcome = run(
        pytester,
        "async def test_leak():\n    global kept\n    kept = asyncio.create_task(asyncio.Event().wait())\n"
        "async def test_clean(): await asyncio.create_task(asyncio.sleep(0))\n",
    )
    assert outcome == {"passed": 1, "failed": 1}
