"""How far a run is: a line an area, where pytest would write one for all rules."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

_WIDE: Final = 10


class AreaLines:
    """Begins a line with each area, and with each model where there are several.

    It does nothing where pytest begins no line for a file either: under ``-v``, ``-q`` and xdist, and where the items
    are not in the order of their areas, such as after a shuffle.

    Args:
        config: of the run.
        root: the first part of the rules' node ids, which pytest would begin the line with.
    """

    def __init__(self, config: pytest.Config, root: str) -> None:
        self._config = config
        self._root = root
        self._begun: tuple[str, str] | None = None
        self._named = ""
        self._is_on = False
        self._several = False

    def expect(self, nodeids: Sequence[str]) -> None:
        """What is to run, in its order."""
        of = [each for each in map(self._place, nodeids) if each]
        changes = sum(one != other for one, other in pairwise(of))
        self._is_on = bool(of) and changes < len(set(of))
        self._several = len({label for label, _ in of}) > 1

    def begin(self, nodeid: str) -> None:
        """An item begins; pytest has not been told yet."""
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        place = self._place(nodeid)
        if not (self._is_on and place and reporter and reporter.showfspath and not reporter.showlongtestinfo):
            return
        label, area = place
        folder = Path(self._config.rootpath, self._root)
        at_start = not self._config.get_terminal_writer().width_of_current_line
        if place != self._begun or reporter.currentfspath != folder:
            if not (at_start and self._begun):
                _end_line(reporter)
            reporter.currentfspath = None
            if self._several and label != self._named:
                reporter.write_line(label)
            reporter.write(area.ljust(_WIDE))
        elif at_start:
            reporter.write(" " * _WIDE)
        # pytest compares the path of the item with this one, and begins no line where they are the same.
        reporter.currentfspath = folder
        self._begun, self._named = place, label

    def _place(self, nodeid: str) -> tuple[str, str] | None:
        """Model and area; `None` for what is no rule."""
        root, *parts = nodeid.split("::")
        if root != self._root or len(parts) != 2:
            return None
        return parts[0], parts[1].partition("-")[0]


def _end_line(reporter: pytest.TerminalReporter) -> None:
    """End what is written, with how far the run is, as pytest does where the file changes."""
    fill = getattr(reporter, "_write_progress_information_filling_space", None)
    if reporter.currentfspath is not None and fill and getattr(reporter, "_show_progress_info", None):
        fill()
    reporter.line("")
