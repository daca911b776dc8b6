"""OCI Generative AI chat in the generic format, whole and streamed.

Sources: the types `ChatDetails`, `GenericChatRequest`, `ChatResult`, `GenericChatResponse`, `ChatChoice`,
`AssistantMessage`, `FunctionCall`, `Annotation`, `UrlCitation` and `Usage` of the PyPI package `oci` (2.189), which
https://docs.oracle.com/en-us/iaas/api/#/en/generative-ai-inference/20231130/ documents too; errors:
https://docs.oracle.com/en-us/iaas/Content/API/References/apierrors.htm. Frames of a stream, of which the types say
nothing: what the PyPI package `langchain-oci` accepts and tells in its comments (`process_stream_tool_calls`: a call
opens with id and name, and pieces without an id follow; usage comes alone, after the finish reason, when asked for).
An answer has no id but the header `opc-request-id`, and a stream does not name the model.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from ..errors import Refused, Unencodable
from ..frames import Frame, FrameKind
from ..framings import sse
from ..reply import Citation, Reasoning, Refusal, Reply, Text, ToolCall, Usage
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

_CREATED: Final = "2023-11-14T22:13:20.000Z"
_FIELDS: Final = (Reasoning, Text, Refusal, ToolCall)
_DETAILS: Final = ("cache_read", "reasoning")
_CODES: Final = {
    400: "InvalidParameter",
    401: "NotAuthenticated",
    404: "NotAuthorizedOrNotFound",
    405: "MethodNotAllowed",
    409: "IncorrectState",
    413: "PayloadTooLarge",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}
_UNAUTHENTICATED: Final = "The required information to complete authentication was not provided or was incorrect."
_EVENT_KEYS: Final = {"index", "message", "finishReason", "usage", "pad", "logprobs", "serviceTier"}
_MESSAGE_KEYS: Final = {"role", "content", "name", "refusal", "toolCalls", "annotations", "reasoningContent"}
_REQUIRED: Final = ("compartmentId", "servingMode", "chatRequest")

_SETTINGS: Final = {
    "temperature": ("temperature",),
    "top_p": ("topP",),
    "max_tokens": ("maxTokens", "maxCompletionTokens"),
}


class OCI(Wire):
    """`POST …/20231130/actions/chat`; SSE with data only; no terminator."""

    name = "oci"
    takes = frozenset({"stop", "image"})
    hosts = ("inference.generativeai.*.oci.oraclecloud.com",)
    # The `oci` package (base_client.py) streams an answer of exactly this content type.
    stream_type: ClassVar[str] = "text/event-stream"
    id_prefix = ""
    finish_reasons = {"stop": "stop", "length": "length", "tool_calls": "tool_calls"}

    def matches(self, path: str) -> bool:
        return path.endswith("/actions/chat")

    def recognises(self, request: Request) -> bool:
        return request.headers.get("user-agent", "").startswith("Oracle-PythonSDK")

    def read(self, request: Request) -> Asked:
        asked = read_object(request.body)
        chat, mode = mapping(asked.get("chatRequest")), mapping(asked.get("servingMode"))
        if chat.get("apiFormat", "GENERIC") != "GENERIC":
            words = f"this server answers in the API format GENERIC, not {chat['apiFormat']!r}"
            raise Refused(400, words, at="$.chatRequest.apiFormat")
        return Asked(
            wire=self.name,
            model=str(mode.get("modelId") or mode.get("endpointId") or ""),
            stream=bool(chat.get("isStream")),
            stream_usage=bool(mapping(chat.get("streamOptions")).get("isIncludeUsage")),
            messages=tuple(_message(each) for each in objects_of(chat, "messages")),
            tools=tuple(str(tool.get("name") or "") for tool in objects_of(chat, "tools")),
            offered=asking.offered(objects_of(chat, "tools")),
            tool_choice=asking.tool_choice(chat.get("toolChoice")),
            stop=strings_of(chat, "stop"),
            settings=asking.settings(chat, _SETTINGS),
            body=asked,
            request=request,
        )

    def check(self, asked: Asked) -> None:
        if not asked.request.headers.get("authorization"):
            raise Refused(401, _UNAUTHENTICATED)
        for name in _REQUIRED:
            if not asked.body.get(name):
                raise Refused(400, f"{name} is required", "MissingParameter", at=f"$.{name}")

    def headers(self, reply: Reply) -> Mapping[str, str]:
        return {"opc-request-id": "mockserver"}

    def error_headers(self, refused: Refused) -> Mapping[str, str]:
        return {"opc-request-id": "mockserver"}

    def whole(self, reply: Reply) -> bytes:
        self._check(reply)
        message: dict[str, Any] = {"role": "ASSISTANT", "content": None}
        for block in reply.blocks:
            if isinstance(block, ToolCall):
                calls = message.setdefault("toolCalls", [])
                calls.append(_call(block, block.joined))
            else:
                message |= _content(block, block.joined)
            if isinstance(block, Text) and block.citations:
                message["annotations"] = [_annotation(each) for each in block.citations]
        choice = {"index": 0, "message": message, "finishReason": self.finish_word(reply)}
        usage = {"usage": _usage(reply.usage)} if reply.usage else {}
        response = {"apiFormat": "GENERIC", "timeCreated": _CREATED, "choices": [choice], **usage}
        return dumps({"modelId": reply.model, "modelVersion": "1.0", "chatResponse": response}).encode()

    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        self._check(reply)
        carried.check_calls_in_turn(self.name, reply)
        frames = [
            _frame(
                "start" if piece is None else "piece", piece, index=0, message={"role": "ASSISTANT", **more}, pad="aa"
            )
            for more, piece in _deltas(reply)
        ]
        frames.append(_frame("finish", message={"role": "ASSISTANT"}, finishReason=self.finish_word(reply), pad="a"))
        if usage and reply.usage:
            frames.append(_frame("usage", usage=_usage(reply.usage)))
        return tuple(frames)

    def error(self, refused: Refused) -> bytes:
        return dumps(_error(refused)).encode()

    def error_frame(self, message: str) -> Frame:
        return Frame(sse.encode(dumps(_error(Refused(500, message)))), "error")

    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        empty: dict[str, Any] = {"index": 0, "message": {"role": "ASSISTANT"}}
        blank: dict[str, Any] = {
            "index": 0,
            "message": {"role": "ASSISTANT", "content": [{"type": "TEXT", "text": ""}]},
        }
        return {
            "role-only": Contentless((_frame("noise", **empty),), ""),
            "empty-content": Contentless((_frame("noise", **blank),), ""),
            "unknown-field": Contentless((_frame("noise", **empty, xAddedLater={"n": 1}),), ""),
            "comment": Contentless((Frame(b": keep-alive\n\n", "noise"),), "WHATWG HTML 9.2.5: comments"),
        }

    def finish_again(self, reply: Reply) -> Frame:
        return _frame("noise", message={"role": "ASSISTANT"}, finishReason=self.finish_word(reply))

    def kind_of(self, data: bytes) -> FrameKind:
        event = next(sse.events(data), None)
        if event is None:
            return "noise"
        found = recorded_object(event.data)
        if "code" in found or "error" in found:
            return "error"
        if found.get("finishReason"):
            return "finish"
        kind = _kind_of_message(mapping(found.get("message")))
        return "usage" if kind == "noise" and found.get("usage") else kind

    def decode_whole(self, body: bytes) -> Decoded:
        found = recorded_object(body)
        parts = Assembler()
        if "code" in found:
            parts.error = _said(found)
        response = mapping(found.get("chatResponse"))
        choice = mapping(next(iter(listed(response.get("choices"))), None))
        _decode_message(parts, CallCount(), mapping(choice.get("message")))
        usage = response.get("usage") or choice.get("usage")
        return self._decoded(parts, choice.get("finishReason"), usage, found.get("modelId"))

    def decode_stream(self, stream: bytes) -> Decoded:
        parts, calls = Assembler(), CallCount()
        finish = usage = None
        for event in sse.events(stream):
            found = recorded_object(event.data)
            if "code" in found or "error" in found:
                parts.error = _said(found)
                continue
            if not found and not event.data.startswith("[DONE]"):
                parts.unknown.append(f"data {event.data[:40]!r}")
            parts.unknown += [f"event key {key!r}" for key in found if key not in _EVENT_KEYS]
            finish = found.get("finishReason") or finish
            usage = found.get("usage") or usage
            _decode_message(parts, calls, mapping(found.get("message")))
        return self._decoded(parts, finish, usage, None)

    def _decoded(self, parts: Assembler, finish: Any, usage: Any, model: str | None) -> Decoded:
        reason = self.finish_reason(str(finish or ""))
        if finish and reason is None:
            parts.unknown.append(f"finish reason {finish!r}")
        reply = parts.reply(
            finish_reason=reason or finish,
            usage=_read_usage(parts, mapping(usage)) if usage else None,
            id=None,
            model=model,
        )
        return Decoded(reply, tuple(parts.unknown), parts.error)

    def _check(self, reply: Reply) -> None:
        carried.check(self.name, reply, _FIELDS, details=_DETAILS, citations=True)
        cited = (each for block in reply.blocks if isinstance(block, Text) for each in block.citations)
        if any(citation.quote is not None for citation in cited):
            raise Unencodable(f"{self.name} has no place for the words of a source")


def _frame(kind: FrameKind, piece: int | None = None, **event: Any) -> Frame:
    return Frame(sse.encode(dumps(event)), kind, piece)


def _deltas(reply: Reply) -> Iterator[tuple[dict[str, Any], int | None]]:
    """What each message of a stream holds, with the number of the piece that it brings."""
    for move in reply.moves():
        block = move.block
        if isinstance(block, ToolCall) and move.kind == "open":
            yield {"toolCalls": [_call(block, "")]}, None
        elif isinstance(block, ToolCall) and move.kind == "piece":
            yield {"toolCalls": [{"type": "FUNCTION", "arguments": move.piece}]}, move.number
        elif move.kind == "piece":
            yield _content(block, move.piece), move.number
        elif move.kind == "close" and isinstance(block, Text) and block.citations:
            yield {"annotations": [_annotation(each) for each in block.citations]}, None


def _content(block: object, piece: str) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"content": [{"type": "TEXT", "text": piece}]}
    return {"reasoningContent" if isinstance(block, Reasoning) else "refusal": piece}


def _call(call: ToolCall, arguments: str) -> dict[str, Any]:
    return {"type": "FUNCTION", "id": call.id, "name": call.name, "arguments": arguments}


def _annotation(citation: Citation) -> dict[str, Any]:
    fields = {"startIndex": citation.start, "endIndex": citation.end, "title": citation.title, "url": citation.url}
    return {
        "type": "URL_CITATION",
        "urlCitation": {name: value for name, value in fields.items() if value is not None},
    }


def _kind_of_message(message: Mapping[str, Any]) -> FrameKind:
    calls = [mapping(call) for call in listed(message.get("toolCalls"))]
    contents = (text_of(message.get(name)) for name in ("content", "reasoningContent", "refusal"))
    if any(contents) or any(call.get("arguments") for call in calls):
        return "piece"
    return "start" if calls or message.get("annotations") else "noise"


def _decode_message(parts: Assembler, calls: CallCount, message: Mapping[str, Any]) -> None:
    parts.unknown += [f"message key {key!r}" for key in message if key not in _MESSAGE_KEYS]
    content = message.get("content")
    others = [part.get("type") for part in map(mapping, content if isinstance(content, list) else ())]
    parts.unknown += [f"content {other!r}" for other in others if other != "TEXT"]
    parts.add("reasoning", "reasoning", text_of(message.get("reasoningContent")))
    parts.add("text", "text", text_of(content))
    parts.add("refusal", "refusal", text_of(message.get("refusal")))
    for annotation in map(mapping, listed(message.get("annotations"))):
        _decode_annotation(parts, mapping(annotation.get("urlCitation")))
    for call in map(mapping, listed(message.get("toolCalls"))):
        number = calls.begin() if call.get("id") or not calls.count else calls.count
        parts.call(("tool", number), id=call.get("id"), name=call.get("name"), piece=text_of(call.get("arguments")))


def _decode_annotation(parts: Assembler, cited: Mapping[str, Any]) -> None:
    try:
        citation = Citation(
            url=cited.get("url"), title=cited.get("title"), start=cited.get("startIndex"), end=cited.get("endIndex")
        )
    except (TypeError, ValueError) as error:
        parts.unknown.append(f"annotation: {error}")
    else:
        parts.cite("text", citation)


def _message(message: Mapping[str, Any]) -> Message:
    result = message.get("toolCallId")
    return Message(
        role=str(message.get("role") or "").lower(),
        text=text_of(message.get("content")),
        tool_calls=tuple(str(call.get("id")) for call in objects_of(message, "toolCalls")),
        tool_results=(str(result),) if result else (),
        attached=tuple(
            asking.of_url("image", str(mapping(part.get("imageUrl")).get("url") or ""))
            for part in map(mapping, listed(message.get("content")))
            if part.get("type") == "IMAGE"
        ),
    )


def _usage(usage: Usage) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "completionTokens": usage.output_tokens,
        "promptTokens": usage.input_tokens,
        "totalTokens": usage.total_tokens,
    }
    if usage.reasoning is not None:
        counts["completionTokensDetails"] = {"reasoningTokens": usage.reasoning}
    if usage.cache_read is not None:
        counts["promptTokensDetails"] = {"cachedTokens": usage.cache_read}
    return counts


def _read_usage(parts: Assembler, counts: Mapping[str, Any]) -> Usage | None:
    return parts.usage(
        input_tokens=counts.get("promptTokens") or 0,
        output_tokens=counts.get("completionTokens") or 0,
        cache_read=mapping(counts.get("promptTokensDetails")).get("cachedTokens"),
        reasoning=mapping(counts.get("completionTokensDetails")).get("reasoningTokens"),
    )


def _said(found: Mapping[str, Any]) -> str:
    """The words of a recorded error."""
    inner = found.get("error")
    return text_of(found.get("message")) or text_of(mapping(inner).get("message")) or dumps(inner or found)


def _error(refused: Refused) -> dict[str, Any]:
    return {"code": refused.kind or _CODES.get(refused.status, str(refused.status)), "message": refused.message}
