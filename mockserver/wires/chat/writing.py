"""Chat Completions, written: bodies, chunks and errors of a dialect."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from ...errors import Refused
from ...frames import Frame, FrameKind
from ...framings import sse
from ...reply import Block, Media, Move, Reasoning, Reply, Text, ToolCall, Usage
from ..base import dumps
from ..carried import moves_with_whole_calls
from . import content as chat_content
from .dialects import Dialect
from .request import ChatRefused

CREATED: Final = 1_700_000_000
_SAFE: Final = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
"""https://learn.microsoft.com/azure/ai-services/openai/concepts/content-filter-annotations"""
_PROMPT_FILTERED: Final = [{"prompt_index": 0, "content_filter_results": _SAFE}]
DONE: Final = Frame(b"data: [DONE]\n\n", "end")
_OPENINGS: Final[Mapping[str, dict[str, Any]]] = {"null": {"content": None}, "empty": {"content": ""}, "absent": {}}


def whole(dialect: Dialect, reply: Reply, word: str) -> dict[str, Any]:
    """A body that is not streamed. `word`: why the answer ended."""
    message: dict[str, Any] = {"role": "assistant", "content": None if dialect.content_null else ""}
    if dialect.refusal:
        message["refusal"] = None
    for block in reply.blocks:
        for name, value in _whole_fields(dialect, block).items():
            message[name] = _joined(message.get(name), value)
    if dialect.call_index:
        for number, call in enumerate(message.get("tool_calls", ())):
            call["index"] = number
    choice: dict[str, Any] = {
        "index": 0,
        "message": message,
        **_choice_keys(dialect, word),
        "finish_reason": word,
    }
    if dialect.message_always:
        choice["delta"] = {"role": "assistant", "content": ""}
    counts = {"usage": counted(dialect, reply.usage) if reply.usage else None}
    body = {
        **_head(dialect, reply, "chat.completion"),
        "choices": [choice],
        **counts,
        **chat_content.sources(dialect, reply),
    }
    if dialect.filters:
        choice["content_filter_results"] = _SAFE
        body["prompt_filter_results"] = _PROMPT_FILTERED
    return body


def _joined(before: Any, value: Any) -> Any:
    """The value of a field that several blocks go into: text after parts is a part."""
    if not isinstance(before, list):
        return value
    return [*before, *(value if isinstance(value, list) else [{"type": "text", "text": value}])]


def _whole_fields(dialect: Dialect, block: Block) -> dict[str, Any]:
    if isinstance(block, ToolCall):
        if dialect.calls == "function_call":
            return chat_content.function_call(dialect, block)
        return {"tool_calls": [chat_content.call(block, block.joined)]}
    if isinstance(block, Media):
        return chat_content.image(block)
    if isinstance(block, Text) and block.citations and dialect.citations == "annotations":
        return {"content": block.joined, "annotations": chat_content.annotations(block)}
    if isinstance(block, Reasoning):
        return chat_content.reasoning(dialect, block.joined, block.signature, redacted=block.redacted)
    return chat_content.piece(dialect, block, block.joined)


