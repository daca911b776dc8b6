"""IBM watsonx.ai text chat, whole and streamed.

Sources: https://cloud.ibm.com/apidocs/watsonx-ai#text-chat and the types that the SDKs make of it (`TextChatResponse`,
`TextChatResultChoice`, `TextChatResultMessage`, `TextChatUsage`:
https://ibm.github.io/watsonx-ai-node-sdk/modules/1_7_x.WatsonXAI.html); what the PyPI package `ibm-watsonx-ai` accepts.
Errors: as quoted in https://github.com/IBM/watsonx-ai-java-sdk (401) and
https://github.com/langflow-ai/openrag/issues/615 (429).
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final

from ..errors import Refused
from ..frames import Frame, FrameKind
from ..framings import sse
from ..recording import Recording
from ..reply import Reasoning, Refusal, Reply, Text, ToolCall
from . import asking, carried
from .asides import answer
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
from .carried import listed, mapping

_CREATED: Final = {"created": 1_700_000_000, "created_at": "2023-11-14T22:13:20.000Z", "model_version": "1.0.0"}
_FIELDS: Final[Mapping[type, str]] = {Reasoning: "reasoning_content", Text: "content", Refusal: "refusal"}
_PARTS: Final = {"reasoning": "reasoning_content", "text": "content", "refusal": "refusal"}
_ORDER: Final = (Reasoning, Text, Refusal, ToolCall)
_CHUNK_KEYS: Final = {
    "id", "object", "model_id", "model", "created", "created_at", "model_version", "choices", "usage", "system",
}  # fmt: skip
_DELTA_KEYS: Final = {"role", "tool_calls", *_PARTS.values()}
_CODES: Final = {
    400: "invalid_request_entity",
    401: "authentication_token_not_valid",
    403: "authorization_rejected",
    404: "model_not_supported",
    429: "rate_limit_reached_requests",
}
_REFERENCE: Final = "https://cloud.ibm.com/apidocs/watsonx-ai#text-chat"
_NEVER: Final = 4_102_444_800
"""When tokens end: seconds since 1970, in the year 2100."""
_MODELS: Final = ("ibm/granite-3-3-8b-instruct", "meta-llama/llama-3-3-70b-instruct")


class Watsonx(Wire):
    """`POST …/ml/v1/…/text/chat` and `…/text/chat_stream`; SSE with `id`, `event: message` and data; no terminator."""

    name = "watsonx"
    takes = frozenset({"stop", "image"})
    hosts = ("*.ml.cloud.ibm.com",)
    stream_type: ClassVar[str] = "text/event-stream"
    id_prefix = "chatcmpl-"
    # The last three are the provider's own words, which no neutral one stands for.
    finish_reasons = {
        "stop": "stop",
        "length": "length",
        "tool_calls": "tool_calls",
        "time_limit": "time_limit",
        "cancelled": "cancelled",
        "error": "error",
    }
    error_frame_source = "ibm-watsonx-ai, fm_model_inference.py: the event `error` raises WMLClientError with its data"

    def matches(self, path: str) -> bool:
        return "/ml/v1/" in path and path.endswith(("/text/chat", "/text/chat_stream"))

    def recognises(self, request: Request) -> bool:
        return request.headers.get("user-agent", "").startswith("ibm-watsonx")

    def read(self, request: Request) -> Asked:
        asked = read_object(request.body)
        return Asked(
            wire=self.name,
            model=str(asked.get("model_id") or ""),
            stream=request.path.endswith("_stream"),
            messages=tuple(_message(each) for each in objects_of(asked, "messages")),
            tools=tuple(str(mapping(tool.get("function")).get("name") or "") for tool in objects_of(asked, "tools")),
            offered=asking.offered(objects_of(asked, "tools")),
            tool_choice=asking.tool_choice(asked.get("tool_choice") or asked.get("tool_choice_option")),
            stop=strings_of(asked, "stop"),
            settings=asking.settings(asked),
            body=asked,
            request=request,
        )

    def check(self, asked: Asked) -> None:
        if not asked.request.headers.get("authorization"):
            words = "Failed to authenticate the request due to invalid token: Failed to parse and verify token"
            raise Refused(401, words)
        # A deployment has its model and its space; elsewhere the reference says that both are required.
        required = ("messages",) if "/deployments/" in asked.request.path else ("messages", "model_id")
        for name in required:
            if not asked.body.get(name):
                raise Refused(400, f"Missing required field: {name}", at=f"$.{name}")
        if len(required) > 1 and not (asked.body.get("project_id") or asked.body.get("space_id")):
            raise Refused(400, "Missing either space_id or project_id", at="$.project_id")

    def aside(self, request: Request) -> Recording | None:
        for (method, pattern), document in _ASIDES.items():
            if request.method == method and (found := re.search(pattern, request.path)):
                return answer(document(found))
        return None

    def whole(self, reply: Reply) -> bytes:
        carried.check(self.name, reply, _ORDER)
        message: dict[str, Any] = {"role": "assistant", "content": None}
        for block in reply.blocks:
            if isinstance(block, ToolCall):
                calls = message.setdefault("tool_calls", [])
                calls.append(_call(block, block.joined))
            else:
                message[_FIELDS[type(block)]] = block.joined
        choice = {"index": 0, "message": message, "finish_reason": self.finish_word(reply)}
        usage = {"usage": carried.counts(reply.usage)} if reply.usage else {}
        return dumps({**_head(reply, "chat.completion"), "choices": [choice], **usage}).encode()

    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        carried.check(self.name, reply, _ORDER)
        head = _head(reply, "chat.completion.chunk")
        frames: list[Frame] = []

        def add(kind: FrameKind, piece: int | None = None, **more: Any) -> None:
            frames.append(Frame(_event(len(frames) + 1, {**head, **more}), kind, piece))

        for delta, piece in _deltas(reply):
            choice = {"index": 0, "finish_reason": None, "delta": delta}
            add("start" if piece is None else "piece", piece, choices=[choice])
        add("finish", choices=[{"index": 0, "finish_reason": self.finish_word(reply), "delta": {"content": ""}}])
        if reply.usage:
            add("usage", choices=[], usage=carried.counts(reply.usage))
        return tuple(frames)

    def error(self, refused: Refused) -> bytes:
        return dumps(_error(refused)).encode()

    def error_frame(self, message: str) -> Frame:
        return Frame(sse.encode(dumps(_error(Refused(500, message))), "error"), "error")

    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        head = _head(reply, "chat.completion.chunk")

        def noise(**more: object) -> tuple[Frame, ...]:
            choice = {"index": 0, "finish_reason": None, "delta": {"content": ""}}
            return (Frame(_event(0, {**head, "choices": [choice], **more}), "noise"),)

        return {
            "empty-content": Contentless(noise(), ""),
            "empty-choices": Contentless(noise(choices=[]), ""),
            "unknown-field": Contentless(noise(x_added_later={"n": 1}), ""),
            "comment": Contentless((Frame(b": keep-alive\n\n", "noise"),), "WHATWG HTML 9.2.5: comments"),
        }

    def finish_again(self, reply: Reply) -> Frame:
        choice = {"index": 0, "finish_reason": self.finish_word(reply), "delta": {"content": ""}}
        return Frame(_event(0, {**_head(reply, "chat.completion.chunk"), "choices": [choice]}), "noise")

    def kind_of(self, data: bytes) -> FrameKind:
        event = next(sse.events(data), None)
        if event is None:
            return "noise"
        chunk = recorded_object(event.data)
        if event.name == "error" or "errors" in chunk:
            return "error"
        choice = mapping(next(iter(listed(chunk.get("choices"))), None))
        if not choice:
            return "usage" if chunk.get("usage") else "noise"
        return "finish" if choice.get("finish_reason") else _kind_of_delta(mapping(choice.get("delta")))

    def decode_whole(self, body: bytes) -> Decoded:
        found = recorded_object(body)
        parts = Assembler()
        if "errors" in found:
            parts.error = _said(found)
        choice = mapping(next(iter(listed(found.get("choices"))), None))
        _decode_delta(parts, mapping(choice.get("message")))
        return self._decoded(parts, found, choice.get("finish_reason"), found.get("usage"))

    def decode_stream(self, stream: bytes) -> Decoded:
        parts = Assembler()
        first: dict[str, Any] = {}
        finish = usage = None
        for event in sse.events(stream):
            chunk = recorded_object(event.data)
            if event.name == "error" or "errors" in chunk:
                parts.error = _said(chunk)
                continue
            if not chunk:
                parts.unknown.append(f"data {event.data[:40]!r}")
            parts.unknown += [f"chunk key {key!r}" for key in chunk if key not in _CHUNK_KEYS]
            first = first or chunk
            usage = chunk.get("usage") or usage
            for choice in map(mapping, listed(chunk.get("choices"))):
                finish = choice.get("finish_reason") or finish
                _decode_delta(parts, mapping(choice.get("delta")))
        return self._decoded(parts, first, finish, usage)

    def _decoded(self, parts: Assembler, head: Mapping[str, Any], finish: Any, usage: Any) -> Decoded:
        reason = self.finish_reason(str(finish or ""))
        if finish and reason is None:
            parts.unknown.append(f"finish reason {finish!r}")
        reply = parts.reply(
            finish_reason=reason or finish,
            usage=carried.read_counts(parts, mapping(usage)) if usage else None,
            id=head.get("id"),
            model=head.get("model_id") or head.get("model"),
        )
        return Decoded(reply, tuple(parts.unknown), parts.error)


def _head(reply: Reply, kind: str) -> dict[str, Any]:
    return {"id": reply.id, "object": kind, "model_id": reply.model, "model": reply.model, **_CREATED}


def _event(number: int, chunk: Mapping[str, Any]) -> bytes:
    return f"id: {number}\n".encode() + sse.encode(dumps(chunk), "message")


def _call(call: ToolCall, arguments: str) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _deltas(reply: Reply) -> Iterator[tuple[dict[str, Any], int | None]]:
    """Deltas in order, each with the number of the piece that it brings. The first brings the role alone."""
    yield {"role": "assistant", "content": ""}, None
    calls: dict[int, int] = {}
    for move in reply.moves():
        block = move.block
        if isinstance(block, ToolCall):
            number = calls.setdefault(move.index, len(calls))
            if move.kind == "open":
                yield {"tool_calls": [{"index": number, **_call(block, "")}]}, None
            elif move.kind == "piece":
                yield (
                    {"tool_calls": [{"index": number, "function": {"name": "", "arguments": move.piece}}]},
                    move.number,
                )
        elif move.kind == "piece":
            yield {_FIELDS[type(block)]: move.piece}, move.number


def _kind_of_delta(delta: Mapping[str, Any]) -> FrameKind:
    calls = [mapping(call) for call in delta.get("tool_calls") or ()]
    if any(delta.get(name) for name in _PARTS.values()):
        return "piece"
    if any(mapping(call.get("function")).get("arguments") for call in calls):
        return "piece"
    return "start" if calls or delta.get("role") else "noise"


def _decode_delta(parts: Assembler, delta: Mapping[str, Any]) -> None:
    parts.unknown += [f"delta key {key!r}" for key in delta if key not in _DELTA_KEYS and delta[key] is not None]
    parts.add("reasoning", "reasoning", text_of(delta.get("reasoning_content")))
    parts.add("text", "text", text_of(delta.get("content")))
    parts.add("refusal", "refusal", text_of(delta.get("refusal")))
    for place, call in enumerate(map(mapping, listed(delta.get("tool_calls")))):
        function = mapping(call.get("function"))
        parts.call(
            ("tool", call.get("index", place)),
            id=call.get("id"),
            name=function.get("name"),
            piece=text_of(function.get("arguments")),
        )


def _message(message: Mapping[str, Any]) -> Message:
    result = message.get("tool_call_id")
    return Message(
        role=str(message.get("role") or ""),
        text=text_of(message.get("content")),
        tool_calls=tuple(str(call.get("id")) for call in objects_of(message, "tool_calls")),
        tool_results=(str(result),) if result else (),
        attached=asking.of_parts(message.get("content")),
    )


def _said(error: Mapping[str, Any]) -> str:
    """The words of a recorded error."""
    words = [text_of(mapping(each).get("message")) for each in error.get("errors") or ()]
    return "; ".join(filter(None, words)) or dumps(error)


def _error(refused: Refused) -> dict[str, Any]:
    code = refused.kind or _CODES.get(refused.status, "downstream_request_failed")
    return {
        "errors": [{"code": code, "message": refused.message, "more_info": _REFERENCE}],
        "trace": "0123456789abcdef0123456789abcdef",
        "status_code": refused.status,
    }


def _token() -> str:
    """A JSON Web Token (RFC 7519) for nobody, with a made-up key, that does not end."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    claims = {"iam_id": "IBMid-mock", "username": "mock", "iat": 1_700_000_000, "exp": _NEVER}
    signed = ".".join(part(dumps(each).encode()) for each in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{signed}.{part(hmac.digest(b'mockserver', signed.encode(), hashlib.sha256))}"


def _project(found: re.Match[str]) -> dict[str, Any]:
    return {
        "metadata": {"guid": found[1], "id": found[1]},
        "entity": {"name": "mock", "storage": {"type": "bmcos_object_storage"}, "compute": []},
    }


def _iam_token(_: re.Match[str]) -> dict[str, Any]:
    return {
        "access_token": _token(),
        "refresh_token": "not_supported",
        "token_type": "Bearer",
        "expires_in": 3600,
        "expiration": _NEVER,
        "scope": "ibm openid",
    }


def _models(_: re.Match[str]) -> dict[str, Any]:
    functions = [{"id": "text_chat"}, {"id": "text_generation"}]
    return {
        "total_count": len(_MODELS),
        "limit": 100,
        "first": {"href": "/ml/v1/foundation_model_specs"},
        "resources": [{"model_id": each, "label": each, "functions": functions} for each in _MODELS],
    }


_ASIDES: Final[Mapping[tuple[str, str], Callable[[re.Match[str]], dict[str, Any]]]] = {
    ("GET", r"/ml/wml_services/v2/version$"): lambda _: {"version": "5.2.0"},
    ("GET", r"/v2/(?:projects|spaces)/([^/]+)$"): _project,
    ("GET", r"/ml/v1/foundation_model_specs$"): _models,
    ("POST", r"/icp4d-api/v1/authorize$"): lambda _: {"_messageCode_": "200", "message": "Success", "token": _token()},
    ("POST", r"/identity/token$"): _iam_token,
}
"""Answers to what `ibm-watsonx-ai` asks for before it chats, by method and end of the path."""
