"""CANCEL: cancelling while chunks arrive, in each turn of the loop."""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from mockserver import Delivery, Gate, Reply, Turn

from ..calls import PATIENCE
from ..catalogue import MUST, Case, rule
from ..compat import text_of
from ..drive import PROMPT, Probe
from ..verdict import Broken, NotApplicable
from ..wording import describe_error
from .cancel import AFTER

_HELD: Final = 5
_PIECES: Final = tuple(f"word {number} " for number in range(_HELD + 1))
_ARRIVED: Final = "".join(_PIECES[:_HELD])
"""What has come when the task is cancelled. The first piece came alone, the others together; the last is held back."""
_IDLE: Final = 8
"""Turns of the loop in which a task that was given a chunk comes to wait for the next. Nothing arrives in them."""
_TURNS: Final = 32
"""Turns after the arrival that are tried at most; a model takes a few to read what has come."""


@dataclass(frozen=True, slots=True)
class _End:
    """What became of a task that was cancelled.

    Args:
        read: the text that it had been given by then.
        more: the chunks that it was given afterwards.
        error: what it ended with; `None` where it read to the end.
        is_over: whether it ended at all.
    """

    read: str
    more: int
    error: BaseException | None
    is_over: bool

    def told(self) -> str:
        if self.error:
            return describe_error(self.error)
        how = "it ended without an error" if self.is_over else f"it has not ended {PATIENCE:g} s later"
        return f"{how}, after {self.more} more chunks"


@rule(
    "CANCEL-09",
    MUST,
    "cancelling the task while chunks arrive ends it with CancelledError, in whatever turn of the loop",
    forms="a",
    needs=("stream", "native async"),
    after=AFTER,
    hint="a cancellation that is lost once is lost for good: the timeout, or the client that left, ends nothing",
    mend="use asyncio.timeout in place of asyncio.wait_for, which loses cancellations before Python 3.12; "
    "raise CancelledError even where a chunk has come in the same turn",
    source="asyncio documentation, Task Cancellation: raised in the task at the next opportunity; python/cpython#86296",
)
def cancelling_is_not_lost(probe: Probe, case: Case) -> None:
    model = probe.having("astream", probe.model())
    for turns in range(_TURNS):
        pieces, rest = probe.gate(), probe.gate()
        probe.play(Turn(reply=Reply.of(*_PIECES), delivery=Delivery(gates={1: pieces, _HELD: rest})))
        end = probe.in_loop("astream", partial(_cancelled, model, pieces, rest, turns)).value()
        if end is None:
            raise NotApplicable("its streams end before a task could be cancelled: what it asks for is no stream")
        if not isinstance(end.error, asyncio.CancelledError):
            because = f"it was cancelled {turns} turns of the loop after pieces 1 to {_HELD - 1} had come"
            raise Broken("CancelledError in the task that reads astream", end.told(), because=because)
        if len(end.read) >= len(_ARRIVED):
            return


async def _cancelled(model: Any, pieces: Gate, rest: Gate, turns: int) -> _End | None:
    """Cancel a task that reads a stream, so many turns of the loop after pieces have come; `None` if it ends before.

    Nothing here hangs on time: the loop itself stands still until the server has written the pieces, so that they lie
    ready when it looks next. What comes after them leaves once the task is cancelled, so that one which reads on ends.
    """
    chunks: list[str] = []
    begun = asyncio.Event()

    async def read() -> None:
        async for chunk in model.astream(PROMPT):
            chunks.append(text_of(chunk))
            if chunks[-1]:
                begun.set()

    reader = asyncio.create_task(read())
    reader.add_done_callback(lambda _: begun.set())
    await begun.wait()
    await _pass(_IDLE)
    pieces.open()
    if not reader.done():
        rest.wait_arrived(timeout=PATIENCE)
    await _pass(turns)
    if not reader.cancel():
        reader.result()
        return None
    given = len(chunks)
    rest.open()
    await asyncio.wait({reader}, timeout=PATIENCE)
    return _End("".join(chunks[:given]), len(chunks) - given, _error(reader), reader.done())


async def _pass(turns: int) -> None:
    """Let turns of the loop pass."""
    for _ in range(turns):
        await asyncio.sleep(0)


def _error(task: "asyncio.Task[None]") -> BaseException | None:
    """What a task ended with; `None` where it ended without an error, or has not ended."""
    if task.cancelled():
        return asyncio.CancelledError()
    return task.exception() if task.done() else None
