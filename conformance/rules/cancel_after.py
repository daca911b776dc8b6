"""CANCEL: what a stream that was left leaves behind."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final

from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from mockserver import Delivery, Turn

from ..callbacks import Listener
from ..calls import END, PATIENCE, Call
from ..catalogue import MUST, SHOULD, Case, rule
from ..collector import YOUNG, collect
from ..compat import text_of
from ..drive import PROMPT, Probe
from ..observe import joined, next_text, same_text
from ..verdict import Broken, NotApplicable
from ..wording import describe_error
from . import scripts
from .cancel import AFTER, LEFT, cancel, held, reading, until_left

_CLOSES: Final = 1.0
"""Seconds in which the connection closes."""
_QUIET: Final = 0.1
"""Seconds to listen for what should not come. Whoever has closed the connection has nothing left to tell of."""
_NOISE: Final = 0.5
"""The same where the connection was left open, so that there is something to tell of."""


@rule(
    "CANCEL-04",
    MUST,
    "after stopping, no callback fires, no task and no thread goes on",
    needs=("stream",),
    after=AFTER,
    hint="callbacks of a stream that was left go into the log, the trace or the reply of what came next",
    mend="end tasks and threads that belong to a stream in its `finally`",
    source="langchain-ai/langchain#22865: leaving a stream must end what runs for it",
)
def nothing_goes_on(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    probe.stream()
    _goes_quiet(probe, _closed, "closed")
    if probe.is_async:
        _goes_quiet(probe, _cancelled, "cancelled")


def _goes_quiet(probe: Probe, stop: Callable[[Probe, Listener], None], stopped: str) -> None:
    before = _running(probe)
    gate = held(probe)
    listener = Listener()
    stop(probe, listener)
    exchange = probe.exchanges[-1]
    # That it was left is told too, which may be after `aclose()` has returned: an async generator that iterates over
    # another leaves it to the event loop to close that one (PEP 525, Finalization).
    probe.server.until(lambda: listener.told_of_all_ends, timeout=PATIENCE)
    probe.server.until(lambda: exchange.ended is not None, timeout=_CLOSES)
    heard = len(listener.all)
    gate.open()
    probe.server.until(lambda: exchange.ended is not None, timeout=PATIENCE)
    quiet = _QUIET if exchange.ended == LEFT else _NOISE
    probe.server.until(lambda: len(listener.all) > heard, timeout=quiet)
    if late := [each.name for each in listener.all[heard:]]:
        raise Broken(f"no callback after the stream was {stopped}", ", ".join(late))
    if not probe.server.until(lambda: _running(probe) <= before, timeout=PATIENCE):
        what = "tasks" if probe.is_async else "threads"
        observed = f"{_running(probe)} after it was {stopped}"
        raise Broken(f"as many {what} as before the stream ({before})", observed)


def _closed(probe: Probe, listener: Listener) -> None:
    """Leave a stream after its first text."""
    stream = probe.iterate("stream", PROMPT, config={"callbacks": [listener]})
    if next_text(stream) is None:
        raise Broken("a first text", "none")
    stream.close()
    stream.release()


def _cancelled(probe: Probe, listener: Listener) -> None:
    """Cancel the task of a stream after its first text."""
    call = reading(probe, probe.model(), PROMPT, {"callbacks": [listener]})
    call.cancel()
    call.raised("its task is cancelled", PATIENCE)


def _running(probe: Probe) -> int:
    """Tasks of the loop, or threads that are neither this suite's nor a pool's."""
    if probe.is_async:
        return len(asyncio.all_tasks(probe.bench.loop.loop))
    lasting = ("conformance-", "mockserver-", "asyncio_", "ThreadPoolExecutor")
    return sum(not each.name.startswith(lasting) for each in threading.enumerate())


@rule(
    "CANCEL-05",
    SHOULD,
    "dropping the last reference to the iterator closes the connection without the cyclic collector",
    forms="s",
    needs=("stream",),
    after=(*AFTER, "CANCEL-01"),
    hint="`for chunk in model.stream(…): break` closes nothing itself; what lies in a cycle stays open for minutes",
    mend="give a generator, and let no object of the stream refer back to it",
    source="CPython closes a generator whose last reference goes (language reference, generator.close)",
)
def dropping_closes_the_connection(probe: Probe, case: Case) -> None:
    held(probe)
    model = probe.model()

    def leave() -> str:
        for chunk in model.stream(PROMPT):
            if text := text_of(chunk):
                return text
        return ""

    if not probe.in_thread("stream", leave).value(PATIENCE):
        raise Broken("a first text", "none")
    until_left(probe, probe.exchange)


_STOPS: Final = 50
_KEPT: Final = 10
"""Connections that a client may keep for its next calls."""


@rule(
    "CANCEL-06",
    MUST,
    f"{_STOPS} early stops in a row leave the instance usable",
    needs=("stream",),
    after=AFTER,
    hint="a connection that is not given back is missing in the pool, until the next call waits for one for ever",
    mend="close the response, or give its connection back, when the stream is left",
    source="httpx documentation, Pool limit configuration: calls wait for a connection when the pool is empty",
)
def stops_leave_it_usable(probe: Probe, case: Case) -> None:
    gate = probe.gate()
    held = Turn(reply=scripts.PLAIN, delivery=Delivery(gates={1: gate}))
    probe.play(lambda asked: held if asked.text == PROMPT else scripts.FIVE)
    model = probe.model()
    before = probe.server.open_connections

    def left() -> int:
        return probe.server.open_connections - before

    for times in range(_KEPT, _STOPS + 1, _KEPT):
        stops = probe.run(f"{probe.name('stream')}, left {times} times", _leaver(probe, model))
        if not stops.wait():
            raise Broken(f"{_STOPS} streams begin", f"{len(probe.exchanges)} did, and {left()} connections are open")
        stops.value()
        # The collector would come by in any program; a stream that lies in a cycle is for CANCEL-01 to tell of.
        collect(YOUNG)
    given_back = probe.server.until(lambda: left() <= _KEPT, timeout=PATIENCE)
    again = probe.iterate("stream", "Again", on=model)
    read = again.drain()
    if not read.wait(PATIENCE):
        raise Broken("the next stream is answered", f"it waits, and {left()} connections are open")
    read.value()
    same_text(scripts.FIVE.text, joined(again.items))
    if not given_back:
        kept = f"{left()} are open after {_STOPS} stops"
        raise Broken(f"connections are closed or given back (at most {_KEPT} stay)", kept)


def _leaver(probe: Probe, model: BaseChatModel) -> Callable[[], Any]:
    """Leaves `_KEPT` streams, one after the other, at their first text."""

    def leave() -> None:
        for _ in range(_KEPT):
            stream: Any = model.stream(PROMPT)
            next(chunk for chunk in stream if text_of(chunk))
            if hasattr(stream, "close"):
                stream.close()

    async def aleave() -> None:
        for _ in range(_KEPT):
            stream: Any = model.astream(PROMPT)
            while not text_of(await anext(stream)):
                pass
            if hasattr(stream, "aclose"):
                await stream.aclose()

    return aleave if probe.is_async else leave


@rule(
    "CANCEL-07",
    SHOULD,
    "aclose() while another task waits in __anext__ ends both, or refuses as async generators do and harms neither",
    forms="a",
    needs=("stream",),
    after=AFTER,
    hint="a web framework closes the stream of a client that is gone while its task still waits for the next chunk",
    mend="give an async generator; in an iterator of your own, let aclose() end the waiting __anext__",
    source="Python: aclose() of a running async generator raises RuntimeError (bpo-30773); PEP 525",
)
def closing_beside_a_reader(probe: Probe, case: Case) -> None:
    gate = held(probe)
    chunks: Any = probe.run("astream", _made(probe.model())).value()
    if not hasattr(chunks, "aclose"):
        raise NotApplicable("its iterator has no aclose()")
    while not text_of(chunk := _next(probe, chunks).value(PATIENCE)):
        pass
    waiting = _next(probe, chunks)
    closing = probe.in_loop("aclose", lambda: _close(chunks))
    refused = closing.error(PATIENCE)
    if refused is None:
        error = waiting.error(PATIENCE)
        if not isinstance(error, StopAsyncIteration | asyncio.CancelledError | None):
            raise Broken("the waiting __anext__ ends, or is cancelled", describe_error(error))
        return
    if not (isinstance(refused, RuntimeError) and "already running" in str(refused)):
        raise Broken("aclose() ends the stream, or says that it is already running", describe_error(refused))
    gate.open()
    more = waiting.value(PATIENCE)
    wanted = scripts.PLAIN.text
    if not wanted.startswith(text_of(chunk) + text_of(more)):
        raise Broken(f"the next piece of {wanted!r} after {text_of(chunk)!r}", repr(text_of(more)))
    probe.in_loop("aclose", lambda: _close(chunks)).value(PATIENCE)


def _made(model: BaseChatModel) -> Callable[[], Coroutine[Any, Any, Any]]:
    async def make() -> Any:
        return aiter(model.astream(PROMPT))

    return make


def _next(probe: Probe, chunks: Any) -> Call[Any]:
    async def step() -> Any:
        return await anext(chunks)

    return probe.in_loop("astream", step)


async def _close(chunks: Any) -> None:
    await chunks.aclose()


@rule(
    "CANCEL-08",
    MUST,
    "closing or cancelling astream of prompt | model | parser closes the model's connection",
    forms="a",
    needs=("stream",),
    cases=lambda target: [Case("close"), *([Case("cancel")] if target.native("_astream") else [])],
    after=(*AFTER, "EVENTS-13", "CANCEL-01"),
    hint="models are called in chains more than alone; a stream that goes on there has no reader left at all",
    mend="do not override atransform; langchain-core's calls astream, and closes it with the chain",
    source="langchain_core.runnables.RunnableSequence.astream; langchain-ai/langchain#37976",
)
def chains_are_left_too(probe: Probe, case: Case) -> None:
    held(probe)
    chain = ChatPromptTemplate.from_messages([("human", "{question}")]) | probe.model() | StrOutputParser()
    if case.name == "cancel":
        cancel(probe, reading(probe, chain, {"question": PROMPT}))
        return
    stream = probe.iterate("stream", {"question": PROMPT}, on=chain)
    while not (piece := stream.next(PATIENCE)):
        pass
    if piece is END:
        raise Broken("a first text", "none")
    stream.close()
    until_left(probe, probe.exchange)
