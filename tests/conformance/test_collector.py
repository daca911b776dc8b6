"""Whether the cyclic garbage collector runs, which a finalizer may hold up."""

import gc
import threading
from collections.abc import Iterator

import pytest

from conformance.rules.blocks_live import collects


class _Waits:
    """Waits in its finalizer."""

    def __init__(self) -> None:
        self.itself = self
        self.entered, self.left = threading.Event(), threading.Event()

    def __del__(self) -> None:
        self.entered.set()
        self.left.wait(60)


@pytest.fixture
def only_when_asked() -> Iterator[None]:
    """The collector runs where it is called alone: by chance it would run the finalizer in any thread."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("only_when_asked")
def test_the_collector_is_held_up_by_a_finalizer() -> None:
    """While one waits in another thread nothing is collected, and afterwards it is."""
    waits = _Waits()
    entered, left = waits.entered, waits.left
    thread = threading.Thread(target=gc.collect, daemon=True)
    del waits
    thread.start()
    try:
        assert entered.wait(10)
        assert not collects()
    finally:
        left.set()
        thread.join()
    assert collects()
