"""How an answer is delivered, apart from what it says: cuts, pace, gates, faults, edits; as a user writes it.

Points of a stream are named alike everywhere: `"head"` (before the status line), the running number of a piece
(before that piece), `"finish"` (before the frame that says why the answer ended), `"end"` (before the terminator),
`"close"` (after the terminator, before the body ends), and `Byte(n)` (before that byte of the body).
A point that a stream does not have is an error when it is played: nothing that is asked for is passed over.
A body that is not streamed has the points `"head"`, 0, `"close"` and its bytes; gates at others do not hold it.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random as Dice
from typing import Final, Literal, TypeAlias, get_args

from ..frames import Frame
from .framing import Framing
from .gate import Gate as Gate


@dataclass(frozen=True, slots=True)
class Byte:
    """The point before a byte of the body, counted from 0; from its end where it is negative.

    Bytes count as the client reads them: with all framing of events, before chunks and compression.
    """

    byte: int

    def __str__(self) -> str:
        return f"byte {self.byte}"


Point: TypeAlias = int | Literal["head", "finish", "end", "close"] | Byte
POINTS: Final = ("head", "finish", "end", "close")
"""The points that are words."""


def told(point: Point) -> str:
    """A point in words: `piece 2`, `'end'`, `byte 120`."""
    return f"piece {point}" if isinstance(point, int) else str(point) if isinstance(point, Byte) else repr(point)


def _check_point(point: object) -> None:
    if isinstance(point, Byte) or (type(point) is int and point >= 0) or (type(point) is str and point in POINTS):
        return
    raise ValueError(f"a point is the number of a piece, Byte(n) or one of {', '.join(POINTS)}, not {point!r}")


def _check_word(what: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise ValueError(f"{what} is one of {', '.join(known)}, not {given!r}")


@dataclass(frozen=True, slots=True)
class Random:
    """Cuts of 1 to `largest` bytes, drawn with `seed`: the same ones each time."""

    seed: int = 0
    largest: int = 64

    def __post_init__(self) -> None:
        if type(self.largest) is not int or self.largest < 1:
            raise ValueError(f"the largest cut is a number of bytes above 0, not {self.largest!r}")

    def offsets(self, size: int) -> Iterator[int]:
        """Where a body of `size` bytes is cut."""
        dice = Dice(self.seed)  # noqa: S311 - it is to be repeatable
        at = dice.randint(1, self.largest)
        while at < size:
            yield at
            at += dice.randint(1, self.largest)


Cuts: TypeAlias = Literal["frame", "whole", "characters", "crlf", "recorded"] | int | tuple[int, ...] | Random
CUTS: Final = ("frame", "whole", "characters", "crlf", "recorded")
"""The cuts that are words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """When the head and the pieces leave, in seconds. Every time is absolute, so that no delay adds up.

    The time for which a gate holds does not count.

    Args:
        head: how long the status line is held back.
        first: from the head to the first piece.
        every: from each piece to the next.
        jitter: the share (0 to 1) by which each of these gaps may differ, drawn with `seed`.
        times: from the head to each piece, in place of `first` and `every`.
        recorded: whether bytes leave at the times at which a recording says that they came.
        scale: a factor for all times: 0.5 is twice as fast.
    """

    head: float = 0.0
    first: float = 0.0
    every: float = 0.0
    jitter: float = 0.0
    seed: int = 0
    times: tuple[float, ...] = ()
    recorded: bool = False
    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", tuple(self.times))
        for name in ("head", "first", "every"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} is a time in seconds, not {getattr(self, name)!r}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter is a share from 0 to 1, not {self.jitter!r}")
        if not (math.isfinite(self.scale) and self.scale >= 0):
            raise ValueError(f"scale is a factor of 0 or more, not {self.scale!r}")
        if any(not math.isfinite(at) or at < 0 for at in self.times) or list(self.times) != sorted(self.times):
            raise ValueError(f"times are seconds from the head that do not fall, not {self.times!r}")
        if bool(self.times) + self.recorded + bool(self.first or self.every) > 1:
            raise ValueError("a pace has either first and every, or times, or those of a recording")

    def deadlines(self) -> Iterator[float]:
        """Seconds from the head, one for each piece; as many as there are `times`, where these are given."""
        if self.times:
            yield from (at * self.scale for at in self.times)
            return
        dice = Dice(self.seed)  # noqa: S311 - it is to be repeatable
        at = self.first
        while True:
            yield at * self.scale
            at += self.every * (1 + self.jitter * dice.uniform(-1, 1))


FaultKind: TypeAlias = Literal["close", "reset", "error", "stop", "stall", "cut", "html"]
FAULTS: Final = get_args(FaultKind)
_POINTLESS: Final = {("stop", "close"), ("cut", "head"), ("cut", "close")}


