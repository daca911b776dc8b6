"""What is explored: replies and how they are sent, and what consumers do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from mockserver import WIRES, Refused, Reply, Turn, When, Wire

from ..catalogue import Case
from ..drive import Probe
from ..rules.scripts import fitted
from ..verdict import NotApplicable
from .actions import FAILING, Action, Walk, alone, pieces_of, sequences
from .answers import Asker
from .deliveries import examples
from .example import PLAIN, Example, usage_places
from .exploring import Scripted
from .looking import Failure, Subject, again, look
from .oracle import Difference
from .replies import Shapes
from .simpler import simpler_examples, simpler_steps

REPLIES: Final = "EXPLORE-01"
ACTIONS: Final = "EXPLORE-02"

FACETS: Final[Mapping[str, tuple[str, ...]]] = {
    "reasoning": ("META-05", "META-06"),
    "calls": ("TOOL-01", "TOOL-03", "TOOL-07"),
    "finish reason": ("INVOKE-03", "STREAM-08"),
    "usage": ("META-01", "META-02"),
}
"""The rules that are about a facet, whatever the method is."""
METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    "invoke": ("INVOKE-01",),
    "stream": ("STREAM-02", "STREAM-06"),
    "astream_events v1": ("EVENTS-06", "EVENTS-12"),
    "astream_events v2": ("EVENTS-06", "EVENTS-12"),
    "stream_events v3": ("BLOCKS-03", "BLOCKS-04"),
}
"""The rules that are about what a method gives, by its name without the ``a`` of those before v3."""
FRAMINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "sse": ("SSE-01", "SSE-02", "SSE-03", "SSE-05", "SSE-12"),
    "ndjson": ("SSE-18",),
    "event-stream": ("SSE-22",),
    "json-array": ("SSE-26",),
}
CUTS: Final[Mapping[str, tuple[str, ...]]] = {
    "sse": ("SSE-06", "SSE-07"),
    "ndjson": ("SSE-16",),
    "event-stream": ("SSE-21",),
    "json-array": ("SSE-25",),
}
INVARIANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "a stream that is over stays over": ("STREAM-12",),
    "pieces arrive": ("STREAM-04", "STREAM-14"),
    "a stream gives its own answer": ("STREAM-13", "STREAM-14"),
    "leaving closes the connection": ("CANCEL-01", "CANCEL-06"),
    "a call gives its own answer": ("STATE-02", "FAULT-11"),
    "a refused call raises": ("FAULT-01",),
    "cancelling raises CancelledError": ("CANCEL-02",),
    "callbacks tell of a run": ("CALLBACK-01", "CALLBACK-02"),
    "answers": ("STREAM-13", "FAULT-11"),
}
"""The rules that are about what must hold between the steps of a consumer."""


def explore_replies(probe: Probe, case: Case) -> None:
    """Try generated replies on a wire, or those of a script.

    Raises:
        Broken: a method does not say what the provider said.
    """
    scripted = case.value if isinstance(case.value, Scripted) else None
    family = (WIRES[scripted.wire].family if scripted.wire else "") if scripted else case.value
    if family and family not in probe.target.families:
        raise NotApplicable(f"{probe.target.label} does not speak {family}")
    if family and family != probe.wire.family:
        probe.speak(family)
    if scripted:
        again(probe, _replies(probe), _examples_of(scripted, probe.wire), scripted.file)
    else:
        look(probe, _replies(probe), case)


def explore_actions(probe: Probe, case: Case) -> None:
    """Try generated steps of a consumer, or those of a script.

    Raises:
        Broken: a stream or a call does not keep what it promises.
    """
    if isinstance(case.value, Scripted):
        again(probe, _actions(probe), _steps_of(case.value), case.value.file)
        return
    look(probe, _actions(probe), case)


def _replies(probe: Probe) -> Subject[Example]:
    """Replies that the wire can carry, asked for by each method, and compared with what each gives."""
    target = probe.target
    shapes = Shapes(
        target.wire,
        tools=not target.lacks("tools", probe.form),
        reasoning=not target.lacks("reasoning", probe.form),
    )
    asker = Asker(probe, shapes)

    def failure(difference: Difference, example: Example) -> Failure:
        what = f"{difference.facet} {difference.kind}"
        alike = _alike(difference, example, probe)
        return Failure(difference.method, what, difference.expected, difference.observed, alike)

    return Subject(
        rule=REPLIES,
        examples=examples(shapes),
        failures=lambda example: (failure(each, example) for each in asker.untold(example)),
        turns=lambda example: [*([Turn(reply=example.before)] if example.before else []), example.turn],
        about=lambda example: {"rule": REPLIES, "wire": probe.wire.name, **_counted(example)},
        simpler=simpler_examples(shapes),
    )


def _alike(difference: Difference, example: Example, probe: Probe) -> tuple[str, ...]:
    """The rules that a difference resembles."""
    framing = probe.wire.framing
    sent = FRAMINGS[framing] if example.delivery.framing else ()
    sent += CUTS[framing] if example.delivery.cuts != PLAIN.cuts else ()
    method = difference.method
    if not method.endswith("v3"):
        method = method if method.startswith("astream_events") else method.removeprefix("a")
    return (
        sent or FACETS.get(difference.facet) or METHODS.get(method.replace("astream_events v3", "stream_events v3"), ())
    )


def _actions(probe: Probe) -> Subject[tuple[Action, ...]]:
    """Steps of a consumer, and what must hold after each."""
    walk = Walk(probe)

    def failures(steps: tuple[Action, ...]) -> Iterator[Failure]:
        if misstep := walk.judge(steps):
            alike = INVARIANTS.get(misstep.invariant, ())
            yield Failure(misstep.action, misstep.invariant, misstep.expected, misstep.observed, alike)

    return Subject(
        rule=ACTIONS,
        examples=sequences(alone(probe)),
        failures=failures,
        turns=_answers,
        about=lambda steps: {"rule": ACTIONS, "actions": [str(each) for each in steps]},
        simpler=simpler_steps,
    )


def _answers(steps: Sequence[Action]) -> list[Turn]:
    """What the server answers the questions of a walk with; the last first, whose names the others begin with."""
    asked = [f"Q{number}" for number in range(len(steps), 0, -1)]
    answers = [Turn(when=When(text=each), reply=Reply.of(*pieces_of(each))) for each in asked]
    return [*answers, Turn(when=When(text=FAILING), error=Refused(400, "This request cannot be answered"))]


def _examples_of(scripted: Scripted, wire: Wire) -> list[Example]:
    """The examples in a script's turns, as the wire says them; an error or a recording is none."""
    found = [
        Example(fitted(wire, turn.reply), turn.delivery, scripted.usage_at)
        for turn in scripted.turns
        if isinstance(turn.reply, Reply)
    ]
    if wrong := [each.usage_at for each in found if each.usage_at not in ("", *usage_places(wire, each.reply))]:
        raise NotApplicable(
            f"{scripted.file}: about.usage_at is {wrong[0]!r}, where {wire.name} has no place for usage"
        )
    return [replace(found[1], before=found[0].reply)] if scripted.in_turn and len(found) == 2 else found


def _counted(example: Example) -> dict[str, Any]:
    """What scripts have no key for: where tokens are counted, if that is not the wire's own place, and whether one
    model is asked for both turns.
    """
    in_turn = {"in_turn": True} if example.before else {}
    return {"usage_at": example.usage_at, **in_turn} if example.usage_at else in_turn


def _steps_of(scripted: Scripted) -> list[tuple[Action, ...]]:
    """The steps in a script, as one example; none where it has none."""
    return [tuple(_step(each) for each in scripted.actions)] if scripted.actions else []


def _step(text: str) -> Action:
    kind, _, stream = text.partition(" ")
    return Action(kind, int(stream or 0))
