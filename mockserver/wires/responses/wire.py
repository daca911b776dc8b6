"""OpenAI Responses, whole and streamed.

Sources: the types `Response`, `ResponseStreamEvent`, `ResponseErrorEvent` and `ResponseUsage` of the PyPI package
`openai` (https://github.com/openai/openai-python/tree/main/src/openai/types/responses), and the API reference
(https://platform.openai.com/docs/api-reference/responses-streaming). Order of events and of keys: recorded streams.

Why a response ended stands in its `status`. Completed ones with calls of the client's tools have the finish reason
`tool_calls`, those without them `stop`; `failed` is a response that ends in `response.failed`, with an error.
"""

import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from ...errors import Refused, Unencodable
from ...frames import Frame, FrameKind
from ...framings import sse
from ...recording import Recording
from ...reply import Reply, Usage
from ..base import Asked, Contentless, Decoded, Request, Wire, dumps
from . import events as events
from . import reading as decoding
from . import request as requests
from .items import Event, Item, MessageItem, Status
from .output import items_of

_CREATED: Final = 1_700_000_000
_TEXT: Final = {"format": {"type": "text"}, "verbosity": "medium"}
"""How the text is to be formed, which each response repeats."""
_FAILED: Final = {"code": "server_error", "message": "The server had an error while processing your request."}
_STREAMING: Final = "https://platform.openai.com/docs/api-reference/responses-streaming"
_COMPATIBLE: Final = "https://platform.openai.com/docs/api-reference/backward-compatibility"
_KEEPALIVE: Final = "https://github.com/openai/openai-node/issues/1964"
_TYPES_BY_STATUS: Final = {429: "requests", 500: "server_error", 503: "server_error"}
_CODES_BY_STATUS: Final = {429: "rate_limit_exceeded"}
_PATH: Final = re.compile(r"/responses(?:/(?P<id>resp_[^/]+))?$")
_DELTA_WIDTH: Final = 16
"""Deltas are padded with `obfuscation` to a multiple of so many characters."""
_INPUT_TOKENS: Final = 11
_NUMBER: Final = re.compile(rb'("sequence_number": ?)(\d+)')
_LOOSE: Final = 0
"""The number of an event that is made apart from its stream; within one, only the first event has it."""


