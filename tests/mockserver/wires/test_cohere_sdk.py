"""Cohere's Chat API, as the official `cohere` package reads what is sent."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import cohere
import pytest
from cohere.types import AssistantMessageResponse
from cohere.v2.types import V2ChatResponse
from pydantic import BaseModel

import mockserver
from mockserver import (
    WIRES,
    Citation,
    Delivery,
    Fault,
    Insert,
    Reasoning,
    Refused,
    Reply,
    Server,
    Text,
    ToolCall,
    Turn,
    Usage,
)

from ..helpers import LIMIT

WIRE: Final = WIRES["cohere-chat"]
ASKED: Final[dict[str, Any]] = {"model": "m-asked", "messages": [{"role": "user", "content": "hi"}]}
THREE: Final = Reply.of("The moon ", "is full ", "of g\u00f6ldfish.", id="id_1")
RICH: Final = Reply(
    blocks=(
        Reasoning(("Let me ", "think.")),
        Text(("Ün", "\u2028\u0085", "\U0001f420")),
        ToolCall.of("get_weather", {"city": "Zürich"}, id="call_a"),
        ToolCall.of("get_time", {"tz": ["UTC", None, 1.5]}, id="call_b"),
    ),
    finish_reason="tool_calls",
    usage=Usage(input_tokens=30, output_tokens=12, cache_read=4),
    id="id_rich",
)
"""Its text is the plan of the calls."""
CITED: Final = Reply(
    blocks=(
        Reasoning(("Hm.",)),
        Text(
            ("The g\u00f6ld", "fish."),
            citations=(Citation(url="https://a", title="A", quote="q", start=4, end=12), Citation(title="B")),
        ),
    ),
    id="i",
)
REPLIES: Final = pytest.mark.parametrize(
    "reply", [THREE, RICH, CITED, Reply(id="i", usage=None)], ids=["text", "rich", "cited", "empty"]
)
ERRORS: Final = [
    (400, cohere.BadRequestError),
    (401, cohere.UnauthorizedError),
    (403, cohere.ForbiddenError),
    (404, cohere.NotFoundError),
    (422, cohere.UnprocessableEntityError),
    (429, cohere.TooManyRequestsError),
    (500, cohere.InternalServerError),
    (503, cohere.ServiceUnavailableError),
]
LOOP: Final = asyncio.Runner()
"""One loop for all tests, since the client's connections belong to it."""
Found: TypeAlias = V2ChatResponse | list[Any]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve() as running:
        yield running


class Clients:
    """The four ways to ask."""

    def __init__(self, url: str) -> None:
        self.sync = cohere.ClientV2("k", base_url=url, timeout=LIMIT)
        self.eventual = cohere.AsyncClientV2("k", base_url=url, timeout=LIMIT)

    def whole(self) -> Found:
        return self.sync.chat(**ASKED, request_options={"max_retries": 0})

    def stream(self) -> Found:
        return list(self.sync.chat_stream(**ASKED))

    def awhole(self) -> Found:
        return LOOP.run(self.eventual.chat(**ASKED, request_options={"max_retries": 0}))

    def astream(self) -> Found:
        async def take() -> list[Any]:
            return [event async for event in self.eventual.chat_stream(**ASKED)]

        return LOOP.run(take())


@pytest.fixture(scope="module")
def clients(server: Server) -> Iterator[Clients]:
    yield Clients(server.url)
    LOOP.close()


Mode: TypeAlias = Callable[[Clients], Found]
STREAMS: Final = pytest.mark.parametrize("mode", [Clients.stream, Clients.astream])
MODES: Final = pytest.mark.parametrize("mode", [Clients.whole, Clients.stream, Clients.awhole, Clients.astream])


def read(found: Found) -> dict[str, Any]:
    """What a client that joins the pieces has in the end."""
    seen: dict[str, Any] = {"content": {}, "plan": "", "calls": {}, "citations": []}
    if not isinstance(found, list):
        message = found.message
        _read_message(seen, message)
        return {**seen, "id": found.id, "finish": found.finish_reason, "usage": found.usage}
    for event in found:
        _read_event(seen, event)
    return seen


def _read_message(seen: dict[str, Any], message: AssistantMessageResponse) -> None:
    for index, each in enumerate(message.content or ()):
        seen["content"][index] = [each.type, each.text if each.type == "text" else each.thinking]
    seen["plan"] = message.tool_plan or ""
    for index, call in enumerate(message.tool_calls or ()):
        assert call.function
        seen["calls"][index] = [call.id, call.function.name, call.function.arguments]
    seen["citations"] = list(message.citations or ())


