"""Amazon Bedrock's Converse and ConverseStream.

Sources: botocore's model of the service (`bedrock-runtime/2023-09-30/service-2.json`: `ConverseResponse`,
`ConverseStreamOutput`, `TokenUsage`, `StopReason`); https://docs.aws.amazon.com/bedrock/latest/APIReference/
API_runtime_ConverseStream.html; https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html (cached
tokens are counted beside `inputTokens`). Order of events, padding `p` and server tools: recorded streams.

What is read back is in `converse_reading`, what is refused in `converse_request`.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from ...errors import Refused, Unencodable
from ...frames import Frame, FrameKind
from ...framings import eventstream
from ...recording import Recording
from ...reply import (
    Block,
    Citation,
    Media,
    Reasoning,
    Refusal,
    Reply,
    ServerToolCall,
    ServerToolResult,
    Text,
    ToolCall,
    Usage,
)
from .. import asking
from ..base import (
    Asked,
    Attached,
    Contentless,
    Decoded,
    Framing,
    Message,
    Offered,
    Request,
    Wire,
    dumps,
    read_object,
    recorded_object,
)
from . import common as bedrock
from . import converse_request as strict
from .converse_reading import Reading, mapping

_OPERATIONS: Final = ("converse", "converse-stream")
_PADDING: Final = "abcdefghijklm"
_METRICS: Final = {"latencyMs": 1}
_KINDS: Final[Mapping[str, FrameKind]] = {
    "messageStart": "start",
    "contentBlockStart": "start",
    "messageStop": "finish",
    "metadata": "usage",
    "exception": "error",
}
_ATTACHED: Final = {"image": "image", "video": "video", "audio": "audio", "document": "file"}
_SETTINGS: Final = {"temperature": ("temperature",), "top_p": ("topP",), "max_tokens": ("maxTokens",)}
_IMAGES: Final = ("png", "jpeg", "gif", "webp")


class BedrockConverse(Wire):
    """`POST …/model/MODEL/converse` and `…/converse-stream`; the metadata are the last event of a stream."""

    name = "bedrock-converse"
    takes = frozenset({"stop", "image", "file"})
    hosts = bedrock.HOSTS
    framing: ClassVar[Framing] = "event-stream"
    stream_type: ClassVar[str] = bedrock.STREAM_TYPE
    id_prefix = ""
    finish_reasons = {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "stop_sequence": "stop_sequence",
        "content_filter": "content_filtered",
        "context_window": "model_context_window_exceeded",
        # Words of Bedrock's own.
        "guardrail_intervened": "guardrail_intervened",
        "malformed_model_output": "malformed_model_output",
        "malformed_tool_use": "malformed_tool_use",
    }
    error_frame_source = f"{bedrock.MODEL_SOURCE}, shape ConverseStreamOutput"

    def matches(self, path: str) -> bool:
        return bedrock.operation(path, _OPERATIONS) is not None

    def recognises(self, request: Request) -> bool:
        return bedrock.recognises(request)

    def read(self, request: Request) -> Asked:
        try:
            asked = read_object(request.body)
        except Refused as refused:
            raise Refused(400, refused.message, "SerializationException", at="$") from None
        found = bedrock.operation(request.path, _OPERATIONS)
        system = "".join(str(block.get("text") or "") for block in strict.objects(asked, "system", "$"))
        messages = [Message(role="system", text=system)] if system else []
        tools = strict.objects(mapping(asked.get("toolConfig")), "tools", "$.toolConfig")
        stops = mapping(asked.get("inferenceConfig")).get("stopSequences")
        return Asked(
            wire=self.name,
            model=found[0] if found else "",
            stream=request.path.endswith("-stream"),
            messages=(*messages, *(_message(each) for each in strict.objects(asked, "messages", "$"))),
            tools=tuple(str(mapping(tool.get("toolSpec")).get("name") or "") for tool in tools),
            offered=_offered(tools),
            tool_choice=_tool_choice(mapping(mapping(asked.get("toolConfig")).get("toolChoice"))),
            stop=tuple(str(stop) for stop in stops) if isinstance(stops, list) else (),
            settings=asking.settings(mapping(asked.get("inferenceConfig")), _SETTINGS),
            body=asked,
            request=request,
        )

    def check(self, asked: Asked) -> None:
        bedrock.check_key(asked.request)
        strict.check(asked.body)

    def unknown(self, request: Request) -> Refused:
        return Refused(404, "Unable to determine service/operation name to be authorized", "UnknownOperationException")

    def aside(self, request: Request) -> Recording | None:
        """The count of the tokens of a request: one for every four bytes of it."""
        if request.method != "POST" or not bedrock.operation(request.path, ("count-tokens",)):
            return None
        answer = dumps({"inputTokens": len(request.body) // 4}).encode()
        headers = {"content-type": self.whole_type, **bedrock.REQUEST_ID}
        return Recording(200, headers, (Frame(answer, "piece", 0),), streamed=False)

    def whole(self, reply: Reply) -> bytes:
        usage = _check(self.name, reply)
        return dumps(
            {
                "metrics": _METRICS,
                "output": {
                    "message": {"content": [_whole(self.name, each) for each in reply.blocks], "role": "assistant"}
                },
                "stopReason": self.finish_word(reply),
                "usage": _usage(usage),
            }
        ).encode()

    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        counts = _usage(_check(self.name, reply))
        metadata = _pack("metadata", metrics=_METRICS, usage=counts)
        return (
            Frame(_pack("messageStart", role="assistant"), "start"),
            *_content(reply),
            self._finish(reply, "finish"),
            Frame(metadata, "usage", also=("end",)),
        )

    def _finish(self, reply: Reply, kind: FrameKind) -> Frame:
        return Frame(_pack("messageStop", stopReason=self.finish_word(reply)), kind)

    def headers(self, reply: Reply) -> Mapping[str, str]:
        return bedrock.REQUEST_ID

    def error(self, refused: Refused) -> bytes:
        return bedrock.error(refused)

    def error_headers(self, refused: Refused) -> Mapping[str, str]:
        return bedrock.error_headers(refused)

    def error_frame(self, message: str) -> Frame:
        return bedrock.exception("modelStreamErrorException", message)

    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        return {"unknown-event": Contentless((Frame(_pack("eventAddedLater", n=1), "noise"),), "")}

    def finish_again(self, reply: Reply) -> Frame:
        return self._finish(reply, "noise")

    def kind_of(self, data: bytes) -> FrameKind:
        event, payload = next(bedrock.events(data), ("", {}))
        if event != "contentBlockDelta":
            return _KINDS.get(event, "noise")
        delta = mapping(payload.get("delta"))
        pieces = (
            delta.get("text"),
            mapping(delta.get("reasoningContent")).get("text"),
            mapping(delta.get("toolUse")).get("input"),
        )
        return "piece" if any(pieces) else "start"

    def also(self, data: bytes) -> tuple[FrameKind, ...]:
        return ("end",) if self.kind_of(data) == "usage" else ()

    def split(self, stream: bytes) -> Iterator[bytes]:
        return eventstream.split(stream)

    def decode_whole(self, body: bytes) -> Decoded:
        reading = Reading()
        reading.whole(recorded_object(body))
        return self._decoded(reading)

    def decode_stream(self, stream: bytes) -> Decoded:
        reading = Reading()
        reading.events(bedrock.events(stream))
        return self._decoded(reading)

    def _decoded(self, reading: Reading) -> Decoded:
        parts, word = reading.parts, reading.finish
        reason = self.finish_reason(word)
        if word and reason is None:
            parts.unknown.append(f"stop reason {word!r}")
        reply = parts.reply(finish_reason=reason or word, usage=reading.usage, id=None, model=None)
        return Decoded(reply, tuple(parts.unknown), parts.error)


def _check(wire: str, reply: Reply) -> Usage:
    """The usage, which every answer has.

    Raises:
        Unencodable: the reply holds something that the wire has no place for.
    """
    for block in reply.blocks:
        if isinstance(block, Refusal):
            raise Unencodable(f"{wire} has no place for a refusal")
        if isinstance(block, ToolCall) and block.signature:
            raise Unencodable(f"{wire} has no place for the signature of a tool call; reasoning has one")
        if isinstance(block, Media) and block.mime_type.removeprefix("image/") not in _IMAGES:
            raise Unencodable(f"{wire} has images of types {', '.join(_IMAGES)}, not {block.mime_type}")
        if isinstance(block, Text) and any(citation.start is not None for citation in block.citations):
            raise Unencodable(
                f"{wire} has no place for the characters that a citation is of: its block is what it is of"
            )
    if reply.order:
        raise Unencodable(f"{wire} sends each block to its end before the next begins")
    if reply.usage is None:
        raise Unencodable(f"every answer of {wire} has usage")
    if reply.usage.reasoning is not None:
        raise Unencodable(f"{wire} has no place for a count of reasoning tokens")
    return reply.usage


def _content(reply: Reply) -> Iterator[Frame]:
    for move in reply.moves():
        index, block = move.index, move.block
        if move.kind == "open":
            if start := _start(block):
                yield Frame(_pack("contentBlockStart", contentBlockIndex=index, start=start), "start")
            for delta in _leading(block):
                yield _delta(index, delta)
        elif move.kind == "piece":
            yield _delta(index, _piece(block, move.piece), move.number)
        else:
            if isinstance(block, Reasoning) and block.signature and not block.redacted:
                yield _delta(index, {"reasoningContent": {"signature": block.signature}})
            yield Frame(_pack("contentBlockStop", contentBlockIndex=index), "noise")


def _delta(index: int, delta: Mapping[str, Any], piece: int | None = None) -> Frame:
    data = _pack("contentBlockDelta", contentBlockIndex=index, delta=delta)
    return Frame(data, "start" if piece is None else "piece", piece)


def _pack(event: str, **fields: Any) -> bytes:
    """An event whose payload has its keys in alphabetical order and padding, as Bedrock sends it."""
    return bedrock.message(event, dict(sorted({**fields, "p": _PADDING}.items())))


def _start(block: Block) -> dict[str, Any] | None:
    """What opens a block; `None` for blocks that nothing opens."""
    if isinstance(block, ToolCall | ServerToolCall):
        return {"toolUse": _use(block)}
    if isinstance(block, ServerToolResult):
        return {"toolResult": _result(block)}
    return {"image": {"format": _format(block)}} if isinstance(block, Media) else None


def _use(block: ToolCall | ServerToolCall) -> dict[str, Any]:
    server = {"type": "server_tool_use"} if isinstance(block, ServerToolCall) else {}
    return {"name": block.name, "toolUseId": block.id, **server}


def _result(block: ServerToolResult) -> dict[str, Any]:
    return {"status": "success", "toolUseId": block.call_id, "type": block.kind}


def _format(block: Media) -> str:
    return block.mime_type.removeprefix("image/")


def _leading(block: Block) -> Iterator[dict[str, Any]]:
    """The deltas that come before the pieces of a block; all of one that has none."""
    if isinstance(block, Text):
        yield from ({"citation": _citation(each)} for each in block.citations)
    elif isinstance(block, Reasoning) and block.redacted:
        yield {"reasoningContent": _reasoning(block)}
    elif isinstance(block, ServerToolResult):
        yield {"toolResult": [{"json": json.loads(block.output)}]}
    elif isinstance(block, Media):
        yield {"image": {"source": {"bytes": block.data}}}


def _piece(block: Block, piece: str) -> dict[str, Any]:
    if isinstance(block, ToolCall | ServerToolCall):
        return {"toolUse": {"input": piece}}
    return {"reasoningContent": {"text": piece}} if isinstance(block, Reasoning) else {"text": piece}


def _whole(wire: str, block: Block) -> dict[str, Any]:
    if isinstance(block, ToolCall | ServerToolCall):
        return {"toolUse": {**_use(block), "input": _input(wire, block)}}
    if isinstance(block, ServerToolResult):
        return {"toolResult": {"content": [{"json": json.loads(block.output)}], **_result(block)}}
    if isinstance(block, Media):
        return {"image": {"format": _format(block), "source": {"bytes": block.data}}}
    if isinstance(block, Reasoning):
        return {"reasoningContent": _reasoning(block)}
    assert isinstance(block, Text)
    if block.citations:
        citations = [_citation(each) for each in block.citations]
        return {"citationsContent": {"citations": citations, "content": [{"text": block.joined}]}}
    return {"text": block.joined}


def _reasoning(block: Reasoning) -> dict[str, Any]:
    if block.redacted:
        return {"redactedContent": _blob(block.signature or "")}
    signature = {"signature": block.signature} if block.signature else {}
    return {"reasoningText": {**signature, "text": block.joined}}


def _input(wire: str, block: ToolCall | ServerToolCall) -> dict[str, Any]:
    try:
        arguments = json.loads(block.joined or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise Unencodable(f"a whole answer of {wire} carries tool input as an object, not {block.joined!r}")
    return arguments


def _citation(citation: Citation) -> dict[str, Any]:
    fields = {
        "location": None if citation.url is None else {"web": {"url": citation.url}},
        "sourceContent": None if citation.quote is None else [{"text": citation.quote}],
        "title": citation.title,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _blob(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _usage(usage: Usage) -> dict[str, int]:
    counts = {
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": usage.cache_creation,
        "inputTokens": usage.input_tokens - (usage.cache_read or 0) - (usage.cache_creation or 0),
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.total_tokens,
    }
    return {name: count for name, count in counts.items() if count is not None}


def _message(message: Mapping[str, Any]) -> Message:
    blocks = [mapping(block) for block in message["content"]] if isinstance(message.get("content"), list) else []
    uses = [mapping(block.get("toolUse")).get("toolUseId") for block in blocks]
    results = [mapping(block.get("toolResult")).get("toolUseId") for block in blocks]
    return Message(
        role=str(message.get("role")),
        text="".join(str(block.get("text") or "") for block in blocks),
        tool_calls=tuple(str(id) for id in uses if id),
        tool_results=tuple(str(id) for id in results if id),
        attached=tuple(
            _attached(kind, mapping(block[name]))
            for block in blocks
            for name, kind in _ATTACHED.items()
            if block.get(name)
        ),
    )


def _attached(kind: str, held: Mapping[str, Any]) -> Attached:
    source = mapping(held.get("source"))
    if "bytes" not in source:
        return Attached(kind, url=str(mapping(source.get("s3Location")).get("uri") or ""))
    family = "application" if kind == "file" else kind
    return asking.of_base64(kind, source["bytes"], f"{family}/{held['format']}" if held.get("format") else "")


def _offered(tools: list[dict[str, Any]]) -> tuple[Offered, ...]:
    specs = [mapping(tool.get("toolSpec")) for tool in tools]
    flat = ({**spec, "parameters": mapping(spec.get("inputSchema")).get("json")} for spec in specs)
    return asking.offered(flat)


def _tool_choice(choice: Mapping[str, Any]) -> str | None:
    """Of `{"auto": {}}`, `{"any": {}}` and `{"tool": {"name": …}}`."""
    kind = next(iter(choice), None)
    return str(mapping(choice["tool"]).get("name")) if kind == "tool" else kind
