"""When the cyclic garbage collector comes by, which a finalizer may hold up."""

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from conformance.collector import YOUNG, collect, held_off, sweep


class _Cycle:
    """Refers to itself, and is noted when it goes."""

    def __init__(self, gone: list[str]) -> None:
        self.itself = self
        weakref.finalize(self, gone.append, "gone")


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
    with held_off():
        yield


def test_it_is_held_off_and_goes_on() -> None:
    """It runs again after the block, and stays off where it was off."""
    with held_off():
        assert not gc.isenabled()
        with held_off():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


@pytest.mark.usefixtures("only_when_asked")
def test_what_an_item_left_goes_with_the_next_sweep() -> None:
    """Nothing of it is there when the next item begins."""
    gone: list[str] = []
    _Cycle(gone)
    assert not gone
    sweep()
    assert gone


@pytest.mark.usefixtures("only_when_asked")
def test_what_is_left_later_goes_with_a_rarer_sweep() -> None:
    """What outlived the item that made it is found too."""
    gone: list[str] = []
    kept = [_Cycle(gone)]
    sweep()
    kept.clear()
    for _ in range(500):
        sweep()
    assert gone


@pytest.mark.usefixtures("only_when_asked")
def test_it_is_held_up_by_a_finalizer() -> None:
    """While one waits nothing is collected, nobody waits for it for ever, and afterwards all is collected."""
    waits = _Waits()
    entered, left = waits.entered, waits.left
    thread = threading.Thread(target=gc.collect, daemon=True)
    del waits
    thread.start()
    try:
        assert entered.wait(10)
        assert not collect()
        assert not collect(YOUNG)
        sweep()
    finally:
        left.set()
        thread.join()
    assert collect()
