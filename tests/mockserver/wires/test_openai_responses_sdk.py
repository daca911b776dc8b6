"""OpenAI Responses, as the official `openai` package reads what is sent."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

import mockserver
from mockserver import (
    WIRES,
    Citation,
    Delivery,
    Fault,
    Insert,
    Media,
    Reasoning,
    Refusal,
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
from mockserver.framings import sse

from ..helpers import LIMIT, THREE

WIRE = WIRES["openai-responses"]
ASKED: Final[Any] = {"model": "m-asked", "input": "hi"}
EVENTS: Final[TypeAdapter[Any]] = TypeAdapter(ResponseStreamEvent)
RECORDED: Final = {"frequency_penalty", "presence_penalty", "store", "obfuscation"}
"""What OpenAI was recorded sending though the package's types do not have it."""
ADDED: Final = {"function_call key 'parsed_arguments'"}
"""What the helper adds to a response."""
AT_ONCE: Final = ("web_search", "file_search", "mcp_list_tools")
"""Tools whose arguments do not stream."""
CITED: Final = Citation(url="https://a.test", title="A", start=0, end=2)
TOOLS: Final = Reply(
    blocks=(
        Reasoning(("Let me ", "think.")),
        Reasoning(("More.",), signature="c2ln"),
        Text(("Ün", "\u2028\u0085", "\U0001f420"), citations=(CITED,)),
        ToolCall(id="call_a", name="get_weather", pieces=('{"city":', '"Zürich"}')),
        ToolCall(id="call_b", name="get_time", pieces=('{"tz":', '["UTC",null,1.5]}')),
    ),
    order=(0, 0, 1, 2, 2, 2, 3, 4, 3, 4),
    finish_reason="tool_calls",
    usage=Usage(input_tokens=30, output_tokens=12, cache_read=4, cache_creation=2, reasoning=5),
    id="resp_tools",
    model="m-rich",
)
SERVER_TOOLS: Final = Reply(
    blocks=(
        ServerToolCall(id="ws_1", name="web_search", pieces=('{"query":"q"}',)),
        ServerToolResult(call_id="ws_1", kind="web_search_call", output='[{"type":"url","url":"u"}]'),
        ServerToolCall(id="fs_1", name="file_search", pieces=('{"queries":["q"]}',)),
        ServerToolResult(call_id="fs_1", kind="file_search_call", output='[{"file_id":"f","score":0.5,"text":"t"}]'),
        ServerToolCall(id="ci_1", name="code_interpreter", pieces=("1 ", "+ 1")),
        ServerToolResult(call_id="ci_1", kind="code_interpreter_call", output='[{"logs":"2","type":"logs"}]'),
        ServerToolCall(id="ml_1", name="mcp_list_tools", pieces=('{"server_label":"wiki"}',)),
        ServerToolResult(call_id="ml_1", kind="mcp_list_tools", output='[{"input_schema":{},"name":"ask"}]'),
        ServerToolCall(id="mc_1", name="wiki/ask", pieces=("{", "}")),
        ServerToolResult(call_id="mc_1", kind="mcp_call", output='"An answer."'),
        ServerToolCall(id="mc_2", name="wiki/ask"),
        ServerToolResult(
            call_id="mc_2", kind="mcp_call", output='{"error":{"code":500,"message":"no","type":"http_error"}}'
        ),
        Media(mime_type="image/webp", data="aGk="),
        Text(("Found.",)),
    ),
    id="resp_server",
    model="m-2",
)
DECLINED: Final = Reply.of("Sorry: ", Refusal(("I ", "won't")), id="resp_no", model="m-3", usage=None)
CUT: Final = Reply.of("A cut ", "ans", id="resp_cut", model="m-4", finish_reason="length")
FILTERED: Final = Reply.of("A cut ", "ans", id="resp_cut", model="m-4", finish_reason="content_filter")
REPLIES: Final = {
    "text": THREE,
    "tools": TOOLS,
    "server-tools": SERVER_TOOLS,
    "refusal": DECLINED,
    "length": CUT,
    "filter": FILTERED,
    "empty": Reply(id="resp_0", model="m"),
}
every = pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES.keys())
ERRORS: Final[list[tuple[int, type[openai.APIStatusError], str | None]]] = [
    (400, openai.BadRequestError, None),
    (401, openai.AuthenticationError, None),
    (404, openai.NotFoundError, None),
    (429, openai.RateLimitError, "rate_limit_exceeded"),
    (500, openai.InternalServerError, None),
    (529, openai.InternalServerError, None),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve() as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0, timeout=LIMIT) as made:
        yield made


