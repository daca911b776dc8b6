"""Cohere's Chat API v2, whole and streamed.

Sources: the types `V2ChatResponse`, `V2ChatStreamResponse`, `Usage` and `Citation` of the PyPI package `cohere`
(https://github.com/cohere-ai/cohere-python/tree/main/src/cohere), https://docs.cohere.com/reference/chat,
https://docs.cohere.com/docs/tool-use-streaming (order of events, citations) and https://docs.cohere.com/reference/errors.
Order of keys, the `[DONE]` after `message-end` and what is counted where: the streams that
https://github.com/langchain-ai/langchain-cohere has recorded (test_stream_with_vision, test_async_streaming_tool_call,
test_command_a_reasoning_with_tool_call).
"""

from collections.abc import Mapping
from typing import Any, Final

from ...errors import Refused, Unencodable
from ...frames import Frame, FrameKind
from ...recording import Recording
from ...reply import Media, Reasoning, Refusal, Reply, ServerToolCall, ServerToolResult, Text, ToolCall
from .. import asking
from ..base import (
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
from .events import CONTENT, Events, call_of, citation_of, event, usage_of
from .reading import Reader, kinds

_DONE: Final = Frame(b"data: [DONE]\n\n", "end")
_REFERENCE: Final = "https://docs.cohere.com/reference/chat"
_ERROR_ID: Final = "00000000-0000-4000-8000-000000000000"
_FIELDS: Final = {
    "model", "messages", "stream", "tools", "strict_tools", "documents", "citation_options", "response_format",
    "safety_mode", "max_tokens", "stop_sequences", "temperature", "seed", "frequency_penalty", "presence_penalty", "k",
    "p", "logprobs", "tool_choice", "thinking", "priority", "raw_prompting",
}  # fmt: skip
"""Those of `V2Client.chat` of cohere 7.3, and one of earlier versions."""
_MESSAGE_FIELDS: Final = {"role", "content", "tool_calls", "tool_plan", "tool_call_id", "citations"}
_ROLES: Final = ("system", "user", "assistant", "tool")
_MODEL: Final = "command-a-03-2025"


class CohereChat(Wire):
    """`POST …/v2/chat`; SSE in which each event is named as its `type`, ended by `[DONE]`.

    Text right before tool calls is the message's `tool_plan`: what the model tells the user of the calls to come.
    """

    name = "cohere-chat"
    takes = frozenset({"stop", "image"})
    hosts = ("api.cohere.com", "api.cohere.ai")
    stream_type = "text/event-stream"
    id_prefix = ""
    finish_reasons = {
        "stop": "COMPLETE",
        "length": "MAX_TOKENS",
        "tool_calls": "TOOL_CALL",
        "stop_sequence": "STOP_SEQUENCE",
        "TIMEOUT": "TIMEOUT",
    }
    error_frame_source = "cohere, types/chat_message_end_event_delta.py: `error` of `message-end`, with reason ERROR"

    def matches(self, path: str) -> bool:
        return path.endswith("/v2/chat")

    def recognises(self, request: Request) -> bool:
        return request.headers.get("x-fern-sdk-name") == "cohere" or "default_only" in request.query

    def read(self, request: Request) -> Asked:
        try:
            asked = read_object(request.body)
        except Refused:
            raise Refused(400, "invalid request: the body is no JSON object") from None
        return Asked(
            wire=self.name,
            model=str(asked.get("model") or ""),
            stream=asked.get("stream") is True,
            messages=tuple(_message(each) for each in objects_of(asked, "messages")),
            tools=tuple(_name(each) for each in objects_of(asked, "tools")),
            offered=asking.offered(objects_of(asked, "tools")),
            tool_choice=asking.tool_choice(asked.get("tool_choice")),
            stop=strings_of(asked, "stop_sequences"),
            settings=asking.settings(asked),
            body=asked,
            request=request,
        )

    def check(self, asked: Asked) -> None:
        """The key, the model, the temperature and fields that are unknown are refused in Cohere's words (the page on
        errors; cohere-ai/notebooks#226 for the last), messages for the reference, which says what they must have.
        """
        body = asked.body
        if not asked.request.headers.get("authorization", "").partition(" ")[2].strip():
            raise Refused(401, "no api key supplied")
        _check_fields(body, _FIELDS, "$")
        if not body.get("model"):
            raise Refused(400, "a model parameter is required for this endpoint.", at="$.model")
        if not body.get("messages"):
            raise Refused(400, "invalid request: messages must not be empty.", at="$.messages")
        for number, message in enumerate(objects_of(body, "messages")):
            _check_message(message, f"$.messages[{number}]")
        temperature = body.get("temperature")
        if isinstance(temperature, int | float) and not 0 <= temperature <= 1:
            raise Refused(400, "invalid request: temperature must be between 0 and 1.0 inclusive.", at="$.temperature")

    def aside(self, request: Request) -> Recording | None:
        answer: dict[str, Any] | None = None
        _, _, model = request.path.rpartition("/v1/models/")
        if request.method == "POST" and request.path.endswith("/v1/tokenize"):
            answer = _tokenised(text_of(recorded_object(request.body).get("text")))
        elif request.method == "GET" and request.path.endswith("/v1/models"):
            answer = {"models": [_described(_MODEL)]} if self.recognises(request) else None
        elif (
            request.method == "GET"
            and 0 < len(model) < len(request.path)
            and "/" not in model
            and self.recognises(request)
        ):
            answer = _described(model)
        if answer is None:
            return None
        body = Frame(dumps(answer).encode(), "piece", 0)
        return Recording(200, {"content-type": self.whole_type}, (body,), streamed=False)

    def whole(self, reply: Reply) -> bytes:
        plan = self._check(reply)
        message: dict[str, Any] = {"role": "assistant"}
        citations: list[dict[str, Any]] = []
        for index, block in enumerate(reply.blocks):
            if isinstance(block, ToolCall):
                message.setdefault("tool_calls", []).append(call_of(block, block.joined))
                continue
            if index == plan:
                message["tool_plan"] = block.joined
            else:
                kind = CONTENT[type(block)]
                message.setdefault("content", []).append({"type": kind, kind: block.joined})
            if isinstance(block, Text):
                place = None if index == plan else index
                citations += [citation_of(block, number, place) for number in range(len(block.citations))]
        if citations:
            message["citations"] = citations
        usage = {"usage": usage_of(reply.usage)} if reply.usage else {}
        return dumps({"id": reply.id, "message": message, "finish_reason": self.finish_word(reply), **usage}).encode()

    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        plan = self._check(reply)
        message = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        stream = Events()
        stream.add("message-start", "start", delta={"message": message}, id=reply.id)
        for move in reply.moves():
            block = move.block
            if isinstance(block, ToolCall):
                stream.call(move, block, sum(isinstance(each, ToolCall) for each in reply.blocks[: move.index]))
            elif isinstance(block, Text) and move.index == plan:
                stream.plan(move, block)
            else:
                stream.content(move)
        delta = {"finish_reason": self.finish_word(reply), **({"usage": usage_of(reply.usage)} if reply.usage else {})}
        also: tuple[FrameKind, ...] = ("usage",) if reply.usage else ()
        stream.add("message-end", "finish", *also, delta=delta)
        return (*stream.frames, _DONE)

    def error(self, refused: Refused) -> bytes:
        return dumps({"id": _ERROR_ID, "message": refused.message}).encode()

    def error_frame(self, message: str) -> Frame:
        return event("message-end", "error", delta={"finish_reason": "ERROR", "error": message})

    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        def noise(kind: str, **fields: Any) -> tuple[Frame, ...]:
            return (event(kind, "noise", **fields),)

        empty = {"message": {"content": {"text": ""}}}
        return {
            "debug": Contentless(noise("debug", prompt=""), "cohere, v2/types/v2chat_stream_response.py: `debug`"),
            "empty-text": Contentless(noise("content-delta", index=0, delta=empty), ""),
            "unknown-event": Contentless(noise("event-added-later", n=1), ""),
            "comment": Contentless((Frame(b": keep-alive\n\n", "noise"),), "WHATWG HTML 9.2.5: comments"),
        }

    def after_end(self, reply: Reply) -> tuple[Frame, ...]:
        delta = {"message": {"content": {"text": "after the end"}}}
        return (event("content-delta", "noise", index=0, delta=delta),)

    def kind_of(self, data: bytes) -> FrameKind:
        return kinds(data)[0]

    def also(self, data: bytes) -> tuple[FrameKind, ...]:
        return kinds(data)[1:]

    def decode_whole(self, body: bytes) -> Decoded:
        return self._reader().whole(recorded_object(body))

    def decode_stream(self, stream: bytes) -> Decoded:
        return self._reader().stream(stream)

    def _reader(self) -> Reader:
        return Reader({word: neutral for neutral, word in self.finish_reasons.items()})

    def _check(self, reply: Reply) -> int | None:
        """The place of the block that is the plan of the calls, if there is one."""
        unplaced = {
            type(block).__name__
            for block in reply.blocks
            if isinstance(block, Refusal | ServerToolCall | ServerToolResult | Media)
        }
        if unplaced:
            raise Unencodable(f"{self.name} has no place for {', '.join(sorted(unplaced))}")
        calls = [index for index, block in enumerate(reply.blocks) if isinstance(block, ToolCall)]
        if calls != list(range(len(reply.blocks) - len(calls), len(reply.blocks))):
            raise Unencodable(f"{self.name} carries tool calls after all else; not {reply.describe()}")
        if any(isinstance(block, Reasoning | ToolCall) and block.signature for block in reply.blocks):
            raise Unencodable(f"{self.name} has no place for a signature")
        usage = reply.usage
        if usage and (usage.cache_creation, usage.reasoning) != (None, None):
            raise Unencodable(f"{self.name} counts neither tokens written to a cache nor those of reasoning")
        before = calls[0] - 1 if calls else -1
        plan = before if before >= 0 and isinstance(reply.blocks[before], Text) else None
        if plan is not None and reply.order and any(index > plan for index in reply.order[: reply.order.index(plan)]):
            raise Unencodable(
                f"{self.name} begins the plan of tool calls, which is the text before them, ahead of them"
            )
        return plan


def _check_fields(fields: Mapping[str, Any], known: set[str], at: str) -> None:
    for name in fields:
        if name not in known:
            words = f"unknown field: parameter '{name}' is not a valid field."
            raise Refused(422, f"{words} For proper usage, please refer to {_REFERENCE}", at=f"{at}.{name}")


def _check_message(message: Mapping[str, Any], at: str) -> None:
    _check_fields(message, _MESSAGE_FIELDS, at)
    role = message.get("role")
    if role not in _ROLES:
        raise Refused(400, f"invalid request: a role is one of {', '.join(_ROLES)}.", at=f"{at}.role")
    if role == "tool" and not message.get("tool_call_id"):
        raise Refused(400, "invalid request: a message with the role tool has a tool_call_id.", at=f"{at}.tool_call_id")
    if message.get("content") is None and role != "assistant":
        raise Refused(400, f"invalid request: a message with the role {role} has content.", at=f"{at}.content")


def _message(message: Mapping[str, Any]) -> Message:
    result = message.get("tool_call_id")
    return Message(
        role=str(message.get("role") or ""),
        text=text_of(message.get("content")),
        tool_calls=tuple(str(call.get("id")) for call in objects_of(message, "tool_calls")),
        tool_results=(str(result),) if result else (),
        # The documents of a tool's message are its result.
        attached=() if result else asking.of_parts(message.get("content")),
    )


def _name(tool: Mapping[str, Any]) -> str:
    function = tool.get("function")
    return str(function.get("name") or "") if isinstance(function, dict) else ""


def _tokenised(text: str) -> dict[str, Any]:
    """An answer to `tokenize`, for which words are tokens."""
    words = text.split()
    return {"tokens": list(range(len(words))), "token_strings": words, "meta": {"api_version": {"version": "1"}}}


def _described(model: str) -> dict[str, Any]:
    """A model as the list of them has it; without the address of its tokeniser, which clients would load."""
    return {
        "name": model,
        "endpoints": ["generate", "chat", "summarize"],
        "finetuned": False,
        "context_length": 256_000,
        "default_endpoints": ["chat"],
    }