@dataclass(frozen=True, slots=True)
class Fault:
    """What ends the answer before its time, and where.

    In a body that is not streamed, the points that it has not stand for its middle.

    Args:
        kind: ``close`` closes the connection inside the body, ``reset`` does so with a TCP reset once the client's
            side has acknowledged all bytes before it, ``cut`` closes it in the midst of the frame that follows the
            point, inside a chunk; ``stop`` ends the body properly with the rest left out, and ``stall`` sends nothing
            more until the client goes or the server stops. In place of the rest, ``error`` sends the provider's error
            frame and ``html`` a page of HTML, as gateways do, and both end the body properly; where no frame fits,
            before the head and in a body that is not streamed, they are the whole answer.
        before: the point that is not reached any more. A ``stop`` before the head leaves an empty body.
        message: the words of an ``error`` and of the page.
        status: the HTTP status of an ``error`` (500 if not given) or a page (502) that is the whole answer.
    """

    kind: FaultKind
    before: Point
    message: str = "The server had an error while processing your request"
    status: int | None = None

    def __post_init__(self) -> None:
        _check_word("a fault", self.kind, FAULTS)
        _check_point(self.before)
        if (self.kind, self.before) in _POINTLESS:
            raise ValueError(f"a {self.kind!r} before {told(self.before)} has nothing to leave out")
        if self.status is not None and (self.kind not in ("error", "html") or not 200 <= self.status <= 599):
            raise ValueError(f"an error or a page of HTML has a status from 200 to 599; not {self.kind}: {self.status}")


EditKind: TypeAlias = Literal["drop", "repeat", "swap", "malform", "truncate", "unknown"]
EDITS: Final = get_args(EditKind)
Edited: TypeAlias = Literal["start", "finish", "usage", "end"]


@dataclass(frozen=True, slots=True)
class Edit:
    """What is wrong with one frame of a stream that otherwise goes on.

    Args:
        kind: ``drop`` leaves the frame out, ``repeat`` sends it twice, ``swap`` puts the next one before it,
            ``malform`` spoils its JSON, ``truncate`` sends half of its JSON in a frame that is whole, ``unknown`` puts
            an event before it that the provider's clients do not know.
        at: the number of the piece that the frame brings, or what it is the first to do: ``start``, ``finish``,
            ``usage``, ``end``. A body that is not streamed can be malformed and truncated, at any of them.
    """

    kind: EditKind
    at: int | Edited

    def __post_init__(self) -> None:
        _check_word("an edit", self.kind, EDITS)
        words: tuple[str, ...] = get_args(Edited)
        if not (type(self.at) is int and self.at >= 0) and self.at not in words:
            raise ValueError(f"an edit is at the number of a piece or one of {', '.join(words)}, not {self.at!r}")


@dataclass(frozen=True, slots=True)
class Insert:
    """Frames put in before a point; at `"close"` they come after the terminator. Text is sent as it is."""

    before: Point
    frames: tuple[Frame | str, ...]

    def __post_init__(self) -> None:
        _check_point(self.before)
        if self.before == "head" or isinstance(self.before, Byte):
            raise ValueError(f"frames are put in before frames, or before 'close', not before {told(self.before)}")
        frames = (Frame(each.encode(), "noise") if isinstance(each, str) else each for each in self.frames)
        object.__setattr__(self, "frames", tuple(frames))


Transfer: TypeAlias = Literal["chunked", "content-length", "close"]
TRANSFERS: Final = get_args(Transfer)
_FIXED: Final = ("content-length", "transfer-encoding", "connection", "content-encoding")
_NO_HEADER: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How one answer is delivered.

    Args:
        cuts: what one write holds, in a TCP segment of its own: each frame, the whole body, so many bytes, the bytes
            between listed offsets, or between those of a recording; ``characters`` cuts inside each character of
            several bytes, ``crlf`` inside each CRLF, `Random` anywhere. Where a gate, a pace or a fault lies, there
            is a cut as well.
        pace: when pieces leave; as fast as they can where it is `None`.
        gates: points at which the server waits.
        fault: what ends the answer before its time.
        insert: frames that the reply has not.
        edits: what is wrong with single frames, in order, after frames are put in and before the fault is placed.
        framing: the form of events and lines, among those that say the same; for streams of SSE and NDJSON.
        transfer: how the client knows the end of the body: chunks (for streams, if not given), its length (for other
            bodies), or the end of the connection. HTTP/1.0 knows no chunks: there it is the end of the connection.
        gzip: whether the body is compressed, if the request accepts it; each write can be unpacked as it comes.
        headers: by name in lower case, in place of the answer's own or beside them; `None` leaves one out.
    """

    cuts: Cuts = "frame"
    pace: Pace | None = None
    gates: Mapping[Point, Gate] = field(default_factory=dict)
    fault: Fault | None = None
    insert: tuple[Insert, ...] = ()
    edits: tuple[Edit, ...] = ()
    framing: Framing | None = None
    transfer: Transfer | None = None
    gzip: bool = False
    headers: Mapping[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_cuts(self.cuts)
        for point in self.gates:
            _check_point(point)
        for name in ("insert", "edits"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.transfer is not None:
            _check_word("a transfer", self.transfer, TRANSFERS)
        for name, value in self.headers.items():
            if name in _FIXED or name != name.lower() or _NO_HEADER.search(f"{name}{value or ''}"):
                raise ValueError(
                    f"a header has a name in lower case, other than {', '.join(_FIXED)}, and a text of one line, "
                    f"not {name!r}: {value!r}"
                )


def _check_cuts(cuts: object) -> None:
    if isinstance(cuts, Random) or (isinstance(cuts, str) and cuts in CUTS):
        return
    sizes = cuts if isinstance(cuts, tuple) else (cuts,)
    if any(type(size) is not int for size in sizes):
        words = ", ".join(map(repr, CUTS))
        raise ValueError(f"cuts are {words}, a number of bytes, a list of offsets or a Random, not {cuts!r}")
    if any(size < 1 for size in sizes) or list(sizes) != sorted(set(sizes)):
        raise ValueError(f"cuts are ascending numbers of bytes above 0, not {cuts!r}")
