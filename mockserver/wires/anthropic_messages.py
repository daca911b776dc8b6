"""Anthropic Messages, whole and streamed.

Sources: the types `Message`, `RawMessageStreamEvent`, `Usage` and `MessageDeltaUsage` of the PyPI package `anthropic`
(https://github.com/anthropics/anthropic-sdk-python/tree/main/src/anthropic/types), and the pages
https://platform.claude.com/docs/en/build-with-claude/streaming (events, ping, errors) and
https://platform.claude.com/docs/en/api/errors. Order of events and placement of usage: recorded streams.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from .. import sse
from ..errors import Refused, Unencodable
from ..frames import Frame, FrameKind
from ..reply import Block, Reasoning, Refusal, Reply, Text, ToolCall, Usage
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
    strings_of,
    text_of,
)

_STREAMING: Final = "https://platform.claude.com/docs/en/build-with-claude/streaming"
_VERSIONING: Final = "https://platform.claude.com/docs/en/api/versioning"
_ERRORS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
_EVENTS: Final = {
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "ping",
}
_KINDS: Final[Mapping[str, FrameKind]] = {
    "message_start": "start",
    "content_block_start": "start",
    "message_delta": "finish",
    "message_stop": "end",
    "error": "error",
}
_END: Final = Frame(sse.encode('{"type":"message_stop"}', "message_stop"), "end")


class AnthropicMessages(Wire):
    """`POST …/v1/messages`; SSE in which each event is named as its `type`, ended by `message_stop`."""

    name = "anthropic-messages"
    id_prefix = "msg_"
    finish_reasons = {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "stop_sequence": "stop_sequence",
        "refusal": "refusal",
        "pause": "pause_turn",
        "context_window": "model_context_window_exceeded",
    }
    error_frame_source = f"{_STREAMING}#error-events"

    def matches(self, path: str) -> bool:
        return path.endswith("/v1/messages")

    def read(self, request: Request) -> Asked:
        asked = read_object(request.body)
        for name, kind in (("model", str), ("max_tokens", int), ("messages", list)):
            if name not in asked:
                raise Refused(400, f"{name}: Field required")
            if not isinstance(asked[name], kind):
                raise Refused(400, f"{name}: Input should be a valid {kind.__name__}")
        system = text_of(asked.get("system"))
        messages = [Message(role="system", text=system)] if system else []
        return Asked(
            wire=self.name,
            model=asked["model"],
            stream=bool(asked.get("stream")),
            messages=(*messages, *(_message(number, each) for number, each in enumerate(asked["messages"]))),
            tools=tuple(str(tool.get("name")) for tool in objects_of(asked, "tools")),
            stop=strings_of(asked, "stop_sequences"),
            body=asked,
            request=request,
        )

    def whole(self, reply: Reply) -> bytes:
        counts = _usage(self._check(reply))
        return dumps(
            {
                **_head(reply),
                "content": [_block(block) for block in reply.blocks],
                "stop_reason": self.finish_word(reply),
                "stop_sequence": None,
                "usage": {**counts, "service_tier": "standard"},
            }
        ).encode()

    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        counts = _usage(self._check(reply))
        opened = {**counts, "output_tokens": min(1, counts["output_tokens"]), "service_tier": "standard"}
        message = {**_head(reply), "content": [], "stop_reason": None, "stop_sequence": None, "usage": opened}
        frames = [_frame("message_start", "start", message=message)]
        for move in reply.moves():
            index, block = move.index, move.block
            if move.kind == "open":
                frames.append(_frame("content_block_start", "start", index=index, content_block=_opening(block)))
                if isinstance(block, ToolCall):
                    frames.append(_frame("content_block_delta", "start", index=index, delta=_delta(block, "")))
            elif move.kind == "piece":
                delta = _delta(block, move.piece)
                frames.append(_frame("content_block_delta", "piece", piece=move.number, index=index, delta=delta))
            else:
                if isinstance(block, Reasoning) and block.signature:
                    delta = {"type": "signature_delta", "signature": block.signature}
                    frames.append(_frame("content_block_delta", "start", index=index, delta=delta))
                frames.append(_frame("content_block_stop", "noise", index=index))
        return (*frames, self._finish(reply, counts), _END)

    def _finish(self, reply: Reply, counts: Mapping[str, Any], kind: FrameKind = "finish") -> Frame:
        delta = {"stop_reason": self.finish_word(reply), "stop_sequence": None}
        return _frame("message_delta", kind, delta=delta, usage=counts)

    def error(self, refused: Refused) -> bytes:
        return dumps(_error(refused)).encode()

    def error_frame(self, message: str) -> Frame:
        return Frame(sse.encode(dumps(_error(Refused(529, message))), "error"), "error")

    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        return {
            "ping": Contentless((_frame("ping", "noise"),), f"{_STREAMING}#ping-events"),
            "unknown-event": Contentless((_frame("event_added_later", "noise", n=1),), f"{_STREAMING}#other-events"),
            "unknown-field": Contentless((_frame("ping", "noise", x_added_later={"n": 1}),), _VERSIONING),
            "comment": Contentless((Frame(b": keep-alive\n\n", "noise"),), "WHATWG HTML 9.2.5: comments"),
        }

    def after_end(self, reply: Reply) -> tuple[Frame, ...]:
        delta = {"type": "text_delta", "text": "after the end"}
        return (_frame("content_block_delta", "noise", index=0, delta=delta),)

    def finish_again(self, reply: Reply) -> Frame:
        return self._finish(reply, {"output_tokens": reply.usage.output_tokens if reply.usage else 0}, "noise")

    def kind_of(self, data: bytes) -> FrameKind:
        event = next(sse.events(data), None)
        if event is None:
            return "noise"
        message = recorded_object(event.data)
        if message.get("type") == "content_block_delta":
            delta = message.get("delta") or {}
            return "piece" if any(delta.get(name) for name in ("text", "thinking", "partial_json")) else "start"
        return _KINDS.get(str(message.get("type")), "noise")

    def decode_whole(self, body: bytes) -> Decoded:
        message = recorded_object(body)
        parts = Assembler()
        if message.get("type") == "error":
            parts.error = _said(message)
        for index, block in enumerate(message.get("content") or ()):
            self._decode_opening(parts, index, block)
            if block.get("type") == "tool_use":
                parts.call(index, id=None, name=None, piece=dumps(block.get("input") or {}))
        return self._decoded(parts, message, message.get("stop_reason"), message.get("usage") or {})

    def decode_stream(self, stream: bytes) -> Decoded:
        parts = Assembler()
        message: dict[str, Any] = {}
        usage: dict[str, Any] = {}
        finish = None
        for event in sse.events(stream):
            data = recorded_object(event.data)
            kind = data.get("type")
            if kind == "error":
                parts.error = _said(data)
            elif kind == "message_start":
                message = data.get("message") or {}
                usage |= message.get("usage") or {}
            elif kind == "content_block_start":
                self._decode_opening(parts, data.get("index", 0), data.get("content_block") or {})
            elif kind == "content_block_delta":
                self._decode_delta(parts, data.get("index", 0), data.get("delta") or {})
            elif kind == "message_delta":
                finish = (data.get("delta") or {}).get("stop_reason") or finish
                usage |= {name: count for name, count in (data.get("usage") or {}).items() if count is not None}
            elif kind not in _EVENTS:
                parts.unknown.append(f"event {kind!r}")
        return self._decoded(parts, message, finish, usage)

    @staticmethod
    def _decode_opening(parts: Assembler, index: int, block: Mapping[str, Any]) -> None:
        kind = block.get("type")
        if kind == "text":
            parts.add(index, "text", block.get("text") or "")
        elif kind == "thinking":
            parts.add(index, "reasoning", block.get("thinking") or "")
            if block.get("signature"):
                parts.sign(index, block["signature"])
        elif kind == "tool_use":
            parts.call(index, id=block.get("id"), name=block.get("name"))
        else:
            parts.pass_over(index, f"content block {kind!r}")

    @staticmethod
    def _decode_delta(parts: Assembler, index: int, delta: Mapping[str, Any]) -> None:
        kind = delta.get("type")
        if parts.is_passed(index):
            return
        if kind == "text_delta":
            parts.add(index, "text", delta.get("text") or "")
        elif kind == "thinking_delta":
            parts.add(index, "reasoning", delta.get("thinking") or "")
        elif kind == "signature_delta":
            parts.sign(index, delta.get("signature") or "")
        elif kind == "input_json_delta":
            parts.call(index, id=None, name=None, piece=delta.get("partial_json") or "")
        else:
            parts.unknown.append(f"delta {kind!r}")

    def _decoded(
        self, parts: Assembler, head: Mapping[str, Any], finish: str | None, usage: Mapping[str, Any]
    ) -> Decoded:
        reason = self.finish_reason(finish or "")
        if finish and reason is None:
            parts.unknown.append(f"stop reason {finish!r}")
        reply = parts.reply(
            finish_reason=reason or finish,
            usage=_read_usage(parts, usage) if usage else None,
            id=head.get("id"),
            model=head.get("model"),
        )
        return Decoded(reply, tuple(parts.unknown), parts.error)

    def _check(self, reply: Reply) -> Usage:
        """The usage, which every message of this wire has."""
        if any(isinstance(block, Refusal) for block in reply.blocks):
            raise Unencodable(f"{self.name} has no refusal block: it refuses in text, with finish reason 'refusal'")
        if reply.usage is None:
            raise Unencodable(f"every message of {self.name} has usage")
        if reply.usage.reasoning is not None:
            raise Unencodable(f"{self.name} has no place for a count of reasoning tokens")
        return reply.usage


def _frame(kind: str, frame_kind: FrameKind, *, piece: int | None = None, **fields: Any) -> Frame:
    return Frame(sse.encode(dumps({"type": kind, **fields}), kind), frame_kind, piece)


def _head(reply: Reply) -> dict[str, Any]:
    return {"model": reply.model, "id": reply.id, "type": "message", "role": "assistant"}


def _opening(block: Block) -> dict[str, Any]:
    if isinstance(block, ToolCall):
        return {"type": "tool_use", "id": block.id, "name": block.name, "input": {}}
    if isinstance(block, Reasoning):
        return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "text", "text": ""}


def _delta(block: Block, piece: str) -> dict[str, Any]:
    if isinstance(block, ToolCall):
        return {"type": "input_json_delta", "partial_json": piece}
    if isinstance(block, Reasoning):
        return {"type": "thinking_delta", "thinking": piece}
    return {"type": "text_delta", "text": piece}


def _block(block: Block) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": block.joined}
    if isinstance(block, Reasoning):
        return {"type": "thinking", "thinking": block.joined, "signature": block.signature or ""}
    assert isinstance(block, ToolCall)
    try:
        arguments = json.loads(block.joined or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise Unencodable(f"a whole Anthropic message carries tool input as an object, not {block.joined!r}")
    return {"type": "tool_use", "id": block.id, "name": block.name, "input": arguments}


def _message(number: int, message: Any) -> Message:
    if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
        raise Refused(400, f"messages.{number}.role: Input should be 'user' or 'assistant'")
    content = message.get("content")
    if not isinstance(content, str | list):
        raise Refused(400, f"messages.{number}.content: Field required")
    parts = content if isinstance(content, list) else []
    objects = [part for part in parts if isinstance(part, dict)]
    return Message(
        role=message["role"],
        text=text_of(content),
        tool_calls=tuple(str(part["id"]) for part in objects if part.get("type") == "tool_use" and part.get("id")),
        tool_results=tuple(str(part["tool_use_id"]) for part in objects if part.get("tool_use_id")),
    )


def _usage(usage: Usage) -> dict[str, Any]:
    """Anthropic counts cached tokens beside `input_tokens`, not among them."""
    details = {"cache_creation_input_tokens": usage.cache_creation, "cache_read_input_tokens": usage.cache_read}
    return {
        "input_tokens": usage.input_tokens - (usage.cache_read or 0) - (usage.cache_creation or 0),
        **{name: count for name, count in details.items() if count is not None},
        "output_tokens": usage.output_tokens,
    }


def _read_usage(parts: Assembler, counts: Mapping[str, Any]) -> Usage | None:
    read, created = counts.get("cache_read_input_tokens"), counts.get("cache_creation_input_tokens")
    return parts.usage(
        input_tokens=(counts.get("input_tokens") or 0) + (read or 0) + (created or 0),
        output_tokens=counts.get("output_tokens") or 0,
        cache_read=read,
        cache_creation=created,
    )


def _said(error: Mapping[str, Any]) -> str:
    """The words of a recorded error."""
    inner = error.get("error")
    return text_of(inner.get("message")) if isinstance(inner, dict) and inner.get("message") else dumps(inner)


def _error(refused: Refused) -> dict[str, Any]:
    kind = refused.kind or _ERRORS.get(refused.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": refused.message}, "request_id": "req_mockserver"}
