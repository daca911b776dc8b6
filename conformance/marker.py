"""The marker ``cassette``: the requests of a test, recorded and played in its own process.

What does it, `mockserver.cassettes.inprocess` and with it vcrpy, is imported for the first test that has the marker.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

SIGNATURE: Final = 'cassette(file, record="once", redact=[])'
_TOLD: Final = "cassette"
"""The property of a report that has a line for the summary; workers of xdist send it along."""
_OPEN: Final = pytest.StashKey[ExitStack]()


class CassetteMarker:
    """Hooks for tests with the marker. The cassette is in use while the test's own fixtures are set up and torn down,
    too: last of all wrappers, since those of pytest must have begun what they end where the cassette cannot be used.
    """

    def __init__(self) -> None:
        self._told: dict[str, None] = {}

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        if mark := item.get_closest_marker("cassette"):
            _open(item, mark)
        return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None]:
        try:
            return (yield)
        finally:
            _close(item)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._told.update((str(line), None) for name, line in report.user_properties if name == _TOLD)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._told:
            terminalreporter.section("cassettes")
        for line in self._told:
            terminalreporter.line(line)


def _open(item: pytest.Item, mark: pytest.Mark) -> None:
    from mockserver import MockServerError  # noqa: PLC0415 - not in runs without the marker
    from mockserver.cassettes.inprocess import cassette  # noqa: PLC0415

    try:
        given = _given(*mark.args, **mark.kwargs)
    except TypeError as error:
        raise _failed(f"{SIGNATURE}: {str(error).removeprefix('_given() ')}") from None
    file = item.path.parent / given.pop("file")

    def tell(line: str) -> None:
        item.user_properties.append((_TOLD, line.replace(str(file), _shown(file, item.config), 1)))

    stack = item.stash[_OPEN] = ExitStack()
    try:
        stack.enter_context(cassette(file, tell=tell, **given))
    except MockServerError as error:
        raise _failed(f"{SIGNATURE}: {error}") from None


def _given(file: str | os.PathLike[str], record: str = "once", redact: Sequence[str] = ()) -> dict[str, Any]:
    """The marker's arguments.

    Raises:
        TypeError: one of them is of another type.
    """
    if not isinstance(file, str | os.PathLike):
        raise TypeError(f"file is a path, not {file!r}")
    if not isinstance(redact, list | tuple) or not all(isinstance(each, str) for each in redact):
        raise TypeError(f"redact is a list of regular expressions, not {redact!r}")
    return {"file": file, "record": record, "redact": redact}


def _close(item: pytest.Item) -> None:
    stack = item.stash.get(_OPEN, None)
    if stack is None:
        return
    del item.stash[_OPEN]
    from mockserver import MockServerError  # noqa: PLC0415

    try:
        stack.close()
    except MockServerError as error:
        raise _failed(str(error)) from None


def _failed(reason: str) -> BaseException:
    """What fails a test with this text alone."""
    return pytest.fail.Exception(reason, pytrace=False)


def _shown(file: Path, config: pytest.Config) -> str:
    """A file as it is called from the folder in which pytest was started, where it is below it."""
    here = config.invocation_params.dir
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)
