"""What the server saw: one exchange for each request, in the order in which they came."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from ..frames import Frame
from ..scripts.script import Turn
from ..sending.gate import Gate
from ..wires import Asked

_MOST: Final = 64 * 1024 * 1024
"""Bytes above which a journal that does not keep all exchanges keeps fewer of them."""
_A_WRITE: Final = 100
"""About as many bytes are held for each write."""
Ending: TypeAlias = Literal["finished", "refused", "closed by client", "closed by fault", "stopped"]


class Write(NamedTuple):
    """One write of the body: when (seconds of `time.monotonic`), how many bytes, how many frames were complete then.

    Bytes count as the client reads them, before chunks and compression.
    """

    at: float
    size: int
    frames: int


class Held(NamedTuple):
    """A time for which a gate held an answer: from and until when (seconds of `time.monotonic`), and before how many
    writes.

    `until` is `None` while it is closed.
    """

    at: float
    until: float | None
    writes: int


class Journal:
    """The exchanges of a server, with waiting for what they come to. Safe from any thread.

    `keep`: how many of them are kept at most, beside those that are open; all of them where it is `None`.
    """

    def __init__(self, keep: int | None = None) -> None:
        self._changed = threading.Condition()
        self._waiting = 0
        self._keep = keep
        self._exchanges: dict[int, Exchange] = {}
        """By number."""
        self._count = 0
        self._size = 0
        self._open = 0
        self._peak = 0
        self.forgotten: Counter[Ending] = Counter()
        """How those ended that were not kept; calls beside the main ones are not counted."""

    @property
    def exchanges(self) -> tuple["Exchange", ...]:
        with self._changed:
            return tuple(self._exchanges.values())

    @property
    def count(self) -> int:
        """How many exchanges there were, with those that were not kept."""
        return self._count

    @property
    def open(self) -> int:
        """Requests of whose answers something is still held back."""
        return self._open

    @property
    def peak(self) -> int:
        """The most requests that were open at one time."""
        return self._peak

    def begin(self, exchange: "Exchange") -> None:
        with self._changed:
            self._count += 1
            self._exchanges[self._count] = exchange
            self._forget()
            self._open += 1
            self._peak = max(self._peak, self._open)
            self._changed.notify_all()

    def ended(self, exchange: "Exchange") -> None:
        if self._keep is not None:
            with self._changed:
                self._size += exchange.size
                self._forget()
        self.changed()

    def _forget(self) -> None:
        """Forget the oldest of those that have ended, where there are too many, or they are too large."""
        while self._keep is not None and (
            len(self._exchanges) > self._keep or (self._size > _MOST and len(self._exchanges) > 1)
        ):
            found = next(((number, each) for number, each in self._exchanges.items() if each.ended), None)
            if found is None:
                return
            number, each = found
            del self._exchanges[number]
            self._size -= each.size
            if each.ended and not each.is_aside:
                self.forgotten[each.ended] += 1

    def close(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def changed(self) -> None:
        # A waiter counts itself before it looks, so that a change that it has not seen finds it counted. Without one,
        # which is the rule while streams are written, no lock is taken.
        if self._waiting:
            with self._changed:
                self._changed.notify_all()

    def until(self, holds: Callable[[], bool], *, timeout: float) -> bool:
        """Wait up to `timeout` seconds until `holds()`; says whether it does.

        Looks at every change of the journal, and every 10 ms for what changes without one, such as connections.
        """
        limit = time.monotonic() + timeout
        with self._changed:
            self._waiting += 1
            try:
                while not holds():
                    left = limit - time.monotonic()
                    if left <= 0:
                        return False
                    self._changed.wait(min(left, 0.01))
                return True
            finally:
                self._waiting -= 1


@dataclass(slots=True, eq=False)
class Exchange:
    """A request and what became of it. Fields that are not known yet are `None`.

    Args:
        number: from 1, in order of arrival.
        connection: from 1; equal for requests that came on one connection.
        at: when the request was read, in seconds of `time.monotonic`.
        asked: the request as understood; `None` where it belongs to no wire or was refused.
        turn: the turn that answers it.
        frames: the frames planned for the answer; a body that is not streamed is one frame.
        held: the times for which gates held the answer.
        refused: why the server refused the request, where it did; `refused_at` is the JSON path of the fault, if known.
        is_aside: whether it is a call beside the main ones, such as for a list of models.
        is_answered: whether all bytes are on their way.
        ended: who ended it; `ended_at` says when. Where it was the client, `frames_written` says after which frame.
        client_reset: whether the client ended it with a TCP reset. A client's system sends one too where the client
            closes its connection without having read all that has come.
        journal: the journal that it stands in.
    """

    number: int
    connection: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)
    asked: Asked | None = None
    turn: Turn | None = None
    status: int | None = None
    frames: tuple[Frame, ...] = ()
    writes: list[Write] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    refused: str | None = None
    refused_at: str = ""
    is_aside: bool = False
    is_answered: bool = False
    ended: Ending | None = None
    ended_at: float | None = None
    client_reset: bool = False
    journal: Journal = field(default_factory=Journal, repr=False)

    def __post_init__(self) -> None:
        self.journal.begin(self)

    async def pass_through(self, gate: Gate) -> float:
        """Wait until the gate is open, and note it; gives the seconds that it took."""
        arrived = time.monotonic()
        if gate.is_open:
            await gate.passage()
            return 0.0
        self.held.append(Held(arrived, None, len(self.writes)))
        await gate.passage()
        now = time.monotonic()
        self.held[-1] = self.held[-1]._replace(until=now)
        return now - arrived

    def let_go(self) -> None:
        """Note that nothing is held back any more: with the last bytes, the client may think itself done."""
        if not self.is_answered:
            self.is_answered = True
            self.journal.close()

    def end(self, how: Ending) -> None:
        """Note who ended the exchange; what is noted first stays."""
        self.let_go()
        if self.ended is None:
            self.ended, self.ended_at = how, time.monotonic()
            self.journal.ended(self)

    @property
    def size(self) -> int:
        """About how many bytes this holds."""
        return len(self.body) + sum(len(frame.data) for frame in self.frames) + _A_WRITE * len(self.writes)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def frames_written(self) -> int:
        return self.writes[-1].frames if self.writes else 0

    @property
    def bytes_written(self) -> int:
        return sum(write.size for write in self.writes)

    def describe(self) -> str:
        """One line: ``#1 POST /v1/messages 200, 7 of 7 frames, finished``."""
        frames = f", {self.frames_written} of {len(self.frames)} frames" if self.frames else ""
        at = f" at {self.refused_at}" if self.refused_at else ""
        why = f": {self.refused}{at}" if self.refused else ""
        return f"#{self.number} {self.method} {self.path} {self.status or '-'}{frames}, {self.ended or 'open'}{why}"
