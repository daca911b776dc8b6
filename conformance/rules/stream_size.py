"""STREAM: long answers, and large ones."""

from collections.abc import Mapping
from itertools import pairwise
from statistics import median
from typing import Final

from mockserver import Delivery, Reply, Text, Turn, Wire

from ..calls import LIMIT
from ..catalogue import SHOULD, Case, Form, rule
from ..drive import PROMPT, Probe
from ..observe import joined, next_text, same_text
from ..verdict import Broken, NotApplicable

_MANY: Final[Mapping[Form, int]] = {"sync": 4_000, "async": 2_000}
"""Pieces of a long answer. Most of the time goes into the model, so the second form reads fewer."""
_WORDS: Final = "and then some more and then some more "
"""What each piece says beside its number: looking at all text again shows in fewer pieces where they are longer."""
_GROWTH: Final = 2.6


@rule(
    "STREAM-16",
    SHOULD,
    "4,000 pieces and one piece of 1 MiB arrive whole; doubling the pieces at most ×2.6 the time",
    needs=("stream",),
    cases=(Case("many"), Case("large")),
    hint="adding each chunk to all before it makes the time grow with the square of the length",
    mend="add to a list and join it in the end; do not look at all that came before for each piece",
    source="long answers are usual: providers send 64,000 tokens and more",
)
def large_answers_arrive(probe: Probe, case: Case) -> None:
    if case.name == "large":
        large = Reply.of("x" * 2**20)
        probe.play(large)
        same_text(large.text, joined(probe.stream()))
        return
    if repeats(probe.wire):
        raise NotApplicable(f"each frame of {probe.wire.name} holds all that came before, which takes its time to read")
    growths: list[float] = []
    while len(growths) < _TRIES:
        growths.append(_growth(probe))
        if growths[-1] <= _GROWTH:
            return
    raise Broken(
        f"{_MANY[probe.form]} pieces in at most ×{_GROWTH} the time of their first half", f"×{min(growths):.1f}"
    )


def repeats(wire: Wire) -> bool:
    """Whether each frame of a wire holds the text of all frames before it."""
    once = Reply.of("first ", "last")
    return any(b"first " in frame.data for frame in wire.frames(once) if frame.piece == 1)


_TRIES: Final = 3
_SHARES: Final = 10


def _growth(probe: Probe) -> float:
    """CPU time for all pieces of a long stream, as a multiple of the time for the first half of them.

    Each half counts with the median of its shares, so that a pause of the garbage collector does not count.
    """
    reply = Reply(blocks=(Text(tuple(f"{number} {_WORDS}" for number in range(_MANY[probe.form]))),))
    probe.play(Turn(reply=reply, delivery=Delivery(cuts=4096)))
    stream = probe.iterate("stream", PROMPT)
    stream.drain().value(limit=60)
    same_text(reply.text, joined(stream.items))
    marks = [stream.seen[at].cpu for at in range(0, len(stream.seen), max(1, len(stream.seen) // (2 * _SHARES)))]
    shares = [after - before for before, after in pairwise(marks)]
    first, second = shares[: len(shares) // 2], shares[len(shares) // 2 :]
    return 1 + median(second) / max(median(first), 1e-6) if first else 0.0


_FLOOD: Final = 400
_FLOOD_REPEATED: Final = 28
"""Pieces of a flood of the same size where each frame holds all pieces before it."""
_PIECE: Final = "drop " * 13_000
_STILL: Final = 0.25
"""Seconds in which whoever reads ahead takes something, also where others use the machine."""


@rule(
    "STREAM-17",
    SHOULD,
    "a consumer that stops reading stops the reading: the model does not drain the provider ahead of it",
    needs=("stream",),
    hint="a thread or task that reads ahead fills memory, and goes on when nobody wants the answer any more",
    mend="read from the connection only when the consumer asks for more",
    source="PEP 525 and https://docs.python.org/3/glossary.html#term-generator-iterator: a generator runs when it is "
    "asked",
)
def reading_waits_for_the_consumer(probe: Probe, case: Case) -> None:
    pieces = _FLOOD_REPEATED if repeats(probe.wire) else _FLOOD
    probe.play(Reply(blocks=(Text((_PIECE,) * pieces),)))
    stream = probe.iterate("stream", PROMPT)
    if next_text(stream, LIMIT) is None:
        raise Broken("a first chunk", "none")
    exchange = probe.exchange
    written = -1
    while exchange.frames_written != written and exchange.ended is None:
        written = exchange.frames_written
        probe.server.until(lambda: exchange.ended is not None, timeout=_STILL)
    drained = exchange.ended is not None
    stream.close()
    if drained:
        raise Broken("the server cannot write on while nobody reads", f"all {len(exchange.frames)} frames were taken")
