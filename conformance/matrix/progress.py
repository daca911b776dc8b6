"""What is told while the matrix runs: a line for each step, and on a terminal one more that shows where it stands."""

import shutil
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from .results import Row


def tail_percentage(log: Path) -> str:
    """How far pytest came, by what it printed last (``42%``), or `""`."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 400))
            end = file.read().decode(errors="replace")
    except OSError:
        return ""
    number = end.rpartition("%]")[0].rpartition("[")[2].strip()
    return f"{number}%" if number.isdigit() else ""


def told(seconds: float) -> str:
    """A time for people: ``40 s``, ``12 min``, ``1 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def outcome(row: Row) -> str:
    """What came of an integration, in a line."""
    if row.model is None:
        return f"no result: {row.reason.splitlines()[0]}"
    levels = {level: set[str]() for level in ("MUST", "SHOULD")}
    for item in row.model["items"]:
        if item["verdict"] in ("failed", "warned"):
            levels[item["level"]].add(item["rule"])
    broken = f"{len(levels['MUST'])} MUST and {len(levels['SHOULD'])} SHOULD rules do not hold"
    errors = row.model["counts"].get("harness error", 0)
    more = f"; {errors} errors of the suite" if errors else ""
    return f"{broken}{more}; {row.model['chosen']} items in {told(row.seconds)}"


class Progress:
    """Tells on stderr what has been done, and about how long the rest takes.

    Args:
        expected: seconds that each integration that is to run took before, by its name; where it is known.
        total: how many are to run.
        jobs: how many run at once.
        out: where to.
    """

    def __init__(self, expected: Mapping[str, float], total: int, jobs: int, out: TextIO | None = None) -> None:
        self._known = dict(expected)
        self._total = total
        self._jobs = jobs
        self._out = out or sys.stderr
        self._lock = threading.Lock()
        self._waiting = total
        self._taken: dict[str, float] = {}
        self._running: dict[str, tuple[float, str, Path]] = {}
        self._shown = False

    def line(self, text: str) -> None:
        with self._lock:
            self._wipe()
            print(text, file=self._out, flush=True)

    def begins(self, name: str, what: str, log: Path) -> None:
        """An integration is at a step, such as ``building``."""
        with self._lock:
            started = self._running[name][0] if name in self._running else time.monotonic()
            self._running[name] = (started, what, log)

    def prepared(self, row: Row) -> None:
        built = f"built in {told(row.built)}" if row.built else "there"
        self._ends(row, f"no environment: {row.reason}" if row.reason else f"environment {built}")

    def ends(self, row: Row) -> None:
        self._ends(row, outcome(row))

    def _ends(self, row: Row, what: str) -> None:
        with self._lock:
            started = self._running.pop(row.name, (time.monotonic(), "", Path()))[0]
            if not row.reason:
                self._taken[row.name] = time.monotonic() - started
            self._waiting -= 1
            self._known.pop(row.name, None)
            number, left = self._total - self._waiting, self._left()
        width = len(str(self._total))
        self.line(f"[{number:>{width}}/{self._total}] {row.name}: {what}{left}")

    def _left(self) -> str:
        """About how long the rest takes: what is known of each from before, else as long as those that are done."""
        if not self._waiting:
            return ""
        mean = sum(self._taken.values()) / len(self._taken) if self._taken else 0.0
        rest = sum(self._known.values()) + mean * (self._waiting - len(self._known))
        begun = sum(time.monotonic() - started for started, _, _ in self._running.values())
        return f"; about {told(max(rest - begun, 0) / min(self._jobs, self._waiting))} left" if rest else ""

    def show(self) -> None:
        """Draw the last line anew, where there is a terminal."""
        if not self._out.isatty():
            return
        with self._lock:
            at = (f"{name} {tail_percentage(log) or what}" for name, (_, what, log) in self._running.items())
            text = f"{self._total - self._waiting} of {self._total}{self._left()} · {' · '.join(at)}"
            self._wipe()
            print(text[: shutil.get_terminal_size().columns - 1], end="", file=self._out, flush=True)
            self._shown = True

    def _wipe(self) -> None:
        if self._shown:
            print("\r\033[K", end="", file=self._out)
            self._shown = False
