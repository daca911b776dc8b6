"""CANCEL: stopping early, by leaving the loop or by cancelling the task."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from langchain_core.runnables import Runnable

from mockserver import Delivery, Exchange, Gate, Pace, Reply, Text, Turn

from ..calls import PATIENCE, Call
from ..catalogue import MUST, Case, rule
from ..collector import collect
from ..compat import text_of
from ..drive import PROMPT, Probe
from ..observe import next_text
from ..target import Target
from ..verdict import Broken
from ..wording import describe_error
from . import scripts

AFTER: Final = ("STREAM-02", "STREAM-03")
"""Without a first text while the second is held back there is nothing to stop."""
LEFT: Final = "closed by client"
_LONG: Final = Turn(
    reply=Reply(blocks=(Text(tuple(f"word {number} " for number in range(400))),)),
    delivery=Delivery(pace=Pace(every=0.02)),
)
"""An answer that takes eight seconds."""


def held(probe: Probe, point: Any = 1) -> Gate:
    """Script an answer that the server holds back from a point on."""
    gate = probe.gate()
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(gates={point: gate})))
    return gate


SETTLE: Final = 0.2
"""Seconds for what follows at once, where it does not matter if it comes later."""


def until_left(probe: Probe, exchange: Exchange) -> None:
    """Wait until the client has closed the connection, and that of itself.

    Raises:
        Broken: it stays open, or the answer was written to its end.
    """
    probe.server.until(lambda: exchange.ended is not None, timeout=PATIENCE)
    if exchange.ended == LEFT:
        return
    observed = exchange.describe()
    collect()
    collected = probe.server.until(lambda: exchange.ended == LEFT, timeout=SETTLE)
    because = "it is closed only by the cyclic garbage collector: the stream lies in a reference cycle"
    raise Broken("the client closes the connection", observed, because=because if collected else "")


@rule(
    "CANCEL-01",
    MUST,
    "leaving the loop early and closing the iterator closes the connection: the server sees it, and stops sending",
    needs=("stream",),
    cases=(Case("held"), Case("slow")),
    after=AFTER,
    hint="what nobody reads any more is still written, billed, and holds a place in the pool; where it is left to the "
    "garbage collector, that closes it when it comes by, and can hang the call that runs just then",
    mend="read the response inside `with` (or `try … finally: close()`), so that closing the generator closes it",
    source="Python's generator.close(); langchain-ai/langchain-aws#858; langchain-openai 0.1.2 closes the response",
)
def leaving_closes_the_connection(probe: Probe, case: Case) -> None:
    if case.name == "slow":
        probe.play(_LONG)
    else:
        held(probe)
    stream = probe.iterate("stream", PROMPT)
    if next_text(stream) is None:
        raise Broken("a first text", "none")
    stream.close()
    until_left(probe, probe.exchange)


_STALLS: Final[Mapping[str, tuple[str, Any]]] = {
    "invoke-head": ("invoke", "head"),
    "stream-head": ("stream", "head"),
    "stream-middle": ("stream", 1),
}


def _stalled(probe: Probe, where: str) -> Call[None]:
    """A call in a task that waits for the server, which holds its answer back."""
    method, point = _STALLS[where]
    gate = held(probe, point)
    if point != "head":
        return reading(probe, probe.model(), PROMPT)
    model = probe.model()

    async def ask() -> None:
        if method == "invoke":
            await model.ainvoke(PROMPT)
        else:
            [_ async for _ in model.astream(PROMPT)]

    return _waiting(probe, probe.in_loop(f"a{method}", ask), lambda: gate.arrived > 0)


def reading(probe: Probe, asked: Runnable[Any, Any], input: Any, config: Any = None) -> Call[None]:
    """A task that has read the first text, and waits for the second."""
    said: list[str] = []

    async def read() -> None:
        async for piece in asked.astream(input, config):
            said.append(piece if isinstance(piece, str) else text_of(piece))  # noqa: PERF401 - seen while it goes on

    return _waiting(probe, probe.in_loop("astream", read), lambda: any(said))


def _waiting(probe: Probe, call: Call[None], waits: Callable[[], bool]) -> Call[None]:
    probe.server.until(lambda: call.done or waits(), timeout=PATIENCE)
    if call.done:
        call.value()
    if call.done or not waits():
        raise Broken(f"{call.name} waits for the server", "it has ended" if call.done else "it has not come so far")
    return call


def _native(target: Target) -> list[Case]:
    """What a model does in async code of its own; a thread that waits for a socket cannot be told to stop."""
    own = {"invoke": target.native("_agenerate"), "stream": target.native("_astream")}
    return [Case(name) for name, (method, _) in _STALLS.items() if own[method]]


@rule(
    "CANCEL-02",
    MUST,
    "cancelling the task raises CancelledError to the caller, and the connection closes",
    forms="a",
    needs=("native async",),
    cases=_native,
    after=AFTER,
    hint="a task that ends with another error breaks timeouts and task groups; a request that goes on is billed",
    mend="let CancelledError pass, and await the request itself rather than a task or thread that outlives the caller",
    source="asyncio documentation, Task Cancellation: CancelledError is raised again after cleaning up",
)
def cancelling_ends_call_and_connection(probe: Probe, case: Case) -> None:
    cancel(probe, _stalled(probe, case.name))


def cancel(probe: Probe, call: Call[None]) -> None:
    """Cancel a call, and look for what must come of it."""
    call.cancel()
    error = call.raised("its task is cancelled", PATIENCE)
    if not isinstance(error, asyncio.CancelledError):
        raise Broken("CancelledError", describe_error(error))
    until_left(probe, probe.exchange)


@rule(
    "CANCEL-03",
    MUST,
    "cancelling while the server stalls, before the head or between pieces, returns at once",
    forms="a",
    cases=lambda target: [
        Case(name) for name, (method, _) in _STALLS.items() if method == "invoke" or target.streams("async")
    ],
    after=AFTER,
    hint="a timeout around the call does not help if the cancelled call waits for the provider all the same",
    mend="do not shield the request, and do not wait for it or for its connection after CancelledError",
    source="asyncio documentation, Task Cancellation and asyncio.timeout",
)
def cancelling_returns_at_once(probe: Probe, case: Case) -> None:
    call = _stalled(probe, case.name)
    call.cancel()
    if not call.wait(PATIENCE):
        raise Broken(
            f"{call.name} ends when its task is cancelled", f"{PATIENCE:g} s later it still waits for the server"
        )
