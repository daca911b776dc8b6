"""Cloudflare Workers AI by its own route, whole and streamed: text generation in the shape `{"response": …}`.

Sources: https://developers.cloudflare.com/workers-ai (text generation, function calling, streaming),
https://developers.cloudflare.com/workers-ai/platform/errors (codes), https://developers.cloudflare.com/api (the
envelope `result`, `success`, `errors`, `messages`); what the PyPI package `langchain-cloudflare` accepts. The
provider's route `…/ai/v1/chat/completions` is the dialect `cloudflare-chat` of OpenAI Chat Completions.
An answer does not say why it ended, a stream brings all its calls at once (`langchain-cloudflare` reads the calls of
one chunk alone), and calls have no ids: they are read as `call_1`, `call_2` and so on.
"""

import re
from collections.abc import Mapping
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
    strings_of,
    text_of,
)
from .carried import CallCount, listed, mapping

_RUN: Final = re.compile(r"/accounts/[^/]+/ai/run/(.+)$|/workers-ai/(@.+)$")
"""The API's own path, and that of an AI Gateway."""
_CODES: Final = {
    400: 5004,
    401: 10000,
    403: 5018,
    404: 3042,
    405: 5019,
    408: 3007,
    413: 3006,
    429: 3040,
}
_RESULT_KEYS: Final = {"response", "tool_calls", "usage", "p"}
_DONE: Final = Frame(b"data: [DONE]\n\n", "end")
_PAD: Final = "abdefghij"


class Cloudflare(Wire):
    """`POST …/accounts/ACCOUNT/ai/run/MODEL`; SSE with data only, ended by `[DONE]`."""

    name = "cloudflare"
    takes = frozenset()
    hosts = ("api.cloudflare.com", "gateway.ai.cloudflare.com")
    stream_type: ClassVar[str] = "text/event-stream"
    id_prefix = ""
    finish_reasons = {"stop": "stop", "tool_calls": "tool_calls"}
    tells_finish = frozenset()
    call_ids = False

    def matches(self, path: str) -> bool:
        return bool(_RUN.search(path))

    def read(self, request: Request) -> Asked:
        if not request.body:
            raise Refused(400, "Request is missing headers or body: body", "3003")
        asked = read_object(request.body)
        messages = tuple(_message(each) for each in objects_of(asked, "messages"))
        prompt = asked.get("prompt")
        if not messages and not isinstance(prompt, str):
            raise Refused(400, "Bad input: required properties at '/' are 'prompt' or 'messages'", at="$.messages")
        found = _RUN.search(request.path)
        return Asked(
            wire=self.name,
            model=(found[1] or found[2]) if found else "",
            stream=bool(asked.get("stream")),
            messages=messages or (Message("user", str(prompt)),),
            tools=tuple(_tool_name(tool) for tool in objects_of(asked, "tools")),
            offered=asking.offered(objects_of(asked, "tools")),
            tool_choice=asking.tool_choice(asked.get("tool_choice")),
            stop=strings_of(asked, "stop"),
            settings=asking.settings(asked),
            body=asked,
            request=request,
        )

    def check(self, asked: Asked) -> None:
        headers = asked.request.headers
        if not (headers.get("authorization") or headers.get("x-auth-key")):
            raise Refused(401, "Authentication error")

    def whole(self, reply: Reply) -> bytes:
        self._check(reply)
        calls = [_call(block) for block in reply.tool_calls]
        return dumps(
            {
                "result": {
                    "response": reply.text,
                    **({"tool_calls": calls} if calls else {}),
                    **({"usage": carried.counts(reply.usage)} if reply.usage else {}),
                },
                "success": True,
                "errors": [],
                "messages": [],
            }
        ).encode()

    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        self._check(reply)
        if reply.order:
            raise Unencodable(f"{self.name} sends all calls at once, after the text; an order is of no use")
        frames = [
            _frame("piece", move.number, response=move.piece, p=_PAD)
            for move in reply.moves()
            if move.kind == "piece" and isinstance(move.block, Text)
        ]
        if reply.tool_calls:
            piece = len(frames) if any(call.pieces for call in reply.tool_calls) else None
            calls = [_call(call) for call in reply.tool_calls]
            frames.append(_frame("start" if piece is None else "piece", piece, response="", tool_calls=calls))
        if reply.usage:
            frames.append(_frame("usage", response="", usage=carried.counts(reply.usage)))
        return (*frames, _DONE)

    def error(self, refused: Refused) -> bytes:
        return dumps(_error(refused)).encode()

    def error_frame(self, message: str) -> Frame:
        return Frame(sse.encode(dumps(_error(Refused(429, message)))), "error")

    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        return {
            "empty-response": Contentless((_frame("noise", response="", p=_PAD),), ""),
            "unknown-field": Contentless((_frame("noise", response="", x_added_later={"n": 1}),), ""),
            "comment": Contentless((Frame(b": keep-alive\n\n", "noise"),), "WHATWG HTML 9.2.5: comments"),
        }

    def after_end(self, reply: Reply) -> tuple[Frame, ...]:
        return (_frame("noise", response="after the end"),)

    def kind_of(self, data: bytes) -> FrameKind:
        event = next(sse.events(data), None)
        if event is None:
            return "noise"
        if event.data.startswith("[DONE]"):
            return "end"
        chunk = recorded_object(event.data)
        if chunk.get("errors"):
            return "error"
        if chunk.get("response") or chunk.get("tool_calls"):
            return "piece"
        return "usage" if chunk.get("usage") else "noise"

    def decode_whole(self, body: bytes) -> Decoded:
        found = recorded_object(body)
        parts = Assembler()
        parts.error = _said(found)
        result, calls = mapping(found.get("result")), CallCount()
        _decode_chunk(parts, calls, result)
        return _decoded(parts, calls, result.get("usage"), is_whole=bool(found.get("success")))

    def decode_stream(self, stream: bytes) -> Decoded:
        parts, calls = Assembler(), CallCount()
        is_whole = False
        usage = None
        for event in sse.events(stream):
            if is_whole := event.data.startswith("[DONE]"):
                break
            chunk = recorded_object(event.data)
            if error := _said(chunk):
                parts.error = error
                continue
            if not chunk:
                parts.unknown.append(f"data {event.data[:40]!r}")
            _decode_chunk(parts, calls, chunk)
            usage = chunk.get("usage") or usage
        return _decoded(parts, calls, usage, is_whole=is_whole)

    def _check(self, reply: Reply) -> None:
        carried.check(self.name, reply, (Text, ToolCall))
        wanted = "tool_calls" if reply.tool_calls else "stop"
        if self.finish_word(reply) != wanted:
            raise Unencodable(
                f"{self.name} does not say why an answer ended: one with calls has the finish reason 'tool_calls', "
                f"another 'stop', not {reply.finish_reason!r}"
            )