def streamed(client: openai.OpenAI) -> list[Any]:
    with client.responses.create(**ASKED, stream=True) as stream:
        return list(stream)


def read(response: Response) -> Reply:
    """The reply that the client's typed response holds, each block whole: nothing of it may be lost on the way."""
    found = WIRE.decode_whole(json.dumps(response.to_dict(mode="json", exclude_unset=True)).encode())
    assert set(found.unknown) <= ADDED
    return found.reply


def sent(reply: Reply) -> Reply:
    """The reply as the wire says it: with all counts of its usage."""
    return WIRE.decode_whole(WIRE.whole(reply)).reply


def added_up(events: list[Any]) -> dict[tuple[int, int], str]:
    """The pieces by their item and part, as a client adds them up."""
    seen: dict[tuple[int, int], str] = {}
    for event in events:
        if event.type.endswith(".delta"):
            at = getattr(event, "content_index", getattr(event, "summary_index", 0))
            seen[event.output_index, at] = seen.get((event.output_index, at), "") + event.delta
    return seen


def extras(value: object) -> set[str]:
    """The names that a model does not know, of it and of all that it holds."""
    if isinstance(value, BaseModel):
        own = set(value.model_extra or ())
        return own.union(*(extras(getattr(value, name)) for name in type(value).model_fields))
    if isinstance(value, list):
        return set().union(*(extras(each) for each in value))
    return set().union(*(extras(each) for each in value.values())) if isinstance(value, Mapping) else set()


@every
def test_whole_bodies_read_the_same(server: Server, client: openai.OpenAI, reply: Reply) -> None:
    """A response that is not streamed holds the reply; its texts are its `output_text`."""
    server.play(reply)
    answer = client.responses.create(**ASKED)
    assert read(answer) == sent(reply)
    assert answer.output_text == reply.text
    assert (answer.id, answer.model) == (reply.id, reply.model)


@every
def test_streams_read_the_same(server: Server, client: openai.OpenAI, reply: Reply) -> None:
    """Added up, the deltas are the pieces; the last event holds the whole reply."""
    server.play(reply)
    events = streamed(client)
    assert "".join(added_up(events).values()) == "".join(
        block.joined for block in reply.blocks if not isinstance(block, ServerToolCall) or block.name not in AT_ONCE
    )
    assert read(events[-1].response) == sent(reply)
    assert [event.sequence_number for event in events] == list(range(len(events)))


@every
def test_async_clients_read_the_same(server: Server, reply: Reply) -> None:
    """Streamed and whole, in an event loop."""
    server.play(reply)

    async def ask() -> tuple[list[Any], Response]:
        made = openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0, timeout=LIMIT)
        async with made:
            events = [event async for event in await made.responses.create(**ASKED, stream=True)]
            return events, await made.responses.create(**ASKED)

    events, whole = asyncio.run(ask())
    assert read(events[-1].response) == read(whole) == sent(reply)


