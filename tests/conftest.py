"""Options of this project's own tests, and what keeps them apart."""

import gc
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

_LEFT: Final = pytest.StashKey[bool]()
"""Whether tests since the last collection may have left something open."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--whole-matrix",
        action="store_true",
        help="try broken models on all rules, not on those of their areas alone, and right ones on all cases",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that judge come first: they take longest, and where several processes share them, none is left with one."""
    items.sort(key=lambda item: not _is_spared(item))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Collect what models of earlier tests left open before a test that would be warned of it."""
    stash = item.config.stash
    is_spared = _is_spared(item)
    left = stash.get(_LEFT, False)
    if left and not is_spared:
        with _unheard():
            gc.collect()
        left = False
    stash[_LEFT] = left or is_spared or "pytester" in getattr(item, "fixturenames", ())


def _is_spared(item: pytest.Item) -> bool:
    """Whether a test is not warned of what is left open, as items are not."""
    marks = item.iter_markers("filterwarnings")
    return any("ResourceWarning" in each for mark in marks for each in mark.args)


@contextmanager
def _unheard() -> Iterator[None]:
    """Neither warnings nor errors of finalizers reach pytest."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda raised: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.unraisablehook = hook
