"""How the bytes of an answer leave, apart from what they say: cuts, pace, gates, faults.

Points of a stream are named alike everywhere: `"head"` (before the status line), the running number of a piece
(before that piece), `"finish"` (before the frame that says why the answer ended), `"end"` (before the terminator).
"""

import asyncio
import math
import random
import threading
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Final, Literal, TypeAlias

from .frames import Frame, join

Point: TypeAlias = int | Literal["head", "finish", "end"]
Cuts: TypeAlias = Literal["frame", "whole"] | int | tuple[int, ...]

FAULTS: Final = ("close", "reset", "error", "stop")


class Gate:
    """Holds the server at a point until it is opened. Safe from any thread and any loop; once open, it stays open."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._arrived = 0
        self._is_open = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    @property
    def arrived(self) -> int:
        """How many answers have come to this point so far."""
        return self._arrived

    @property
    def is_open(self) -> bool:
        return self._is_open

    def open(self) -> None:
        with self._changed:
            self._is_open = True
            waiting, self._waiting = self._waiting, []
        for loop, event in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def wait_arrived(self, count: int = 1, *, timeout: float) -> bool:
        """Wait up to `timeout` seconds until `count` answers have come here; says whether they have."""
        with self._changed:
            return self._changed.wait_for(lambda: self._arrived >= count, timeout)

    async def passage(self) -> None:
        """Called by the server: returns when the gate is open."""
        event = asyncio.Event()
        with self._changed:
            self._arrived += 1
            self._changed.notify_all()
            if self._is_open:
                return
            self._waiting.append((asyncio.get_running_loop(), event))
        await event.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """When pieces leave. Seconds; `jitter` is the share (0 to 1) by which each gap may differ, drawn with `seed`."""

    first: float = 0.0
    every: float = 0.0
    jitter: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("first", "every"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} is a time in seconds, not {getattr(self, name)!r}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter is a share from 0 to 1, not {self.jitter!r}")

    def deadlines(self) -> Iterator[float]:
        """Seconds from the start of the answer, one for each piece; absolute, so that no delay adds up."""
        draw = random.Random(self.seed)  # noqa: S311 - it is to be repeatable
        at = self.first
        while True:
            yield at
            at += self.every * (1 + self.jitter * draw.uniform(-1, 1))


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and where.

    A body that is not streamed has no points within: it is cut in the middle (``close``, ``reset``, ``stop``), or the
    provider answers with an HTTP error in its place (``error``).

    Args:
        kind: ``close`` ends the connection inside the body, ``reset`` does so with a TCP reset, ``error`` sends the
            provider's error frame and ends, ``stop`` ends the body properly with the rest left out.
        before: the point that is not reached any more.
        message: the words of an ``error``.
    """

    kind: Literal["close", "reset", "error", "stop"]
    before: Point
    message: str = "The server had an error while processing your request"

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ValueError(f"a fault is one of {', '.join(FAULTS)}, not {self.kind!r}")


@dataclass(frozen=True, slots=True)
class Insert:
    """Frames put in before a point; `"close"` stands for after the terminator."""

    before: Point | Literal["close"]
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How one answer is delivered.

    Args:
        cuts: what one write holds: each frame, the whole body, so many bytes, or the bytes between listed offsets.
            With a pace or gates, each write is a frame.
        pace: when pieces leave; as fast as they can where it is `None`.
        gates: points at which the server waits.
        fault: what goes wrong on the way.
        insert: frames that the reply has not.
    """

    cuts: Cuts = "frame"
    pace: Pace | None = None
    gates: Mapping[Point, Gate] = field(default_factory=dict)
    fault: Fault | None = None
    insert: tuple[Insert, ...] = ()

    def __post_init__(self) -> None:
        given: object = self.cuts
        if given in ("frame", "whole"):
            return
        sizes = given if isinstance(given, tuple) else (given,)
        if any(type(size) is not int for size in sizes):
            raise ValueError(f"cuts are 'frame', 'whole', a number of bytes or a list of offsets, not {self.cuts!r}")
        if any(size < 1 for size in sizes) or list(sizes) != sorted(set(sizes)):
            raise ValueError(f"cuts are ascending numbers of bytes above 0, not {self.cuts!r}")

    @property
    def stepwise(self) -> bool:
        """Whether frames leave one by one, because something is to happen between them."""
        return self.cuts == "frame" or bool(self.gates) or self.pace is not None


def points_of(frame: Frame) -> tuple[Point, ...]:
    """The points that lie before this frame."""
    points: list[Point] = []
    for kind in frame.kinds:
        if kind == "piece" and frame.piece is not None:
            points.append(frame.piece)
        elif kind in ("finish", "end"):
            points.append(kind)
    return tuple(points)


def plan(frames: tuple[Frame, ...], delivery: Delivery, error: Frame) -> tuple[Frame, ...]:
    """The frames that are really sent: with what is inserted, and without what the fault cuts off."""
    fault = delivery.fault
    last = (error,) if fault and fault.kind == "error" else ()
    if fault and fault.before == "head":
        return last
    sent: list[Frame] = []
    for frame in frames:
        points = points_of(frame)
        if fault and fault.before in points:
            return (*sent, *last)
        sent += [each for insert in delivery.insert if insert.before in points for each in insert.frames]
        sent.append(frame)
    sent += [each for insert in delivery.insert if insert.before == "close" for each in insert.frames]
    return tuple(sent)


def cut(body: bytes, cuts: Cuts) -> Iterator[bytes]:
    """The writes of a body that does not leave frame by frame."""
    if isinstance(cuts, int):
        yield from (body[at : at + cuts] for at in range(0, len(body), cuts))
    elif isinstance(cuts, tuple):
        offsets = [0, *(at for at in cuts if at < len(body)), len(body)]
        yield from (body[start:end] for start, end in pairwise(offsets))
    else:
        yield body


def writes(frames: tuple[Frame, ...], delivery: Delivery) -> Iterator[tuple[tuple[Point, ...], bytes, int]]:
    """Each write: the points before it, its bytes, and how many frames are complete once it is written."""
    if delivery.stepwise:
        for number, frame in enumerate(frames, 1):
            yield points_of(frame), frame.data, number
        return
    done = 0
    ends = list(accumulate(len(frame.data) for frame in frames))
    for part in cut(join(frames), delivery.cuts):
        done += len(part)
        yield (), part, bisect_right(ends, done)
