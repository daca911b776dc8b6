"""Gemini, as the official `google-genai` package reads what is sent."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final, TypeAlias

import pytest
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials

import mockserver
from mockserver import (
    WIRES,
    Citation,
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
from mockserver.framings import sse

from ..helpers import LIMIT, THREE

WIRE: Final = WIRES["gemini-generate"]
MODEL: Final = "gemini-2.5-flash"
SEAL: Final = base64.b64encode(b"seal").decode()
RICH: Final = Reply(
    blocks=(
        Reasoning(("Let me ", "think."), signature=SEAL),
        Text(("Ün", "\u2028\u0085", "\U0001f420")),
        ServerToolCall.of("code_execution", {"language": "PYTHON", "code": "print(1)"}, id="s1"),
        ServerToolResult(call_id="s1", kind="codeExecutionResult", output='{"outcome":"OUTCOME_OK","output":"1\\n"}'),
        Media(mime_type="image/png", data=base64.b64encode(b"png").decode()),
        ToolCall.of("get_weather", {"city": "Zürich"}, id="call_a"),
        ToolCall(id="call_b", name="get_time", pieces=('{"tz":["UTC",null,1.5]}',), signature=SEAL),
    ),
    finish_reason="tool_calls",
    usage=Usage(input_tokens=30, output_tokens=12, cache_read=4, reasoning=5),
    id="id_rich",
    model="m-rich",
)
CITED: Final = Reply(
    blocks=(
        Text(
            ("The g\u00f6ld", "fish."),
            citations=(
                Citation(url="https://a", title="A", start=4, end=12),
                Citation(url="https://b", title="B", quote="fish", start=0, end=3),
                Citation(url="https://c", title="C"),
            ),
        ),
    ),
    id="i",
    model="m",
)
BLOCKED: Final = Reply(finish_reason="content_filter", id="i", model="m")
REPLIES: Final = pytest.mark.parametrize(
    "reply", [THREE, RICH, CITED, Reply(id="i", model="m")], ids=["text", "rich", "cited", "empty"]
)
ERRORS: Final = [
    (400, errors.ClientError, "INVALID_ARGUMENT"),
    (401, errors.ClientError, "UNAUTHENTICATED"),
    (403, errors.ClientError, "PERMISSION_DENIED"),
    (404, errors.ClientError, "NOT_FOUND"),
    (429, errors.ClientError, "RESOURCE_EXHAUSTED"),
    (500, errors.ServerError, "INTERNAL"),
    (503, errors.ServerError, "UNAVAILABLE"),
]
Responses: TypeAlias = list[types.GenerateContentResponse]
LOOP: Final = asyncio.Runner()
"""One loop for all tests, since the client's connections belong to it."""

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve() as running:
        yield running


def options(server: Server) -> types.HttpOptions:
    return types.HttpOptions(base_url=server.url, timeout=int(LIMIT * 1000))


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[genai.Client]:
    with genai.Client(api_key="k", http_options=options(server)) as made:
        yield made
        LOOP.run(made.aio.aclose())
        LOOP.close()


def stream(client: genai.Client) -> Responses:
    return list(client.models.generate_content_stream(model=MODEL, contents="hi"))


def whole(client: genai.Client) -> Responses:
    return [client.models.generate_content(model=MODEL, contents="hi")]


async def _astream(client: genai.Client, seen: Responses) -> None:
    found: AsyncIterator[types.GenerateContentResponse]
    found = await client.aio.models.generate_content_stream(model=MODEL, contents="hi")
    async for each in found:
        seen.append(each)


def astream(client: genai.Client) -> Responses:
    seen: Responses = []
    LOOP.run(_astream(client, seen))
    return seen


def awhole(client: genai.Client) -> Responses:
    return [LOOP.run(client.aio.models.generate_content(model=MODEL, contents="hi"))]


MODES: Final = pytest.mark.parametrize("mode", [stream, whole, astream, awhole])


def read(found: Responses) -> dict[str, Any]:
    """What a client that joins the parts has in the end."""
    seen: dict[str, Any] = {"text": "", "thoughts": "", "calls": [], "server": [], "media": [], "seals": []}
    for response in found:
        for candidate in response.candidates or ():
            assert candidate.content
            for part in candidate.content.parts or ():
                _read_part(seen, part)
            seen["finish"] = candidate.finish_reason or seen.get("finish")
            seen["grounding"] = candidate.grounding_metadata or seen.get("grounding")
    return seen


