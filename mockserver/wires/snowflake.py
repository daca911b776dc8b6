"""Snowflake Cortex inference by REST, whole and streamed.

Sources: the types `CompleteRequest`, `NonStreamingCompleteResponse`, `StreamingCompleteResponseDataEvent`,
`StreamingTextContent`, `StreamingToolUse`, `ToolUse`, `Usage` and `ErrorResponse` of the PyPI package
`snowflake.core` (1.13), made from the OpenAPI document of the service; the examples of
https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api; what the PyPI package `langchain-snowflake`
accepts. A stream does not say why it ended; it ends with the usage, without a terminator.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from ..errors import Refused, Unencodable
from ..frames import Frame, FrameKind
from ..framings import sse
from ..reply import Reply, Text, ToolCall
from . import asking, carried
from .assemble import Assembler
from .base import (
    Asked,
    Contentless,
    Decoded,
    Message,
    Request,
    Wire,
    dumps,
    objects_of,
    read_object,
    recorded_object,
    text_of,
)
from .carried import CallCount, listed, mapping

_CREATED: Final = 1_700_000_000
_KEYS: Final = {"id", "created", "model", "choices", "usage", "finish_reason"}
_DELTA_KEYS: Final = {"type", "content", "content_list", "text", "tool_use_id", "name", "input", "role"}


class Snowflake(Wire):
    """`POST …/api/v2/cortex/inference:complete`; SSE with data only; no terminator."""

    name = "snowflake"
    takes = frozenset()
    hosts = ("*.snowflakecomputing.com",)
    stream_type: ClassVar[str] = "text/event-stream"
    id_prefix = ""
    finish_reasons = {
        "stop": "stop",
        "length": "length",
        "tool_calls": "tool_calls",
        "content_filter": "content_filter",
    }
    tells_finish = frozenset({"whole"})

    def matches(self, path: str) -> bool:
        return path.endswith(("/cortex/inference:complete", "/cortex/inference/complete"))

    def read(self, request: Request) -> Asked:
        asked = read_object(request.body)
        return Asked(
            wire=self.name,
            model=str(asked.get("model") or ""),
            stream=asked.get("stream") is not False,
            messages=tuple(_message(each) for each in objects_of(asked, "messages")),
            tools=tuple(str(mapping(tool.get("tool_spec")).get("name") or "") for tool in objects_of(asked, "tools")),
            offered=asking.offered(objects_of(asked, "tools"), inner="tool_spec", schema="input_schema"),
            tool_choice=asking.tool_choice(asked.get("tool_choice")),
            settings=asking.settings(asked),
            body=asked,
            request=request,
        )

    def check(self, asked: Asked) -> None:
        if not asked.request.headers.get("authorization"):
            raise Refused(401, "Authorization header not found in the request data.", "390101")
        for name in ("model", "messages"):
            if not asked.body.get(name):
                raise Refused(400, f"schema validation failed: {name} is required", at=f"$.{name}")

    def whole(self, reply: Reply) -> bytes:
        carried.check(self.name, reply, (Text, ToolCall))
        parts: list[dict[str, Any]] = []
        for block in reply.blocks:
            if isinstance(block, ToolCall):
                arguments = carried.arguments(self.name, block)
                parts.append({"type": "tool_use", "tool_use": {**_announced(block), "input": arguments}})
            else:
                parts.append({"type": "text", "text": block.joined})
        return dumps(
            {
                **_head(reply),
                "choices": [{"message": {"content": reply.text, "content_list": parts}}],
                "finish_reason": self.finish_word(reply),
                **({"usage": carried.counts(reply.usage)} if reply.usage else {}),
            }
        ).encode()

    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        carried.check(self.name, reply, (Text, ToolCall))
        carried.check_calls_in_turn(self.name, reply)
        if self.finish_word(reply) != _inferred(bool(reply.tool_calls)):
            raise Unencodable(
                f"a stream of {self.name} does not say why it ended: one with calls has the finish reason "
                f"'tool_calls', another 'stop', not {reply.finish_reason!r}"
            )
        if reply.usage is None:
            raise Unencodable(f"every stream of {self.name} ends with usage")
        frames = [
            _frame(reply, "start" if piece is None else "piece", delta, piece=piece) for delta, piece in _deltas(reply)
        ]
        return (*frames, _frame(reply, "usage", {}, usage=carried.counts(reply.usage)))

    def error(self, refused: Refused) -> bytes:
        return dumps(_error(refused)).encode()

    def error_frame(self, message: str) -> Frame:
        return Frame(sse.encode(dumps(_error(Refused(500, message)))), "error")

    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        return {
            "empty-delta": Contentless((_frame(reply, "noise", {}),), ""),
            "empty-content": Contentless((_frame(reply, "noise", _text("")),), ""),
            "unknown-field": Contentless((_frame(reply, "noise", {"x_added_later": {"n": 1}}),), ""),
            "comment": Contentless((Frame(b": keep-alive\n\n", "noise"),), "WHATWG HTML 9.2.5: comments"),
        }

    def kind_of(self, data: bytes) -> FrameKind:
        event = next(sse.events(data), None)
        if event is None:
            return "noise"
        found = recorded_object(event.data)
        if _is_error(found):
            return "error"
        delta = _delta_of(found)
        if delta.get("content") or delta.get("input"):
            return "piece"
        if delta.get("tool_use_id"):
            return "start"
        return "usage" if found.get("usage") else "noise"

    def decode_whole(self, body: bytes) -> Decoded:
        found = recorded_object(body)
        parts, calls = Assembler(), CallCount()
        if _is_error(found):
            parts.error = _said(found)
        message = mapping(mapping(next(iter(listed(found.get("choices"))), None)).get("message"))
        content = listed(message.get("content_list")) or [{"type": "text", "text": message.get("content")}]
        for part in map(mapping, content):
            _decode_part(parts, calls, part)
        word = found.get("finish_reason")
        return self._decoded(parts, found, str(word) if word else None)

    def decode_stream(self, stream: bytes) -> Decoded:
        parts, calls = Assembler(), CallCount()
        whole: dict[str, Any] = {}
        for event in sse.events(stream):
            found = recorded_object(event.data)
            if _is_error(found):
                parts.error = _said(found)
                continue
            if not found:
                parts.unknown.append(f"data {event.data[:40]!r}")
            parts.unknown += [f"key {key!r}" for key in found if key not in _KEYS]
            whole = {**whole, **found}
            _decode_delta(parts, calls, _delta_of(found))
        return self._decoded(parts, whole, _inferred(bool(calls.count)) if whole.get("usage") else None)

    def _decoded(self, parts: Assembler, found: Mapping[str, Any], word: str | None) -> Decoded:
        reason = self.finish_reason(word or "")
        if word and reason is None:
            parts.unknown.append(f"finish reason {word!r}")
        usage = mapping(found.get("usage"))
        reply = parts.reply(
            finish_reason=reason or word,
            usage=carried.read_counts(parts, usage) if usage else None,
            id=found.get("id"),
            model=found.get("model"),
        )
        return Decoded(reply, tuple(parts.unknown), parts.error)


def _inferred(has_calls: bool) -> str:  # noqa: FBT001 - it is all that there is to know
    """Why a stream ended, as far as can be known."""
    return "tool_calls" if has_calls else "stop"


def _head(reply: Reply) -> dict[str, Any]:
    return {"id": reply.id, "created": _CREATED, "model": reply.model}


def _frame(
    reply: Reply,
    kind: FrameKind,
    delta: Mapping[str, Any],
    *,
    piece: int | None = None,
    usage: Mapping[str, Any] | None = None,
) -> Frame:
    chunk = {**_head(reply), "choices": [{"delta": delta}], "usage": usage or {}}
    return Frame(sse.encode(dumps(chunk)), kind, piece)


def _text(piece: str) -> dict[str, Any]:
    return {"type": "text", "content": piece, "content_list": [{"type": "text", "text": piece}], "text": piece}


def _announced(call: ToolCall) -> dict[str, Any]:
    return {"tool_use_id": call.id, "name": call.name}


def _deltas(reply: Reply) -> Iterator[tuple[dict[str, Any], int | None]]:
    """Deltas in order, each with the number of the piece that it brings; what it says stands in `content_list` too."""
    for move in reply.moves():
        if isinstance(move.block, ToolCall) and move.kind == "open":
            opening = _announced(move.block)
            yield {"type": "tool_use", **opening, "content_list": [opening]}, None
        elif isinstance(move.block, ToolCall) and move.kind == "piece":
            more = {"input": move.piece}
            yield {"type": "tool_use", **more, "content_list": [more]}, move.number
        elif move.kind == "piece":
            yield _text(move.piece), move.number


def _delta_of(found: Mapping[str, Any]) -> dict[str, Any]:
    return mapping(mapping(next(iter(listed(found.get("choices"))), None)).get("delta"))


def _decode_delta(parts: Assembler, calls: CallCount, delta: Mapping[str, Any]) -> None:
    parts.unknown += [f"delta key {key!r}" for key in delta if key not in _DELTA_KEYS]
    parts.add("text", "text", text_of(delta.get("content")))
    if delta.get("tool_use_id") or (delta.get("input") and not calls.count):
        calls.begin()
    if delta.get("tool_use_id") or delta.get("input"):
        parts.call(
            ("tool", calls.count),
            id=delta.get("tool_use_id"),
            name=delta.get("name"),
            piece=text_of(delta.get("input")),
        )


def _decode_part(parts: Assembler, calls: CallCount, part: Mapping[str, Any]) -> None:
    use = mapping(part.get("tool_use"))
    if part.get("type") == "text":
        parts.add("text", "text", text_of(part.get("text")))
    elif part.get("type") == "tool_use":
        parts.call(
            ("tool", calls.begin()),
            id=use.get("tool_use_id"),
            name=use.get("name"),
            piece=dumps(use.get("input") or {}),
        )
    else:
        parts.unknown.append(f"content {part.get('type')!r}")


def _message(message: Mapping[str, Any]) -> Message:
    listed = objects_of(message, "content_list")
    uses = [mapping(part.get("tool_use")) for part in listed]
    results = [mapping(part.get("tool_results")) for part in listed]
    return Message(
        role=str(message.get("role") or "user"),
        text=text_of(message.get("content")) or text_of(listed),
        tool_calls=tuple(str(use["tool_use_id"]) for use in uses if use.get("tool_use_id")),
        tool_results=tuple(str(result["tool_use_id"]) for result in results if result.get("tool_use_id")),
    )


def _is_error(found: Mapping[str, Any]) -> bool:
    return "choices" not in found and any(name in found for name in ("message", "error", "error_code"))


def _said(found: Mapping[str, Any]) -> str:
    """The words of a recorded error."""
    return text_of(found.get("message")) or text_of(mapping(found.get("error")).get("message")) or dumps(found)


def _error(refused: Refused) -> dict[str, Any]:
    code = refused.kind or str(refused.status)
    return {"message": refused.message, "code": code, "error_code": code, "request_id": "mockserver"}
