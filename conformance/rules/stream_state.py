"""STREAM: what is kept between chunks, between calls and between callers."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

from langchain_core.messages import AIMessageChunk, BaseMessage

from mockserver import Delivery, Fault, Refused, Turn

from ..calls import END, Stream
from ..catalogue import MUST, Case, rule
from ..drive import PROMPT, Probe
from ..observe import finish_of, joined, same_text, total
from ..verdict import Broken
from ..wording import brief
from . import scripts


@rule(
    "STREAM-11",
    MUST,
    "a yielded chunk never changes afterwards, and no two yielded chunks share mutable parts",
    needs=("stream",),
    hint="callers keep chunks; a shared list or dict changes under them",
    mend="build lists and dicts anew for each chunk",
    source="callers keep chunks: langchain_core/tracers/event_stream.py puts them into events that are read later",
)
def chunks_stay_as_they_are(probe: Probe, case: Case) -> None:
    both = not probe.target.lacks("tools", probe.form)
    probe.play(scripts.fitted(probe.wire, scripts.BOTH) if both else scripts.PLAIN)
    stream = probe.iterate("stream", PROMPT, on=probe.with_tools(scripts.TOOLS) if both else probe.model())
    kept: list[tuple[Any, str]] = []
    while (chunk := stream.next()) is not END:
        kept.append((chunk, repr(chunk)))
    for number, (chunk, before) in enumerate(kept, 1):
        if repr(chunk) != before:
            raise Broken(f"chunk {number} stays {before[:200]}", repr(chunk)[:200])
    for (one, first), (other, second) in combinations(enumerate((chunk for chunk, _ in kept), 1), 2):
        if shared := {id(part) for part in _mutable(first)} & {id(part) for part in _mutable(second)}:
            part = next(part for part in _mutable(first) if id(part) in shared)
            raise Broken("parts of its own for each chunk", f"chunks {one} and {other} share {brief(part)}")


def _mutable(value: Any) -> Iterator[Any]:
    """The mutable parts of a message that hold something; empty ones say nothing if they are shared by chance."""
    if isinstance(value, BaseMessage):
        if isinstance(value, AIMessageChunk):
            yield from _mutable(value.tool_call_chunks)
            yield from _mutable(value.usage_metadata)
        for part in (value.content, value.additional_kwargs, value.response_metadata):
            yield from _mutable(part)
    elif isinstance(value, dict | list):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from _mutable(part)


@rule(
    "STREAM-12",
    MUST,
    "an exhausted iterator stays exhausted; closing it twice, after the end or after an error raises nothing",
    cases=(Case("end"), Case("early"), Case("error")),
    hint="an iterator class of its own that forgets that it has ended",
    mend="write `_stream` as a generator, with the connection in a `with` block",
    source="https://docs.python.org/3/library/stdtypes.html#iterator-types and PEP 525: an iterator that has ended "
    "stays so, and closing it twice does nothing",
)
def iterator_ends_once(probe: Probe, case: Case) -> None:
    fault = Fault("close", before=2) if case.name == "error" else None
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(fault=fault)))
    stream = probe.iterate("stream", PROMPT)
    if case.name == "early":
        stream.next()
    elif case.name == "end":
        stream.rest()
    else:
        stream.failure("the connection breaks off inside the body")
    if case.name != "early":
        _stays_exhausted(stream)
    stream.close()
    stream.close()
    _stays_exhausted(stream)


def _stays_exhausted(stream: Stream[Any]) -> None:
    if (again := stream.next()) is not END:
        raise Broken("no item after the end", brief(again))


_BEFORE: Final = {
    "success": Turn(reply=scripts.PLAIN),
    "http-error": Turn(error=Refused(400, "This request is not right")),
    "broken-off": Turn(reply=scripts.PLAIN, delivery=Delivery(fault=Fault("close", before=1))),
    "early-stop": Turn(reply=scripts.PLAIN),
}


@rule(
    "STREAM-13",
    MUST,
    "the same instance streams again: after success, after a failure, after an early stop",
    cases=[Case(name, turn) for name, turn in _BEFORE.items()],
    hint="state that is kept on the instance, or a client that is closed with its first stream",
    mend="keep the state of a call in the call, and close responses rather than clients",
    source="one instance serves a whole process; langchain_core/runnables/base.py: runnables are called again and "
    "again",
)
def instance_streams_again(probe: Probe, case: Case) -> None:
    probe.play(lambda asked: case.value if asked.text == PROMPT else scripts.FIVE)
    model = probe.model()
    before = probe.iterate("stream", PROMPT, on=model)
    if case.name == "success":
        before.rest()
    elif case.name == "early-stop":
        before.next()
        before.close()
    else:
        before.failure(case.value.describe())
    same_text(scripts.FIVE.text, joined(probe.stream("Again", on=model)))


_CROWD: Final = 16


@rule(
    "STREAM-14",
    MUST,
    f"concurrent streams on one instance never mix ({_CROWD} at once)",
    hint="a buffer, a tool index or a finish reason that is kept on the instance",
    mend="keep buffers and counters in local variables of `_stream`",
    source="langchain_core/runnables/base.py: `batch` and parallel branches call one instance from several threads",
)
def streams_never_mix(probe: Probe, case: Case) -> None:
    gate = probe.gate()
    probe.play(lambda asked: Turn(reply=scripts.echoed(asked.text), delivery=Delivery(gates={1: gate})))
    model = probe.model()
    texts = [f"question {number}" for number in range(_CROWD)]
    streams = [probe.iterate("stream", text, on=model) for text in texts]
    calls = [stream.drain() for stream in streams]
    # As many as the model lets run at once meet at the gate; that they have all begun is what makes them mix.
    gate.wait_arrived(_CROWD, timeout=0.5)
    gate.open()
    for text, stream, call in zip(texts, streams, calls, strict=True):
        call.value()
        same_text(scripts.answer_to(text), joined(stream.items))
        wanted = probe.wire.finish_word(scripts.PLAIN)
        if "stream" in probe.wire.tells_finish and finish_of(total(stream.items)) != wanted:
            raise Broken(f"finish reason {wanted!r} on each", repr(finish_of(total(stream.items))))