def _read_event(seen: dict[str, Any], event: Any) -> None:
    message: Any = getattr(getattr(event, "delta", None), "message", None)
    if event.type == "message-start":
        seen["id"] = event.id
    elif event.type == "content-start":
        seen["content"][event.index] = [message.content.type, message.content.text or message.content.thinking or ""]
    elif event.type == "content-delta":
        seen["content"][event.index][1] += message.content.text or message.content.thinking or ""
    elif event.type == "tool-plan-delta":
        seen["plan"] += message.tool_plan
    elif event.type == "tool-call-start":
        call = message.tool_calls
        seen["calls"][event.index] = [call.id, call.function.name, call.function.arguments]
    elif event.type == "tool-call-delta":
        seen["calls"][event.index][2] += message.tool_calls.function.arguments
    elif event.type == "citation-start":
        seen["citations"].append(message.citations)
    elif event.type == "message-end":
        seen["finish"], seen["usage"] = event.delta.finish_reason, event.delta.usage


def said(reply: Reply) -> dict[str, Any]:
    """What it should have; the text before calls is their plan."""
    plan = reply.text if reply.tool_calls else ""
    content = [block for block in reply.blocks if isinstance(block, Reasoning | Text) and block.joined != plan]
    kinds = {Reasoning: "thinking", Text: "text"}
    return {
        "content": {index: [kinds[type(block)], block.joined] for index, block in enumerate(content)},
        "plan": plan,
        "calls": {index: [call.id, call.name, call.joined] for index, call in enumerate(reply.tool_calls)},
        "id": reply.id,
        "finish": WIRE.finish_word(reply),
    }


@REPLIES
@MODES
def test_every_way_of_asking_reads_the_same(server: Server, clients: Clients, reply: Reply, mode: Mode) -> None:
    """Whole or streamed, sync or async, the typed client has what the reply holds, its id and usage."""
    server.play(reply)
    seen = read(mode(clients))
    usage, citations = seen.pop("usage"), seen.pop("citations")
    assert seen == said(reply)
    assert (usage is None) == (reply.usage is None)
    if reply.usage:
        assert (usage.tokens.input_tokens, usage.tokens.output_tokens, usage.cached_tokens) == (
            reply.usage.input_tokens,
            reply.usage.output_tokens,
            reply.usage.cache_read,
        )
        assert usage.billed_units.output_tokens == reply.usage.output_tokens
    assert bool(citations) == (reply is CITED)


@MODES
def test_citations_are_typed(server: Server, clients: Clients, mode: Mode) -> None:
    """Each has its place in the text and its document."""
    server.play(CITED)
    first, second = read(mode(clients))["citations"]
    assert (first.start, first.end, first.text) == (4, 12, "g\u00f6ldfish")
    assert (first.content_index, first.type) == (1, "TEXT_CONTENT")
    [source] = first.sources
    assert (source.type, source.document) == (
        "document",
        {"id": "doc:0", "title": "A", "snippet": "q", "url": "https://a"},
    )
    assert (second.start, second.sources[0].document["title"]) == (None, "B")


@STREAMS
@pytest.mark.parametrize("reason", sorted(WIRE.finish_reasons))
def test_every_finish_reason_is_read(server: Server, clients: Clients, reason: str, mode: Mode) -> None:
    """In the provider's word."""
    server.play(Reply.of("a", finish_reason=reason))
    assert read(mode(clients))["finish"] == WIRE.finish_reasons[reason]


def extras(found: object, path: str = "") -> list[str]:
    """The fields that the client's types do not have: they keep all that they are given."""
    if isinstance(found, list):
        return [each for item in found for each in extras(item, path)]
    if not isinstance(found, BaseModel):
        return []
    mine = [f"{path}.{name}" for name in found.model_extra or ()]
    return mine + [each for name in type(found).model_fields for each in extras(getattr(found, name), f"{path}.{name}")]


@REPLIES
def test_the_typed_models_have_every_field(server: Server, clients: Clients, reply: Reply) -> None:
    """But the empty lists of `message-start`, which Cohere was recorded to send."""
    server.play(reply)
    start = {f".delta.message.{name}" for name in ("content", "tool_plan", "tool_calls", "citations")}
    assert set(extras(clients.whole())) == set()
    assert set(extras(clients.stream())) == start


