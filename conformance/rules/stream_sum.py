"""STREAM: what the chunks of an answer add up to."""

from collections.abc import Iterator
from typing import Any

from mockserver import Delivery, Insert, Reply, Turn, Wire

from ..catalogue import MUST, SHOULD, Case, rule
from ..compat import position
from ..drive import Probe
from ..observe import agree, finish_of, own_ids, summed, total, unasked, untold
from ..target import Target
from ..verdict import Broken
from . import scripts


@rule(
    "STREAM-06",
    MUST,
    "the sum of the chunks equals invoke's message: content, tool calls, usage, finish reason, model name",
    cases=lambda target: [
        Case("text", scripts.PLAIN),
        Case("length", Reply.of("A cut ", "answer", finish_reason="length", model=scripts.PLAIN.model)),
        *scripts.with_calls(target, {"tool-calls": scripts.CALLS, "text-and-call": scripts.BOTH}),
    ],
    hint="the two paths read the same answer; let them share the code that does",
    mend="let `_generate` and `_stream` share what reads finish reason, usage, model name and tool calls",
    source="langchain-ai/langchain#31666, langchain-ai/langchain-google#819, langchain-ai/langchain#35559",
)
def sum_equals_invoke(probe: Probe, case: Case) -> None:
    probe.play(case.value)
    model = probe.with_tools(scripts.TOOLS) if case.value.tool_calls else probe.model()
    chunks = probe.stream(on=model)
    wanted = probe.invoke(on=model)
    names = (probe.name("invoke"), f"the sum of {probe.name('stream')}")
    but = (*unasked(probe.exchanges), *own_ids(probe.wire), *untold(probe.wire))
    agree(wanted, total(chunks), names=names, but=but)


@rule(
    "STREAM-07",
    MUST,
    "adding chunks is associative: any bracketing gives the same sum",
    needs=("stream",),
    cases=lambda target: [
        Case("text", scripts.PLAIN),
        *scripts.with_calls(target, {"tool-calls": scripts.BOTH, "parallel": scripts.CALLS}),
    ],
    hint="agents and tracers add chunks in groups",
    mend="use langchain-core's chunks, and do not override `__add__`",
    source="langchain_core/messages/ai.py: add_ai_message_chunks; "
    "https://docs.langchain.com/oss/python/langchain/streaming",
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
    cases=lambda target: [Case("plain"), *_repeated(target)],
    hint="consumers add chunks; a value repeated per chunk is glued",
    mend="give what describes the whole answer on one chunk, the first that has it",
    source="langchain_core/utils/_merge.py: merge_dicts joins strings; langchain-ai/langchain#38226, "
    "langchain-ai/langchain#38366",
)
def metadata_stands_once(probe: Probe, case: Case) -> None:
    insert = tuple(_finish_again(probe.wire)) if case.name == "repeated" else ()
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(insert=insert)))
    chunks = probe.stream()
    added = summed(chunks)
    word = probe.wire.finish_word(scripts.PLAIN)
    if "stream" in probe.wire.tells_finish and finish_of(added) != word:
        carriers = [number for number, chunk in enumerate(chunks, 1) if finish_of(chunk)]
        raise Broken(
            repr(word), repr(finish_of(added)), because=_carried(carriers, "the finish reason"), frame="finish"
        )
    for key, value in added.response_metadata.items():
        carriers = [number for number, chunk in enumerate(chunks, 1) if chunk.response_metadata.get(key)]
        once = {repr(chunk.response_metadata[key]) for chunk in chunks if chunk.response_metadata.get(key)}
        if isinstance(value, str) and len(once) == 1 and repr(value) not in once:
            raise Broken(f"{key} {once.pop()}", repr(value), because=_carried(carriers, key))


def _finish_again(wire: Wire) -> Iterator[Insert]:
    """The finish reason once more as the last frame, or as the last before the frame that ends the stream."""
    reply = scripts.named(scripts.PLAIN)
    has_end = any("end" in frame.kinds for frame in wire.frames(reply))
    if again := wire.finish_again(reply):
        yield Insert("end" if has_end else "close", (again,))


def _repeated(target: Target) -> list[Case]:
    if target.wire.finish_again(scripts.named(scripts.PLAIN)) is None:
        return []
    recorded = target.wire.repeats_finish
    why = recorded or f"SHOULD here: {target.wire.name} is not known to repeat the finish reason; others do"
    return [Case("repeated", level=None if recorded else SHOULD, why=why)]


def _carried(carriers: list[int], what: str) -> str:
    if len(carriers) < 2:
        return f"{'chunk ' + str(carriers[0]) if carriers else 'no chunk'} carries {what}"
    together = "both" if len(carriers) == 2 else "all"
    return f"chunks {', '.join(map(str, carriers[:-1]))} and {carriers[-1]} {together} carry {what}"


@rule(
    "STREAM-09",
    MUST,
    'exactly one chunk has chunk_position == "last", and it is the last',
    needs=("core>=1.0", "stream"),
    hint="the sum parses tool calls when it meets this chunk",
    mend='set `chunk_position="last"` on the closing chunk alone, or leave it to langchain-core',
    source="langchain_core/messages/ai.py: AIMessageChunk.chunk_position; "
    "langchain_core/language_models/chat_models.py: `stream` adds it where it is missing",
)
def last_chunk_is_marked(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    chunks = probe.stream()
    marked = [number for number, chunk in enumerate(chunks, 1) if position(chunk) == "last"]
    if marked != [len(chunks)]:
        raise Broken(f"chunk {len(chunks)}, the last, is marked", f"marked are {marked or 'none'}")