def _read_part(seen: dict[str, Any], part: types.Part) -> None:
    if part.text:
        seen["thoughts" if part.thought else "text"] += part.text
    if part.thought_signature:
        seen["seals"].append(part.thought_signature)
    if call := part.function_call:
        seen["calls"].append((call.id, call.name, call.args))
    if code := part.executable_code:
        assert code.language
        seen["server"].append((code.id, code.language.value, code.code))
    if result := part.code_execution_result:
        assert result.outcome
        seen["server"].append((result.id, result.outcome.value, result.output))
    if blob := part.inline_data:
        seen["media"].append((blob.mime_type, blob.data))


def said(reply: Reply) -> dict[str, Any]:
    """What it should have."""
    calls = [block for block in reply.blocks if isinstance(block, ToolCall)]
    server: list[tuple[Any, ...]] = []
    for block in reply.blocks:
        if isinstance(block, ServerToolCall):
            server.append((block.id, *json.loads(block.joined).values()))
        elif isinstance(block, ServerToolResult):
            server.append((block.call_id, *json.loads(block.output).values()))
    return {
        "text": reply.text,
        "thoughts": "".join(block.joined for block in reply.blocks if isinstance(block, Reasoning)),
        "calls": [(call.id, call.name, json.loads(call.joined)) for call in calls],
        "server": server,
        "media": [(each.mime_type, base64.b64decode(each.data)) for each in reply.blocks if isinstance(each, Media)],
        "seals": [b"seal" for block in reply.blocks if isinstance(block, Reasoning | ToolCall) and block.signature],
        "finish": types.FinishReason(WIRE.finish_word(reply)),
    }


@REPLIES
@MODES
def test_every_way_of_asking_reads_the_same(
    server: Server, client: genai.Client, reply: Reply, mode: Callable[[genai.Client], Responses]
) -> None:
    """Whole or streamed, sync or async, the typed client has what the reply holds, its id, model and usage."""
    server.play(reply)
    found = mode(client)
    seen = read(found)
    grounding = seen.pop("grounding")
    assert seen == said(reply)
    assert {(each.response_id, each.model_version) for each in found} == {(reply.id, reply.model)}
    usage, expected = found[-1].usage_metadata, reply.usage
    assert usage
    assert expected
    thoughts = usage.thoughts_token_count or 0
    assert (usage.prompt_token_count, (usage.candidates_token_count or 0) + thoughts, usage.total_token_count) == (
        expected.input_tokens,
        expected.output_tokens,
        expected.total_tokens,
    )
    assert (usage.cached_content_token_count, usage.thoughts_token_count) == (expected.cache_read, expected.reasoning)
    assert (grounding is not None) == (reply is CITED)


@MODES
def test_citations_ground_the_text(
    server: Server, client: genai.Client, mode: Callable[[genai.Client], Responses]
) -> None:
    """Chunks are the sources, supports name the bytes that rest on them."""
    server.play(CITED)
    grounding = read(mode(client))["grounding"]
    assert [(each.web or each.retrieved_context).uri for each in grounding.grounding_chunks] == [
        "https://a",
        "https://b",
        "https://c",
    ]
    assert grounding.grounding_chunks[1].retrieved_context.text == "fish"
    text = CITED.text.encode()
    for support, quoted in zip(grounding.grounding_supports, ("g\u00f6ldfish", "The"), strict=True):
        segment = support.segment
        assert text[segment.start_index or 0 : segment.end_index].decode() == segment.text == quoted


@MODES
def test_a_blocked_prompt_has_feedback(
    server: Server, client: genai.Client, mode: Callable[[genai.Client], Responses]
) -> None:
    """There are no candidates, and a reason for it."""
    server.play(BLOCKED)
    [found] = mode(client)
    assert found.candidates is None
    assert found.prompt_feedback
    assert found.prompt_feedback.block_reason == types.BlockedReason.SAFETY


@pytest.mark.parametrize("reason", sorted(set(WIRE.finish_reasons) - {"tool_calls"}))
def test_every_finish_reason_is_typed(server: Server, client: genai.Client, reason: str) -> None:
    """None is unknown to the client's type."""
    server.play(Reply.of("a", finish_reason=reason))
    assert read(stream(client))["finish"] in list(types.FinishReason)


@REPLIES
def test_the_typed_models_accept_every_response(reply: Reply) -> None:
    """Bodies and responses have only fields that the client's types have (they forbid all others)."""
    bodies: list[bytes | str] = [
        WIRE.whole(reply),
        *(event.data for frame in WIRE.frames(reply) for event in sse.events(frame.data)),
    ]
    for body in bodies:
        types.GenerateContentResponse.model_validate_json(body)