class OpenAIResponses(Wire):
    """`POST …/responses`; SSE in which each event is named as its `type`, ended by the response as it is in the end.

    Usage always counts cached, written and reasoning tokens: a reply that leaves one of them open is sent with 0.
    """

    name = "openai-responses"
    takes = frozenset({"image", "file"})
    hosts = ("api.openai.com", "api.deepseek.com", "bedrock-mantle.*.api.aws", "openrouter.ai", "*.openai.azure.com")
    id_prefix = "resp_"
    finish_reasons = {
        "stop": "completed",
        "tool_calls": "completed",
        "length": "max_output_tokens",
        "content_filter": "content_filter",
        "failed": "failed",
    }
    error_frame_source = f"{_STREAMING}/error"

    def matches(self, path: str) -> bool:
        """Also the path of a stored response, which recordings may have."""
        return _PATH.search(path) is not None

    def read(self, request: Request) -> Asked:
        return requests.read(self.name, request)

    def check(self, asked: Asked) -> None:
        requests.check(asked)

    def unknown(self, request: Request) -> Refused:
        found = _PATH.search(request.path)
        if found and found["id"]:
            return requests.not_found(found["id"])
        return super().unknown(request)

    def aside(self, request: Request) -> Recording | None:
        """The count of a request's tokens, which is always the same."""
        if request.method != "POST" or not request.path.endswith("/responses/input_tokens"):
            return None
        body = dumps({"object": "response.input_tokens", "input_tokens": _INPUT_TOKENS}).encode()
        return Recording(200, {"content-type": self.whole_type}, (Frame(body, "piece", 0),), streamed=False)

    def whole(self, reply: Reply) -> bytes:
        return dumps(_response(reply, self._items(reply), self._status(reply))).encode()

    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        stream = _Stream(reply, self._items(reply))
        return (*stream.opening(), *stream.content(), stream.ending(self._status(reply)))

    def echoing(self, frames: tuple[Frame, ...], asked: Asked) -> tuple[Frame, ...]:
        """With the format of the text, from which clients know how to read it."""
        wanted = asked.body.get("text")
        if not isinstance(wanted, dict) or not wanted.get("format"):
            return frames
        plain, told = (f'"text":{dumps(each)}'.encode() for each in (_TEXT, {**_TEXT, "format": wanted["format"]}))
        return tuple(replace(frame, data=frame.data.replace(plain, told)) for frame in frames)

    def _status(self, reply: Reply) -> str:
        word = self.finish_word(reply)
        return word if word in ("completed", "failed") else "incomplete"

    def _items(self, reply: Reply) -> list[Item]:
        status = self._status(reply)
        wanted = "tool_calls" if reply.tool_calls else "stop"
        if status == "completed" and reply.finish_reason != wanted:
            calls = "with" if reply.tool_calls else "without"
            raise Unencodable(
                f"a completed response of {self.name} {calls} tool calls has the finish reason {wanted!r}, "
                f"not {reply.finish_reason!r}"
            )
        if status == "failed" and reply.usage:
            raise Unencodable(f"a failed response of {self.name} has no usage: give the reply none")
        ending: Status = "completed" if status == "completed" else "incomplete"
        return items_of(reply, ending)

    def error(self, refused: Refused) -> bytes:
        return dumps({"error": _error(refused)}).encode()

    def error_frame(self, message: str) -> Frame:
        """As documented; the error was also seen in an `error` of its own
        (https://github.com/openai/openai-dotnet/issues/881).
        """
        return _frame(Event("error", {"code": "server_error", "message": message, "param": None}, "error"), _LOOSE)

    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        again = Event("response.in_progress", {"response": _response(reply, [], "in_progress")})
        later = Event("response.event_added_later", {"n": 1})
        return {
            "in-progress": Contentless((_frame(again, _LOOSE),), f"{_STREAMING}/response/in_progress"),
            "keepalive": Contentless((_frame(Event("keepalive", {}), _LOOSE),), _KEEPALIVE),
            "unknown-event": Contentless((_frame(later, _LOOSE),), _COMPATIBLE),
            "unknown-field": Contentless(
                (_frame(Event("keepalive", {"x_added_later": {"n": 1}}), _LOOSE),), f"{_COMPATIBLE}; {_KEEPALIVE}"
            ),
            "comment": Contentless((Frame(b": keep-alive\n\n", "noise"),), "WHATWG HTML 9.2.5: comments"),
        }

    def after_end(self, reply: Reply) -> tuple[Frame, ...]:
        messages = [item for item in self._items(reply) if isinstance(item, MessageItem)]
        where = {"item_id": messages[-1].id, "output_index": messages[-1].index} if messages else {"output_index": 0}
        delta = {"item_id": "msg_late", "content_index": 0, **where, "delta": "after the end", "logprobs": []}
        return (_frame(Event("response.output_text.delta", delta), _LOOSE),)

    def linked(self, frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
        """Frames that were put in take the next number, and those behind them move up."""
        linked: list[Frame] = []
        last, put_in = -1, 0
        for frame in frames:
            found = _NUMBER.search(frame.data)
            if not found:
                linked.append(frame)
                continue
            is_loose = int(found[2]) == _LOOSE and last >= 0
            last = last + 1 if is_loose else int(found[2]) + put_in
            put_in += is_loose
            linked.append(replace(frame, data=_NUMBER.sub(rb"\g<1>%d" % last, frame.data, count=1)))
        return tuple(linked)

    def kind_of(self, data: bytes) -> FrameKind:
        return events.kind_of(data)

    def also(self, data: bytes) -> tuple[FrameKind, ...]:
        return events.also_of(data)

    def decode_whole(self, body: bytes) -> Decoded:
        return decoding.decode_whole(body)

    def decode_stream(self, stream: bytes) -> Decoded:
        return decoding.decode_stream(stream)


class _Stream:
    """Makes the frames of one reply, numbered in their order."""

    def __init__(self, reply: Reply, items: list[Item]) -> None:
        self._reply = reply
        self._items = items
        self._number = 0

    def _frame(self, event: Event, also: tuple[FrameKind, ...] = ()) -> Frame:
        frame = _frame(event, self._number, also)
        self._number += 1
        return frame

    def opening(self) -> tuple[Frame, Frame]:
        fields = {"response": _response(self._reply, [], "in_progress")}
        created = self._frame(Event("response.created", fields, "start"))
        return created, self._frame(Event("response.in_progress", fields))

    def content(self) -> Iterator[Frame]:
        owners = [item for item in self._items for _ in item.blocks]
        for move in self._reply.moves():
            for event in owners[move.index].events(move):
                yield self._frame(event)

    def ending(self, status: str) -> Frame:
        kind: FrameKind = "error" if status == "failed" else "finish"
        event = Event(f"response.{status}", {"response": _response(self._reply, self._items, status)}, kind)
        counted: tuple[FrameKind, ...] = ("usage",) if self._reply.usage else ()
        return self._frame(event, ("finish", "end") if status == "failed" else (*counted, "end"))


def _frame(event: Event, number: int, also: tuple[FrameKind, ...] = ()) -> Frame:
    """An event's frame. Its keys stand in the order of the alphabet, after its type."""
    fields = {**event.fields, "sequence_number": number}
    if "delta" in fields:
        fields["obfuscation"] = _padding(fields["delta"], number)
    ordered = {"type": event.type, **{name: fields[name] for name in sorted(fields)}}
    return Frame(sse.encode(dumps(ordered), event.type), event.kind, event.piece, also)


def _padding(delta: str, number: int) -> str:
    """Characters that hide how long a delta is, as OpenAI adds them unless it is asked not to."""
    signs = string.ascii_letters + string.digits
    return "".join(signs[(number * 7 + at * 11) % len(signs)] for at in range(-len(delta) % _DELTA_WIDTH))


def _response(reply: Reply, items: list[Item], status: str) -> dict[str, Any]:
    """A response; what it repeats of the request has the value that it has where nothing was asked for."""
    reasons = {finish: word for word, finish in events.INCOMPLETE.items()}
    incomplete = {"reason": reasons[reply.finish_reason]} if status == "incomplete" else None
    ended = status != "in_progress"
    return {
        "id": reply.id,
        "object": "response",
        "created_at": _CREATED,
        "status": status,
        "background": False,
        "completed_at": _CREATED if status == "completed" else None,
        "error": _FAILED if status == "failed" else None,
        "frequency_penalty": 0.0,
        "incomplete_details": incomplete,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": reply.model,
        "moderation": None,
        "output": [item.done() for item in items],
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "prompt_cache_retention": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default" if ended else "auto",
        "store": True,
        "temperature": 1.0,
        "text": _TEXT,
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": _usage(reply.usage) if reply.usage and ended else None,
        "user": None,
        "metadata": {},
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cache_write_tokens": usage.cache_creation or 0,
            "cached_tokens": usage.cache_read or 0,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": usage.total_tokens,
    }


def _error(refused: Refused) -> dict[str, Any]:
    """An error's body. `param` is the path of the fault without its root."""
    if isinstance(refused, requests.Fault):
        param = refused.param or refused.at.removeprefix("$.") or None
        return {"message": refused.message, "type": "invalid_request_error", "param": param, "code": refused.code}
    kind = refused.kind or _TYPES_BY_STATUS.get(refused.status, "invalid_request_error")
    code = refused.kind or _CODES_BY_STATUS.get(refused.status)
    return {"message": refused.message, "type": kind, "param": None, "code": code}
