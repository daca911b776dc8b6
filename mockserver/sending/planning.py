"""Which bytes leave in which write, and what each write waits for: from frames and a delivery, without I/O."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Final, Literal, NamedTuple, TypeAlias

from ..errors import Unencodable
from ..frames import Frame, join
from ..recording import Recording
from .delivery import Byte, Delivery, Fault, Gate, Point, Random, told
from .faults import place_of

End: TypeAlias = Literal["end", "close", "reset", "stall"]
"""What follows the last write: the end of the body, the end of the connection, a TCP reset, or nothing."""

_ENDS: Final[dict[str, End]] = {"close": "close", "cut": "close", "reset": "reset", "stall": "stall"}
# A character of several bytes, as UTF-8 begins it.
_CHARACTER: Final = re.compile(rb"[\xc2-\xf4](?=[\x80-\xbf])")


class Hold(NamedTuple):
    """What a write waits for: gates, then a time in seconds from the head."""

    gates: tuple[Gate, ...]
    due: float | None


class Step(NamedTuple):
    """One write of the body: its bytes, how many these are once unpacked, how many frames are complete, what it waits
    for.
    """

    data: bytes
    size: int
    frames: int
    hold: Hold | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that is sent of one answer after its head.

    Args:
        frames: the frames, as the journal shows them; the last one whole, even where it is broken off.
        steps: the writes.
        length: how many bytes a `content-length` promises.
        end: what follows.
        hold: what that waits for.
        has_head: whether the head leaves.
        missing: how many bytes the last chunk promises beyond those that it has.
    """

    frames: tuple[Frame, ...]
    steps: list[Step]
    length: int
    end: End = "end"
    hold: Hold | None = None
    has_head: bool = True
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Planned(Recording):
    """An answer with its plan."""

    plan: Plan = Plan(frames=(), steps=[], length=0)


def planned(answer: Recording, delivery: Delivery, instead: tuple[Frame, ...] = ()) -> Planned:
    """The answer with its plan. `instead` stands in place of what the fault leaves out.

    Raises:
        Unencodable: the answer has not what the delivery names.
    """
    plan = _plain(answer.frames) if _is_plain(delivery) else _Planner(answer, delivery, instead).plan()
    return Planned(
        answer.status, answer.headers, answer.frames, answer.source, answer.streamed, answer.arrivals, plan=plan
    )


def _is_plain(delivery: Delivery) -> bool:
    return not (delivery.cuts != "frame" or delivery.fault or delivery.pace or delivery.gates.keys() - {"head"})


def _plain(frames: tuple[Frame, ...]) -> Plan:
    """A write for each frame, as most answers leave."""
    steps = [Step(frame.data, len(frame.data), number, None) for number, frame in enumerate(frames, 1) if frame.data]
    return Plan(frames=frames, steps=steps, length=sum(step.size for step in steps))