@pytest.mark.parametrize("mode", [stream, whole, astream, awhole])
@pytest.mark.parametrize(("status", "kind", "word"), ERRORS)
def test_http_errors_are_the_typed_errors(
    server: Server,
    client: genai.Client,
    mode: Callable[[genai.Client], Responses],
    status: int,
    kind: type[errors.APIError],
    word: str,
) -> None:
    """Each status is the client's error for it, with Google's word for it and our words."""
    server.play(Refused(status, "Ünser words"))
    with pytest.raises(kind) as caught:
        mode(client)
    assert (caught.value.code, caught.value.status, caught.value.message) == (status, word, "Ünser words")


def _stream(client: genai.Client, seen: Responses) -> None:
    for each in client.models.generate_content_stream(model=MODEL, contents="hi"):
        seen.append(each)


@pytest.mark.parametrize(
    "take", [_stream, lambda client, seen: LOOP.run(_astream(client, seen))], ids=["sync", "async"]
)
def test_the_error_frame_raises_in_the_middle(
    server: Server, client: genai.Client, take: Callable[[genai.Client, Responses], None]
) -> None:
    """After the pieces before it, an error raises with its words."""
    server.play(Turn(reply=THREE, delivery=Delivery(fault=Fault("error", before=2, message="out of fish"))))
    seen: Responses = []
    with pytest.raises(errors.ServerError, match="out of fish") as caught:
        take(client, seen)
    assert (caught.value.code, caught.value.status) == (503, "UNAVAILABLE")
    assert [each.text for each in seen] == ["The moon ", "is full "]


@pytest.mark.parametrize("name", sorted(name for name, each in WIRE.contentless(THREE).items() if each.source))
@pytest.mark.parametrize("reply", [THREE, RICH], ids=["text", "rich"])
def test_documented_noise_is_passed_over(server: Server, client: genai.Client, name: str, reply: Reply) -> None:
    """Responses without content that have a source change nothing of what is read, wherever they stand."""
    noise = WIRE.contentless(reply)[name].frames
    sent = [frame.piece for frame in WIRE.frames(reply) if frame.piece is not None]
    points: tuple[Any, ...] = (*sent, "close")
    server.play(Turn(reply=reply, delivery=Delivery(insert=tuple(Insert(point, noise) for point in points))))
    seen = read(stream(client))
    seen.pop("grounding")
    assert seen == said(reply)


def test_what_the_client_sends_is_understood(server: Server, client: genai.Client) -> None:
    """Instructions, tools, stops, and a conversation with a call and its response."""
    server.play(THREE)
    tool = types.Tool(function_declarations=[types.FunctionDeclaration(name="f")], google_search=types.GoogleSearch())
    contents = [
        types.UserContent("hi"),
        types.ModelContent(types.Part.from_function_call(name="f", args={})),
        types.UserContent(types.Part.from_function_response(name="f", response={"a": 1})),
    ]
    config = types.GenerateContentConfig(
        system_instruction="Be brief.",
        tools=[tool],
        stop_sequences=["x"],
        temperature=0.5,
        response_mime_type="application/json",
        response_json_schema={"type": "object"},
        thinking_config=types.ThinkingConfig(include_thoughts=True),
        safety_settings=[
            types.SafetySetting(
                category=types.HarmCategory.HARM_CATEGORY_HARASSMENT, threshold=types.HarmBlockThreshold.BLOCK_NONE
            )
        ],
    )
    client.models.generate_content(model=MODEL, contents=list(contents), config=config)
    asked = server.exchanges[-1].asked
    assert asked
    assert [message.role for message in asked.messages] == ["system", "user", "model", "user"]
    assert (asked.messages[2].tool_calls, asked.messages[3].tool_results) == (("f",), ("f",))
    assert (asked.model, asked.stop, set(asked.tools)) == (MODEL, ("x",), {"f", "googleSearch"})


def test_calls_beside_the_main_one(server: Server, client: genai.Client) -> None:
    """Tokens are counted and models described in the client's types; they are no exchanges."""
    server.play(THREE)
    assert client.models.count_tokens(model=MODEL, contents="one two").total_tokens == 2
    assert client.models.get(model=MODEL).name == f"models/{MODEL}"
    assert [model.name for model in client.models.list()] == [f"models/{MODEL}"]
    assert (len(server.exchanges), len(server.asides)) == (0, 3)


def test_vertex_ai_is_spoken(server: Server) -> None:
    """The same client, aimed at a project: a token in place of a key, and the same answers."""
    server.play(RICH)
    with genai.Client(
        vertexai=True,
        project="p",
        location="l",
        credentials=Credentials(token="t"),  # type: ignore[no-untyped-call]
        http_options=options(server),
    ) as client:
        for found in (stream(client), whole(client)):
            seen = read(found)
            seen.pop("grounding")
            assert seen == said(RICH)
    assert server.exchanges[0].path.startswith("/v1beta1/projects/p/locations/l/publishers/google/models/")
