"""Anthropic Messages, as the official `anthropic` package reads what is sent: from Anthropic, Vertex and Bedrock."""

import base64
import json
from collections.abc import Iterator
from typing import Any, Final

import anthropic
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

import mockserver
from mockserver import (
    WIRES,
    Delivery,
    Fault,
    Insert,
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
from mockserver.framings import eventstream, sse
from mockserver.reply import Citation
from mockserver.wires.bedrock import common as bedrock

from ..helpers import LIMIT, RICH, THREE

WIRE = WIRES["anthropic-messages"]
ASKED: Any = {"model": "m-asked", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
SIGNED = Reply.of(
    Reasoning(("Let me ", "think."), signature="c2Vhb"),
    Text(("a", "b")),
    Text(("c",)),
    usage=Usage(input_tokens=30, output_tokens=12, cache_read=4, cache_creation=6),
    finish_reason="stop_sequence",
    id="id_3",
    model="m-3",
)
SEARCHED = Reply(
    blocks=(
        Reasoning((), signature="c2Vhb"),
        Reasoning((), signature="RW5jcnlwdGVk", redacted=True),
        ServerToolCall.of("web_search", {"query": "goldfish"}, id="srvtoolu_1"),
        ServerToolResult(
            call_id="srvtoolu_1",
            kind="web_search_tool_result",
            output='[{"type":"web_search_result","title":"T","url":"https://x.test","encrypted_content":"e"}]',
        ),
        Text(("It ", "is."), (Citation(url="https://x.test", title="T", quote="is"), Citation(title="D", quote="It"))),
        ToolCall.of("f", {}, id="toolu_1"),
        ToolCall.of("g", {"a": [1]}, id="toolu_2"),
    ),
    finish_reason="pause",
    usage=Usage(input_tokens=30, output_tokens=12, reasoning=5),
    id="id_4",
    model="m-4",
)
REPLIES = pytest.mark.parametrize("reply", [THREE, RICH, SIGNED, SEARCHED, Reply(id="i", model="m")])
CARRIERS: Final = ("anthropic-messages", "anthropic-messages-old", "anthropic-vertex", "bedrock-invoke")
ERRORS: list[tuple[int, type[anthropic.APIStatusError], str]] = [
    (400, anthropic.BadRequestError, "invalid_request_error"),
    (401, anthropic.AuthenticationError, "authentication_error"),
    (402, anthropic.APIStatusError, "billing_error"),
    (403, anthropic.PermissionDeniedError, "permission_error"),
    (404, anthropic.NotFoundError, "not_found_error"),
    (409, anthropic.ConflictError, "conflict_error"),
    (413, anthropic.APIStatusError, "request_too_large"),
    (422, anthropic.UnprocessableEntityError, "invalid_request_error"),
    (429, anthropic.RateLimitError, "rate_limit_error"),
    (500, anthropic.InternalServerError, "api_error"),
    (503, anthropic.InternalServerError, "api_error"),
    (504, anthropic.InternalServerError, "timeout_error"),
    (529, anthropic.InternalServerError, "overloaded_error"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve() as running:
        yield running


def client_of(server: Server, name: str) -> Any:
    """A client of the provider that the wire is of."""
    shared: dict[str, Any] = {"max_retries": 0, "timeout": LIMIT}
    if name == "anthropic-vertex":
        base = f"{server.url}/v1"
        return anthropic.AnthropicVertex(base_url=base, region="r", project_id="p", access_token="t", **shared)
    if name == "bedrock-invoke":
        return anthropic.AnthropicBedrock(base_url=server.url, aws_region="us-east-1", api_key="k", **shared)
    base = f"{server.url}/anthropic-old" if name == "anthropic-messages-old" else server.url
    return anthropic.Anthropic(base_url=base, api_key="k", **shared)


def async_client_of(server: Server, name: str) -> Any:
    shared: dict[str, Any] = {"max_retries": 0, "timeout": LIMIT}
    if name == "anthropic-vertex":
        base = f"{server.url}/v1"
        return anthropic.AsyncAnthropicVertex(base_url=base, region="r", project_id="p", access_token="t", **shared)
    if name == "bedrock-invoke":
        return anthropic.AsyncAnthropicBedrock(base_url=server.url, aws_region="us-east-1", api_key="k", **shared)
    base = f"{server.url}/anthropic-old" if name == "anthropic-messages-old" else server.url
    return anthropic.AsyncAnthropic(base_url=base, api_key="k", **shared)


@pytest.fixture(scope="module", params=CARRIERS)
def carried(server: Server, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A client of each provider."""
    with client_of(server, request.param) as made:
        yield made


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[anthropic.Anthropic]:
    with client_of(server, "anthropic-messages") as made:
        yield made


def accumulated(client: Any) -> Message:
    """What the client's own accumulation of the stream has in the end."""
    with client.messages.stream(**ASKED) as stream:
        message: Message = stream.get_final_message()
    return message


def read(message: Message) -> tuple[object, ...]:
    """The message, block by block."""
    blocks = [block.model_dump(mode="json", exclude_none=True, exclude={"parsed_output"}) for block in message.content]
    usage = message.usage
    thought = usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else None
    counts = (
        usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens, usage.output_tokens,
        thought,
    )  # fmt: skip
    return message.id, message.model, message.stop_reason, counts, blocks


def block_of(block: object) -> dict[str, Any]:
    """What a block should be."""
    if isinstance(block, Reasoning) and block.redacted:
        return {"type": "redacted_thinking", "data": block.signature}
    if isinstance(block, Reasoning):
        return {"type": "thinking", "thinking": block.joined, "signature": block.signature or ""}
    if isinstance(block, ToolCall | ServerToolCall):
        kind = "tool_use" if isinstance(block, ToolCall) else "server_tool_use"
        return {"type": kind, "id": block.id, "name": block.name, "input": json.loads(block.joined)}
    if isinstance(block, ServerToolResult):
        return {"type": block.kind, "tool_use_id": block.call_id, "content": json.loads(block.output)}
    assert isinstance(block, Text)
    if not block.citations:
        return {"type": "text", "text": block.joined}
    return {"type": "text", "text": block.joined, "citations": [citation_of(each) for each in block.citations]}


def citation_of(citation: Citation) -> dict[str, Any]:
    if citation.url:
        place = {"type": "web_search_result_location", "url": citation.url, "title": citation.title}
        return {**place, "cited_text": citation.quote, "encrypted_index": "bW9ja3NlcnZlcg=="}
    place = {"type": "char_location", "document_title": citation.title, "cited_text": citation.quote}
    return {**place, "document_index": 0, "start_char_index": 0, "end_char_index": len(citation.quote or "")}


def said(reply: Reply) -> tuple[object, ...]:
    """What it should have: cached tokens are counted beside the input."""
    usage = reply.usage
    assert usage
    fresh = usage.input_tokens - (usage.cache_read or 0) - (usage.cache_creation or 0)
    counts = (fresh, usage.cache_read, usage.cache_creation, usage.output_tokens, usage.reasoning)
    return reply.id, reply.model, WIRE.finish_word(reply), counts, [block_of(block) for block in reply.blocks]


def fits(client: object, reply: Reply) -> bool:
    """Whether the wire of the client can carry the reply."""
    is_old = "anthropic-old" in str(getattr(client, "base_url", ""))
    return not (is_old and reply.usage and reply.usage.reasoning)


@REPLIES
def test_streams_accumulate_to_the_reply(server: Server, carried: Any, reply: Reply) -> None:
    """The client's accumulated message has the blocks, tool inputs, stop reason and usage of the reply."""
    if not fits(carried, reply):
        return
    server.play(reply)
    assert read(accumulated(carried)) == said(reply)


@REPLIES
def test_whole_bodies_read_the_same(server: Server, carried: Any, reply: Reply) -> None:
    """A message that is not streamed holds the same, and the id of the request."""
    if not fits(carried, reply):
        return
    server.play(reply)
    message = carried.messages.create(**ASKED)
    assert read(message) == said(reply)
    assert server.exchanges[0].asked
    assert server.exchanges[0].asked.model == "m-asked"


@pytest.mark.parametrize("name", CARRIERS)
async def test_the_asynchronous_clients_read_the_same(server: Server, name: str) -> None:
    """Whole, streamed, and with an error in the middle."""
    broken = Turn(reply=THREE, delivery=Delivery(fault=Fault("error", before=2, message="out of fish")))
    server.play([RICH, RICH, broken])
    async with async_client_of(server, name) as client:
        assert read(await client.messages.create(**ASKED)) == said(RICH)
        async with client.messages.stream(**ASKED) as stream:
            assert read(await stream.get_final_message()) == said(RICH)
        async with client.messages.stream(**ASKED) as stream:
            with pytest.raises(anthropic.APIStatusError, match="out of fish"):
                await stream.until_done()


def test_requests_to_bedrock_may_be_signed(server: Server) -> None:
    """With AWS keys in place of a key of the API."""
    server.play(THREE)
    keys: dict[str, Any] = {"aws_access_key": "AKIAX", "aws_secret_key": "s", "aws_region": "us-east-1"}
    with anthropic.AnthropicBedrock(base_url=server.url, **keys) as client:
        assert read(accumulated(client)) == said(THREE)
    assert server.exchanges[0].headers["authorization"].startswith("AWS4-HMAC-SHA256 ")


@REPLIES
def test_the_typed_models_accept_every_frame(reply: Reply) -> None:
    """Messages and events hold all required fields, with values of the right types (strictly: nothing is coerced)."""
    Message.model_validate_json(WIRE.whole(reply), strict=True)
    events: TypeAdapter[object] = TypeAdapter(RawMessageStreamEvent)
    for frame in WIRE.frames(reply):
        [event] = sse.events(frame.data)
        assert json.loads(event.data)["type"] == event.name
        events.validate_json(event.data, strict=True)
    for frame in WIRES["bedrock-invoke"].frames(reply):
        message = eventstream.decode(frame.data)
        assert message.headers[":event-type"] == "chunk"
        events.validate_json(base64.b64decode(json.loads(message.payload)["bytes"]), strict=True)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "kind", "name"), ERRORS)
def test_http_errors_are_the_typed_errors(
    server: Server,
    client: anthropic.Anthropic,
    status: int,
    kind: type[anthropic.APIStatusError],
    name: str,
    *,
    stream: bool,
) -> None:
    """Each status is the client's error for it, of the provider's type, with our words and headers."""
    server.play(Refused(status, "Ünser words", headers={"retry-after": "0"}))
    with pytest.raises(kind, match="Ünser words") as caught:
        client.messages.create(**ASKED, stream=stream)
    assert (caught.value.status_code, caught.value.response.headers["retry-after"]) == (status, "0")
    assert caught.value.request_id == "req_mockserver"
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"] == {"type": name, "message": "Ünser words"}


@pytest.mark.parametrize("status", [400, 429, 529])
def test_each_carrier_has_the_errors_of_its_provider(server: Server, carried: Any, status: int) -> None:
    """The client's error has the status and our words, whatever the shape of the body."""
    server.play(Refused(status, "Ünser words"))
    with pytest.raises(anthropic.APIStatusError, match="Ünser words") as caught:
        carried.messages.create(**ASKED)
    assert caught.value.status_code == status


def test_the_error_frame_raises_in_the_middle(server: Server, carried: Any) -> None:
    """After the pieces before it, an error event raises with its words."""
    server.play(Turn(reply=THREE, delivery=Delivery(fault=Fault("error", before=2, message="out of fish"))))
    seen: list[str] = []
    with pytest.raises(anthropic.APIStatusError, match="out of fish"), carried.messages.stream(**ASKED) as stream:
        seen.extend(stream.text_stream)
    assert seen == ["The moon ", "is full "]


@pytest.mark.parametrize("kind", ["throttlingException", "modelTimeoutException", "internalServerException"])
def test_bedrock_has_several_errors_in_the_middle(server: Server, kind: str) -> None:
    """Each member of the stream that is an exception."""
    late = Insert("finish", (bedrock.exception(kind, "out of fish"),))
    server.play(Turn(reply=THREE, delivery=Delivery(insert=(late,))))
    with (
        client_of(server, "bedrock-invoke") as client,
        pytest.raises(anthropic.APIStatusError, match=f"{kind}.*out of fish"),
    ):
        accumulated(client)


NOISE: Final = [
    (wire, name)
    for wire in ("anthropic-messages", "bedrock-invoke")
    for name, each in WIRES[wire].contentless(THREE).items()
    if each.source
]


@pytest.mark.parametrize(("wire", "name"), NOISE)
@pytest.mark.parametrize("reply", [THREE, RICH], ids=["text", "calls"])
def test_documented_noise_is_passed_over(server: Server, wire: str, name: str, reply: Reply) -> None:
    """Events without content that have a source change nothing of what is read, wherever they stand."""
    noise = WIRES[wire].contentless(reply)[name].frames
    points = (*range(reply.piece_count), "finish", "end")
    server.play(Turn(reply=reply, delivery=Delivery(insert=tuple(Insert(point, noise) for point in points))))
    with client_of(server, wire) as client:
        assert read(accumulated(client)) == said(reply)


def test_tokens_are_counted_and_models_listed(server: Server, client: anthropic.Anthropic) -> None:
    """The calls beside the main one, with the types of the client."""
    asked = {name: value for name, value in ASKED.items() if name != "max_tokens"}
    assert client.messages.count_tokens(**asked).input_tokens > 0
    assert [model.id for model in client.models.list()] == ["claude-mock"]
    assert client.models.retrieve("claude-x").id == "claude-x"
    with client_of(server, "anthropic-vertex") as vertex:
        assert vertex.messages.count_tokens(**asked).input_tokens > 0
