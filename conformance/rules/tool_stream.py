"""TOOL: tools do not hold a stream up."""

import json
from typing import Any

from mockserver import Asked, Delivery, Gate, Turn
from mockserver.sending.delivery import Point

from ..calls import End, Stream
from ..catalogue import MUST, SHOULD, Case, rule
from ..drive import PROMPT, Probe
from ..observe import joined, next_text, same_text, summed
from ..target import Target
from ..verdict import Broken, NotApplicable
from . import scripts
from . import tool_scripts as script
from . import tool_structured as parsing
from .tool_scripts import PARIS, SAID, calling, same_calls


def _texts(target: Target) -> list[Case]:
    replies = {"text": scripts.FIVE, "text-and-call": calling(target.wire, SAID, PARIS)}
    return [Case(name, reply) for name, reply in replies.items() if script.is_carried(target, reply, "stream")]


@rule(
    "TOOL-08",
    MUST,
    "binding tools does not turn streaming off: text still arrives piece by piece",
    needs=("tools", "stream"),
    cases=_texts,
    hint="an agent always binds tools; if that makes the answer come at once, its users wait for nothing",
    mend="send the request as a stream when tools are bound, too",
    source="langchain-ai/langchain#26971, #29129, #26391",
)
def tools_leave_text_streaming(probe: Probe, case: Case) -> None:
    gate = probe.gate()
    probe.play(Turn(reply=case.value, delivery=Delivery(gates={1: gate})))
    stream = probe.iterate("stream", PROMPT, on=probe.with_tools(script.TOOLS))
    if next_text(stream) is None:
        seen = joined(stream.items)
        raise Broken("a chunk with text before the second piece is sent", f"none; so far {seen!r}", frame="piece")
    if probe.exchange.asked and not probe.exchange.asked.stream:
        raise Broken("a request for a stream", "a request for a whole answer")
    gate.open()
    chunks = stream.rest()
    same_text(case.value.text, joined(chunks))
    same_calls(probe, summed(chunks), case.value.tool_calls)


def _fragments(target: Target) -> list[Case]:
    reply = calling(target.wire, PARIS)
    if not script.is_carried(target, reply, "stream"):
        return []
    sent = [frame.piece for frame in target.wire.frames(scripts.named(reply)) if frame.piece is not None]
    in_pieces = len(sent) == len(PARIS.pieces)
    found = [Case("fragments", reply)] if in_pieces else []
    return [*found, Case("structured-output", parsing.SCHEMA)]


@rule(
    "TOOL-12",
    SHOULD,
    "the arguments of a call and the fields of structured output arrive piece by piece, as the provider sends them",
    needs=("tools", "stream"),
    cases=_fragments,
    hint="long arguments, such as a document to be written, are shown while they are made",
    mend="give each fragment as a tool_call_chunk at once; read structured output from the stream",
    source="langchain-ai/langchain#29860; langchain-core, docstring of ToolCallChunk",
)
def fragments_come_at_once(probe: Probe, case: Case) -> None:
    if case.name == "structured-output":
        _structured_comes_at_once(probe, case.value)
        return
    gates: dict[Point, Gate] = {number: probe.gate() for number in range(1, len(PARIS.pieces))}
    probe.play(Turn(reply=case.value, delivery=Delivery(gates=gates)))
    stream = probe.iterate("stream", PROMPT, on=probe.with_tools(script.TOOLS))
    for number, gate in gates.items():
        assert isinstance(number, int)
        wanted = "".join(PARIS.pieces[:number])
        while (seen := _arguments(stream)) != wanted:
            if not wanted.startswith(seen) or not _goes_on(stream):
                raise Broken(f"arguments {wanted!r} before piece {number + 1} is sent", repr(seen), frame="piece")
        gate.open()
    same_calls(probe, summed(stream.rest()), (PARIS,))


def _arguments(stream: Stream[Any]) -> str:
    return "".join(each["args"] or "" for chunk in stream.items for each in getattr(chunk, "tool_call_chunks", ()))


def _goes_on(stream: Stream[Any]) -> bool:
    """Whether another item comes in time."""
    call = stream.within()
    return call.done and not isinstance(call.value(), End)


def _structured_comes_at_once(probe: Probe, schema: dict[str, Any]) -> None:
    # Packages import what parses when they first need it, which may take longer than the wait below.
    probe.play(lambda asked: parsing.reply_to(probe.wire, asked))
    probe.iterate("stream", parsing.QUESTION, on=parsing.structured(probe, schema)).rest()
    gate = probe.gate()

    def answered(asked: Asked) -> Turn:
        can_wait = asked.stream and _comes_in_pieces(probe, asked)
        gated = Delivery(gates={len(parsing.PIECES) - 1: gate}) if can_wait else Delivery()
        return Turn(reply=parsing.reply_to(probe.wire, asked), delivery=gated)

    probe.play(answered)
    stream = probe.iterate("stream", parsing.QUESTION, on=parsing.structured(probe, schema))
    came = False
    while not came and (call := stream.within()).done and not isinstance(value := call.value(), End):
        came = bool(value)
    sent = probe.exchanges[-1]
    if sent.asked and not _comes_in_pieces(probe, sent.asked):
        raise NotApplicable(f"{probe.wire.name} sends calls whole")
    if not came:
        raise Broken(f"a part of {json.dumps(parsing.PLACE)} before the last piece is sent", "nothing")
    gate.open()
    if stream.rest()[-1] != parsing.PLACE:
        raise Broken(f"{parsing.PLACE} in the end", repr(stream.items[-1]))


def _comes_in_pieces(probe: Probe, asked: Asked) -> bool:
    """Whether what is answered leaves in the pieces that it is scripted in."""
    frames = probe.wire.frames(scripts.named(parsing.reply_to(probe.wire, asked)))
    return len([frame for frame in frames if frame.piece is not None]) == len(parsing.PIECES)
