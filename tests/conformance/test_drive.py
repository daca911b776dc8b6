"""Streams that run elsewhere, and what is seen of them from outside."""

import threading
import time
from typing import Any

import pytest

from conformance.bench import Bench
from conformance.calls import END, Stream
from conformance.drive import Probe
from conformance.verdict import Broken

from .helpers import SHORT, WHO, Latch, Told, probe_of


def streamed(probe: Probe, *steps: Any) -> tuple[Stream[Any], Told]:
    told = Told(*steps)
    return probe.iterate("stream", "hi", on=told), told


def test_items_come_one_at_a_time_and_then_the_end(probe: Probe) -> None:
    """`next` gives each item, and `END` as often as it is asked after the last."""
    stream, _ = streamed(probe, "a", "b")
    assert [stream.next() for _ in range(4)] == ["a", "b", END, END]
    assert stream.items == ["a", "b"]
    assert repr(END) == "the end of the stream"


def test_nothing_runs_before_the_first_item_is_asked_for(probe: Probe) -> None:
    """The method is called with the first `next`, and once, with what it was given."""
    stream, told = streamed(probe, "a")
    assert told.asked == []
    stream.rest()
    assert told.asked == ["hi"]


def test_take_gives_no_more_than_there_is(probe: Probe) -> None:
    """So many items as are wanted, or fewer where the stream ends."""
    stream, _ = streamed(probe, "a", "b", "c")
    assert stream.take(0) == []
    assert stream.take(2) == ["a", "b"]
    assert stream.take(2) == ["c"]


def test_rest_gives_all_from_the_first_on(probe: Probe) -> None:
    """What was taken before stands first."""
    stream, _ = streamed(probe, "a", "b", "c")
    stream.next()
    assert stream.rest() == ["a", "b", "c"]


def test_items_are_noted_with_ascending_times(probe: Probe) -> None:
    """Each item has the time and its thread's CPU time at which it came."""
    started = time.monotonic()
    stream, _ = streamed(probe, *range(5))
    stream.take(2)
    stream.rest()
    times = [started, *(seen.at for seen in stream.seen), time.monotonic()]
    assert times == sorted(times)
    cpu = [0.0, *(seen.cpu for seen in stream.seen)]
    assert cpu == sorted(cpu)
    assert [seen.value for seen in stream.seen] == stream.items == [0, 1, 2, 3, 4]


def test_asking_does_not_wait(probe: Probe) -> None:
    """`ask` gives a call that ends when the item is there."""
    latch = Latch()
    stream, _ = streamed(probe, latch, "a")
    call = stream.ask()
    assert not call.done
    latch.open()
    assert (call.value(), call.done) == ("a", True)


def test_waiting_within_a_limit(probe: Probe) -> None:
    """`within` gives the call, done or still running."""
    latch = Latch()
    stream, _ = streamed(probe, "a", latch, "b")
    assert stream.within().done
    call = stream.within(SHORT)
    assert not call.done
    latch.open()
    assert call.value() == "b"


def test_errors_of_the_model_are_told(probe: Probe) -> None:
    """An error while reading breaks the rule, with its type and the first line of its text, and is the cause."""
    error = ValueError("no such thing\nat all")
    stream, _ = streamed(probe, "a", error)
    stream.next()
    with pytest.raises(Broken) as broken:
        stream.next()
    name = probe.name("stream")
    assert broken.value == Broken(f"{name} answers", "it raised ValueError: no such thing")
    assert broken.value.__cause__ is error
    assert stream.next() is END


def test_errors_of_the_method_itself_are_told(probe: Probe) -> None:
    """A method that raises before it gives an iterator, or gives none, breaks the rule when it is asked."""
    no_such = probe.iterate("banquet", on=Told())
    with pytest.raises(Broken, match="AttributeError"):
        no_such.next()
    no_iterator = probe.iterate("stream", on=type("Odd", (), {"stream": lambda self: 1, "astream": lambda self: 1})())
    with pytest.raises(Broken, match="TypeError"):
        no_iterator.rest()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), GeneratorExit()])
def test_errors_that_are_no_exceptions_are_kept_too(probe: Probe, error: BaseException) -> None:
    """A model that exits ends neither its thread nor its loop."""
    stream, _ = streamed(probe, error)
    assert stream.failure("it must") is error
    assert streamed(probe, "a")[0].rest() == ["a"]


def test_failure_gives_the_error_that_must_come(probe: Probe) -> None:
    """The stream is read to its error; what came before it is kept."""
    error = ValueError("no")
    stream, _ = streamed(probe, "a", "b", error)
    assert stream.failure("it must") is error
    assert stream.items == ["a", "b"]