@pytest.mark.parametrize("name", ["text", "tools", "server-tools", "refusal", "empty"])
def test_the_helper_gives_the_final_response(server: Server, client: openai.OpenAI, name: str) -> None:
    """`responses.stream` keeps a snapshot of each item on the way, and has the whole response in the end."""
    reply = REPLIES[name]
    server.play(reply)
    snapshots: dict[int, str] = {}
    with client.responses.stream(**ASKED) as stream:
        for event in stream:
            if event.type in ("response.output_text.delta", "response.function_call_arguments.delta"):
                snapshots[event.output_index] = event.snapshot
        final = stream.get_final_response()
    assert read(final) == sent(reply)
    texts = [block.joined for block in reply.blocks if isinstance(block, Text | ToolCall)]
    assert [snapshots[at] for at in sorted(snapshots)] == texts


def test_the_async_helper_gives_the_final_response(server: Server) -> None:
    """The same in an event loop."""
    server.play(TOOLS)

    async def ask() -> Response:
        made = openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0, timeout=LIMIT)
        async with made, made.responses.stream(**ASKED) as stream:
            return await stream.get_final_response()

    assert read(asyncio.run(ask())) == sent(TOOLS)


@pytest.mark.parametrize("reply", [CUT, FILTERED])
def test_the_helper_has_no_final_response_of_a_cut_one(server: Server, client: openai.OpenAI, reply: Reply) -> None:
    """An incomplete response ends the stream, and is the last event; the helper waits for a completed one."""
    server.play(reply)
    with client.responses.stream(**ASKED) as stream:
        last = [event.type for event in stream][-1]
        assert last == "response.incomplete"
        with pytest.raises(RuntimeError, match=r"response\.completed"):
            stream.get_final_response()


@pytest.mark.parametrize("deployment", ["/openai", "/openai/v1"])
def test_azure_clients_find_the_wire(server: Server, deployment: str) -> None:
    """With the key in its own header, a version in the query, and a prefix of the path."""
    server.play(THREE)
    with openai.AzureOpenAI(
        base_url=f"{server.url}{deployment}", api_key="k", api_version="2025-04-01-preview", timeout=LIMIT
    ) as made:
        assert made.responses.create(**ASKED).output_text == THREE.text
    [exchange] = server.exchanges
    assert exchange.path == f"{deployment}/responses?api-version=2025-04-01-preview"


@every
def test_the_typed_models_accept_every_frame(reply: Reply) -> None:
    """Bodies and events hold all required fields with values of the right types, and none that is not known."""
    body = WIRE.whole(reply)
    whole = Response.model_validate_json(body, strict=True)
    assert whole.model_dump(mode="json", exclude_unset=True) == json.loads(body)
    assert extras(whole) <= RECORDED
    for event in sse.events(b"".join(frame.data for frame in WIRE.frames(reply))):
        data = json.loads(event.data)
        if event.name == "response.output_item.added" and data["item"]["type"] == "web_search_call":
            data["item"]["action"] = {"type": "search"}  # which the types want, and OpenAI was recorded not to send yet
        found = EVENTS.validate_json(json.dumps(data), strict=True)
        assert found.type == event.name
        assert EVENTS.dump_python(found, mode="json", exclude_unset=True) == data
        assert extras(found) <= RECORDED


@pytest.mark.parametrize("reply", [Reply.of("a", finish_reason="failed", usage=None, id="resp_f", model="m")])
def test_a_failed_response_has_an_error(server: Server, client: openai.OpenAI, reply: Reply) -> None:
    """Streamed and whole, with a code that the types know."""
    server.play(reply)
    last, whole = streamed(client)[-1], client.responses.create(**ASKED)
    EVENTS.validate_json(next(sse.events(WIRE.frames(reply)[-1].data)).data, strict=True)
    assert last.type == "response.failed"
    for found in (last.response, whole):
        assert (found.status, found.error.code, found.usage) == ("failed", "server_error", None)


