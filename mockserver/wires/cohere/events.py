"""The events of Cohere's stream, and what a whole message has in common with them. Sources: those of `cohere`."""

from collections.abc import Mapping
from typing import Any, Final

from ...frames import Frame, FrameKind
from ...framings import sse
from ...reply import Move, Reasoning, Text, ToolCall, Usage
from ..base import dumps

CONTENT: Final[Mapping[type, str]] = {Text: "text", Reasoning: "thinking"}
"""The type of a content block, which is also the name of its field."""


class Events:
    """Makes the events of one reply."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._cited = 0

    def add(self, kind: str, frame_kind: FrameKind, *also: FrameKind, piece: int | None = None, **fields: Any) -> None:
        self.frames.append(event(kind, frame_kind, *also, piece=piece, **fields))

    def call(self, move: Move, call: ToolCall, number: int) -> None:
        if move.kind == "open":
            self.add("tool-call-start", "start", index=number, delta={"message": {"tool_calls": call_of(call, "")}})
        elif move.kind == "piece":
            delta = {"message": {"tool_calls": {"function": {"arguments": move.piece}}}}
            self.add("tool-call-delta", "piece", piece=move.number, index=number, delta=delta)
        else:
            self.add("tool-call-end", "noise", index=number)

    def plan(self, move: Move, text: Text) -> None:
        if move.kind == "piece":
            self.add("tool-plan-delta", "piece", piece=move.number, delta={"message": {"tool_plan": move.piece}})
        elif move.kind == "close":
            self._cite(text, None)

    def content(self, move: Move) -> None:
        kind = CONTENT[type(move.block)]
        if move.kind == "open":
            delta = {"message": {"content": {"type": kind, kind: ""}}}
            self.add("content-start", "start", index=move.index, delta=delta)
        elif move.kind == "piece":
            delta = {"message": {"content": {kind: move.piece}}}
            self.add("content-delta", "piece", piece=move.number, index=move.index, delta=delta)
        else:
            if isinstance(move.block, Text):
                self._cite(move.block, move.index)
            self.add("content-end", "noise", index=move.index)

    def _cite(self, text: Text, place: int | None) -> None:
        for number in range(len(text.citations)):
            delta = {"message": {"citations": citation_of(text, number, place)}}
            self.add("citation-start", "start", index=self._cited, delta=delta)
            self.add("citation-end", "noise", index=self._cited)
            self._cited += 1


def event(kind: str, frame_kind: FrameKind, *also: FrameKind, piece: int | None = None, **fields: Any) -> Frame:
    """One event; the id of the message, where it has it, comes first."""
    first = {"id": fields.pop("id")} if "id" in fields else {}
    return Frame(sse.encode(dumps({**first, "type": kind, **fields}), kind), frame_kind, piece, also)


def call_of(call: ToolCall, arguments: str) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def citation_of(text: Text, number: int, place: int | None) -> dict[str, Any]:
    """A citation of a text. `place`: the index of the content block, `None` for the plan of tool calls."""
    citation = text.citations[number]
    document = {"title": citation.title, "snippet": citation.quote, "url": citation.url}
    named = {"id": f"doc:{number}", **{name: value for name, value in document.items() if value is not None}}
    span: dict[str, Any] = {}
    if citation.start is not None:
        span = {"start": citation.start, "end": citation.end, "text": text.joined[citation.start : citation.end]}
    where = {"type": "PLAN"} if place is None else {"content_index": place, "type": "TEXT_CONTENT"}
    return {**span, "sources": [{"type": "document", "id": f"doc:{number}", "document": named}], **where}


def usage_of(usage: Usage) -> dict[str, Any]:
    """Counts; all of them are billed. Cached tokens are among those of the input."""
    counts = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    cached = {} if usage.cache_read is None else {"cached_tokens": usage.cache_read}
    return {"billed_units": counts, "tokens": counts, **cached}
