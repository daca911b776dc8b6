"""Bedrock, as boto3 reads what is sent."""

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from urllib3.exceptions import ProtocolError

import mockserver
from mockserver import (
    WIRES,
    Delivery,
    Fault,
    Insert,
    Media,
    Reasoning,
    Refused,
    Reply,
    Server,
    ServerToolCall,
    ServerToolResult,
    Text,
    ToolCall,
    Turn,
    Usage,
)
from mockserver.reply import Block, Citation
from mockserver.wires.bedrock import common as bedrock

from ..helpers import LIMIT

WIRE = WIRES["bedrock-converse"]
MODEL: Final = "us.anthropic.claude-x-v1:0"
ASKED: Final[dict[str, Any]] = {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": "hi"}]}]}
PIXEL: Final = base64.b64encode(b"png").decode()
THREE: Final = Reply.of("The moon ", "is full ", "of göldfish.")
CALLING: Final = Reply(
    blocks=(
        Reasoning(("Let me ", "think."), signature="c2Vhb"),
        Reasoning((), signature="RW5j", redacted=True),
        Text(("Ün", "\u2028\u0085", "\U0001f420"), (Citation(url="https://x.test", title="T", quote="q"),)),
        ToolCall.of("get_weather", {"city": "Zürich"}, id="t1"),
        ToolCall.of("get_time", {"tz": ["UTC", None, 1.5]}, id="t2"),
    ),
    finish_reason="tool_calls",
    usage=Usage(input_tokens=30, output_tokens=12, cache_read=4, cache_creation=6),
)
SERVED: Final = Reply(
    blocks=(
        ServerToolCall.of("nova_code_interpreter", {"snippet": "1+1"}, id="s1"),
        ServerToolResult(call_id="s1", kind="nova_code_interpreter_result", output='{"stdOut":"2"}'),
        Media(mime_type="image/png", data=PIXEL),
    ),
    finish_reason="guardrail_intervened",
)
REPLIES = pytest.mark.parametrize("reply", [THREE, CALLING, SERVED, Reply()], ids=["text", "calls", "served", "empty"])
REASONS = pytest.mark.parametrize("reason", sorted(WIRE.finish_reasons))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve() as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Any:
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=server.url,
        aws_access_key_id="AKIAX",
        aws_secret_access_key="s",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=LIMIT),
    )


def content_of(block: Block) -> dict[str, Any]:
    """A block of the message that boto3 gives."""
    if isinstance(block, ToolCall | ServerToolCall):
        kind = {"type": "server_tool_use"} if isinstance(block, ServerToolCall) else {}
        return {"toolUse": {"toolUseId": block.id, "name": block.name, "input": json.loads(block.joined), **kind}}
    if isinstance(block, ServerToolResult):
        result = {"toolUseId": block.call_id, "type": block.kind, "status": "success"}
        return {"toolResult": {**result, "content": [{"json": json.loads(block.output)}]}}
    if isinstance(block, Media):
        return {"image": {"format": "png", "source": {"bytes": base64.b64decode(block.data)}}}
    if isinstance(block, Reasoning):
        sealed = {"redactedContent": (block.signature or "").encode()}
        shown = {"reasoningText": {"text": block.joined, "signature": block.signature}}
        return {"reasoningContent": sealed if block.redacted else shown}
    assert isinstance(block, Text)
    if not block.citations:
        return {"text": block.joined}
    [cited] = block.citations
    source = {"sourceContent": [{"text": cited.quote}], "location": {"web": {"url": cited.url}}}
    return {"citationsContent": {"content": [{"text": block.joined}], "citations": [{"title": cited.title, **source}]}}


def usage_of(reply: Reply) -> dict[str, int]:
    usage = reply.usage
    assert usage
    counts = {
        "inputTokens": usage.input_tokens - (usage.cache_read or 0) - (usage.cache_creation or 0),
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.total_tokens,
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": usage.cache_creation,
    }
    return {name: count for name, count in counts.items() if count is not None}