def test_usage_is_typed(server: Server, client: openai.OpenAI) -> None:
    """Cached, written and reasoning tokens stand where the typed model has them."""
    server.play(TOOLS)
    for found in (streamed(client)[-1].response.usage, client.responses.create(**ASKED).usage):
        assert (found.input_tokens, found.output_tokens, found.total_tokens) == (30, 12, 42)
        assert (found.input_tokens_details.cached_tokens, found.input_tokens_details.cache_write_tokens) == (4, 2)
        assert found.output_tokens_details.reasoning_tokens == 5


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "kind", "code"), ERRORS)
def test_http_errors_are_the_typed_errors(
    server: Server,
    client: openai.OpenAI,
    status: int,
    kind: type[openai.APIStatusError],
    code: str | None,
    *,
    stream: bool,
) -> None:
    """Each status is the client's error for it, with our words and headers, streamed or not."""
    server.play(Refused(status, "Ünser words", headers={"retry-after": "0"}))
    with pytest.raises(kind, match="Ünser words") as caught:
        client.responses.create(**ASKED, stream=stream)
    assert (caught.value.status_code, caught.value.response.headers["retry-after"]) == (status, "0")
    assert (caught.value.code, caught.value.param) == (code, None)


def test_a_refused_request_is_a_typed_error(server: Server, client: openai.OpenAI) -> None:
    """With the code and the parameter that OpenAI names."""
    server.play(THREE)
    with pytest.raises(openai.BadRequestError, match="integer below minimum value") as caught:
        client.responses.create(**ASKED, max_output_tokens=1)
    assert (caught.value.code, caught.value.param) == ("integer_below_min_value", "max_output_tokens")


def test_the_kind_of_an_error_can_be_given(server: Server, client: openai.OpenAI) -> None:
    """`Refused.kind` is the provider's error type and code."""
    server.play(Refused(429, "no", kind="insufficient_quota"))
    with pytest.raises(openai.RateLimitError) as caught:
        client.responses.create(**ASKED)
    assert (caught.value.type, caught.value.code) == ("insufficient_quota", "insufficient_quota")


def test_the_error_frame_comes_in_the_middle(server: Server, client: openai.OpenAI) -> None:
    """After the pieces before it, an error event with its words ends the stream."""
    server.play(Turn(reply=THREE, delivery=Delivery(fault=Fault("error", before=2, message="out of fish"))))
    *before, last = streamed(client)
    assert "".join(added_up(before).values()) == "The moon is full "
    EVENTS.validate_python(last.to_dict(), strict=True)
    assert (last.type, last.message, last.code) == ("error", "out of fish", "server_error")
    assert last.sequence_number == len(before)


@pytest.mark.parametrize("name", sorted(WIRE.contentless(THREE)))
@pytest.mark.parametrize("reply", [THREE, TOOLS], ids=["text", "tools"])
def test_noise_is_passed_over(server: Server, client: openai.OpenAI, name: str, reply: Reply) -> None:
    """Frames without content change nothing of what is read, wherever they stand; the helper takes them too."""
    noise = WIRE.contentless(reply)[name].frames
    points = (*range(reply.piece_count), "finish", "end")
    server.play(Turn(reply=reply, delivery=Delivery(insert=tuple(Insert(point, noise) for point in points))))
    events = streamed(client)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    plain = b"".join(frame.data for frame in WIRE.frames(reply))
    assert added_up(events) == added_up([EVENTS.validate_json(event.data) for event in sse.events(plain)])
    with client.responses.stream(**ASKED) as stream:
        assert read(stream.get_final_response()) == sent(reply)


def test_tokens_are_counted(server: Server, client: openai.OpenAI) -> None:
    """The client's call for a count has its typed answer."""
    assert client.responses.input_tokens.count(**ASKED).input_tokens == 11


def test_stored_responses_are_not_found(client: openai.OpenAI) -> None:
    """The client's calls for a stored response have the typed error."""
    with pytest.raises(openai.NotFoundError, match="Response with id 'resp_1' not found"):
        client.responses.retrieve("resp_1")
