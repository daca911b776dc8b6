"""What a consumer may do with a model: sequences of steps on several streams at once, and what must hold after each."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mockserver import Asked, Delivery, Gate, Refused, Reply, Turn

from ..callbacks import END as TOLD_END
from ..callbacks import ERROR, START, TOKEN, Listener
from ..calls import END, PATIENCE, Call, Stream
from ..catalogue import rules
from ..compat import text_of
from ..drive import Probe
from ..observe import joined
from ..rules.cancel import LEFT, reading
from ..rules.events_read import counted
from ..verdict import Broken, NotApplicable
from ..wording import brief, describe_error
from .exploring import STEPS

STREAMS: Final = 3
_PIECES: Final = 4
_LONGEST: Final = 12
FAILING: Final = "Fail"
_TOLD_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "next": ("STREAM-14",),
    "finish": ("STREAM-12", "CALLBACK-01", "CALLBACK-02"),
    "close": ("CANCEL-01", "CANCEL-06"),
    "fail": ("FAULT-01", "FAULT-11"),
    "retry": ("RETRY-05",),
    "cancel": ("CANCEL-02", "CANCEL-03", "CANCEL-06"),
    "loop": ("ASYNC-03",),
}
"""The rules that try a step by itself. Where one of them does not hold, what the step does to others is no news."""


@dataclass(frozen=True, slots=True)
class Action:
    """One step of a consumer.

    Args:
        kind: ``next``, ``finish`` and ``close`` are done to a stream, which the first two open where it is not open;
            ``invoke`` is a call of its own, ``fail`` one that the provider refuses, ``retry`` one that it refuses
            once and LangChain's `with_retry` asks again, and (async only) ``cancel`` a stream of its own whose task is
            cancelled after its first text, and ``loop`` a call in an event loop of its own.
        stream: which of the streams.
    """

    kind: str
    stream: int = 0

    def __str__(self) -> str:
        return f"{self.kind} {self.stream}" if self.kind in _ON_STREAMS else self.kind


_ON_STREAMS: Final = STEPS[:3]


def alone(probe: Probe) -> tuple[str, ...]:
    """The steps that a model can be asked for, beside those on streams."""
    target = probe.target
    kinds = ["invoke", "fail"]
    kinds += ["retry"] if not target.wrapper or target.wrapper.is_runnable else []
    kinds += ["cancel"] if probe.is_async and target.native("_astream") else []
    return (*kinds, "loop") if probe.is_async else tuple(kinds)


def sequences(alone: Sequence[str]) -> SearchStrategy[tuple[Action, ...]]:
    """Sequences of steps on streams and of these; half of them are long.

    Several streams have to be open before one can spoil another, so reading on is what is mostly done.
    """
    on_streams = {kind: [Action(kind, stream) for stream in range(STREAMS)] for kind in _ON_STREAMS}
    often = [*on_streams.pop("next")] * 4
    steps = st.sampled_from([*often, *chain(*on_streams.values()), *(2 * [Action(kind) for kind in alone])])
    short = st.lists(steps, min_size=1, max_size=_LONGEST)
    return (short | st.lists(steps, min_size=_LONGEST // 2, max_size=_LONGEST)).map(tuple)


def pieces_of(question: str) -> tuple[str, ...]:
    """The pieces with which a question is answered, which are those of no other."""
    return tuple(f"{question}-{number} " for number in range(_PIECES))


@dataclass(frozen=True, slots=True)
class Misstep:
    """What did not hold.

    Args:
        invariant: the name of what must hold.
        action: the kind of step after which it did not.
        expected: what must hold, in words.
        observed: what was seen.
    """

    invariant: str
    action: str
    expected: str
    observed: str

    @property
    def key(self) -> tuple[str, str]:
        return self.invariant, self.action


class _Missed(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: str, expected: str, observed: str) -> None:
        super().__init__(invariant)
        self.told = (invariant, expected, observed)


@dataclass
class _Open:
    """A stream of this walk."""

    stream: Stream[Any]
    question: str
    gate: Gate
    listener: Listener
    is_over: bool = False


@dataclass
class Walk:
    """Takes the steps of one sequence."""

    probe: Probe
    _open: dict[int, _Open] = field(default_factory=dict)
    _gates: dict[str, tuple[int, Gate]] = field(default_factory=dict)
    _refused_once: set[str] = field(default_factory=set)
    _asked: int = 0
    _is_told: dict[str, bool] = field(default_factory=dict)

    def judge(self, actions: tuple[Action, ...]) -> Misstep | None:
        """What does not hold that no written rule tells of, and after which step."""
        kinds = {action.kind for action in actions}
        if "next" in kinds:
            kinds.add("finish")  # in the end, what is open is read to its end
        if any(self._is_told.get(kind) for kind in kinds):
            return None
        if (first := self.walk(actions)) is None:
            return None
        # The step after which it shows is the likeliest to be told of.
        is_told = any(map(self._tells, sorted(kinds, key=lambda kind: (kind != first.action, kind))))
        # What sequences before have left in the model is no part of this one.
        self.probe.renew()
        if is_told:
            return None
        misstep = self.walk(actions)
        self.probe.renew()
        return misstep

    def _tells(self, kind: str) -> bool:
        """Whether a written rule that tries this step by itself does not hold; from then on it is passed over."""
        if kind not in self._is_told:
            self._is_told[kind] = any(map(self._breaks, _TOLD_BY.get(kind, ())))
        return self._is_told[kind]

    def _breaks(self, id: str) -> bool:
        rule, target = rules()[id], self.probe.target
        if self.probe.form not in rule.forms or any(target.lacks(need, self.probe.form) for need in rule.needs):
            return False
        for case in rule.cases(target):
            self.probe.forget()
            self.probe.renew()
            try:
                rule.check(self.probe, case.fresh())
            except Broken:
                self.probe.goes_on = True
                return True
            except NotApplicable:
                continue
        return False

    def walk(self, actions: tuple[Action, ...]) -> Misstep | None:
        """What does not hold, and after which step."""
        self._open, self._gates, self._refused_once, self._asked = {}, {}, set(), 0
        self.probe.forget()
        self.probe.play(self._answer)
        kind = "end"
        try:
            for action in actions:
                kind = action.kind
                self._steps[kind](action.stream)
            kind = "end"
            self._leave()
        except _Missed as missed:
            return Misstep(missed.told[0], kind, *missed.told[1:])
        except Broken as broken:
            return Misstep("answers", kind, broken.expected, broken.observed)
        finally:
            self.probe.finish()
        return None

    @property
    def _steps(self) -> Mapping[str, Callable[[int], None]]:
        return {
            "next": self._next,
            "finish": self._finish,
            "close": self._close,
            "invoke": lambda _: self._invoke(),
            "fail": lambda _: self._fail(),
            "retry": lambda _: self._retry(),
            "cancel": lambda _: self._cancel(),
            "loop": lambda _: self._loop(),
        }

    def _answer(self, asked: Asked) -> Turn:
        """Each question has an answer of its own, whose last piece is held back where a stream is asked for."""
        if asked.text == FAILING:
            return Turn(error=Refused(400, "This request cannot be answered"))
        if asked.text in self._refused_once:
            self._refused_once.remove(asked.text)
            return Turn(error=Refused(400, "This request cannot be answered"))
        reply = Reply.of(*pieces_of(asked.text))
        if asked.text not in self._gates or not asked.stream:
            return Turn(reply=reply)
        piece, gate = self._gates[asked.text]
        return Turn(reply=reply, delivery=Delivery(gates={piece: gate}))

    def _question(self) -> str:
        self._asked += 1
        return f"Q{self._asked}"

    def _held(self, question: str, before: int) -> Gate:
        """Have the answer to a question held back before this piece."""
        gate = self.probe.gate()
        self._gates[question] = (before, gate)
        return gate

    def _opened(self, number: int) -> _Open:
        if number not in self._open:
            question, listener = self._question(), Listener()
            gate = self._held(question, _PIECES - 1)
            stream: Stream[Any] = self.probe.iterate("stream", question, config={"callbacks": [listener]})
            self._open[number] = _Open(stream, question, gate, listener)
        return self._open[number]

    def _next(self, number: int) -> None:
        """The next chunk with text, where the server is not holding it back."""
        each = self._opened(number)
        if each.is_over:
            if (item := each.stream.next()) is not END:
                raise _Missed("a stream that is over stays over", "no chunk", brief(item))
            return
        before = len(self._said(each))
        held = "".join(pieces_of(each.question)[:-1])
        while self._said(each) != held and len(self._said(each)) == before:
            call = each.stream.ask()
            if not call.wait(PATIENCE):
                raise _Missed("pieces arrive", f"text after {self._said(each)!r}", "nothing in time")
            if call.value() is END:
                raise _Missed("pieces arrive", f"text after {self._said(each)!r}", "the end of the stream")
        self._is_own(each)

    def _finish(self, number: int) -> None:
        """Read to the end."""
        each = self._opened(number)
        if each.is_over:
            return
        each.gate.open()
        each.stream.rest()
        each.is_over = True
        whole = "".join(pieces_of(each.question))
        if (said := self._said(each)) != whole:
            raise _Missed("a stream gives its own answer", repr(whole), repr(said))
        self._told(each, TOLD_END)

    def _close(self, number: int) -> None:
        """Leave a stream; its connection closes where it was open."""
        if number not in self._open:
            return
        each = self._open[number]
        was_running = not each.is_over and bool(each.stream.items)
        each.stream.close()
        each.is_over = True
        exchange = next((x for x in self.probe.exchanges if x.asked and x.asked.text == each.question), None)
        if was_running and exchange:
            self.probe.server.until(lambda: exchange.ended is not None, timeout=PATIENCE)
            if exchange.ended != LEFT:
                raise _Missed("leaving closes the connection", LEFT, exchange.describe())

    def _invoke(self) -> None:
        question = self._question()
        self._is_answer(question, text_of(self.probe.invoke(question)))

    def _is_answer(self, question: str, said: str) -> None:
        if said != (whole := "".join(pieces_of(question))):
            raise _Missed("a call gives its own answer", repr(whole), repr(said))

    def _fail(self) -> None:
        call: Call[Any] = self.probe.call("invoke", FAILING)
        if call.error() is None:
            raise _Missed("a refused call raises", "an error", brief(call.value()))

    def _retry(self) -> None:
        question = self._question()
        self._refused_once.add(question)
        again = self.probe.model().with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
        call: Call[Any] = self.probe.call("invoke", question, on=again)
        self._is_answer(question, text_of(call.value()))

    def _loop(self) -> None:
        question, model = self._question(), self.probe.model()
        call: Call[Any] = self.probe.in_thread("ainvoke", lambda: asyncio.run(model.ainvoke(question)))
        self._is_answer(question, text_of(call.value()))

    def _cancel(self) -> None:
        question = self._question()
        self._held(question, 1)
        call = reading(self.probe, self.probe.model(), question)
        call.cancel()
        error = call.raised("its task is cancelled", PATIENCE)
        if type(error).__name__ != "CancelledError":
            raise _Missed("cancelling raises CancelledError", "CancelledError", describe_error(error))

    def _leave(self) -> None:
        """Read what is still open to its end: it has not been harmed by what was done beside it."""
        for number, each in sorted(self._open.items()):
            if not each.is_over:
                self._finish(number)

    def _said(self, each: _Open) -> str:
        return joined(each.stream.items)

    def _is_own(self, each: _Open) -> None:
        whole, said = "".join(pieces_of(each.question)), self._said(each)
        if not whole.startswith(said):
            raise _Missed("a stream gives its own answer", repr(whole), repr(said))

    def _told(self, each: _Open, last: str) -> None:
        """One start, then a token for each chunk, then one end, and no error."""
        names = each.listener.names
        if names[:1] != [START] or names[-1:] != [last] or set(names[1:-1]) - {TOKEN} or ERROR in names:
            raise _Missed("callbacks tell of a run", f"{START}, {TOKEN} …, {last}", counted(names))
        chunks, tokens = len(each.stream.items), names.count(TOKEN)
        if self.probe.target.streams(self.probe.form) and tokens != chunks:
            raise _Missed("callbacks tell of a run", f"{TOKEN} once for each of {chunks} chunks", counted(names))
