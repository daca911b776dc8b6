"""BLOCKS: content-block events as they come: when, what an error does to them, and what closing does."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from mockserver import Delivery, Fault, Refused, Turn

from ..block_events import said
from ..block_streams import ALL, EVENTS, TEXT, Projected, Reading, read
from ..calls import END, PATIENCE, Stream
from ..catalogue import MUST, SHOULD, Case, rule
from ..collector import OLD, YOUNG, collect
from ..compat import block_listener, makes_block_events
from ..drive import PROMPT, Probe
from ..observe import same_text
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import brief, describe_error
from . import scripts

_SAID: Final = "text-delta"
_FIRST: Final = scripts.PLAIN.blocks[0].pieces[0]


def _open(probe: Probe, name: str) -> Stream[Any]:
    """A projection of a stream, item by item."""
    return probe.iterate("stream_events", PROMPT, on=Projected(probe.model(), name))


def _told(name: str, items: Sequence[Any]) -> str:
    """The text that a projection has given so far."""
    return "".join(items) if name == TEXT else said(items, _SAID)


def _await_first(stream: Stream[Any], name: str) -> None:
    """Read until the first piece has come, while the second is held back."""
    while _told(name, stream.items) != _FIRST:
        call = stream.within()
        if not call.done or call.value() is END:
            raise Broken(f"{_FIRST!r} before the second piece is sent", repr(_told(name, stream.items)), frame="piece")


@rule(
    "BLOCKS-05",
    MUST,
    "the first delta arrives before the second piece is sent, also where invoke is listened to, as in an agent",
    needs=("block events",),
    cases=(Case("events", EVENTS), Case("text", TEXT), Case("inner-invoke", "inner")),
    hint="events that come all at once, in the end, are a whole answer in disguise",
    mend="yield each delta when its piece comes",
    source="langchain-core: chat_models.py, _generate_with_cache and _iter_v2_events; langchain-ai/langchain#38484",
)
def deltas_come_at_once(probe: Probe, case: Case) -> None:
    gate = probe.gate()
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(gates={1: gate})))
    if case.value == "inner":
        heard: list[Any] = []
        call = probe.call("invoke", PROMPT, config={"callbacks": [block_listener(heard.append)]})
        early = probe.server.until(lambda: said(heard, _SAID) == _FIRST, timeout=PATIENCE)
        before = said(heard, _SAID)
        gate.open()
        call.value()
        if not early:
            raise Broken(f"{_FIRST!r} to a listener before the second piece is sent", repr(before), frame="piece")
        same_text(scripts.PLAIN.text, said(heard, _SAID))
        return
    stream = _open(probe, case.value)
    _await_first(stream, case.value)
    gate.open()
    same_text(scripts.PLAIN.text, _told(case.value, stream.rest()))


def _faults(target: Target) -> list[Case]:
    source = target.wire.error_frame_source
    why = (
        source or f"SHOULD here: {target.wire.name} is not known to send an error in the middle of a stream; others do"
    )
    return [
        Case("close", Turn(reply=scripts.PLAIN, delivery=Delivery(fault=Fault("close", before=2)))),
        Case(
            "error",
            Turn(reply=scripts.PLAIN, delivery=Delivery(fault=Fault("error", before=2))),
            level=None if source else SHOULD,
            why=why,
        ),
        Case("refused", Turn(error=Refused(400, "This request is not right"))),
    ]


@rule(
    "BLOCKS-06",
    MUST,
    "an error surfaces from the events and from every projection; what came before stays readable",
    needs=("block events",),
    cases=_faults,
    hint="a projection that ends quietly passes half an answer off as whole",
    mend="let the error rise out of the method that yields; langchain-core hands it to all projections",
    source="langchain-core: chat_model_stream.py, fail",
)
def errors_surface_everywhere(probe: Probe, case: Case) -> None:
    probe.play(case.value)
    wanted = "" if case.name == "refused" else "".join(scripts.PLAIN.blocks[0].pieces[:2])
    for together in (False, True):
        readings = read(probe, (*ALL, EVENTS), together=together)
        for reading in readings:
            _failed(reading, case.value.describe(), wanted)
        first, *_, again = (reading.items for reading in readings)
        if again != first:
            raise Broken(f"the events once more: {brief(first)}", brief(again))


def _failed(reading: Reading, why: str, wanted: str) -> None:
    if reading.error is None:
        value = reading.items[-1:] if reading.name == EVENTS else reading.value
        raise Broken(f"{reading.name} raises ({why})", f"it ended with {brief(value)}", frame="error")
    if reading.name in (EVENTS, TEXT) and _told(reading.name, reading.items) != wanted:
        raise Broken(
            f"{reading.name} with {wanted!r}, and then the error",
            f"{_told(reading.name, reading.items)!r}, then {describe_error(reading.error)}",
        )


@rule(
    "BLOCKS-07",
    MUST,
    "closing early closes the connection",
    needs=("block events",),
    hint="what nobody reads any more is still paid for",
    mend="let cancellation and GeneratorExit pass, and close the response in a finally or a with",
    source="langchain-core: chat_model_stream.py, AsyncChatModelStream.aclose; the sync stream has no close and goes "
    "with its last reference",
)
def closing_closes_the_connection(probe: Probe, case: Case) -> None:
    native = probe.target.native("_astream") or makes_block_events(probe.target.model_class, is_async=True)
    if probe.is_async and not native:
        raise NotApplicable(f"{probe.target.label} streams in a thread, which cannot be stopped while it waits")
    gate = probe.gate()
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(gates={1: gate})))
    stream = _open(probe, EVENTS)
    _await_first(stream, EVENTS)
    stream.close()
    exchange = probe.exchange

    def closed() -> bool:
        return exchange.ended == "closed by client"

    # Stream and pump of langchain-core hold each other, so that the collector must find them.
    if not probe.is_async and not probe.server.until(closed, timeout=0) and not _collected(probe, closed):
        raise NotApplicable("nothing is collected any more: a finalizer of an earlier item waits")
    if not probe.server.until(closed, timeout=PATIENCE):
        raise Broken("the client closes the connection", exchange.describe())


_SOON: Final = 0.2
"""Seconds in which a connection closes whose stream has been found."""


def _collected(probe: Probe, closed: Callable[[], bool]) -> bool:
    """Let the collector find the stream; says whether it runs."""
    for generation in (YOUNG, OLD):
        if not collect(generation):
            return False
        if probe.server.until(closed, timeout=_SOON):
            break
    return True