class Stream:
    """Makes the chunks of one reply. `usage`: whether they count tokens."""

    def __init__(self, dialect: Dialect, reply: Reply, *, usage: bool) -> None:
        self._dialect = dialect
        self._reply = reply
        self._usage = reply.usage if usage else None
        self._head = _head(dialect, reply, dialect.chunk_object)
        self._sources = chat_content.sources(dialect, reply)
        self._said = ""
        self._done = 0

    def frames(self, word: str) -> Iterator[Frame]:
        """All frames. `word`: why the answer ended."""
        dialect, usage = self._dialect, self._usage
        if dialect.filters:
            empty = {"id": "", "object": "", "created": 0, "model": "", "choices": []}
            yield _frame({**empty, "prompt_filter_results": _PROMPT_FILTERED}, "noise")
        yield self.chunk(self._opening(), "start")
        for delta, move in self._deltas():
            yield self.chunk(delta, "piece" if move.kind == "piece" else "start", piece=move.number)
        in_finish = usage if dialect.usage != "own" else None
        yield self.chunk({}, "finish", finish=word, usage=in_finish)
        if usage and dialect.usage == "own":
            yield self.chunk(None, "usage", usage=usage)
        yield DONE

    def chunk(
        self,
        delta: dict[str, Any] | None,
        kind: FrameKind,
        *,
        piece: int | None = None,
        finish: str | None = None,
        usage: Usage | None = None,
    ) -> Frame:
        """`delta` is `None` for the chunk that has usage and no choice."""
        dialect = self._dialect
        self._done += piece is not None
        counts = counted(dialect, usage) if usage else None
        value = {**self._head, "choices": [] if delta is None else [self._choice(delta, finish, counts)]}
        if counts and "usage" in dialect.usage_at:
            value["usage"] = counts
        elif self._usage and dialect.usage == "every":
            value["usage"] = counted(dialect, self._so_far(self._usage))
        elif self._usage and dialect.usage_null:
            value["usage"] = None
        if counts and "x_groq" in dialect.usage_at:
            value["x_groq"] = {"id": "req_mockserver", "usage": counts}
        return _frame({**value, **self._sources}, kind, piece, ("usage",) if counts and finish else ())

    def _so_far(self, usage: Usage) -> Usage:
        """The usage while the answer goes on."""
        done = usage.output_tokens * self._done // max(1, self._reply.piece_count)
        return replace(usage, output_tokens=done, reasoning=None)

    def _choice(self, delta: dict[str, Any], finish: str | None, counts: dict[str, Any] | None) -> dict[str, Any]:
        dialect = self._dialect
        said = {"role": "assistant", **delta} if dialect.role_always else delta
        choice = {"index": 0, "delta": said, **_choice_keys(dialect, finish), "finish_reason": finish}
        if dialect.message_always:
            self._said += said.get("content") or ""
            choice["message"] = {"role": "assistant", "content": self._said}
        if dialect.filters:
            choice["content_filter_results"] = _SAFE if delta.get("content") else {}
        if counts and "choice" in dialect.usage_at:
            choice["usage"] = counts
        return choice

    def _opening(self) -> dict[str, Any]:
        dialect = self._dialect
        first = self._reply.blocks[0] if self._reply.blocks else None
        calls = isinstance(first, ToolCall) and dialect.calls == "tool_calls"
        content = _OPENINGS[dialect.call_opening if calls else "empty"]
        return {"role": "assistant", **content, **({"refusal": None} if dialect.refusal else {})}

    def _deltas(self) -> Iterator[tuple[dict[str, Any], Move]]:
        dialect, reply = self._dialect, self._reply
        numbers: dict[int, int] = {}
        for move in moves_with_whole_calls(reply) if dialect.whole_calls else reply.moves():
            block = move.block
            if isinstance(block, ToolCall):
                delta = self._call_delta(block, move, numbers.setdefault(move.index, len(numbers)))
            elif move.kind == "piece":
                delta = chat_content.piece(dialect, block, move.piece)
            else:
                delta = self._edge(block, move)
            if delta:
                yield delta, move

    def _call_delta(self, call: ToolCall, move: Move, number: int) -> dict[str, Any]:
        if self._dialect.calls == "function_call":
            return chat_content.function_call(self._dialect, call)
        if self._dialect.whole_calls:
            return {"tool_calls": [{"index": number, **chat_content.call(call, call.joined)}]}
        if move.kind == "open":
            return {"tool_calls": [{"index": number, **chat_content.call(call, "")}]}
        return {"tool_calls": [{"index": number, "function": {"arguments": move.piece}}]} if move.piece else {}

    def _edge(self, block: Block, move: Move) -> dict[str, Any]:
        """What a block brings when it opens or closes, if anything."""
        if isinstance(block, Media) and move.kind == "open":
            return chat_content.image(block)
        if move.kind == "close" and isinstance(block, Reasoning) and block.signature:
            return chat_content.reasoning(self._dialect, "", block.signature, redacted=block.redacted)
        if move.kind == "close" and isinstance(block, Text) and block.citations and not self._sources:
            return {"annotations": chat_content.annotations(block)}
        return {}


def counted(dialect: Dialect, usage: Usage) -> dict[str, Any]:
    hidden = (usage.reasoning or 0) if dialect.output_excludes_reasoning else 0
    counts: dict[str, Any] = {
        **dialect.usage_more,
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens - hidden,
        "total_tokens": usage.total_tokens,
    }
    for name, places in dialect.counts.items():
        if (count := getattr(usage, name)) is not None:
            for place in str(places).split():
                *levels, last = place.split(".")
                inner = counts
                for level in levels:
                    inner = inner.setdefault(level, {})
                inner[last] = count
    return counts


def model(dialect: Dialect, id: str) -> dict[str, Any]:
    """An entry of the list of models."""
    known = {"id": id, "object": "model", "created": CREATED, "owned_by": "mockserver"}
    return {**known, **dialect.model_fields}


def error(dialect: Dialect, refused: Refused) -> dict[str, Any]:
    """The body of an HTTP error."""
    template = dialect.error_at.get(str(refused.status), dialect.error)
    return dict(_filled(template, _values(dialect, refused)))


def error_frame(dialect: Dialect, message: str) -> Frame:
    """An error in the middle of a stream."""
    value = _filled(dialect.error_frame or dialect.error, _values(dialect, Refused(500, message)))
    return Frame(sse.encode(dumps(value), dialect.error_event or None), "error")


def _values(dialect: Dialect, refused: Refused) -> dict[str, Any]:
    status = str(refused.status)
    if isinstance(refused, ChatRefused):
        param, code = refused.param, refused.code
    else:
        param = refused.at.removeprefix("$").removeprefix(".") or None
        code = None if refused.kind else dialect.error_codes.get(status)
    kind = refused.kind or dialect.error_types.get(status) or "invalid_request_error"
    return {"message": refused.message, "type": kind, "param": param, "code": code, "status": refused.status}


def _filled(template: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(template, dict):
        filled = {name: _filled(value, values) for name, value in template.items()}
        return {name: value for name, value in filled.items() if value is not None or template[name] != "{code?}"}
    if isinstance(template, list):
        return [_filled(value, values) for value in template]
    if isinstance(template, str) and template.startswith("{") and template.endswith("}"):
        return values.get(template.strip("{}?"))
    return template


def _frame(value: object, kind: FrameKind, piece: int | None = None, also: tuple[FrameKind, ...] = ()) -> Frame:
    return Frame(sse.encode(dumps(value)), kind, piece, also)


def _head(dialect: Dialect, reply: Reply, kind: str) -> dict[str, Any]:
    name = {"id": reply.id} if dialect.has_id else {}
    return {**name, "object": kind, "created": CREATED, "model": reply.model, **dialect.head}


def _choice_keys(dialect: Dialect, finish: str | None) -> dict[str, Any]:
    return {key: finish if key == "native_finish_reason" else None for key in dialect.choice}