def _frame(kind: FrameKind, piece: int | None = None, **chunk: Any) -> Frame:
    return Frame(sse.encode(dumps(chunk)), kind, piece)


def _call(call: ToolCall) -> dict[str, Any]:
    return {"name": call.name, "arguments": carried.arguments("cloudflare", call)}


def _decode_chunk(parts: Assembler, calls: CallCount, chunk: Mapping[str, Any]) -> None:
    parts.unknown += [f"key {key!r}" for key in chunk if key not in _RESULT_KEYS]
    parts.add("text", "text", text_of(chunk.get("response")))
    for call in map(mapping, listed(chunk.get("tool_calls"))):
        arguments = call.get("arguments")
        number = calls.begin()
        parts.call(
            ("tool", number),
            id=call.get("id") or f"call_{number}",
            name=call.get("name"),
            piece=arguments if isinstance(arguments, str) else dumps(arguments or {}),
        )


def _decoded(parts: Assembler, calls: CallCount, usage: Any, *, is_whole: bool) -> Decoded:
    reason = "tool_calls" if calls.count else "stop"
    reply = parts.reply(
        finish_reason=reason if is_whole else None,
        usage=carried.read_counts(parts, mapping(usage)) if usage else None,
        id=None,
        model=None,
    )
    return Decoded(reply, tuple(parts.unknown), parts.error)


def _message(message: Mapping[str, Any]) -> Message:
    calls = map(mapping, listed(message.get("tool_calls")))
    result = message.get("tool_call_id") or (message.get("name") if message.get("role") == "tool" else None)
    return Message(
        role=str(message.get("role") or ""),
        text=text_of(message.get("content")),
        tool_calls=tuple(str(call.get("id") or _tool_name(call)) for call in calls),
        tool_results=(str(result),) if result else (),
    )


def _tool_name(tool: Mapping[str, Any]) -> str:
    """The name in either form that Workers AI takes: OpenAI's, or the fields of a function alone."""
    return str(tool.get("name") or mapping(tool.get("function")).get("name") or "")


def _said(found: Mapping[str, Any]) -> str | None:
    """The words of a recorded error; `None` where there is none."""
    words = [text_of(mapping(each).get("message")) or dumps(each) for each in listed(found.get("errors"))]
    return "; ".join(words) or None


def _error(refused: Refused) -> dict[str, Any]:
    code = int(refused.kind) if refused.kind.isdigit() else _CODES.get(refused.status, 10000)
    return {"errors": [{"code": code, "message": refused.message}], "success": False, "result": {}, "messages": []}
