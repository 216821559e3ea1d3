"""The hooks that run async tests and share tests out are themselves tested: they must be able to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.lanes import CHANGES, LABS, LIVING, MACHINES, ORDER, SHORT

pytest_plugins = ["pytester"]
TESTS = Path(__file__).parents[1]
# As `make test` runs them.
SHARED = ("-n", "2", "--max-worker-restart", "0")
PROCESSES = pytest.mark.parametrize("options", [(), SHARED], ids=["one", "two"])


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    pytester.makeconftest((TESTS / "conftest.py").read_text())
    usual = ("-p", "no:randomly", "-p", "no:cacheprovider", "-o", f"pythonpath={TESTS}")
    return pytester.runpytest_subprocess(*usual, *options)


def write(pytester: pytest.Pytester, path: str, body: str) -> None:
    file = pytester.path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("import asyncio, os, time, pytest\n" + body)


FATES = """
async def test_good(tmp_path): await asyncio.sleep(0); assert tmp_path.exists()
async def test_clean(): await asyncio.create_task(asyncio.sleep(0))
async def test_bad(): await asyncio.sleep(0); assert False
async def test_leak():
    global kept
    kept = asyncio.create_task(asyncio.Event().wait())
@pytest.mark.timeout(1)
def test_long(): time.sleep(60)
"""


@PROCESSES
def test_what_fails_leaves_a_task_behind_or_does_not_end_in_its_time_is_seen(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    write(pytester, "test_fates.py", FATES)
    done = run(pytester, *options, "-rA")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert done.parseoutcomes() == {"passed": 2, "failed": 3}
    good, bad = ({f"{word} test_fates.py::test_{name}" for name in names} for word, names in
                 (("PASSED", ("good", "clean")), ("FAILED", ("bad", "leak", "long"))))  # fmt: skip
    assert {line.partition(" - ")[0] for line in done.outlines if line.startswith(("PASSED", "FAILED"))} == good | bad
    done.stdout.fnmatch_lines_random(["*the test left tasks running: *", "*Timeout (>1.0s) from pytest-timeout."])


def test_a_process_that_dies_fails_its_test_and_the_run(pytester: pytest.Pytester) -> None:
    write(pytester, "test_end.py", "def test_dies(): os._exit(0)\n")
    done = run(pytester, *SHARED)
    assert done.parseoutcomes() == {"failed": 1}
    assert done.ret == pytest.ExitCode.TESTS_FAILED


SAYS_WHERE = """
def where(request):
    with open(f"{request.config.rootpath}/{os.environ['PYTEST_XDIST_WORKER']}", "a") as file:
        file.write(request.node.nodeid.partition("::")[0] + "\\n")
    time.sleep(0.1)
def test_one(request): where(request)
def test_two(request): where(request)
"""


def test_what_shares_a_lab_or_a_server_stays_in_one_process_and_the_labs_come_first_in_theirs(
    pytester: pytest.Pytester,
) -> None:
    for path in ("e2e/test_a", "e2e/test_b", "lab/test_c", "unit/x/test_d", "unit/x/test_e", "kubectl/test_f"):
        write(pytester, f"tests/{path}.py", SAYS_WHERE)
    assert run(pytester, *SHARED, "--import-mode=importlib").parseoutcomes() == {"passed": 12}
    ran = [(pytester.path / name).read_text().splitlines() for name in ("gw0", "gw1")]
    # The first is the process that was ready first.
    first, second = sorted(ran, key=lambda modules: "tests/e2e/test_a.py" not in modules)
    assert first[:6] == [f"tests/{path}.py" for path in ("e2e/test_a", "e2e/test_b", "lab/test_c") for _ in range(2)]
    assert second[:2] == ["tests/kubectl/test_f.py"] * 2
    assert not set(first) & set(second)


def test_the_order_names_pieces_that_there_are() -> None:
    named = {*LABS, *LIVING, *ORDER} - {MACHINES, CHANGES, SHORT}
    assert [name for name in sorted(named) if not (TESTS.parent / name).exists()] == []