@MODES
@pytest.mark.parametrize(("status", "kind"), ERRORS)
def test_http_errors_are_the_typed_errors(
    server: Server, clients: Clients, status: int, kind: type[cohere.core.ApiError], mode: Mode
) -> None:
    """Each status is the client's error for it, with our words, streamed or not."""
    server.play(Refused(status, "Ünser words", headers={"retry-after": "0"}))
    with pytest.raises(kind) as caught:
        mode(clients)
    assert caught.value.status_code == status
    assert caught.value.body["message"] == "Ünser words"


@STREAMS
def test_an_error_in_the_middle_ends_the_message(server: Server, clients: Clients, mode: Mode) -> None:
    """The client raises nothing: the last event says ERROR and has the words."""
    server.play(Turn(reply=THREE, delivery=Delivery(fault=Fault("error", before=2, message="out of fish"))))
    found = mode(clients)
    assert isinstance(found, list)
    assert read(found)["content"] == {0: ["text", "The moon is full "]}
    assert (found[-1].delta.finish_reason, found[-1].delta.error) == ("ERROR", "out of fish")


@pytest.mark.parametrize("name", sorted(name for name, each in WIRE.contentless(THREE).items() if each.source))
@pytest.mark.parametrize("reply", [THREE, RICH], ids=["text", "rich"])
def test_documented_noise_is_passed_over(server: Server, clients: Clients, name: str, reply: Reply) -> None:
    """Events without content that have a source change nothing of what is read, wherever they stand."""
    noise = WIRE.contentless(reply)[name].frames
    points = (*range(reply.piece_count), "finish", "end")
    server.play(Turn(reply=reply, delivery=Delivery(insert=tuple(Insert(point, noise) for point in points))))
    seen = read(clients.stream())
    assert {name: value for name, value in seen.items() if name in said(reply)} == said(reply)


@STREAMS
def test_what_comes_after_the_end_is_not_read(server: Server, clients: Clients, mode: Mode) -> None:
    """The client stops at `[DONE]`."""
    late = Insert("close", WIRE.after_end(THREE))
    server.play(Turn(reply=THREE, delivery=Delivery(insert=(late,))))
    assert read(mode(clients))["content"] == {0: ["text", THREE.text]}


def test_what_the_client_sends_is_understood(server: Server, clients: Clients) -> None:
    """A conversation with a call and its result, tools, documents and all parameters."""
    server.play(THREE)
    call: dict[str, Any] = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    clients.sync.chat(
        model="m",
        messages=[
            cohere.SystemChatMessageV2(content="Be brief."),
            cohere.UserChatMessageV2(content="hi"),
            cohere.AssistantChatMessageV2(tool_plan="p", tool_calls=[cohere.ToolCallV2(**call)]),
            cohere.ToolChatMessageV2(tool_call_id="c1", content="r"),
        ],
        tools=[cohere.ToolV2(type="function", function=cohere.ToolV2Function(name="f", parameters={"type": "object"}))],
        documents=["a"],
        citation_options=cohere.CitationOptions(mode="FAST"),
        safety_mode="CONTEXTUAL",
        stop_sequences=["x"],
        temperature=0.5,
        thinking=cohere.Thinking(type="enabled"),
    )
    asked = server.exchanges[-1].asked
    assert asked
    assert [message.role for message in asked.messages] == ["system", "user", "assistant", "tool"]
    assert (asked.messages[2].tool_calls, asked.messages[3].tool_results) == (("c1",), ("c1",))
    assert (asked.tools, asked.stop, asked.stream) == (("f",), ("x",), False)


def test_the_calls_beside_the_main_one_are_typed(server: Server, clients: Clients) -> None:
    """Models and tokens, in the client's types; they are no exchanges."""
    server.play(THREE)
    assert clients.sync.models.list(endpoint="chat", default_only=True).models[0].context_length == 256_000
    assert clients.sync.models.get("command-r").name == "command-r"
    assert clients.sync.tokenize(text="a b c", model="m", offline=False).tokens == [0, 1, 2]
    assert (len(server.exchanges), len(server.asides)) == (0, 3)


def test_a_recorded_stream_is_played(server: Server, clients: Clients, tmp_path: Path) -> None:
    """A cassette of Cohere's is told by its path, and reads as the reply that it was made of."""
    body = b"".join(frame.data for frame in WIRE.frames(RICH)).decode()
    response = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"content-type": ["text/event-stream"]},
        "body": {"string": body},
    }
    request = {"method": "POST", "uri": "https://api.cohere.com/v2/chat", "body": ""}
    file = tmp_path / "cohere.yaml"
    file.write_text(json.dumps({"interactions": [{"request": request, "response": response}], "version": 1}))
    server.play(file)
    seen = read(clients.stream())
    assert {name: seen[name] for name in said(RICH)} == said(RICH)
