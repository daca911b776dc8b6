"""Pauses are made where they are meant to be, and a run with them says the same as one without."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import mockserver

from .pauses import Pauses

ROOT = Path(__file__).parents[1]


def _pauses_of(work: Callable[[], object], share: float, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each pause in a thread that does this work."""
    made: list[float] = []
    monkeypatch.setattr("time.sleep", made.append)
    pauses = Pauses(share, "seed")

    def profiled() -> None:
        sys.setprofile(pauses)
        work()
        sys.setprofile(None)

    thread = threading.Thread(target=profiled)
    thread.start()
    thread.join()
    return made


def test_what_serves_pauses_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a share of its calls, for other times each."""

    def replies() -> None:
        for _ in range(100):
            mockserver.Reply.of("a")

    always = _pauses_of(replies, 1.0, monkeypatch)
    half = _pauses_of(replies, 0.5, monkeypatch)
    assert len(set(always)) > 100
    assert 0.3 < len(half) / len(always) < 0.7


def test_nothing_else_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests, and what has nothing to do with calls and answers."""

    def other() -> None:
        ROOT.joinpath("a", "b").as_posix()

    assert _pauses_of(other, 1.0, monkeypatch) == []


def test_a_run_with_pauses_passes() -> None:
    """The plugin is found, and its options are."""
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.pauses",
        "--pauses=0.003",
        "-q",
        "tests/conformance/test_timeline.py",
    )
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
