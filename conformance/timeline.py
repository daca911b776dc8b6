"""What went on while an item ran, as plain data for reports: what the caller did, and what the server saw and wrote.

All times are seconds from the first thing that happened. Everything is bounded: of long lists the first and the last
are told, with how many lie between in their place. Requests are told without their headers, where keys stand.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any, Final, TypeVar

from mockserver import Exchange, Held, Write

from .steps import Course, said
from .wording import sayable

T = TypeVar("T")

_FIRST: Final = 24
_LAST: Final = 8
"""How many steps of a call, and writes of an answer, are told from its start and from its end."""
_SOME: Final = (2, 4)
"""How many of many calls, and exchanges, are told from the first on, and how many up to the last, which decided."""
_BYTES: Final = 320
"""Bytes of a write that are told."""
_ASKED: Final = 1200
"""Bytes of a request's body that are told."""
_KEY: Final = re.compile(r"([?&][^=&]*(?:key|token|secret|signature)[^=&]*=)[^&]*", re.IGNORECASE)


def timeline(courses: Iterable[Course], exchanges: Sequence[Exchange], decided: float) -> dict[str, Any]:
    """What went on until `decided` (`time.monotonic`), in the shape of ``timeline`` in ``report.schema.json``."""
    courses = [course for course in courses if course.steps]
    begins = [*(course.steps[0].at for course in courses), *(exchange.at for exchange in exchanges)]
    start = min(begins, default=decided)
    return {
        "seconds": _since(start, decided),
        "calls": _some(courses, lambda course: _call(course, start), *_SOME),
        "exchanges": _some(list(enumerate(exchanges, 1)), lambda placed: _exchange(placed, start), *_SOME),
    }


def _since(start: float, at: float) -> float:
    return round(at - start, 5)


def _some(of: Sequence[T], told: Callable[[T], dict[str, Any]], first: int = _FIRST, last: int = _LAST) -> list[Any]:
    """The first and the last of a sequence, and between them how many are left out."""
    fewer = len(of) - first - last
    if fewer <= 1:
        return list(map(told, of))
    return [*map(told, of[:first]), {"left_out": fewer}, *map(told, of[-last:])]


def _call(course: Course, start: float) -> dict[str, Any]:
    given = [(seen.at, "gives", seen.value) for seen in course.seen]
    steps = sorted([*given, *course.steps], key=lambda step: step[0])

    def told(step: tuple[float, str, Any]) -> dict[str, Any]:
        at, what, value = step
        words = said(value) if what == "gives" else value
        return {"at": _since(start, at), "what": what, **({"said": sayable(words)} if words else {})}

    return {"name": course.name, "steps": _some(steps, told)}


def _exchange(placed: tuple[int, Exchange], start: float) -> dict[str, Any]:
    number, exchange = placed
    body = _Body(exchange)
    known = {
        "status": exchange.status,
        "turn": exchange.turn.describe() if exchange.turn else None,
        "refused": exchange.refused,
        "ended": exchange.ended,
        "ended_at": _since(start, exchange.ended_at) if exchange.ended_at is not None else None,
    }
    flags = {"reset": exchange.client_reset, "aside": exchange.is_aside}
    return {
        "number": number,
        "connection": exchange.connection,
        "at": _since(start, exchange.at),
        "method": exchange.method,
        "path": sayable(_KEY.sub(r"\1…", exchange.path)),
        "body": text_of(exchange.body, _ASKED),
        "body_size": len(exchange.body),
        "frames": len(exchange.frames),
        "writes": _some(body.writes, lambda placed: body.write(placed, start)),
        **{name: sayable(each) if isinstance(each, str) else each for name, each in known.items() if each is not None},
        **{name: True for name, holds in flags.items() if holds},
        **({"held": _some(exchange.held, lambda held: _held(held, start))} if exchange.held else {}),
    }


def _held(held: Held, start: float) -> dict[str, Any]:
    until = {} if held.until is None else {"until": _since(start, held.until)}
    return {"at": _since(start, held.at), **until, "writes": held.writes}


class _Body:
    """The writes of an exchange with the bytes of the body that each brought."""

    def __init__(self, exchange: Exchange) -> None:
        self._frames = exchange.frames
        self._ends = list(accumulate(len(frame.data) for frame in exchange.frames))
        starts = accumulate((write.size for write in exchange.writes), initial=0)
        self.writes: list[tuple[Write, int]] = list(zip(exchange.writes, starts, strict=False))

    def write(self, placed: tuple[Write, int], start: float) -> dict[str, Any]:
        """When, how many bytes, how many frames were complete then, of what kind the first of them is, and the bytes.

        `cut` says that it ends in the midst of a frame.
        """
        write, at = placed
        end = at + write.size
        first = bisect_right(self._ends, at)
        before = self._ends[first - 1] if first else 0
        some = b"".join(frame.data for frame in self._frames[first : bisect_right(self._ends, at + _BYTES) + 1])
        data = some[at - before :][: write.size]
        whole = end == (self._ends[write.frames - 1] if write.frames else 0)
        return {
            "at": _since(start, write.at),
            "size": write.size,
            "frames": write.frames,
            "kind": "+".join(self._frames[first].kinds) if first < len(self._frames) else "noise",
            "bytes": text_of(data, _BYTES),
            **({} if whole else {"cut": True}),
        }


def text_of(data: bytes, limit: int) -> str:
    """Bytes as a text of one line: what cannot be shown is escaped as Python escapes it, and the end is left out."""
    text = data[:limit].decode(errors="backslashreplace")
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return f"{shown}…" if len(data) > limit else shown
