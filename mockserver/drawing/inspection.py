"""Timelines of streams: of what a turn would send, from its plan alone, and of what an exchange did send."""

from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate

from ..errors import MockServerError, Refused
from ..frames import Frame, join
from ..reply import Reply
from ..scripts.script import Turn
from ..sending.answer import answer_of
from ..sending.delivery import Pace
from ..sending.planning import Planned
from ..serving.exchange import Exchange
from ..wires import WIRES, Asked
from .timeline import Mark, Timeline

_ENDS = {
    "end": "then the body ends",
    "close": "then the connection is closed inside the body",
    "reset": "then the connection is reset",
    "stall": "then nothing more comes",
}


def of_turn(turn: Turn, number: int, *, wire: str) -> Timeline:
    """What a turn sends for a request that asks for a stream; a recording whose times are known, at these.

    Args:
        turn: the turn.
        number: its place in the script, from 1.
        wire: name of the wire where the turn names none.

    Raises:
        MockServerError: there is no such wire, or it has no place for the reply.
    """
    if turn.recording and turn.recording.arrivals and turn.delivery.pace is None:
        turn = replace(turn, delivery=replace(turn.delivery, pace=Pace(recorded=True)))
    name = turn.when.wire or wire
    if name not in WIRES:
        raise MockServerError(f"there is no wire {name!r}; there are {', '.join(WIRES)}")
    asked = Asked(wire=name, model="model", stream=turn.when.stream is not False)
    answer = answer_of(turn, WIRES[name], asked, number)
    title = f"turn {number} \u00b7 {name} \u00b7 {turn.describe()}"
    if isinstance(answer, Refused):
        return Timeline(title, (), f"HTTP {answer.status}, which is not streamed")
    assert isinstance(answer, Planned)
    frames = _Frames(answer.plan.frames, tuple(turn.reply.pieces) if isinstance(turn.reply, Reply) else ())
    marks, at, start = [], 0.0, 0
    for step in answer.plan.steps:
        at = max(at, step.hold.due if step.hold and step.hold.due is not None else 0.0)
        gated = " (held at a gate)" if step.hold and step.hold.gates else ""
        marks.append(Mark(at, len(step.data), frames.kind(start), frames.said(start, len(step.data)) + gated))
        start += len(step.data)
    return Timeline(title, tuple(marks), _ENDS[answer.plan.end])


def of_exchange(exchange: Exchange) -> Timeline:
    """What was sent for a request, and when."""
    frames = _Frames(exchange.frames)
    marks, start = [], 0
    for write in exchange.writes:
        marks.append(Mark(write.at - exchange.at, write.size, frames.kind(start), frames.said(start, write.size)))
        start += write.size
    return Timeline(exchange.describe(), tuple(marks), exchange.ended or "open")


class _Frames:
    """Which frame a byte of the body belongs to, and what a write says; `pieces` are those of the reply, if known."""

    def __init__(self, frames: tuple[Frame, ...], pieces: tuple[str, ...] = ()) -> None:
        self._frames = frames
        self._pieces = pieces
        self._ends = list(accumulate(len(frame.data) for frame in frames))

    def kind(self, start: int) -> str:
        at = bisect_right(self._ends, start)
        return self._frames[at].kind if at < len(self._frames) else "noise"

    def said(self, start: int, size: int) -> str:
        """The piece that a write brings, or its bytes as text."""
        first, last = bisect_right(self._ends, start), bisect_right(self._ends, start + size - 1)
        before = self._ends[first - 1] if first else 0
        frames = self._frames[first : last + 1]
        number = frames[0].piece if len(frames) == 1 else None
        if number is not None and number < len(self._pieces) and (start, size) == (before, len(frames[0].data)):
            return f"piece {number}: {self._pieces[number]!r}"
        body = join(frames)[start - before :][:size]
        return body.decode("utf-8", "backslashreplace").strip()
