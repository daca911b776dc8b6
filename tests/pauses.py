"""Short pauses at random, as a busy machine makes them: ``python -m pytest -p tests.pauses -o faulthandler_timeout=0``.

Server, rules and clients pause where they call and return, each thread at other moments, so that what was right by luck
alone shows. With ``--pauses=0.004`` tests took four times as long; at 0.003, on eight workers, a test with 500
clients could not connect them within its limit.
"""

import random
import sys
import threading
import time
from types import CodeType, FrameType
from typing import Any, Final

import pytest

_MEAN: Final = 0.004
"""Seconds of a pause in the mean: about what a system gives to one process before it turns to the next."""
_MODULES: Final = (
    *("mockserver", "conformance"),
    *("asyncio.base_events", "asyncio.selector_events", "concurrent.futures", "threading"),
    *("anyio", "httpcore", "langchain_core.callbacks", "langchain_core.tracers"),
)
"""What pauses, with all that lies in it."""


class Pauses:
    """A profile function that pauses at a share (0 to 1) of the calls and returns in `_MODULES`."""

    def __init__(self, share: float, seed: str) -> None:
        self._share = share
        self._random = random.Random(seed)
        self._sleep = time.sleep
        self._known: dict[CodeType, bool] = {}

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if (is_meant := self._known.get(code)) is None:
            name = f"{frame.f_globals.get('__name__', '')}."
            is_meant = self._known[code] = any(name.startswith(f"{module}.") for module in _MODULES)
        if is_meant and event in ("call", "return") and self._random.random() < self._share:
            self._sleep(self._random.expovariate(1 / _MEAN))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pauses", type=float, default=0.001, help="the share of calls and returns at which to pause")
    parser.addoption("--pauses-seed", type=int, default=0, help="from what they are drawn, with the process's name")


def pytest_configure(config: pytest.Config) -> None:
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    seed = f"{config.getoption('--pauses-seed')} {worker.get('workerid', '')}"
    pauses = Pauses(config.getoption("--pauses"), seed)
    threading.setprofile(pauses)
    sys.setprofile(pauses)


def pytest_unconfigure() -> None:
    threading.setprofile(None)
    sys.setprofile(None)