class _Planner:
    """Plans one answer: everything that is to happen is brought to offsets in the body."""

    def __init__(self, answer: Recording, delivery: Delivery, instead: tuple[Frame, ...]) -> None:
        self._answer = answer
        self._delivery = delivery
        self._starts = [0, *accumulate(len(frame.data) for frame in answer.frames)]
        self._whole = self._starts[-1]
        self._at, self._missing = self._broken_off(delivery.fault) if delivery.fault else (self._whole, 0)
        self._frames = (*self._left(is_replaced=bool(instead)), *instead)
        self._body = join(answer.frames)[: self._at] + join(instead)

    def plan(self) -> Plan:
        fault = self._delivery.fault
        end = _ENDS.get(fault.kind, "end") if fault else "end"
        if fault and fault.before == "head" and end != "end":
            return Plan(frames=(), steps=[], length=0, end=end, has_head=False)
        holds = self._holds()
        return Plan(
            frames=self._frames,
            steps=list(self._steps(holds)),
            length=len(self._body) if end == "end" else self._whole,
            end=end,
            hold=holds.get(len(self._body)),
            missing=self._missing,
        )

    def _offset(self, point: Point, what: str) -> int:
        """Where a point lies in the body as it would be without the fault."""
        if not isinstance(point, Byte):
            return self._starts[place_of(self._answer.frames, point, what)]
        offset = point.byte if point.byte >= 0 else self._whole + point.byte
        if not 0 <= offset <= self._whole:
            raise Unencodable(f"{what} is before {told(point)}, and the body has {self._whole} bytes")
        return offset

    def _broken_off(self, fault: Fault) -> tuple[int, int]:
        """Where the fault lies, and how many bytes the chunk there promises beyond that."""
        point = fault.before
        if point == "head":
            return 0, 0
        if not self._answer.streamed and not isinstance(point, Byte) and point != "close":
            at = self._whole // 2
            return at, self._whole - at if fault.kind == "cut" else 0
        at = self._offset(point, f"the fault {fault.kind!r}")
        if fault.kind != "cut":
            return at, 0
        end = next((each for each in self._starts if each > at), at)
        if not isinstance(point, Byte):
            at += (end - at) // 2
        return at, max(1, end - at)

    def _left(self, *, is_replaced: bool) -> tuple[Frame, ...]:
        """The frames that begin before the fault. Where others follow, the last of them is what is sent of it."""
        count = bisect_left(self._starts, self._at) if self._at < self._whole else len(self._answer.frames)
        frames = self._answer.frames[:count]
        part = self._at - self._starts[count - 1] if count else 0
        if is_replaced and frames and part < len(frames[-1].data):
            return (*frames[:-1], replace(frames[-1], data=frames[-1].data[:part]))
        return frames

    def _holds(self) -> dict[int, Hold]:
        gates: dict[int, tuple[Gate, ...]] = {}
        for point, gate in self._delivery.gates.items():
            if point == "head" or not self._holds_here(point):
                continue
            offset = len(self._body) if point == "close" else self._offset(point, "a gate")
            if point != "close" and offset > self._at:
                raise Unencodable(f"a gate is before {told(point)}, which lies behind the fault")
            gates[offset] = (*gates.get(offset, ()), gate)
        times = self._times()
        return {at: Hold(gates.get(at, ()), times.get(at)) for at in gates.keys() | times.keys()}

    def _holds_here(self, point: Point) -> bool:
        """A body that is not streamed has no finish and no end, and one piece."""
        return self._answer.streamed or point in (0, "close") or isinstance(point, Byte)

    def _times(self) -> dict[int, float]:
        """When the bytes from an offset on are due."""
        pace = self._delivery.pace
        if pace is None or not (pace.recorded or pace.times or pace.first or pace.every):
            return {}
        if pace.recorded:
            starts = [0, *self._recorded()]
            found = zip(starts, (arrival.at * pace.scale for arrival in self._answer.arrivals or ()), strict=False)
            return {start: at for start, at in found if start <= self._at}
        starts = [at for frame, at in zip(self._answer.frames, self._starts, strict=False) if "piece" in frame.kinds]
        if len(pace.times) not in (0, *range(len(starts), len(pace.times) + 1)):
            raise Unencodable(f"the pace has {len(pace.times)} times, and the stream {len(starts)} pieces")
        return {start: due for start, due in zip(starts, pace.deadlines(), strict=False) if start <= self._at}

    def _recorded(self) -> list[int]:
        """Where the parts end in which the body arrived."""
        if self._answer.arrivals is None:
            raise Unencodable("cuts or pace are to be as recorded, and this answer has no recorded arrivals")
        return list(accumulate(arrival.size for arrival in self._answer.arrivals))

    def _steps(self, holds: dict[int, Hold]) -> Iterator[Step]:
        body, ends = self._body, list(accumulate(len(frame.data) for frame in self._frames))
        by_start = dict(zip([0, *ends], self._frames, strict=False))
        offsets = sorted({at for at in (*self._cuts(ends), *holds) if 0 < at < len(body)} | {0, len(body)})
        for start, end in pairwise(offsets):
            frame = by_start.get(start)
            # The frame's own bytes where they are the write, so that a long stream is not held twice.
            data = frame.data if frame and len(frame.data) == end - start else body[start:end]
            yield Step(data, end - start, bisect_right(ends, end), holds.get(start))

    def _cuts(self, ends: list[int]) -> Iterator[int]:
        """Where the body is cut, whatever happens there."""
        cuts, body = self._delivery.cuts, self._body
        if isinstance(cuts, int):
            yield from range(cuts, len(body), cuts)
        elif isinstance(cuts, tuple):
            yield from cuts
        elif isinstance(cuts, Random):
            yield from cuts.offsets(len(body))
        elif cuts == "frame":
            yield from ends
        elif cuts == "characters":
            yield from (found.end() for found in _CHARACTER.finditer(body))
        elif cuts == "crlf":
            yield from self._line_ends()
        elif cuts == "recorded":
            yield from self._recorded()

    def _line_ends(self) -> Iterator[int]:
        found = [match.start() + 1 for match in re.finditer(rb"\r\n", self._body)]
        if not found and self._answer.streamed:
            raise Unencodable("the stream has no CRLF to cut; Framing(line_ends='crlf') gives it some")
        yield from found
