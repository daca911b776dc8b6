"""Scripts: which request is answered with what. Python objects here; `loader` reads the same names from YAML."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ..errors import MockServerError, Refused
from ..recording import Recording
from ..reply import Reply
from ..sending.delivery import Delivery, Gate, told
from ..wires import Asked
from .matching import When, WhenMessage, WhenMessages

__all__ = ["Answer", "Responder", "Script", "Turn", "When", "WhenMessage", "WhenMessages", "as_turn", "named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One answer: `reply`, `error` or `recording`; which requests it is for; how it is delivered; how often.

    Args:
        reply: what the model says, or (in Python) a function from the request to it or to an error.
        error: an HTTP error in place of a reply.
        recording: recorded bytes in place of a reply.
        when: which requests it answers; all of them where it is left out.
        delivery: how the bytes of the answer leave.
        times: how many requests it answers. Left out, it answers one while a later turn matches the same request, and
            as many as come where none does.
    """

    reply: Reply | Callable[[Asked], Reply | Refused] | None = None
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
        if not isinstance(self.reply, Reply) or not fault or not isinstance(fault.before, int):
            return
        if fault.before >= self.reply.piece_count:
            raise ValueError(f"the fault is before piece {fault.before}, and the last is {self.reply.piece_count - 1}")

    def resolved(self, asked: Asked) -> "Turn":
        """The turn with the reply that its function makes of the request; itself where it has none.

        Raises:
            MockServerError: the function gives something else.
        """
        if self.reply is None or isinstance(self.reply, Reply):
            return self
        made = self.reply(asked)
        if isinstance(made, Refused):
            return replace(self, reply=None, error=made)
        if isinstance(made, Reply):
            return replace(self, reply=made)
        raise MockServerError(f"the function of a turn gives a Reply or a Refused, not {made!r}")

    def describe(self) -> str:
        if isinstance(self.reply, Reply):
            text = self.reply.describe()
        elif self.reply:
            text = "a reply made of the request"
        elif self.error:
            text = f"HTTP {self.error.status} {self.error.message!r}"
        else:
            assert self.recording
            text = f"{len(self.recording.frames)} recorded frames"
            text += f" of {self.recording.source}" if self.recording.source else ""
        if fault := self.delivery.fault:
            before = f"the {fault.before}" if isinstance(fault.before, str) else told(fault.before)
            text += f"; {fault.kind} before {before}"
        return text


Answer: TypeAlias = Reply | Turn | Refused
Responder: TypeAlias = Callable[[Asked], Answer]
"""A script as a function: from the request as understood to its answer."""


class Script:
    """Turns in order, and which of them are used up. One script belongs to one server. Safe from any thread.

    A request is answered by the first turn that matches it and has answers left. A turn without `times` answers once
    while a later turn matches the same request, and for ever where none does: the last one repeats.

    Args:
        turns: the turns, or a function from the request to its answer.
        loop: whether the turns that match a request start again once all of them are used up. A turn without `times`
            then answers once in each round, the last one too.
        default: answers what no turn does.
        gates: the gates that are to be found by name; those of turns may be among them.
        about: what the script is for; nothing here reads it.

    Raises:
        ValueError: a function is given a loop or a default, or the default has conditions.
    """

    def __init__(
        self,
        turns: Iterable[Turn] | Responder,
        *,
        loop: bool = False,
        default: Answer | None = None,
        gates: Mapping[str, Gate] | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self._responder = turns if callable(turns) else None
        self.turns: tuple[Turn, ...] = () if callable(turns) else tuple(turns)
        self.loop = loop
        self.default = None if default is None else as_turn(default)
        self.gates: Mapping[str, Gate] = dict(gates or {})
        self.about: Mapping[str, Any] = dict(about or {})
        self._counting = threading.Lock()
        self._answered = [0] * len(self.turns)
        self._used: set[int] = set()
        if self._responder and (loop or default):
            raise ValueError("a script that is a function answers everything: it has neither a loop nor a default")
        if self.default and (self.default.when != When() or self.default.times):
            raise ValueError("the default answers what no turn does, so it has neither 'when' nor 'times'")

    def answer(self, asked: Asked) -> Turn:
        """The turn that answers.

        Raises:
            MockServerError: none does; the text says how the nearest one differs.
        """
        if self._responder:
            return as_turn(self._responder(asked)).resolved(asked)
        matching = [number for number, turn in enumerate(self.turns) if turn.when.matches(asked)]
        turn = self._next(matching) or self.default
        if turn is None:
            raise MockServerError(self._near_miss(asked, matching))
        return turn.resolved(asked)

    @property
    def answered(self) -> tuple[int, ...]:
        """How many requests each turn has answered; with `loop`, in this round."""
        return tuple(self._answered)

    @property
    def unused(self) -> tuple[Turn, ...]:
        """The turns that have not answered any request."""
        return tuple(turn for number, turn in enumerate(self.turns) if number not in self._used)

    def reset(self) -> None:
        """Begin anew: no turn has answered, and all gates of the script that have a name are closed."""
        with self._counting:
            self._answered = [0] * len(self.turns)
            self._used.clear()
        for gate in self.gates.values():
            gate.close()

    def _next(self, matching: list[int]) -> Turn | None:
        """The first of the turns that match that has answers left; it is counted."""
        with self._counting:
            number = self._with_answers_left(matching)
            if number is None and self.loop and matching:
                for each in matching:
                    self._answered[each] = 0
                number = matching[0]
            if number is None:
                return None
            self._answered[number] += 1
            self._used.add(number)
            return self.turns[number]

    def _with_answers_left(self, matching: list[int]) -> int | None:
        for number in matching:
            repeats = number == matching[-1] and not self.loop
            left = self.turns[number].times or (None if repeats else 1)
            if left is None or self._answered[number] < left:
                return number
        return None

    def _near_miss(self, asked: Asked, matching: list[int]) -> str:
        """Why no turn answers: the nearest is the one of whose conditions most hold and fewest do not."""
        if matching:
            return f"the turns that match are used up: {', '.join(f'turn {number + 1}' for number in matching)}"
        if not self.turns:
            return "the script has no turns"
        compared = [turn.when.compare(asked) for turn in self.turns]
        number = max(range(len(compared)), key=lambda each: sum(-1 if differs else 1 for differs in compared[each]))
        differences = "; ".join(differs for differs in compared[number] if differs)
        nearest = "" if len(compared) == 1 else "the nearest is "
        return f"no turn of the script answers this request; {nearest}turn {number + 1}: {differences}"


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