def gathered(stream: Any) -> tuple[list[dict[str, Any]], str, dict[str, int]]:
    """The blocks of a stream with their deltas joined, the stop reason and the usage."""
    blocks: dict[int, dict[str, Any]] = {}
    reason, usage = "", {}
    for event in stream:
        [(name, value)] = event.items()
        if name == "contentBlockStart":
            blocks[value["contentBlockIndex"]] = {"start": value["start"], "deltas": []}
        elif name == "contentBlockDelta":
            blocks.setdefault(value["contentBlockIndex"], {"deltas": []})["deltas"].append(value["delta"])
        elif name == "messageStop":
            reason = value["stopReason"]
        elif name == "metadata":
            usage = value["usage"]
    return [blocks[index] for index in sorted(blocks)], reason, usage


def joined(block: dict[str, Any]) -> dict[str, Any]:
    """A streamed block as it stands in a whole message."""
    deltas, start = block["deltas"], block.get("start", {})
    if "toolUse" in start:
        text = "".join(delta["toolUse"]["input"] for delta in deltas)
        return {"toolUse": {**start["toolUse"], "input": json.loads(text)}}
    if "toolResult" in start:
        return {"toolResult": {**start["toolResult"], "content": deltas[0]["toolResult"]}}
    if "image" in start:
        return {"image": {**start["image"], **deltas[0]["image"]}}
    text = "".join(delta.get("text", "") for delta in deltas)
    thoughts = [delta["reasoningContent"] for delta in deltas if "reasoningContent" in delta]
    if thoughts and "redactedContent" in thoughts[0]:
        return {"reasoningContent": thoughts[0]}
    if thoughts:
        thought = {name: "".join(each.get(name, "") for each in thoughts) for name in ("text", "signature")}
        return {"reasoningContent": {"reasoningText": thought}}
    citations = [delta["citation"] for delta in deltas if "citation" in delta]
    return {"citationsContent": {"content": [{"text": text}], "citations": citations}} if citations else {"text": text}


@REPLIES
def test_whole_answers_are_read(server: Server, client: Any, reply: Reply) -> None:
    """Blocks of every kind, stop reason, usage and the id of the request."""
    server.play(reply)
    answer = client.converse(**ASKED)
    assert answer["output"]["message"]["role"] == "assistant"
    assert answer["output"]["message"]["content"] == [content_of(block) for block in reply.blocks]
    assert (answer["stopReason"], answer["usage"]) == (WIRE.finish_word(reply), usage_of(reply))
    assert answer["ResponseMetadata"]["RequestId"] == bedrock.REQUEST_ID["x-amzn-requestid"]
    [exchange] = server.exchanges
    assert exchange.asked
    assert (exchange.asked.model, exchange.asked.stream, exchange.asked.text) == (MODEL, False, "hi")


@REPLIES
def test_streams_are_read(server: Server, client: Any, reply: Reply) -> None:
    """The same, put together from the events; the deltas are the pieces of the reply."""
    server.play(reply)
    blocks, reason, usage = gathered(client.converse_stream(**ASKED)["stream"])
    assert [joined(block) for block in blocks] == [content_of(block) for block in reply.blocks]
    assert (reason, usage) == (WIRE.finish_word(reply), usage_of(reply))
    texts = [delta["text"] for block in blocks for delta in block["deltas"] if "text" in delta]
    assert texts == [piece for block in reply.blocks if isinstance(block, Text) for piece in block.pieces]


@REASONS
def test_every_stop_reason_arrives(server: Server, client: Any, reason: str) -> None:
    """Neutral ones in Bedrock's words, and those of its own."""
    server.play(Reply.of("a", finish_reason=reason))
    assert client.converse(**ASKED)["stopReason"] == WIRE.finish_reasons[reason]
    assert gathered(client.converse_stream(**ASKED)["stream"])[1] == WIRE.finish_reasons[reason]


@pytest.mark.parametrize("operation", ["converse", "converse_stream", "invoke_model"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "ValidationException"),
        (403, "AccessDeniedException"),
        (404, "ResourceNotFoundException"),
        (408, "ModelTimeoutException"),
        (424, "ModelErrorException"),
        (429, "ThrottlingException"),
        (500, "InternalServerException"),
        (503, "ServiceUnavailableException"),
    ],
)
def test_http_errors_are_the_typed_errors(server: Server, client: Any, status: int, kind: str, operation: str) -> None:
    """Each status is the client's exception for it, with our words."""
    server.play(Refused(status, "Ünser words"))
    asked = ASKED if operation != "invoke_model" else INVOKED
    with pytest.raises(getattr(client.exceptions, kind), match="Ünser words") as caught:
        getattr(client, operation)(**asked)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_scripted_kind_names_the_exception(server: Server, client: Any) -> None:
    """Of one status there are several."""
    server.play(Refused(429, "not yet", kind="ModelNotReadyException"))
    with pytest.raises(client.exceptions.ModelNotReadyException, match="not yet"):
        client.converse(**ASKED)


