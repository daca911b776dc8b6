"""FAULT: answers that break off."""

from collections.abc import Iterator
from typing import Any, Final, Literal

from langchain_core.runnables import Runnable

from mockserver import WIRES, Delivery, Edit, Fault, Frame, Gate, Insert, Turn, Wire

from ..calls import END, Stream
from ..catalogue import MUST, SHOULD, Case, Level, rule
from ..drive import PROMPT, Probe
from ..errors import words
from ..observe import finish_of, joined, total
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import brief, describe_error
from . import scripts
from .fault import MESSAGE, ask, failure, frail, needs_stream

BREAK: Final = 2
"""The piece before which streams break off."""
DELIVERED: Final = "".join(scripts.PLAIN.blocks[0].pieces[:BREAK])
"""The text that has come by then."""


def broken_off(probe: Probe, delivery: Delivery, what: str, on: Runnable[Any, Any]) -> Exception:
    """The error of a stream that breaks off, and before which its first pieces must be delivered.

    A gate in the delivery holds the fault back until they are, since a connection that ends may take with it what its
    client has not read.
    """
    probe.play(Turn(reply=scripts.PLAIN, delivery=delivery))
    stream = probe.iterate("stream", PROMPT, on=on)
    error = _error_of(stream, delivery.gates.get(BREAK))
    if error is None:
        raise Broken(
            f"{stream.name} raises ({what})", f"it ended with the text {joined(stream.items)!r}", frame="error"
        )
    if not isinstance(error, Exception):
        raise Broken(f"{stream.name} raises an Exception ({what})", describe_error(error))
    if joined(stream.items) != DELIVERED:
        told = f"{joined(stream.items)!r}, then {describe_error(error)}"
        raise Broken(f"the pieces before the fault, {DELIVERED!r} ({what})", brief(told), frame="error")
    return error


def _error_of(stream: Stream[Any], gate: Gate | None) -> BaseException | None:
    """Read until all that comes before the gate is there, open it, and read on to the error."""
    while gate and len(joined(stream.items)) < len(DELIVERED):
        call = stream.within()
        is_held = not call.done
        if is_held:
            gate.open()
        if (error := call.error()) is not None or call.value() is END:
            gate.open()
            return error
        if is_held:
            break
    if gate:
        gate.open()
    return stream.drain().error()


def gated(probe: Probe, kind: Literal["close", "cut", "reset"]) -> Delivery:
    """A connection that ends once the first pieces have been read."""
    return Delivery(gates={BREAK: probe.gate()}, fault=Fault(kind, before=BREAK))


def _shapes(target: Target) -> Iterator[Case]:
    """The shapes of an error in a stream: its provider's own, also before a terminator, and those of its relatives."""
    wire = target.wire
    source = wire.error_frame_source
    level: Level | None = None if source else SHOULD
    why = source or f"SHOULD here: {wire.name} does not document how an error in a stream looks; others do it so"
    own = wire.error_frame(MESSAGE)
    yield Case("own", Delivery(fault=Fault("error", before=BREAK, message=MESSAGE)), level, why)
    if any("end" in frame.kinds and "finish" not in frame.kinds for frame in wire.frames(_PLAIN)):
        yield Case("then-end", Delivery(insert=(_inserted(own),), edits=tuple(_left_out(wire))), level, why)
    told = {own.data}
    for name, other in WIRES.items():
        frame = other.error_frame(MESSAGE)
        if other.family == wire.family and other.error_frame_source and frame.data not in told:
            told.add(frame.data)
            stopped = Delivery(insert=(_inserted(frame),), fault=Fault("stop", before=BREAK))
            yield Case(name, stopped, SHOULD, f"SHOULD: the shape of {name}, not of {wire.name}")


_PLAIN: Final = scripts.named(scripts.PLAIN)


def _inserted(frame: Frame) -> Insert:
    return Insert(BREAK, (frame,))


def _left_out(wire: Wire) -> Iterator[Edit]:
    """Without the piece that follows an error, and without the finish reason."""
    yield Edit("drop", BREAK)
    if not any("finish" in frame.kinds for frame in wire.frames(_PLAIN) if frame.piece == BREAK):
        yield Edit("drop", "finish")


@rule(
    "FAULT-03",
    MUST,
    "an error frame in the middle of a stream raises; the pieces before it were delivered",
    needs=("stream",),
    cases=_shapes,
    hint="skipped as a frame without content, it makes half an answer look whole",
    mend="look at each frame for the provider's error before looking for content, and raise it",
    source="the documentation of each provider (the wire names it); langchain-ai/langchain#39039",
)
def error_frames_raise(probe: Probe, case: Case) -> None:
    broken_off(probe, case.value, "an error frame after two pieces", frail(probe))


