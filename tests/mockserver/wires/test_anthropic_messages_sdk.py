"""Anthropic Messages, as the official `anthropic` package reads what is sent."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

import mockserver
from mockserver import WIRES, Delivery, Fault, Insert, Reasoning, Refused, Reply, Server, Text, Turn, Usage, sse

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
REPLIES = pytest.mark.parametrize("reply", [THREE, RICH, SIGNED, Reply(id="i", model="m")])
ERRORS: list[tuple[int, type[anthropic.APIStatusError], str]] = [
    (400, anthropic.BadRequestError, "invalid_request_error"),
    (401, anthropic.AuthenticationError, "authentication_error"),
    (403, anthropic.PermissionDeniedError, "permission_error"),
    (404, anthropic.NotFoundError, "not_found_error"),
    (429, anthropic.RateLimitError, "rate_limit_error"),
    (500, anthropic.InternalServerError, "api_error"),
    (529, anthropic.InternalServerError, "overloaded_error"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve() as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=0, timeout=LIMIT) as made:
        yield made


def accumulated(client: anthropic.Anthropic) -> Message:
    """What the client's own accumulation of the stream has in the end."""
    with client.messages.stream(**ASKED) as stream:
        return stream.get_final_message()


def read(message: Message) -> tuple[object, ...]:
    blocks: list[tuple[object, ...]] = []
    for block in message.content:
        if block.type == "text":
            blocks.append(("text", block.text))
        elif block.type == "thinking":
            blocks.append(("thinking", block.thinking, block.signature))
        elif block.type == "tool_use":
            blocks.append((block.id, block.name, block.input))
    usage = message.usage
    counts = (
        usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens, usage.output_tokens,
    )  # fmt: skip
    return message.id, message.model, message.stop_reason, counts, blocks


def said(reply: Reply) -> tuple[object, ...]:
    """What it should have: cached tokens are counted beside the input."""
    blocks: list[tuple[object, ...]] = []
    for block in reply.blocks:
        if isinstance(block, Text):
            blocks.append(("text", block.joined))
        elif isinstance(block, Reasoning):
            blocks.append(("thinking", block.joined, block.signature or ""))
        elif isinstance(block, mockserver.ToolCall):
            blocks.append((block.id, block.name, json.loads(block.joined)))
    usage = reply.usage
    assert usage
    fresh = usage.input_tokens - (usage.cache_read or 0) - (usage.cache_creation or 0)
    counts = (fresh, usage.cache_read, usage.cache_creation, usage.output_tokens)
    return reply.id, reply.model, WIRE.finish_word(reply), counts, blocks


@REPLIES
def test_streams_accumulate_to_the_reply(server: Server, client: anthropic.Anthropic, reply: Reply) -> None:
    """The client's accumulated message has the blocks, tool inputs, stop reason and usage of the reply."""
    server.play(reply)
    assert read(accumulated(client)) == said(reply)


@REPLIES
def test_whole_bodies_read_the_same(server: Server, client: anthropic.Anthropic, reply: Reply) -> None:
    """A message that is not streamed holds the same."""
    server.play(reply)
    assert read(client.messages.create(**ASKED)) == said(reply)


@REPLIES
def test_the_typed_models_accept_every_frame(reply: Reply) -> None:
    """Messages and events hold all required fields, with values of the right types (strictly: nothing is coerced)."""
    Message.model_validate_json(WIRE.whole(reply), strict=True)
    events: TypeAdapter[object] = TypeAdapter(RawMessageStreamEvent)
    for frame in WIRE.frames(reply):
        [event] = sse.events(frame.data)
        assert json.loads(event.data)["type"] == event.name
        events.validate_json(event.data, strict=True)


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
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"] == {"type": name, "message": "Ünser words"}


def test_the_error_frame_raises_in_the_middle(server: Server, client: anthropic.Anthropic) -> None:
    """After the pieces before it, an error event raises with its words."""
    server.play(Turn(reply=THREE, delivery=Delivery(fault=Fault("error", before=2, message="out of fish"))))
    seen: list[str] = []
    with pytest.raises(anthropic.APIStatusError, match="out of fish"), client.messages.stream(**ASKED) as stream:
        seen.extend(stream.text_stream)
    assert seen == ["The moon ", "is full "]


@pytest.mark.parametrize("name", sorted(name for name, each in WIRE.contentless(THREE).items() if each.source))
@pytest.mark.parametrize("reply", [THREE, RICH], ids=["text", "calls"])
def test_documented_noise_is_passed_over(server: Server, client: anthropic.Anthropic, name: str, reply: Reply) -> None:
    """Events without content that have a source change nothing of what is read, wherever they stand."""
    noise = WIRE.contentless(reply)[name].frames
    points = (*range(reply.piece_count), "finish", "end")
    server.play(Turn(reply=reply, delivery=Delivery(insert=tuple(Insert(point, noise) for point in points))))
    assert read(accumulated(client)) == said(reply)
