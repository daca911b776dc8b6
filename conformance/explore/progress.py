"""How far a search is, shown while it runs."""

import time
from typing import Final

import pytest

_ON_TERMINAL: Final = 0.2
_IN_LOG: Final = 10.0
"""Seconds between what is shown, where a line can be written over, and where each stays."""


class Progress:
    """Shows on the terminal what a search tells; nothing in a worker of xdist, which has none.

    Args:
        config: of the run.
        examples: how many each item is to try; where more are asked for than can be, they are not shown.
    """

    def __init__(self, config: pytest.Config, examples: int) -> None:
        self._plugins = config.pluginmanager
        self._of = f" of {examples:,}" if examples < 10**9 else ""
        self._last = time.monotonic()
        self._name = ""

    def tell(self, name: str, tried: int, kinds: int) -> None:
        """So many examples were tried by an item, and so many kinds of failures found."""
        reporter = self._plugins.getplugin("terminalreporter")
        if reporter is None or reporter.verbosity < 0:
            return
        writes_over = reporter.isatty
        now = time.monotonic()
        if now - self._last < (_ON_TERMINAL if writes_over else _IN_LOG):
            return
        self._last = now
        found = f", {kinds} kind{'s' if kinds != 1 else ''} of failure" if kinds else ""
        text = f"{name}: {tried:,}{self._of} examples{found}"
        with self._plugins.getplugin("capturemanager").global_and_fixture_disabled():
            if writes_over:
                if self._name not in ("", name):
                    reporter.line("")  # what was found by the item before stays to be seen
                reporter.rewrite(text, erase=True)
            else:
                reporter.ensure_newline()
                reporter.write_line(text)
        self._name = name
