"""Runs on the workers of pytest-xdist: the controller starts them before it finds the models."""

import pytest

from .plugin_runs import REFERENCE, run

WORKERS = ("-p", "xdist", "-n", "1")


def test_the_header_comes_once_the_workers_start(folder: pytest.Pytester) -> None:
    """It is that of a single process, and comes before the first item."""
    single = run(folder, REFERENCE, "-k", "BATCH-02")
    spread = run(folder, REFERENCE, "-k", "BATCH-02", *WORKERS)
    header = next(line for line in single.outlines if line.startswith("chat model: "))
    spread.stdout.fnmatch_lines([header.replace("[", "[[]"), "1 worker [[]*"])
    assert spread.outlines.count(header) == 1
    assert spread.ret == pytest.ExitCode.OK


def test_a_quiet_run_has_no_header(folder: pytest.Pytester) -> None:
    """`-q` leaves it out, as it does in a single process."""
    spread = run(folder, REFERENCE, "-k", "BATCH-02", "-q", *WORKERS)
    spread.stdout.no_fnmatch_line("chat model: *")
    spread.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--chat-model=no_such_package:Chat"], "*there is no module 'no_such_package'*"),
        (["--chat-model=tests.reference"], "*is written package.module:Name, not 'tests.reference'*"),
        (["--chat-model=tests.reference:ReferenceChatt"], "*did you mean 'ReferenceChat'?*"),
        ([REFERENCE, "--conformance-select=BATCHES"], "*did you mean BATCH?*"),
    ],
    ids=["package", "form", "class", "choice"],
)
def test_what_cannot_be_used_is_said_once(folder: pytest.Pytester, arguments: list[str], told: str) -> None:
    """As one usage error, in the words of a single process, and no item runs."""
    single = run(folder, *arguments)
    spread = run(folder, *arguments, *WORKERS)
    assert (single.ret, spread.ret) == (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.USAGE_ERROR)
    spread.stderr.fnmatch_lines([told])
    error = next(line for line in single.errlines if line.startswith("ERROR: "))
    assert [line for line in spread.errlines if line.startswith("ERROR: ")] == [error]
