"""STREAM: an answer in pieces (`stream`, `astream`)."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, Final

from langchain_core.messages import AIMessageChunk, BaseMessage

from mockserver import Delivery, Fault, Gate, Insert, Refused, Reply, Text, Turn, Usage

from ..catalogue import MUST, SHOULD, Case, rule
from ..compat import position, text_of
from ..drive import END, PROMPT, End, Probe, Stream, brief, describe_error
from ..observe import agree, finish_of, is_run_id, joined, same_text, summed, unasked
from ..target import Target
from ..verdict import Broken
from . import scripts

_BOTH: Final = Reply(
    blocks=(Text(("Let me ", "look.")), scripts.CALLS.blocks[0]),
    finish_reason="tool_calls",
    model=scripts.PLAIN.model,
    usage=Usage(input_tokens=21, output_tokens=34),
)
_FIVE: Final = Reply.of("One ", "two ", "three ", "four ", "five.", model=scripts.PLAIN.model)


@rule(
    "STREAM-01",
    MUST,
    "yields at least one item, each an AIMessageChunk with string or list content, never None",
    hint="callers add chunks to each other; only AIMessageChunk can be added",
)
def yields_chunks(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    chunks = probe.stream()
    # Without token streaming the one item is invoke's message.
    kind: type[BaseMessage] = AIMessageChunk if probe.target.streams(probe.form) else BaseMessage
    for number, chunk in enumerate(chunks, 1):
        if not isinstance(chunk, kind) or not isinstance(chunk.content, str | list):
            raise Broken(f"each item is an {kind.__name__} with content", f"item {number} is {brief(chunk)}")
    if not chunks:
        raise Broken("at least one item", "none")


@rule(
    "STREAM-02",
    MUST,
    "the texts of all chunks, joined, are the reply's text: nothing lost, doubled, reordered or stripped",
    cases=(
        Case("plain", scripts.PLAIN.blocks[0].pieces),
        Case("white-space", scripts.WHITE_SPACE),
        Case("unicode", scripts.UNICODE),
        Case("repeated", scripts.REPEATED),
        Case("markup", scripts.MARKUP),
    ),
    hint="strip(), `if piece.strip()` and splitlines() lose white space; comparing with the last piece loses repeats",
)
def pieces_are_kept(probe: Probe, case: Case) -> None:
    reply = Reply.of(*case.value)
    probe.play(reply)
    same_text(reply.text, joined(probe.stream()))


@rule(
    "STREAM-03",
    MUST,
    "the first chunk arrives while the server is still holding back the second piece",
    needs=("stream",),
    hint="a stream that waits for what comes next, or for the end, is no faster than invoke",
)
def first_piece_comes_at_once(probe: Probe, case: Case) -> None:
    gate = probe.gate()
    probe.play(Turn(reply=_FIVE, delivery=Delivery(gates={1: gate})))
    stream = probe.iterate("stream", PROMPT)
    if _next_text(stream) is None:
        seen = joined(stream.items)
        raise Broken("a chunk with text before the second piece is sent", f"none; so far {seen!r}", frame="piece")
    gate.open()
    same_text(_FIVE.text, joined(stream.rest()))


@rule(
    "STREAM-04",
    SHOULD,
    "each piece that the provider sends arrives before the next is sent",
    needs=("stream",),
)
def each_piece_comes_at_once(probe: Probe, case: Case) -> None:
    pieces = list(_FIVE.pieces)
    gates: dict[Any, Gate] = {number: probe.gate() for number in range(1, len(pieces))}
    probe.play(Turn(reply=_FIVE, delivery=Delivery(gates=gates)))
    stream = probe.iterate("stream", PROMPT)
    for number, gate in gates.items():
        wanted = "".join(pieces[:number])
        while joined(stream.items) != wanted:
            if _next_text(stream) is None:
                raise Broken(f"{wanted!r} before piece {number + 1} is sent", repr(joined(stream.items)))
            if not wanted.startswith(joined(stream.items)):
                raise Broken(repr(wanted), repr(joined(stream.items)))
        gate.open()
    same_text(_FIVE.text, joined(stream.rest()))


def _next_text(stream: Stream[Any]) -> str | None:
    """The next text of a stream, or `None` where none comes in time."""
    while (call := stream.within()).done:
        chunk = call.value()
        if isinstance(chunk, End):
            return None
        if text := text_of(chunk):
            return text
    return None


@rule(
    "STREAM-05",
    MUST,
    "all chunks of one call carry one id, not empty; two calls carry two",
    hint="ids tell chunks of concurrent answers apart",
)
def chunks_carry_one_id(probe: Probe, case: Case) -> None:
    probe.play(scripts.echo)
    model = probe.model()
    calls = [{chunk.id for chunk in probe.stream(text, on=model)} for text in ("one", "two")]
    for ids in calls:
        if not all(ids):
            raise Broken("an id on each chunk", brief(ids))
        # langchain-core gives the id of the run to chunks for which the package has none, and its sum prefers the
        # provider's; so a call may show both, and not two of either kind.
        for kind in (True, False):
            of_kind = {id for id in ids if is_run_id(id) is kind}
            if len(of_kind) > 1:
                raise Broken("one id on all chunks of a call", brief(sorted(of_kind)))
    if calls[0] & calls[1]:
        raise Broken("two calls with two ids", brief(sorted(calls[0] & calls[1])))


@rule(
    "STREAM-06",
    MUST,
    "the sum of the chunks equals invoke's message: content, tool calls, usage, finish reason, model name",
    cases=lambda target: [
        Case("text", scripts.PLAIN),
        Case("length", Reply.of("A cut ", "answer", finish_reason="length", model=scripts.PLAIN.model)),
        *([] if target.lacks("tools", "sync") else [Case("tool-calls", scripts.CALLS), Case("text-and-call", _BOTH)]),
    ],
    hint="the two paths read the same answer; let them share the code that does",
)
def sum_equals_invoke(probe: Probe, case: Case) -> None:
    probe.play(case.value)
    model = probe.with_tools(scripts.TOOLS) if case.value.tool_calls else probe.model()
    chunks = probe.stream(on=model)
    wanted = probe.invoke(on=model)
    names = (probe.name("invoke"), f"the sum of {probe.name('stream')}")
    agree(wanted, _whole(chunks), names=names, but=unasked(probe.exchanges))


def _whole(chunks: Sequence[Any]) -> Any:
    """The sum of chunks; the one item of a model without token streaming is whole already."""
    return chunks[0] if len(chunks) == 1 else summed(chunks)


@rule(
    "STREAM-07",
    MUST,
    "adding chunks is associative: any bracketing gives the same sum",
    needs=("stream",),
    cases=lambda target: [
        Case("text", scripts.PLAIN),
        *([] if target.lacks("tools", "sync") else [Case("tool-calls", _BOTH)]),
    ],
    hint="agents and tracers add chunks in groups",
)
def adding_is_associative(probe: Probe, case: Case) -> None:
    probe.play(case.value)
    model = probe.with_tools(scripts.TOOLS) if case.value.tool_calls else probe.model()
    chunks = probe.stream(on=model)
    wanted = summed(chunks)
    for name, got in _bracketings(chunks):
        agree(wanted, got, names=("added from the left", name))


def _bracketings(chunks: list[Any]) -> Iterator[tuple[str, Any]]:
    right = chunks[-1]
    for chunk in reversed(chunks[:-1]):
        right = summed([chunk, right])
    yield "added from the right", right
    for middle in range(1, len(chunks)):
        parts = [summed(chunks[:middle]), summed(chunks[middle:])]
        yield f"the first {middle} and the rest added apart", summed(parts)


@rule(
    "STREAM-08",
    MUST,
    "finish reason, model name, service tier and the like stand once in the sum",
    needs=("stream",),
    cases=lambda target: [Case("plain"), _repeated(target)],
    hint="consumers add chunks; a value repeated per chunk is glued",
)
def metadata_stands_once(probe: Probe, case: Case) -> None:
    again = (Insert("end", (probe.wire.finish_again(_named(scripts.PLAIN)),)),) if case.name else ()
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(insert=again if case.name == "repeated" else ())))
    chunks = probe.stream()
    total = summed(chunks)
    word = probe.wire.finish_word(scripts.PLAIN)
    if finish_of(total) != word:
        carriers = [number for number, chunk in enumerate(chunks, 1) if finish_of(chunk)]
        raise Broken(
            repr(word), repr(finish_of(total)), because=_carried(carriers, "the finish reason"), frame="finish"
        )
    for key, value in total.response_metadata.items():
        carriers = [number for number, chunk in enumerate(chunks, 1) if chunk.response_metadata.get(key)]
        once = {repr(chunk.response_metadata[key]) for chunk in chunks if chunk.response_metadata.get(key)}
        if isinstance(value, str) and len(once) == 1 and repr(value) not in once:
            raise Broken(f"{key} {once.pop()}", repr(value), because=_carried(carriers, key))


def _repeated(target: Target) -> Case:
    recorded = target.wire.repeats_finish
    why = recorded or f"SHOULD here: {target.wire.name} is not known to repeat the finish reason; others do"
    return Case("repeated", level=None if recorded else SHOULD, why=why)


def _carried(carriers: list[int], what: str) -> str:
    if len(carriers) < 2:
        return f"{'chunk ' + str(carriers[0]) if carriers else 'no chunk'} carries {what}"
    together = "both" if len(carriers) == 2 else "all"
    return f"chunks {', '.join(map(str, carriers[:-1]))} and {carriers[-1]} {together} carry {what}"


def _named(reply: Reply) -> Reply:
    """The reply with an id, for frames that are made apart from the others."""
    return Reply(
        blocks=reply.blocks, finish_reason=reply.finish_reason, usage=reply.usage, id="mock", model=reply.model
    )


@rule(
    "STREAM-09",
    MUST,
    'exactly one chunk has chunk_position == "last", and it is the last',
    needs=("core>=1.0", "stream"),
    hint="the sum parses tool calls when it meets this chunk",
)
def last_chunk_is_marked(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    chunks = probe.stream()
    marked = [number for number, chunk in enumerate(chunks, 1) if position(chunk) == "last"]
    if marked != [len(chunks)]:
        raise Broken(f"chunk {len(chunks)}, the last, is marked", f"marked are {marked or 'none'}")


@rule(
    "STREAM-10",
    MUST,
    "frames without content neither raise nor add content",
    needs=("stream",),
    cases=lambda target: [
        Case(
            name,
            level=None if frames.source else SHOULD,
            why=frames.source or f"SHOULD here: {target.wire.name} does not document this frame; others send it",
        )
        for name, frames in target.wire.contentless(_named(scripts.PLAIN)).items()
    ],
    hint="providers send frames to keep a connection open, to open a block, and with fields added later",
)
def contentless_frames_pass(probe: Probe, case: Case) -> None:
    noise = probe.wire.contentless(_named(scripts.PLAIN))[case.name].frames
    inserted = tuple(Insert(before, noise) for before in (0, 1, 2, "finish"))
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(insert=inserted)))
    with_noise = summed(probe.stream())
    same_text(scripts.PLAIN.text, text_of(with_noise))
    probe.play(scripts.PLAIN)
    agree(summed(probe.stream()), with_noise, names=("without these frames", "with them"))


@rule(
    "STREAM-11",
    MUST,
    "a yielded chunk never changes afterwards, and no two yielded chunks share mutable parts",
    needs=("stream",),
    hint="callers keep chunks; a shared list or dict changes under them",
)
def chunks_stay_as_they_are(probe: Probe, case: Case) -> None:
    both = not probe.target.lacks("tools", probe.form)
    probe.play(_BOTH if both else scripts.PLAIN)
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
    "success": Turn(reply=scripts.PLAIN, times=1),
    "http-error": Turn(error=Refused(400, "This request is not right"), times=1),
    "broken-off": Turn(reply=scripts.PLAIN, delivery=Delivery(fault=Fault("close", before=1)), times=1),
    "early-stop": Turn(reply=scripts.PLAIN, times=1),
}


@rule(
    "STREAM-13",
    MUST,
    "the same instance streams again: after success, after a failure, after an early stop",
    cases=[Case(name, turn) for name, turn in _BEFORE.items()],
    hint="state that is kept on the instance, or a client that is closed with its first stream",
)
def instance_streams_again(probe: Probe, case: Case) -> None:
    probe.play(case.value, Turn(reply=_FIVE))
    model = probe.model()
    before = probe.iterate("stream", PROMPT, on=model)
    if case.name == "success":
        before.rest()
    elif case.name == "early-stop":
        before.next()
        before.close()
    else:
        before.failure(case.value.describe())
    same_text(_FIVE.text, joined(probe.stream(on=model)))


_CROWD: Final = 16


@rule(
    "STREAM-14",
    MUST,
    f"concurrent streams on one instance never mix ({_CROWD} at once)",
    hint="a buffer, a tool index or a finish reason that is kept on the instance",
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
        if finish_of(_whole(stream.items)) != wanted:
            raise Broken(f"finish reason {wanted!r} on each", repr(finish_of(_whole(stream.items))))


@rule(
    "STREAM-15",
    SHOULD,
    "nothing that comes after the provider's terminal frame reaches the answer",
    needs=("stream",),
)
def end_is_the_end(probe: Probe, case: Case) -> None:
    late = Insert("close", probe.wire.after_end(_named(scripts.PLAIN)))
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(insert=(late,))))
    same_text(scripts.PLAIN.text, joined(probe.stream()))


_MANY: Final = 10_000
_GROWTH: Final = 2.6


@rule(
    "STREAM-16",
    SHOULD,
    "10,000 pieces and one piece of 1 MiB arrive whole; doubling the pieces at most ×2.6 the time",
    needs=("stream",),
    cases=(Case("many"), Case("large")),
    hint="adding each chunk to all before it makes the time grow with the square of the length",
)
def large_answers_arrive(probe: Probe, case: Case) -> None:
    if case.name == "large":
        large = Reply.of("x" * 2**20)
        probe.play(large)
        same_text(large.text, joined(probe.stream()))
        return
    for _ in range(_TRIES):
        growth = _growth(probe)
        if growth <= _GROWTH:
            return
    raise Broken(f"{_MANY} pieces in at most ×{_GROWTH} the time of their first half", f"×{growth:.1f}")


_TRIES: Final = 3


def _growth(probe: Probe) -> float:
    """CPU time for all pieces of a long stream, as a multiple of the time for the first half of them."""
    reply = Reply(blocks=(Text(tuple(f"{number} " for number in range(_MANY))),))
    probe.play(Turn(reply=reply, delivery=Delivery(cuts=4096)))
    stream = probe.iterate("stream", PROMPT)
    end = stream.drain().value(limit=60)
    same_text(reply.text, joined(stream.items))
    start, half = stream.seen[0].cpu, stream.seen[len(stream.seen) // 2].cpu
    return (end - start) / max(half - start, 1e-6)


_FLOOD: Final = 600
_PIECE: Final = "drop " * 13_000
_STILL: Final = 0.3


@rule(
    "STREAM-17",
    SHOULD,
    "a consumer that stops reading stops the reading: the model does not drain the provider ahead of it",
    needs=("stream",),
    hint="a thread or task that reads ahead fills memory, and goes on when nobody wants the answer any more",
)
def reading_waits_for_the_consumer(probe: Probe, case: Case) -> None:
    probe.play(Reply(blocks=(Text((_PIECE,) * _FLOOD),)))
    stream = probe.iterate("stream", PROMPT)
    if _next_text(stream) is None:
        raise Broken("a first chunk", "none")
    [exchange] = probe.exchanges
    written = -1
    while exchange.frames_written != written and exchange.ended is None:
        written = exchange.frames_written
        probe.server.until(lambda: exchange.ended is not None, timeout=_STILL)
    drained = exchange.ended is not None
    stream.close()
    if drained:
        raise Broken("the server cannot write on while nobody reads", f"all {len(exchange.frames)} frames were taken")


@rule(
    "STREAM-18",
    MUST,
    "a reply with zero content pieces ends or raises a typed error; it never hangs",
    cases=(Case("no-pieces"), Case("nothing")),
)
def empty_replies_end(probe: Probe, case: Case) -> None:
    empty = Delivery(fault=Fault("stop", before="finish")) if case.name == "nothing" else Delivery()
    probe.play(Turn(reply=Reply(), delivery=empty))
    stream = probe.iterate("stream", PROMPT)
    if error := stream.drain().error():
        if not isinstance(error, Exception) or type(error) is Exception:
            raise Broken("an end, or an error of a type of its own", describe_error(error))
        return
    if text := joined(stream.items):
        raise Broken("no text", repr(text))