def test_a_failure_that_does_not_come_is_broken(probe: Probe) -> None:
    """The text says what must raise, and why."""
    stream, _ = streamed(probe, "a")
    with pytest.raises(Broken) as broken:
        stream.failure("the server breaks off")
    assert broken.value.expected == f"{probe.name('stream')} raises (the server breaks off)"


@pytest.mark.parametrize("read", [Stream.next, Stream.rest, lambda stream, limit: stream.failure("it must", limit)])
def test_a_hang_is_broken_after_the_limit(probe: Probe, read: Any) -> None:
    """A stream that gives nothing does not hold up the rule."""
    latch = Latch()
    stream, _ = streamed(probe, latch)
    with pytest.raises(Broken) as broken:
        read(stream, limit=SHORT)
    latch.open()
    assert broken.value == Broken(f"{probe.name('stream')} ends", "it has not ended after 0.05 s")


def test_closing_runs_the_generators_finally(probe: Probe) -> None:
    """Closing leaves the generator at its last item; after that, and after closing again, there is only the end."""
    stream, told = streamed(probe, "a", "b")
    stream.next()
    stream.close()
    assert told.left == ["GeneratorExit"]
    stream.close()
    assert stream.next() is END
    assert stream.items == ["a"]


def test_iterators_that_cannot_be_closed_are_let_go(bench: Bench) -> None:
    """An iterator without `close` is no error."""
    lists = type("Lists", (), {"stream": lambda self: [1, 2]})()
    stream = probe_of(bench, "sync").iterate("stream", on=lists)
    stream.next()
    stream.close()


class Clinging:
    """Does not let itself be closed as it should."""

    def __init__(self, at_close: Any) -> None:
        self._at_close = at_close

    def stream(self) -> Any:
        try:
            yield 1
        finally:
            if isinstance(self._at_close, Exception):
                raise self._at_close
            self._at_close.passage()

    async def astream(self) -> Any:
        try:
            yield 1
        finally:
            if isinstance(self._at_close, Exception):
                raise self._at_close
            await self._at_close.apassage()


def test_closing_that_raises_is_broken(probe: Probe) -> None:
    """An error on leaving the iterator is told as one of closing it."""
    stream = probe.iterate("stream", on=Clinging(ValueError("no")))
    stream.next()
    with pytest.raises(Broken) as broken:
        stream.close()
    assert broken.value == Broken(f"closing {probe.name('stream')} answers", "it raised ValueError: no")


def test_closing_that_hangs_is_broken(probe: Probe) -> None:
    """Closing has a limit, as all waits have."""
    latch = Latch()
    stream = probe.iterate("stream", on=Clinging(latch))
    stream.next()
    with pytest.raises(Broken) as broken:
        stream.close(SHORT)
    latch.open()
    assert broken.value == Broken(f"closing {probe.name('stream')} ends", "it has not ended after 0.05 s")


def test_one_stream_runs_in_one_place(probe: Probe) -> None:
    """From the first item to closing, the sync form runs in one thread and the async form in one task."""
    stream, told = streamed(probe, "a", "b", "c")
    stream.take(2)
    stream.close()
    assert len(told.places) == 3
    [(thread, task)] = set(told.places)
    assert thread is not threading.current_thread()
    assert thread.name == ("conformance-loop" if probe.is_async else "conformance-caller")
    assert (task is not None) is probe.is_async


def test_streams_run_apart(probe: Probe) -> None:
    """A stream that waits does not hold up another."""
    latch = Latch()
    waiting, slow = streamed(probe, latch, "a")
    call = waiting.ask()
    assert latch.arrived()
    other, quick = streamed(probe, "b")
    assert other.rest() == ["b"]
    assert not call.done
    latch.open()
    assert call.value() == "a"
    assert not set(slow.places) & set(quick.places)


def test_context_variables_of_the_caller_are_seen(probe: Probe) -> None:
    """Streams and calls see the context in which they were started, and not what is set later."""
    token = WHO.set("Ann")
    stream, told = streamed(probe, "a", "b")
    called = Told("a")
    call = probe.call("invoke", "hi", on=called)
    WHO.set("Ben")
    stream.rest()
    call.value()
    WHO.reset(token)
    assert set(told.who) == set(called.who) == {"Ann"}


def test_an_error_that_does_not_come(probe: Probe) -> None:
    """Where a stream must fail and ends well, it is told how much it gave."""
    stream, _ = streamed(probe, "a", "b")
    with pytest.raises(Broken) as caught:
        stream.failure("the body is cut")
    assert caught.value.expected == f"{probe.name('stream')} raises (the body is cut)"
    assert caught.value.observed == "it ended after 2 items"
