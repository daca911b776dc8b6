"""OpenAI Chat Completions, whole and streamed.

Sources: the types `ChatCompletion`, `ChatCompletionChunk` and `CompletionUsage` of the PyPI package `openai`
(https://github.com/openai/openai-python/tree/main/src/openai/types/chat), and the API reference
(https://platform.openai.com/docs/api-reference/chat-streaming). Order of frames and of keys: recorded streams.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

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

_ContentKind: TypeAlias = Literal["text", "refusal", "reasoning"]

_CREATED: Final = 1_700_000_000
_FINGERPRINT: Final = "fp_mockserver"
_CHUNK_KEYS: Final = {
    "id", "object", "created", "model", "service_tier", "system_fingerprint", "usage", "choices", "obfuscation",
}  # fmt: skip
_DELTA_KEYS: Final = {"role", "content", "refusal", "tool_calls", "reasoning_content"}
_DONE: Final = Frame(b"data: [DONE]\n\n", "end")
_FIELD: Final[Mapping[_ContentKind, str]] = {"text": "content", "refusal": "refusal", "reasoning": "reasoning_content"}
_RANK: Final = {Reasoning: 0, Text: 1, Refusal: 2, ToolCall: 3}

_TYPES_BY_STATUS: Final = {429: "requests", 500: "server_error", 503: "server_error"}
_STREAMING: Final = "https://platform.openai.com/docs/api-reference/chat-streaming"
_COMPATIBLE: Final = "https://platform.openai.com/docs/api-reference/backward-compatibility"
_AZURE_FILTER: Final = "https://learn.microsoft.com/azure/ai-services/openai/concepts/content-streaming"


class OpenAIChat(Wire):
    """`POST …/chat/completions`; SSE with data only, ended by `[DONE]`."""

    name = "openai-chat"
    id_prefix = "chatcmpl-"
    finish_reasons = {
        "stop": "stop",
        "length": "length",
        "tool_calls": "tool_calls",
        "content_filter": "content_filter",
    }
    error_frame_source = "openai-python, src/openai/_streaming.py: a frame whose data has `error` raises APIError"

    def matches(self, path: str) -> bool:
        return path.endswith("/chat/completions")

    def read(self, request: Request) -> Asked:
        asked = read_object(request.body)
        messages = asked.get("messages")
        if not isinstance(messages, list) or not messages:
            raise Refused(400, "Missing required parameter: 'messages'.")
        options = asked.get("stream_options") or {}
        if not isinstance(options, dict):
            raise Refused(400, "Invalid type for 'stream_options': expected an object.")
        return Asked(
            wire=self.name,
            model=str(asked.get("model") or ""),
            stream=bool(asked.get("stream")),
            stream_usage=bool(options.get("include_usage")),
            messages=tuple(_message(message) for message in messages),
            tools=tuple(_tool_name(tool) for tool in objects_of(asked, "tools")),
            stop=strings_of(asked, "stop"),
            body=asked,
            request=request,
        )

    def whole(self, reply: Reply) -> bytes:
        self._check(reply)
        message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
        for block in reply.blocks:
            if isinstance(block, ToolCall):
                message.setdefault("tool_calls", []).append(_call(block, block.joined))
            else:
                message[_field(block)] = block.joined
        return dumps(
            {
                **_head(reply, "chat.completion"),
                "choices": [
                    {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_word(reply)}
                ],
                "usage": _usage(reply.usage) if reply.usage else None,
                "service_tier": "default",
            }
        ).encode()

    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        self._check(reply)
        chunk = _Chunk(reply, usage=usage and reply.usage is not None)
        number = 0
        frames: list[Frame] = []
        for delta, is_piece in _deltas(reply):
            frames.append(chunk.frame(delta, "piece" if is_piece else "start", piece=number if is_piece else None))
            number += is_piece
        frames.append(chunk.frame({}, "finish", finish=self.finish_word(reply)))
        if usage and reply.usage:
            frames.append(chunk.frame(None, "usage", usage=reply.usage))
        return (*frames, _DONE)

    def error(self, refused: Refused) -> bytes:
        return dumps({"error": _error(refused)}).encode()

    def error_frame(self, message: str) -> Frame:
        return Frame(sse.encode(dumps({"error": _error(Refused(500, message))})), "error")

    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        chunk = _Chunk(reply, usage=False)
        raw = {**_head(reply, "chat.completion.chunk"), "service_tier": "default"}
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}

        def noise(value: object) -> tuple[Frame, ...]:
            return (Frame(sse.encode(dumps(value)), "noise"),)

        return {
            "role-only": Contentless((chunk.frame({"role": "assistant"}, "noise"),), _STREAMING),
            "empty-delta": Contentless((chunk.frame({}, "noise"),), _STREAMING),
            "empty-content": Contentless((chunk.frame({"content": ""}, "noise"),), _STREAMING),
            "empty-choices": Contentless(noise({**raw, "choices": []}), _AZURE_FILTER),
            "unknown-field": Contentless(noise({**raw, "choices": [choice], "x_added_later": {"n": 1}}), _COMPATIBLE),
            "null-content": Contentless((chunk.frame({"content": None}, "noise"),), _STREAMING),
            "null-delta": Contentless(noise({**raw, "choices": [{**choice, "delta": None}]}), ""),
            "comment": Contentless((Frame(b": keep-alive\n\n", "noise"),), "WHATWG HTML 9.2.5: comments"),
        }

    def after_end(self, reply: Reply) -> tuple[Frame, ...]:
        return (_Chunk(reply, usage=False).frame({"content": "after the end"}, "noise"),)

    def finish_again(self, reply: Reply) -> Frame:
        return _Chunk(reply, usage=False).frame({"content": ""}, "noise", finish=self.finish_word(reply))

    def kind_of(self, data: bytes) -> FrameKind:
        event = next(sse.events(data), None)
        if event is None:
            return "noise"
        if event.data.startswith("[DONE]"):
            return "end"
        chunk = recorded_object(event.data)
        if chunk.get("error"):
            return "error"
        choice = next(iter(chunk.get("choices") or ()), None)
        if choice is None:
            return "usage" if chunk.get("usage") else "noise"
        return "finish" if choice.get("finish_reason") else _kind_of_delta(choice.get("delta") or {})

    def decode_whole(self, body: bytes) -> Decoded:
        answer = recorded_object(body)
        parts = Assembler()
        if answer.get("error"):
            parts.error = _said(answer["error"])
        choice = (answer.get("choices") or [{}])[0]
        message = choice.get("message") or {}
        for kind in ("reasoning", "text", "refusal"):
            _decode_content(parts, kind, message.get(_FIELD[kind]))
        for index, call in enumerate(message.get("tool_calls") or ()):
            self._decode_call(parts, {"index": index, **call})
        return self._decoded(parts, answer, choice.get("finish_reason"), answer.get("usage"))

    def decode_stream(self, stream: bytes) -> Decoded:
        parts = Assembler()
        first: dict[str, Any] = {}
        finish = usage = None
        for event in sse.events(stream):
            if event.data.startswith("[DONE]"):
                break
            chunk = recorded_object(event.data)
            if chunk.get("error"):
                parts.error = _said(chunk["error"])
                continue
            if not chunk:
                parts.unknown.append(f"data {event.data[:40]!r}")
            parts.unknown += [f"chunk key {key!r}" for key in chunk if key not in _CHUNK_KEYS]
            first = first or chunk
            usage = chunk.get("usage") or usage
            for choice in chunk.get("choices") or ():
                finish = choice.get("finish_reason") or finish
                self._decode_delta(parts, choice.get("delta") or {})
        return self._decoded(parts, first, finish, usage)

    def _decode_delta(self, parts: Assembler, delta: Mapping[str, Any]) -> None:
        parts.unknown += [f"delta key {key!r}" for key in delta if key not in _DELTA_KEYS and delta[key] is not None]
        for kind, name in _FIELD.items():
            _decode_content(parts, kind, delta.get(name))
        for call in delta.get("tool_calls") or ():
            self._decode_call(parts, call)

    @staticmethod
    def _decode_call(parts: Assembler, call: Mapping[str, Any]) -> None:
        function = call.get("function") or {}
        parts.call(
            ("tool", call.get("index", 0)),
            id=call.get("id"),
            name=function.get("name"),
            piece=_arguments(call),
        )

    def _decoded(
        self, parts: Assembler, head: Mapping[str, Any], finish: str | None, usage: Mapping[str, Any] | None
    ) -> Decoded:
        reason = self.finish_reason(finish or "")
        if finish and reason is None:
            parts.unknown.append(f"finish reason {finish!r}")
        reply = parts.reply(
            finish_reason=reason or finish,
            usage=_read_usage(parts, usage) if usage else None,
            id=head.get("id"),
            model=head.get("model"),
        )
        return Decoded(reply, tuple(parts.unknown), parts.error)

    def _check(self, reply: Reply) -> None:
        """Chat Completions has one field for each kind of content, so blocks have no order but that of the fields."""
        if unplaced := {type(block).__name__ for block in reply.blocks} - {kind.__name__ for kind in _RANK}:
            raise Unencodable(f"{self.name} has no place for {', '.join(sorted(unplaced))}")
        ranks = [_RANK[type(block)] for block in reply.blocks]
        single = [rank for rank in ranks if rank != _RANK[ToolCall]]
        if ranks != sorted(ranks) or len(single) != len(set(single)):
            raise Unencodable(
                f"{self.name} carries at most one reasoning, one text and one refusal block, in this order, and tool "
                f"calls after them; not {reply.describe()}"
            )
        if any(isinstance(block, Reasoning) and block.signature for block in reply.blocks):
            raise Unencodable(f"{self.name} has no place for the signature of reasoning")
        if reply.usage and reply.usage.cache_creation is not None:
            raise Unencodable(f"{self.name} has no place for a count of tokens written to a cache")


class _Chunk:
    """Makes the chunks of one reply."""

    def __init__(self, reply: Reply, *, usage: bool) -> None:
        self._head = {**_head(reply, "chat.completion.chunk"), "service_tier": "default"}
        self._null_usage: dict[str, Any] = {"usage": None} if usage else {}

    def frame(
        self,
        delta: dict[str, Any] | None,
        kind: FrameKind,
        *,
        piece: int | None = None,
        finish: str | None = None,
        usage: Usage | None = None,
    ) -> Frame:
        """`delta` is `None` for the frame that has usage and no choice."""
        choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        counted = {"usage": _usage(usage)} if usage else self._null_usage
        return Frame(sse.encode(dumps({**self._head, "choices": choices, **counted})), kind, piece)


def _deltas(reply: Reply) -> Iterator[tuple[dict[str, Any], bool]]:
    """Deltas in order, each with whether it brings a piece. The first brings the role alone."""
    first = reply.blocks[0] if reply.blocks else None
    yield {"role": "assistant", "content": None if isinstance(first, ToolCall) else "", "refusal": None}, False
    calls: dict[int, int] = {}
    for move in reply.moves():
        block = move.block
        if isinstance(block, ToolCall):
            number = calls.setdefault(move.index, len(calls))
            if move.kind == "open":
                yield {"tool_calls": [{"index": number, **_call(block, "")}]}, False
            elif move.kind == "piece":
                yield {"tool_calls": [{"index": number, "function": {"arguments": move.piece}}]}, True
        elif move.kind == "piece":
            yield {_field(block): move.piece}, True


def _message(message: Any) -> Message:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise Refused(400, "Missing required parameter: 'messages[].role'.")
    calls = tuple(str(call.get("id")) for call in objects_of(message, "tool_calls"))
    result = message.get("tool_call_id")
    return Message(
        role=message["role"],
        text=text_of(message.get("content")),
        tool_calls=calls,
        tool_results=(str(result),) if result else (),
    )


def _kind_of_delta(delta: Mapping[str, Any]) -> FrameKind:
    calls = delta.get("tool_calls") or ()
    if any(delta.get(name) for name in _FIELD.values()) or any(_arguments(call) for call in calls):
        return "piece"
    return "start" if calls or delta.get("role") else "noise"


def _arguments(call: Mapping[str, Any]) -> str:
    """The argument text of a recorded call; some compatible servers send an object in its place."""
    arguments = (call.get("function") or {}).get("arguments") or ""
    return arguments if isinstance(arguments, str) else dumps(arguments)


def _decode_content(parts: Assembler, kind: _ContentKind, content: object) -> None:
    """Content of a message or delta: a string, or (Mistral) a list of parts, of which those with text are read."""
    if isinstance(content, list):
        others = (part.get("type") if isinstance(part, dict) else part for part in content)
        parts.unknown += [f"content part {other!r}" for other in others if other != "text"]
    if text := text_of(content):
        parts.add(kind, kind, text)


def _said(error: object) -> str:
    """The words of a recorded error."""
    return (text_of(error.get("message")) if isinstance(error, dict) else "") or dumps(error)


def _tool_name(tool: Mapping[str, Any]) -> str:
    function = tool.get("function")
    return str(function.get("name") or "") if isinstance(function, dict) else ""


def _head(reply: Reply, kind: str) -> dict[str, Any]:
    return {
        "id": reply.id,
        "object": kind,
        "created": _CREATED,
        "model": reply.model,
        "system_fingerprint": _FINGERPRINT,
    }


def _field(block: Block) -> str:
    kinds: Mapping[type, _ContentKind] = {Text: "text", Refusal: "refusal", Reasoning: "reasoning"}
    return _FIELD[kinds[type(block)]]


def _call(call: ToolCall, arguments: str) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _usage(usage: Usage) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
    if usage.cache_read is not None:
        counts["prompt_tokens_details"] = {"cached_tokens": usage.cache_read, "audio_tokens": 0}
    if usage.reasoning is not None:
        counts["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning, "audio_tokens": 0}
    return counts


def _read_usage(parts: Assembler, counts: Mapping[str, Any]) -> Usage | None:
    return parts.usage(
        input_tokens=counts.get("prompt_tokens") or 0,
        output_tokens=counts.get("completion_tokens") or 0,
        cache_read=(counts.get("prompt_tokens_details") or {}).get("cached_tokens"),
        reasoning=(counts.get("completion_tokens_details") or {}).get("reasoning_tokens"),
    )


def _error(refused: Refused) -> dict[str, Any]:
    kind = refused.kind or _TYPES_BY_STATUS.get(refused.status, "invalid_request_error")
    return {"message": refused.message, "type": kind, "param": None, "code": None}
