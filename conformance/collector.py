"""The cyclic garbage collector in a run with a model: when it comes by, and what it leaves out.

It does not come by while an item runs. What is found then would hang on chance: a stream that a model left open in a
reference cycle is closed or not, and where a call holds the lock of its pool of connections, the finalizer that wants
the same lock hangs that call (encode/httpcore#1108). It comes by after each item, in a thread that no item waits for.

Nor does it look again and again at what was imported: a model's package and its SDK make some 300,000 objects, which
stay until the process ends; looking at all of them took a tenth of a run.
"""

import atexit
import gc
import itertools
import threading
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

_WAS_ON: Final = pytest.StashKey[bool]()


def pause(config: pytest.Config) -> None:
    """Collect nothing until `leave_out_all`; all is as it was when the configuration ends."""
    config.stash[_WAS_ON] = gc.isenabled()
    config.add_cleanup(lambda: _go_on(config))
    config.add_cleanup(gc.unfreeze)
    gc.disable()


def _go_on(config: pytest.Config) -> None:
    if config.stash[_WAS_ON]:
        gc.enable()


def leave_out_all(config: pytest.Config) -> None:
    """Collect once, leave what there is then out of each collection, also of the last at exit, and go on collecting."""
    collect()
    gc.freeze()
    _go_on(config)
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


@contextmanager
def held_off() -> Iterator[None]:
    """Meanwhile nothing is collected but by `collect`."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


_LIMIT: Final = 5.0
"""Seconds in which finalizers must be through. One that waits for ever is left behind; nothing is collected then."""
YOUNG: Final = 0
"""The generation of what was made since the collector last came by: in an item, all that it made."""
OLD: Final = 2
"""The generation of what was there before."""
_RARER: Final = ((500, OLD), (10, 1), (1, YOUNG))
"""Each so many sweeps, and the generation up to which they go; roughly what Python does of itself."""
_SWEEPS: Final = itertools.count(1)


def sweep() -> None:
    """Collect what an item left behind."""
    number = next(_SWEEPS)
    collect(next(generation for every, generation in _RARER if number % every == 0))


class _Cycle:
    """Goes with the collector alone."""

    def __init__(self) -> None:
        self.itself = self


def collect(generation: int = OLD) -> bool:
    """Run the cyclic garbage collector, up to a generation; says whether it ran.

    It does not while a finalizer waits in an earlier run of it, and then never again in this process.

    Models cannot be closed: their async clients keep idle connections in a loop that ends, and warn of it when they
    are collected. Within items such warnings are ignored; outside them `-W error` would make errors of them.
    """
    left = weakref.ref(_Cycle())
    finalizing = threading.Thread(target=gc.collect, args=(generation,), name="conformance-collector", daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        finalizing.start()
        finalizing.join(_LIMIT)
    return left() is None
