"""Chat Completions, as the official `openai` package reads what is sent."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

import mockserver
from mockserver import WIRES, Citation, Delivery, Fault, Insert, Refusal, Refused, Reply, Server, Text, ToolCall, Turn
from mockserver.framings import sse

from ..helpers import LIMIT, RICH, THREE

WIRE = WIRES["openai-chat"]
ASKED: Any = {"model": "m-asked", "messages": [{"role": "user", "content": "hi"}]}
DECLINED = Reply.of(Refusal(("I ", "won't")), id="id_2", model="m-2", usage=None)
ERRORS: list[tuple[int, type[openai.APIStatusError]]] = [
    (400, openai.BadRequestError),
    (401, openai.AuthenticationError),
    (403, openai.PermissionDeniedError),
    (404, openai.NotFoundError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (529, openai.InternalServerError),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve() as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0, timeout=LIMIT) as made:
        yield made


def chunks(client: openai.OpenAI) -> list[ChatCompletionChunk]:
    with client.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True}) as stream:
        return list(stream)


def read(found: list[ChatCompletionChunk]) -> dict[str, Any]:
    """What a client that adds the deltas up has in the end."""
    seen: dict[str, Any] = {"text": "", "reasoning": "", "refusal": "", "calls": {}, "finish": None}
    for choice in (choice for chunk in found for choice in chunk.choices):
        seen["text"] += choice.delta.content or ""
        seen["reasoning"] += (choice.delta.model_extra or {}).get("reasoning_content") or ""
        seen["refusal"] += choice.delta.refusal or ""
        seen["finish"] = choice.finish_reason or seen["finish"]
        for call in choice.delta.tool_calls or ():
            entry = seen["calls"].setdefault(call.index, ["", "", ""])
            assert call.function
            for at, part in enumerate((call.id, call.function.name, call.function.arguments)):
                entry[at] += part or ""
    return seen


def said(reply: Reply) -> dict[str, Any]:
    """What it should have."""
    joined = {kind.__name__.lower(): block.joined for block in reply.blocks if (kind := type(block))}
    return {
        "text": reply.text,
        "reasoning": joined.get("reasoning", ""),
        "refusal": joined.get("refusal", ""),
        "calls": {at: [call.id, call.name, call.joined] for at, call in enumerate(reply.tool_calls)},
        "finish": WIRE.finish_word(reply),
    }


def counted(usage: CompletionUsage | None) -> tuple[int, int, int] | None:
    return (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) if usage else None


def expected_counts(reply: Reply) -> tuple[int, int, int] | None:
    usage = reply.usage
    return (usage.input_tokens, usage.output_tokens, usage.total_tokens) if usage else None


@pytest.mark.parametrize("reply", [THREE, RICH, DECLINED, Reply(id="i", model="m")])
def test_streams_read_the_same(server: Server, client: openai.OpenAI, reply: Reply) -> None:
    """Added up, the chunks of the typed client are the reply; the last one counts the tokens."""
    server.play(reply)
    found = chunks(client)
    assert read(found) == said(reply)
    assert {(chunk.id, chunk.model) for chunk in found} == {(reply.id, reply.model)}
    assert counted(found[-1].usage) == expected_counts(reply)


@pytest.mark.parametrize("reply", [THREE, RICH, DECLINED])
async def test_the_async_client_reads_the_same(server: Server, reply: Reply) -> None:
    """Streamed and whole."""
    server.play(reply)
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0, timeout=LIMIT) as client:
        stream = await client.chat.completions.create(**ASKED, stream=True)
        assert read([chunk async for chunk in stream]) == said(reply)
        answer = await client.chat.completions.create(**ASKED)
    assert (answer.choices[0].message.content or "") == reply.text


def test_pieces_of_parallel_calls_take_turns(server: Server, client: openai.OpenAI) -> None:
    """The client puts them together by their index."""
    calls = (ToolCall(id="a", name="f", pieces=("1", "2")), ToolCall(id="b", name="g", pieces=("3", "4")))
    reply = Reply(blocks=calls, order=(0, 1, 1, 0), finish_reason="tool_calls")
    server.play(reply)
    assert read(chunks(client))["calls"] == {0: ["a", "f", "12"], 1: ["b", "g", "34"]}


def test_citations_are_typed(server: Server, client: openai.OpenAI) -> None:
    """They are annotations of the message, with the place in the text."""
    cited = Citation(url="https://x.test/", title="X", start=0, end=2)
    server.play(Reply(blocks=(Text(("ab", "c"), citations=(cited,)),)))
    annotations = client.chat.completions.create(**ASKED).choices[0].message.annotations
    assert annotations
    [annotation] = annotations
    found = annotation.url_citation
    assert (found.url, found.title, found.start_index, found.end_index) == ("https://x.test/", "X", 0, 2)
    extra = [choice.delta.model_extra or {} for chunk in chunks(client) for choice in chunk.choices]
    assert [each["annotations"] for each in extra if "annotations" in each] == [[annotation.model_dump()]]


@pytest.mark.parametrize("reply", [THREE, RICH, DECLINED, Reply(id="i", model="m")])
def test_azure_reads_the_same(server: Server, reply: Reply) -> None:
    """Past the frames of the content filter, at the path of a deployment."""
    server.play(reply)
    with openai.AzureOpenAI(
        azure_endpoint=server.url, api_key="k", api_version="2024-10-21", max_retries=0, timeout=LIMIT
    ) as azure:
        with azure.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True}) as stream:
            found = list(stream)
        assert (read(found), counted(found[-1].usage)) == (said(reply), expected_counts(reply))
        assert not found[0].choices
        answer = azure.chat.completions.create(**ASKED)
    assert (answer.choices[0].message.content or "") == reply.text
    exchange = server.exchanges[-1]
    assert exchange.asked
    assert exchange.asked.wire == "azure-chat"


@pytest.mark.parametrize("reply", [THREE, RICH, DECLINED, Reply(id="i", model="m")])
def test_whole_bodies_read_the_same(server: Server, client: openai.OpenAI, reply: Reply) -> None:
    """A completion that is not streamed holds the same content, finish reason and usage."""
    server.play(reply)
    answer = client.chat.completions.create(**ASKED)
    [choice] = answer.choices
    message, expected = choice.message, said(reply)
    assert ((message.content or ""), (message.refusal or "")) == (expected["text"], expected["refusal"])
    assert (message.model_extra or {}).get("reasoning_content", "") == expected["reasoning"]
    calls = [call for call in message.tool_calls or () if call.type == "function"]
    assert [[call.id, call.function.name, call.function.arguments] for call in calls] == [*expected["calls"].values()]
    assert (answer.id, answer.model, choice.finish_reason) == (reply.id, reply.model, expected["finish"])
    assert counted(answer.usage) == expected_counts(reply)


def test_usage_details_are_typed(server: Server, client: openai.OpenAI) -> None:
    """Cached and reasoning tokens stand where the typed model has them."""
    usage = mockserver.Usage(input_tokens=30, output_tokens=12, cache_read=4, reasoning=5)
    server.play(Reply.of("a", usage=usage))
    for found in (chunks(client)[-1].usage, client.chat.completions.create(**ASKED).usage):
        assert found
        assert found.prompt_tokens_details
        assert found.completion_tokens_details
        assert found.prompt_tokens_details.cached_tokens == 4
        assert found.completion_tokens_details.reasoning_tokens == 5


@pytest.mark.parametrize("reply", [THREE, RICH, DECLINED])
def test_the_typed_models_accept_every_frame(reply: Reply) -> None:
    """Bodies and chunks hold all required fields, with values of the right types (strictly: nothing is coerced)."""
    ChatCompletion.model_validate_json(WIRE.whole(reply), strict=True)
    for frame in WIRE.frames(reply):
        [event] = sse.events(frame.data)
        if event.data != "[DONE]":
            ChatCompletionChunk.model_validate_json(event.data, strict=True)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "kind"), ERRORS)
def test_http_errors_are_the_typed_errors(
    server: Server, client: openai.OpenAI, status: int, kind: type[openai.APIStatusError], *, stream: bool
) -> None:
    """Each status is the client's error for it, with our words and headers, streamed or not."""
    server.play(Refused(status, "Ünser words", headers={"retry-after": "0"}))
    with pytest.raises(kind, match="Ünser words") as caught:
        client.chat.completions.create(**ASKED, stream=stream)
    assert (caught.value.status_code, caught.value.response.headers["retry-after"]) == (status, "0")
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["message"] == "Ünser words"


