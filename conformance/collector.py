"""The cyclic garbage collector in a run with a model: it does not look again and again at what was imported.

A model's package and its SDK make some 300,000 objects, which stay until the process ends; looking at all of
them took a tenth of a run.
"""

import atexit
import gc
import warnings
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


def collect() -> None:
    """Collect what models left, without a warning of it.

    Models cannot be closed: their async clients keep idle connections in a loop that ends, and warn of it when they
    are collected. Within items such warnings are ignored; outside them `-W error` would make errors of them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
