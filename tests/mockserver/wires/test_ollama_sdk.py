"""Ollama's chat API, as the official `ollama` package reads what is sent."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, Literal

import ollama
import pytest
from ollama import ChatResponse

import mockserver
from mockserver import WIRES, Delivery, Fault, Insert, Reasoning, Refused, Reply, Server, Text, ToolCall, Turn, Usage

from ..helpers import LIMIT

WIRE: Final = WIRES["ollama"]
ASKED: Final[Any] = {"model": "m-asked", "messages": [{"role": "user", "content": "hi"}]}
THREE: Final = Reply.of("The moon ", "is full ", "of g\u00f6ldfish.", model="m-1", finish_reason="length")
RICH: Final = Reply(
    blocks=(
        Reasoning(("Let me ", "think.")),
        Text(("Ün <b>", "\u2028", "\U0001f420")),
        ToolCall.of("get_weather", {"city": "Zürich"}, id="call_a"),
        ToolCall.of("get_time", {"tz": ["UTC", None, 1.5]}, id="call_b", size=99),
    ),
    usage=Usage(input_tokens=30, output_tokens=12),
    model="m-rich",
)
"""Every kind of block that the package reads: 0.6.3 raises on an image in an answer, which it takes for an object
where the API's documentation has a string."""
EMPTY: Final = Reply(usage=None, model="m", finish_reason="load")
REPLIES: Final = pytest.mark.parametrize("reply", [THREE, RICH, EMPTY], ids=["text", "all", "empty"])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve() as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[ollama.Client]:
    with ollama.Client(server.url, timeout=LIMIT, verify=False) as made:
        yield made


def read(found: list[ChatResponse]) -> dict[str, Any]:
    """What a client that adds the lines up has in the end."""
    messages = [line.message for line in found]
    last = found[-1]
    return {
        "role": {message.role for message in messages},
        "text": "".join(message.content or "" for message in messages),
        "thinking": "".join(message.thinking or "" for message in messages),
        "calls": [
            (call.function.name, call.function.arguments) for message in messages for call in message.tool_calls or ()
        ],
        "model": {line.model for line in found},
        "end": (last.done, last.done_reason, last.prompt_eval_count, last.eval_count),
    }


def said(reply: Reply) -> dict[str, Any]:
    """What it should have."""
    usage = reply.usage
    return {
        "role": {"assistant"},
        "text": reply.text,
        "thinking": "".join(block.joined for block in reply.blocks if isinstance(block, Reasoning)),
        "calls": [(call.name, json.loads(call.joined)) for call in reply.tool_calls],
        "model": {reply.model},
        "end": (
            True,
            reply.finish_reason,
            usage.input_tokens if usage else None,
            usage.output_tokens if usage else None,
        ),
    }


@REPLIES
def test_streams_read_the_same(server: Server, client: ollama.Client, reply: Reply) -> None:
    """Added up, the lines of the typed client are the reply."""
    server.play(reply)
    found = list(client.chat(**ASKED, stream=True))
    assert read(found) == said(reply)
    assert [line.done for line in found] == [*[False] * (len(found) - 1), True]


@REPLIES
def test_whole_bodies_read_the_same(server: Server, client: ollama.Client, reply: Reply) -> None:
    """An answer that is not streamed holds the same."""
    server.play(reply)
    assert read([client.chat(**ASKED)]) == said(reply)


@REPLIES
async def test_the_asynchronous_client_reads_the_same(server: Server, reply: Reply) -> None:
    """Streamed and whole."""
    server.play(reply)
    async with ollama.AsyncClient(server.url, timeout=LIMIT, verify=False) as client:
        stream: AsyncIterator[ChatResponse] = await client.chat(**ASKED, stream=True)
        assert read([line async for line in stream]) == said(reply)
        assert read([await client.chat(**ASKED)]) == said(reply)


@REPLIES
def test_the_typed_models_accept_every_line(reply: Reply) -> None:
    """Bodies and lines have values of the right types (strictly: nothing is coerced)."""
    for data in (WIRE.whole(reply), *(frame.data for frame in WIRE.frames(reply))):
        found = ChatResponse.model_validate_json(data, strict=True)
        assert found.model_fields_set >= {"model", "created_at", "message", "done"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_http_errors_are_the_typed_error(server: Server, client: ollama.Client, status: int, *, stream: bool) -> None:
    """Each status comes with our words, streamed or not."""
    server.play(Refused(status, "Ünser <words>"))
    with pytest.raises(ollama.ResponseError) as caught:
        list(client.chat(**{**ASKED, "stream": stream}))
    assert (caught.value.status_code, caught.value.error) == (status, "Ünser <words>")


def test_an_error_in_the_middle_raises(server: Server, client: ollama.Client) -> None:
    """After the lines before it, an error line raises with its words, and no status."""
    server.play(Turn(reply=THREE, delivery=Delivery(fault=Fault("error", before=2, message="out of fish"))))
    seen: list[str] = []
    with pytest.raises(ollama.ResponseError) as caught:
        seen.extend(line.message.content or "" for line in client.chat(**ASKED, stream=True))
    assert (seen, caught.value.error, caught.value.status_code) == (["The moon ", "is full "], "out of fish", -1)


def test_requests_of_the_client_are_understood(server: Server, client: ollama.Client) -> None:
    """Its tools, images, options and earlier calls pass the strict check."""

    def get_weather(city: str) -> str:
        """Tell the weather.

        Args:
            city: where
        """
        return city

    call = ollama.Message.ToolCall(function=ollama.Message.ToolCall.Function(name="get_weather", arguments={"a": 1}))
    server.play(THREE)
    client.chat(
        "m",
        [
            ollama.Message(role="system", content="Be brief."),
            ollama.Message(role="user", content="hi", images=[ollama.Image(value=b"\x89PNG\r\n\x1a\n")]),
            ollama.Message(role="assistant", tool_calls=[call]),
            ollama.Message(role="tool", content="fine", tool_name="get_weather"),
        ],
        tools=[get_weather],
        options={"stop": ["x"], "temperature": 0},
        think="low",
        keep_alive="5m",
    )
    [exchange] = server.exchanges
    assert exchange.asked
    assert (exchange.asked.tools, exchange.asked.stop, exchange.asked.text) == (("get_weather",), ("x",), "hi")
    assert [message.tool_calls or message.tool_results for message in exchange.asked.messages[2:]] == [
        ("get_weather",),
        ("get_weather",),
    ]


@pytest.mark.parametrize("name", sorted(name for name, each in WIRE.contentless(THREE).items() if each.source))
@pytest.mark.parametrize("reply", [THREE, RICH], ids=["text", "all"])
def test_documented_noise_is_passed_over(server: Server, client: ollama.Client, name: str, reply: Reply) -> None:
    """Lines without content that have a source change nothing of what is read, wherever they stand."""
    noise = WIRE.contentless(reply)[name].frames
    pieces = (frame.piece for frame in WIRE.frames(reply) if frame.piece is not None)
    points: tuple[int | Literal["finish"], ...] = (*pieces, "finish")
    server.play(Turn(reply=reply, delivery=Delivery(insert=tuple(Insert(point, noise) for point in points))))
    assert read(list(client.chat(**ASKED, stream=True))) == said(reply)


def test_calls_beside_the_main_one_are_typed(server: Server, client: ollama.Client) -> None:
    """Lists of models and what there is to know of one."""
    [listed], [running] = client.list().models, client.ps().models
    shown = client.show("llama3.2")
    assert listed.model == running.model == "llama3.2:latest"
    assert shown.capabilities
    assert shown.details == listed.details