def test_the_kind_of_an_error_can_be_given(server: Server, client: openai.OpenAI) -> None:
    """`Refused.kind` is the provider's error type."""
    server.play(Refused(429, "no", kind="insufficient_quota"))
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(**ASKED)
    assert caught.value.type == "insufficient_quota"


def test_the_error_frame_raises_in_the_middle(server: Server, client: openai.OpenAI) -> None:
    """After the pieces before it, an error frame raises with its words."""
    server.play(Turn(reply=THREE, delivery=Delivery(fault=Fault("error", before=2, message="out of fish"))))
    seen: list[ChatCompletionChunk] = []
    with (
        pytest.raises(openai.APIError, match="out of fish"),
        client.chat.completions.create(**ASKED, stream=True) as stream,
    ):
        seen.extend(stream)
    assert read(seen)["text"] == "The moon is full "


@pytest.mark.parametrize("name", sorted(name for name, each in WIRE.contentless(THREE).items() if each.source))
@pytest.mark.parametrize("reply", [THREE, RICH], ids=["text", "calls"])
def test_documented_noise_is_passed_over(server: Server, client: openai.OpenAI, name: str, reply: Reply) -> None:
    """Frames without content that have a source change nothing of what is read, wherever they stand."""
    noise = WIRE.contentless(reply)[name].frames
    points = (*range(reply.piece_count), "finish", "end")
    server.play(Turn(reply=reply, delivery=Delivery(insert=tuple(Insert(point, noise) for point in points))))
    assert read(chunks(client)) == said(reply)


def test_what_comes_after_the_end_is_not_read(server: Server, client: openai.OpenAI) -> None:
    """The client stops at `[DONE]`."""
    late = Insert("close", WIRE.after_end(THREE))
    server.play(Turn(reply=THREE, delivery=Delivery(insert=(late,))))
    assert read(chunks(client)) == said(THREE)
