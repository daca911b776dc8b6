"""Anthropic Messages, whole and streamed.

Sources: the types `Message`, `RawMessageStreamEvent`, `Usage` and `MessageDeltaUsage` of the PyPI package `anthropic`
(https://github.com/anthropics/anthropic-sdk-python/tree/main/src/anthropic/types), and the pages
https://platform.claude.com/docs/en/build-with-claude/streaming (events, ping, errors) and
https://platform.claude.com/docs/en/api/errors. Order of events and placement of usage: recorded streams.

What is sent is in `anthropic_content`, how it is read back in `anthropic_reading`, what is refused in
`anthropic_request`. Other providers carry the same messages: `anthropic_vertex` and `bedrock_invoke`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from ...errors import Refused, Unencodable
from ...frames import Frame, FrameKind
from ...framings import sse
from ...recording import Recording
from ...reply import Reply, Usage
from .. import asking
from ..base import (
    Asked,
    Attached,
    Contentless,
    Decoded,
    Message,
    Request,
    Variant,
    Wire,
    dumps,
    recorded_object,
    text_of,
)
from . import content as content
from . import request as strict
from .reading import Reading, mapping, read_usage

_STREAMING: Final = "https://platform.claude.com/docs/en/build-with-claude/streaming"
_VERSIONING: Final = "https://platform.claude.com/docs/en/api/versioning"
_ERRORS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_KINDS: Final[Mapping[str, FrameKind]] = {
    "message_start": "start",
    "content_block_start": "start",
    "message_delta": "finish",
    "message_stop": "end",
    "error": "error",
}
_ATTACHED: Final = {"image": "image", "document": "file"}
_OLD: Final = "/anthropic-old/"
_LEAST: Final = {"output_tokens"}
"""The counts that every `message_delta` has."""
_MODEL: Final = {
    "type": "model",
    "id": "claude-mock",
    "display_name": "Claude Mock",
    "created_at": "2025-01-01T00:00:00Z",
    "lifecycle": "active",
}


class AnthropicMessages(Wire):
    """`POST …/v1/messages`; SSE in which each event is named as its `type`, ended by `message_stop`."""

    name = "anthropic-messages"
    hosts: tuple[str, ...] = ("api.anthropic.com",)
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
    takes = frozenset({"stop", "image", "file"})
    request_id: ClassVar[str] = "req_mockserver"
    known: ClassVar[frozenset[str]] = strict.KNOWN
    """The parameters of a request."""
    required: ClassVar[Mapping[str, type]] = {"model": str, "max_tokens": int}
    """Those that there must be beside `messages`, with their type."""

    def matches(self, path: str) -> bool:
        return path.endswith("/v1/messages") and _OLD not in path

    def recognises(self, request: Request) -> bool:
        return "anthropic-version" in request.headers

    def read(self, request: Request) -> Asked:
        asked = strict.parse(request.body)
        system = text_of(asked.get("system"))
        messages = [Message(role="system", text=system)] if system else []
        return Asked(
            wire=self.name,
            model=self._model(request, asked),
            stream=self._stream(request, asked),
            messages=(*messages, *(_message(each) for each in asked["messages"])),
            tools=tuple(str(mapping(tool).get("name")) for tool in strict.listed(asked, "tools")),
            offered=asking.offered(strict.listed(asked, "tools"), schema="input_schema"),
            tool_choice=asking.tool_choice(asked.get("tool_choice")),
            stop=tuple(str(stop) for stop in strict.listed(asked, "stop_sequences")),
            settings=asking.settings(asked),
            body=asked,
            request=request,
        )

    def _model(self, request: Request, asked: Mapping[str, Any]) -> str:
        return str(asked.get("model") or "")

    def _stream(self, request: Request, asked: Mapping[str, Any]) -> bool:
        return bool(asked.get("stream"))

    def check(self, asked: Asked) -> None:
        self._check_access(asked.request)
        betas = f"{asked.request.headers.get('anthropic-beta', '')} {asked.body.get('anthropic_beta', '')}"
        version = asked.request.headers.get("anthropic-version", "")
        version = str(asked.body.get("anthropic_version", version))
        strict.check(asked.body, known=self.known, required=self.required, version=version, betas=betas)

    def _check_access(self, request: Request) -> None:
        """What a request needs beside its body.

        Raises:
            Refused: it is missing.
        """
        strict.check_key(request)
        strict.check_version(request)

    def unknown(self, request: Request) -> Refused:
        if self.matches(request.path):
            return Refused(405, "Method Not Allowed")
        return Refused(404, "Not Found")

    def aside(self, request: Request) -> Recording | None:
        """The count of the tokens of a request, and (for requests with a version of this API) the models."""
        if request.method == "POST" and request.path.endswith("/v1/messages/count_tokens"):
            return self._counted(request)
        found = re.search(r"/v1/models(?:/([^/]+))?$", request.path)
        if request.method != "GET" or not found or not self.recognises(request):
            return None
        if found[1]:
            return self._told({**_MODEL, "id": found[1], "display_name": found[1]})
        listed = {"data": [_MODEL], "has_more": False, "first_id": _MODEL["id"], "last_id": _MODEL["id"]}
        return self._told(listed)

    def _counted(self, request: Request) -> Recording:
        """A count that grows with the request: a token for every four bytes of it."""
        return self._told({"input_tokens": len(request.body) // 4})

    def _told(self, answer: Mapping[str, Any]) -> Recording:
        headers = {"content-type": self.whole_type, "request-id": self.request_id}
        return Recording(200, headers, (Frame(dumps(answer).encode(), "piece", 0),), streamed=False)

    def whole(self, reply: Reply) -> bytes:
        counts = content.usage(self._usage(reply))
        return dumps(
            {
                **_head(reply),
                "content": [content.whole(self.name, block) for block in reply.blocks],
                "stop_reason": self.finish_word(reply),
                "stop_sequence": None,
                "usage": {**counts, "service_tier": "standard"},
            }
        ).encode()

    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        counts = content.usage(self._usage(reply))
        opened = {**counts, "output_tokens": min(1, counts["output_tokens"]), "service_tier": "standard"}
        opened.pop("output_tokens_details", None)
        message = {**_head(reply), "content": [], "stop_reason": None, "stop_sequence": None, "usage": opened}
        started = self._frame("message_start", "start", message=message)
        finished = self._finish(reply, self._counts_at_end(counts))
        return (started, *self._content(reply), finished, self._end(reply))

    def _content(self, reply: Reply) -> Iterator[Frame]:
        for move in reply.moves():
            index, block = move.index, move.block
            if move.kind == "open":
                yield self._frame("content_block_start", "start", index=index, content_block=content.opening(block))
                for delta in content.leading(block):
                    yield self._frame("content_block_delta", "start", index=index, delta=delta)
            elif move.kind == "piece":
                delta = content.delta(block, move.piece)
                yield self._frame("content_block_delta", "piece", piece=move.number, index=index, delta=delta)
            else:
                for delta in content.trailing(block):
                    yield self._frame("content_block_delta", "start", index=index, delta=delta)
                yield self._frame("content_block_stop", "noise", index=index)

    def _usage(self, reply: Reply) -> Usage:
        return content.check(self.name, reply)

    def _counts_at_end(self, counts: Mapping[str, Any]) -> Mapping[str, Any]:
        """The counts of `message_delta`."""
        return counts

    def _finish(self, reply: Reply, counts: Mapping[str, Any], kind: FrameKind = "finish") -> Frame:
        delta = {"stop_reason": self.finish_word(reply), "stop_sequence": None}
        return self._frame("message_delta", kind, delta=delta, usage=counts)

    def _end(self, reply: Reply) -> Frame:
        return self._frame("message_stop", "end")

    def _frame(self, event: str, kind: FrameKind, *, piece: int | None = None, **fields: Any) -> Frame:
        return Frame(self._pack({"type": event, **fields}), kind, piece)

    def _pack(self, event: Mapping[str, Any]) -> bytes:
        """The bytes that carry an event."""
        return sse.encode(dumps(event), event["type"])

    def _unpack(self, stream: bytes) -> Iterator[dict[str, Any]]:
        """The events in recorded bytes."""
        return (recorded_object(event.data) for event in sse.events(stream))

    def headers(self, reply: Reply) -> Mapping[str, str]:
        return {"request-id": self.request_id}

    def error(self, refused: Refused) -> bytes:
        return dumps(self._error(refused)).encode()

    def _error(self, refused: Refused) -> dict[str, Any]:
        fallback = "api_error" if refused.status >= 500 else "invalid_request_error"
        kind = refused.kind or _ERRORS.get(refused.status, fallback)
        return {"type": "error", "error": {"type": kind, "message": refused.message}, "request_id": self.request_id}

    def error_headers(self, refused: Refused) -> Mapping[str, str]:
        return {"request-id": self.request_id}

    def error_frame(self, message: str) -> Frame:
        return Frame(self._pack(self._error(Refused(529, message))), "error")

    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        return {
            **self._passed_over(),
            "comment": Contentless((Frame(b": keep-alive\n\n", "noise"),), "WHATWG HTML 9.2.5: comments"),
        }

    def _passed_over(self) -> Mapping[str, Contentless]:
        """Events that a client passes over, whatever carries them."""
        later = self._frame("event_added_later", "noise", n=1)
        return {
            "ping": Contentless((self._frame("ping", "noise"),), f"{_STREAMING}#ping-events"),
            "unknown-event": Contentless((later,), f"{_STREAMING}#other-events"),
            "unknown-field": Contentless((self._frame("ping", "noise", x_added_later={"n": 1}),), _VERSIONING),
        }

    def usage_variants(self, reply: Reply) -> Mapping[str, Variant]:
        """With no count at the end but that of the output, as the examples of the page on streaming have it."""
        counts = self._usage(reply)
        if (
            counts.reasoning is not None
            or self._counts_at_end({"input_tokens": 1, "output_tokens": 1}).keys() == _LEAST
        ):
            return {}
        ending = self._finish(reply, {"output_tokens": counts.output_tokens})
        frames = tuple(ending if "finish" in frame.kinds else frame for frame in self.frames(reply))
        return {"counts-at-start": Variant(frames, f"{_STREAMING}#basic-streaming-request")}

    def after_end(self, reply: Reply) -> tuple[Frame, ...]:
        delta = {"type": "text_delta", "text": "after the end"}
        return (self._frame("content_block_delta", "noise", index=0, delta=delta),)

    def finish_again(self, reply: Reply) -> Frame:
        return self._finish(reply, {"output_tokens": reply.usage.output_tokens if reply.usage else 0}, "noise")

    def kind_of(self, data: bytes) -> FrameKind:
        event = next(self._unpack(data), {})
        if event.get("type") == "content_block_delta":
            delta = mapping(event.get("delta"))
            return "piece" if any(delta.get(name) for name in ("text", "thinking", "partial_json")) else "start"
        return _KINDS.get(str(event.get("type")), "noise")

    def decode_whole(self, body: bytes) -> Decoded:
        reading = Reading()
        reading.whole(recorded_object(body))
        return self._decoded(reading)

    def decode_stream(self, stream: bytes) -> Decoded:
        reading = Reading()
        reading.events(self._unpack(stream))
        return self._decoded(reading)

    def _decoded(self, reading: Reading) -> Decoded:
        parts, word = reading.parts, reading.finish
        reason = self.finish_reason(word)
        if word and reason is None:
            parts.unknown.append(f"stop reason {word!r}")
        reply = parts.reply(
            finish_reason=reason or word,
            usage=read_usage(parts, reading.usage) if reading.usage else None,
            id=reading.head.get("id"),
            model=reading.head.get("model"),
        )
        return Decoded(reply, tuple(parts.unknown), parts.error)


class AnthropicMessagesOld(AnthropicMessages):
    """Under a path with `/anthropic-old/`: all counts but that of the output stand in `message_start` alone, as
    Anthropic sent them until 2025 and as compatible servers do (examples of the page on streaming).
    """

    name = "anthropic-messages-old"
    family = "anthropic-messages"
    hosts = ()

    def matches(self, path: str) -> bool:
        return path.endswith("/v1/messages") and _OLD in path

    def _usage(self, reply: Reply) -> Usage:
        usage = super()._usage(reply)
        if usage.reasoning is not None:
            raise Unencodable(f"{self.name} has no place for a count of reasoning tokens")
        return usage

    def _counts_at_end(self, counts: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"output_tokens": counts["output_tokens"]}


def _head(reply: Reply) -> dict[str, Any]:
    return {"model": reply.model, "id": reply.id, "type": "message", "role": "assistant"}


def _message(message: Mapping[str, Any]) -> Message:
    said = message.get("content")
    blocks = [block for block in said if isinstance(block, dict)] if isinstance(said, list) else []
    return Message(
        role=str(message.get("role")),
        text=text_of(said),
        tool_calls=tuple(str(block["id"]) for block in blocks if block.get("type") == "tool_use" and block.get("id")),
        tool_results=tuple(str(block["tool_use_id"]) for block in blocks if block.get("tool_use_id")),
        attached=tuple(_attached(block) for block in blocks if str(block.get("type")) in _ATTACHED),
    )


def _attached(block: Mapping[str, Any]) -> Attached:
    kind, source = _ATTACHED[block["type"]], mapping(block.get("source"))
    if source.get("type") == "base64":
        return asking.of_base64(kind, source.get("data"), source.get("media_type"))
    if source.get("type") == "text":
        return asking.of_bytes(kind, text_of(source.get("data")).encode(), source.get("media_type"))
    return Attached(kind, url=str(source.get("url") or ""))
