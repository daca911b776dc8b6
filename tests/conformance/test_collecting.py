"""What a run does to the cyclic garbage collector."""

import gc

import pytest

from .plugin_runs import REFERENCE, run

COLLECTOR = """
import gc

def pytest_runtest_setup(item):
    assert gc.isenabled()
    assert gc.get_freeze_count() > 100_000
"""


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_as_before(folder: pytest.Pytester, *, was_on: bool) -> None:
    """It leaves out what was imported while items run; afterwards nothing is left out, and it is on if it was."""
    folder.makeconftest(COLLECTOR if was_on else COLLECTOR.replace("assert gc", "assert not gc", 1))
    if not was_on:
        gc.disable()
    try:
        run(folder, REFERENCE, "-k", "BATCH-02").assert_outcomes(passed=2)
        assert (gc.isenabled(), gc.get_freeze_count()) == (was_on, 0)
    finally:
        gc.enable()


def test_a_run_that_cannot_start_leaves_it_on(folder: pytest.Pytester) -> None:
    """A usage error comes after it was paused."""
    assert run(folder, "--chat-model=no_such_package:Chat").ret == pytest.ExitCode.USAGE_ERROR
    assert (gc.isenabled(), gc.get_freeze_count()) == (True, 0)