@rule(
    "FAULT-14",
    SHOULD,
    "the error that an error frame raises has the provider's words",
    needs=("stream",),
    after=("INVOKE-01", "STREAM-02", "FAULT-03"),
    hint="'overloaded' and 'context too long' ask for different things of the caller",
    mend="put the message of the error frame into the error",
    source="openai-python, src/openai/_streaming.py, and anthropic-sdk-python, src/anthropic/_streaming.py, do so",
)
def error_frames_are_told(probe: Probe, case: Case) -> None:
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(fault=Fault("error", before=BREAK, message=MESSAGE))))
    error = ask(probe, "stream", frail(probe)).error()
    if error is None:
        raise NotApplicable("the error frame raises nothing, as FAULT-03 says")
    if MESSAGE not in words(error):
        raise Broken(f"{MESSAGE!r} in the error", describe_error(error), frame="error")


def _connection_ends(probe: Probe, where: str, kind: Literal["close", "cut", "reset"], delivery: Delivery) -> None:
    """Whatever ends the connection, before an answer or within it, must raise."""
    what = f"the connection ends ({kind}, {where})"
    if where == "stream":
        needs_stream(probe)
        broken_off(probe, gated(probe, kind), what, frail(probe))
        return
    for method in ("invoke", "stream") if where == "head" else ("invoke",):
        probe.play(Turn(reply=scripts.PLAIN, delivery=delivery))
        failure(probe, ask(probe, method, frail(probe)), what)


@rule(
    "FAULT-04",
    MUST,
    "a connection that is reset raises: before the answer, within one, in the middle of a stream",
    cases=(
        Case("stream", Delivery()),
        Case("invoke", Delivery(fault=Fault("reset", before=BREAK))),
        Case("head", Delivery(fault=Fault("reset", before="head"))),
    ),
    hint="an except around the reading of a stream that only ends the loop",
    mend="let the error of the HTTP client through, or raise one of your own from it",
    source="RFC 9112, 8: a message whose connection ends before its body is incomplete",
)
def resets_raise(probe: Probe, case: Case) -> None:
    _connection_ends(probe, case.name, "reset", case.value)


@rule(
    "FAULT-05",
    MUST,
    "a connection that is closed inside a body raises: between chunks, within one, before the promised length",
    cases=(
        Case("stream", ("stream", "close", Delivery())),
        Case("stream-in-chunk", ("stream", "cut", Delivery())),
        Case("invoke", ("invoke", "close", Delivery(transfer="chunked", fault=Fault("close", before=BREAK)))),
        Case("invoke-in-chunk", ("invoke", "cut", Delivery(transfer="chunked", fault=Fault("cut", before=BREAK)))),
        Case("invoke-length", ("invoke", "close", Delivery(fault=Fault("close", before=BREAK)))),
        Case("head", ("head", "close", Delivery(fault=Fault("close", before="head")))),
    ),
    hint="a reader of lines of its own that takes the end of the connection for the end of the answer",
    mend="read bodies with a client that checks their end, and let its error through",
    source="RFC 9112, 8: a chunked body without its last chunk, and one shorter than its length, are incomplete",
)
def closed_connections_raise(probe: Probe, case: Case) -> None:
    where, kind, delivery = case.value
    _connection_ends(probe, where, kind, delivery)


_OPEN: Final = "in_progress"
"""What OpenAI Responses says of an answer that has not ended."""


@rule(
    "FAULT-06",
    SHOULD,
    "a stream that ends before its terminal frame is not passed off as whole: it raises, or has no finish reason",
    needs=("stream",),
    cases=(
        Case("stop", Delivery(fault=Fault("stop", before=BREAK))),
        Case("html", Delivery(fault=Fault("html", before=BREAK))),
    ),
    hint="servers that are restarted end bodies properly; a finish reason that is made up hides it",
    mend="raise where the stream ends without its terminal frame, or leave the finish reason out",
    source="langchain-ai/langchain#39039; langchain-aws: ConnectionError for a stream without messageStop",
)
def early_ends_are_told(probe: Probe, case: Case) -> None:
    probe.play(Turn(reply=scripts.PLAIN, delivery=case.value))
    stream = probe.iterate("stream", PROMPT, on=frail(probe))
    if stream.drain().error() is not None or not stream.items:
        return
    word = finish_of(total(stream.items))
    if word and word != _OPEN:
        raise Broken("an error, or no finish reason", f"finish reason {word!r} after {joined(stream.items)!r}")


@rule(
    "FAULT-07",
    MUST,
    "a data frame that is no JSON raises; it is not skipped silently",
    needs=("stream",),
    cases=(Case("malformed", Edit("malform", at=1)), Case("truncated", Edit("truncate", at=1))),
    hint="what cannot be read may be text: an answer with a hole in it reads as if it were whole",
    mend="let the error of the JSON parser through",
    source="openai-python and anthropic-sdk-python, _streaming.py: each event's data is parsed, and what fails raises",
)
def malformed_frames_raise(probe: Probe, case: Case) -> None:
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(edits=(case.value,))))
    stream = probe.iterate("stream", PROMPT, on=frail(probe))
    error = stream.drain().error()
    if not isinstance(error, Exception):
        told = f"it ended with the text {joined(stream.items)!r}" if error is None else describe_error(error)
        raise Broken(f"{stream.name} raises (frame 2 of the text is {case.name} JSON)", told)
