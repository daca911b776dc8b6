"""The part of the pytest plugin that holds a run with `--chat-model` to loopback, and tells who tried to leave."""

from collections.abc import Generator
from typing import Any, Final

import pytest

from .loopback import Attempt, Guard

GUARD: Final = pytest.StashKey[Guard]()
_LEFT: Final = "kept from leaving"
"""The user property of a report under which an attempt is told; xdist's workers pass it on."""
_TITLE: Final = "kept from leaving loopback (nothing was sent; docs/integrations.md says more):"


def guard(config: pytest.Config) -> Guard:
    """The guard of this run, which is on from its first use."""
    if GUARD not in config.stash:
        config.stash[GUARD] = Guard()
        config.stash[GUARD].start()
    return config.stash[GUARD]


class Offline:
    """Hooks that turn the guard on for the rules, and off for the user's own tests."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._guard = guard(config)
        self._told = len(self._guard.attempts)
        self._heard: dict[tuple[str, str], Attempt] = {}
        self._hear(*self._guard.attempts)

    def _hear(self, *attempts: Attempt) -> None:
        for attempt in attempts:
            self._heard.setdefault((attempt.peer, attempt.caller), attempt)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._guard.paused = not _is_rule(item)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        if not _is_rule(item):
            return (yield)
        with self._guard.within(item.name):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        seen = self._guard.attempts
        for attempt in seen[self._told :]:
            report.user_properties.append((_LEFT, [attempt.peer, attempt.caller, attempt.during]))
        self._told = len(seen)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told: list[Any] = [value for name, value in report.user_properties if name == _LEFT]
        self._hear(*(Attempt(*each) for each in told))

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        if self._heard:
            terminalreporter.line(_TITLE, red=True)
        for attempt in self._heard.values():
            terminalreporter.line(f"  {attempt.peer}  from {attempt.caller}, first during {attempt.during}", red=True)

    def pytest_unconfigure(self) -> None:
        self._guard.stop()


def _is_rule(item: pytest.Item) -> bool:
    return item.get_closest_marker("conformance") is not None
