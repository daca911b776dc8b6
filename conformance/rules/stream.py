"""STREAM: an answer in pieces (`stream`, `astream`): what arrives, and when."""

from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage

from mockserver import Delivery, Gate, Reply, Turn

from ..catalogue import MUST, SHOULD, Case, rule
from ..drive import PROMPT, Probe
from ..observe import is_run_id, joined, next_text, same_text
from ..verdict import Broken
from ..wording import brief
from . import scripts


@rule(
    "STREAM-01",
    MUST,
    "yields at least one item, each an AIMessageChunk with string or list content, never None",
    hint="callers add chunks to each other; only AIMessageChunk can be added",
    mend="yield `ChatGenerationChunk(message=AIMessageChunk(content=...))` and nothing else",
    source="langchain_core/language_models/chat_models.py: `stream` gives `Iterator[AIMessageChunk]`",
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
    mend="yield each piece as it is, and skip none but those that say nothing at all",
    source="langchain-ai/langchain-google#894, langchain-ai/langchain-cohere#57",
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
    mend="yield a chunk as soon as its event has come",
    source="langchain_core/language_models/chat_models.py: `_stream` yields while the provider answers; "
    "langchain-ai/langchain#26971",
)
def first_piece_comes_at_once(probe: Probe, case: Case) -> None:
    gate = probe.gate()
    probe.play(Turn(reply=scripts.FIVE, delivery=Delivery(gates={1: gate})))
    stream = probe.iterate("stream", PROMPT)
    if next_text(stream) is None:
        seen = joined(stream.items)
        raise Broken("a chunk with text before the second piece is sent", f"none; so far {seen!r}", frame="piece")
    gate.open()
    same_text(scripts.FIVE.text, joined(stream.rest()))


@rule(
    "STREAM-04",
    SHOULD,
    "each piece that the provider sends arrives before the next is sent",
    needs=("stream",),
    hint="looking one event ahead, or collecting words, holds each piece back",
    mend="yield a chunk for each event that has content, before the next is read",
    source="users read along; the pieces are the provider's own",
)
def each_piece_comes_at_once(probe: Probe, case: Case) -> None:
    pieces = list(scripts.FIVE.pieces)
    gates: dict[Any, Gate] = {number: probe.gate() for number in range(1, len(pieces))}
    probe.play(Turn(reply=scripts.FIVE, delivery=Delivery(gates=gates)))
    stream = probe.iterate("stream", PROMPT)
    for number, gate in gates.items():
        wanted = "".join(pieces[:number])
        while joined(stream.items) != wanted:
            if next_text(stream) is None:
                raise Broken(f"{wanted!r} before piece {number + 1} is sent", repr(joined(stream.items)))
            if not wanted.startswith(joined(stream.items)):
                raise Broken(repr(wanted), repr(joined(stream.items)))
        gate.open()
    same_text(scripts.FIVE.text, joined(stream.rest()))


@rule(
    "STREAM-05",
    MUST,
    "all chunks of one call carry one id, not empty; two calls carry two",
    hint="ids tell chunks of concurrent answers apart",
    mend="take the provider's id for all chunks of an answer, or leave ids to langchain-core",
    source="langchain_core/language_models/chat_models.py: chunks without an id get that of the run",
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
