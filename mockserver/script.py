"""Scripts: which request is answered with what. Python objects here; `loader` reads the same names from YAML."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from .delivery import Delivery
from .errors import MockServerError, Refused
from .recording import Recording
from .reply import Reply
from .wires import WIRES, Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Which requests a turn answers; what is left out matches every request.

    Args:
        wire: name of the wire, or of the family that it is a dialect of.
        model: the model asked for.
        text: a part of the text of the user's last message.
        stream: whether pieces are asked for.
    """

    wire: str | None = None
    model: str | None = None
    text: str | None = None
    stream: bool | None = None

    def differs(self, asked: Asked) -> str | None:
        """The first thing in which the request differs, or `None` where it matches."""
        if self.wire is not None and self.wire not in (asked.wire, WIRES[asked.wire].family):
            return f"wire is {asked.wire!r}, not {self.wire!r}"
        for name in ("model", "stream"):
            wanted, got = getattr(self, name), getattr(asked, name)
            if wanted is not None and wanted != got:
                return f"{name} is {got!r}, not {wanted!r}"
        if self.text is not None and self.text not in asked.text:
            return f"the user's text is {asked.text!r}, without {self.text!r}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One answer: `reply`, `error` or `recording`; which requests it is for; how it is delivered; how often.

    Args:
        times: how many requests it answers; `None` for as many as come, which a later turn that matches ends.
    """

    reply: Reply | None = None
    error: Refused | None = None
    recording: Recording | None = None
    when: When = field(default_factory=When)
    delivery: Delivery = field(default_factory=Delivery)
    times: int | None = None

    def __post_init__(self) -> None:
        if sum(each is not None for each in (self.reply, self.error, self.recording)) != 1:
            raise ValueError("a turn has either a reply, an error or a recording")
        if self.times is not None and self.times < 1:
            raise ValueError(f"a turn answers at least one request, not {self.times!r}")
        fault = self.delivery.fault
        if self.reply and fault and isinstance(fault.before, int) and fault.before >= self.reply.piece_count:
            raise ValueError(f"the fault is before piece {fault.before}, and the last is {self.reply.piece_count - 1}")

    def describe(self) -> str:
        if self.reply:
            text = self.reply.describe()
        elif self.error:
            text = f"HTTP {self.error.status} {self.error.message!r}"
        else:
            assert self.recording
            text = f"{len(self.recording.frames)} recorded frames"
            text += f" of {self.recording.source}" if self.recording.source else ""
        if fault := self.delivery.fault:
            before = f"piece {fault.before}" if isinstance(fault.before, int) else f"the {fault.before}"
            text += f"; {fault.kind} before {before}"
        return text


Answer: TypeAlias = Reply | Turn | Refused
Responder: TypeAlias = Callable[[Asked], Answer]
"""A script as a function: from the request as understood to its answer."""


class Script:
    """Turns in order, and which of them are used up. One script belongs to one server.

    A request is answered by the first turn that matches it and has answers left. A turn without `times` answers once
    while a later turn matches the same request, and for ever where none does: the last one repeats.
    """

    def __init__(self, turns: Iterable[Turn] | Responder) -> None:
        self._responder = turns if callable(turns) else None
        self.turns: tuple[Turn, ...] = () if callable(turns) else tuple(turns)
        self._answered = [0] * len(self.turns)

    def answer(self, asked: Asked) -> Turn:
        """The turn that answers.

        Raises:
            MockServerError: none does; the text says how the nearest one differs.
        """
        if self._responder:
            return as_turn(self._responder(asked))
        matching = [number for number, turn in enumerate(self.turns) if turn.when.differs(asked) is None]
        for number in matching:
            left = self.turns[number].times or (1 if number != matching[-1] else None)
            if left is None or self._answered[number] < left:
                self._answered[number] += 1
                return self.turns[number]
        raise MockServerError(self._near_miss(asked, matching))

    def _near_miss(self, asked: Asked, matching: list[int]) -> str:
        if matching:
            return f"the turns that match are used up: {', '.join(f'turn {number + 1}' for number in matching)}"
        if not self.turns:
            return "the script has no turns"
        differences = (f"turn {number}: {turn.when.differs(asked)}" for number, turn in enumerate(self.turns, 1))
        return "no turn of the script answers this request; " + "; ".join(differences)


def as_turn(answer: object) -> Turn:
    """A turn from what a script may hold in its place.

    Raises:
        MockServerError: it is nothing that answers.
    """
    if isinstance(answer, Turn):
        return answer
    if isinstance(answer, Reply):
        return Turn(reply=answer)
    if isinstance(answer, Refused):
        return Turn(error=answer)
    raise MockServerError(f"an answer is a Reply, a Turn or a Refused, not {answer!r}")


def named(reply: Reply, *, id: str, model: str) -> Reply:
    """The reply with the id and the model that it leaves open."""
    return replace(reply, id=reply.id or id, model=reply.model or model)