@pytest.mark.parametrize("kind", ["modelStreamErrorException", "throttlingException", "internalServerException"])
def test_errors_in_the_middle_raise(server: Server, client: Any, kind: str) -> None:
    """After the pieces before them."""
    late = Insert(2, (bedrock.exception(kind, "out of fish"),))
    fault = Fault("error", before=2, message="out of fish")
    is_usual = kind == "modelStreamErrorException"
    server.play(Turn(reply=THREE, delivery=Delivery(fault=fault) if is_usual else Delivery(insert=(late,))))
    seen: list[str] = []
    with (
        closing(client.converse_stream(**ASKED)["stream"]) as stream,
        pytest.raises(EventStreamError, match=f"{kind}.*out of fish"),
    ):
        seen.extend(event["contentBlockDelta"]["delta"]["text"] for event in stream if "contentBlockDelta" in event)
    assert seen == ["The moon ", "is full "]


def test_tools_and_settings_are_asked_for(server: Server, client: Any) -> None:
    """What the client sends is accepted and understood."""
    server.play(THREE)
    tool = {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}
    config = {"maxTokens": 5, "temperature": 0.5, "stopSequences": ["x"]}
    client.converse(**ASKED, system=[{"text": "s"}], toolConfig={"tools": [tool]}, inferenceConfig=config)
    [exchange] = server.exchanges
    assert exchange.asked
    assert (exchange.asked.tools, exchange.asked.stop, exchange.asked.messages[0].text) == (("f",), ("x",), "s")


def test_tokens_are_counted(server: Server, client: Any) -> None:
    """The call beside the main one."""
    asked = {"converse": {"messages": ASKED["messages"]}}
    assert client.count_tokens(modelId=MODEL, input=asked)["inputTokens"] > 0


BODY: Final = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "hi"}],
}
INVOKED: Final[dict[str, Any]] = {"modelId": MODEL, "body": json.dumps(BODY)}


def test_invoked_models_answer_whole(server: Server, client: Any) -> None:
    """The body is Anthropic's message, and headers count the tokens."""
    reply = Reply.of("a", "b", usage=Usage(input_tokens=9, output_tokens=3, cache_read=4), id="msg_1", model="m")
    server.play(reply)
    answer = client.invoke_model(**INVOKED)
    found = WIRES["bedrock-invoke"].decode_whole(answer["body"].read())
    assert found.reply == reply.whole()
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-amzn-bedrock-input-token-count"], headers["x-amzn-bedrock-output-token-count"]) == ("5", "3")


def test_invoked_models_stream(server: Server, client: Any) -> None:
    """Each chunk is one of Anthropic's events; the last has the metrics."""
    server.play(Reply.of("a", "b", usage=Usage(input_tokens=9, output_tokens=3)))
    answer = client.invoke_model_with_response_stream(**INVOKED)
    events = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    assert answer["contentType"] == "application/json"
    assert [event["delta"]["text"] for event in events if event["type"] == "content_block_delta"] == ["a", "b"]
    metrics = events[-1]["amazon-bedrock-invocationMetrics"]
    assert (events[-1]["type"], metrics["inputTokenCount"], metrics["outputTokenCount"]) == ("message_stop", 9, 3)


def test_a_broken_connection_is_an_error(server: Server, client: Any) -> None:
    """The body that ends before its last message does."""
    server.play(Turn(reply=THREE, delivery=Delivery(fault=Fault("close", before="end"))))
    with closing(client.converse_stream(**ASKED)["stream"]) as stream, pytest.raises(ProtocolError):
        gathered(stream)


def test_a_request_that_is_not_right_is_a_client_error(server: Server, client: Any) -> None:
    """As Bedrock words it."""
    server.play(THREE)
    with pytest.raises(ClientError, match="A conversation must start with a user message"):
        client.converse(modelId=MODEL, messages=[{"role": "assistant", "content": [{"text": "a"}]}])
