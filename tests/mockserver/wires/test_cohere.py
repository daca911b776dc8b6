"""Cohere's Chat API: what is written is read back, what is asked is understood, what is wrong is refused."""

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mockserver
from mockserver import (
    WIRES,
    Citation,
    Media,
    Reasoning,
    Refusal,
    Refused,
    Reply,
    Request,
    Text,
    ToolCall,
    Unencodable,
    Usage,
)
from mockserver.frames import join
from mockserver.reply import Block
from mockserver.wires import Message, aside_for, wire_for

from ..helpers import ask
from ..strategies import LAW, names, pieces
from .fields import holds_streamed, holds_whole, text_calls, usages

WIRE: Final = WIRES["cohere-chat"]
KEY: Final = {"authorization": "Bearer k"}
SDK: Final = {**KEY, "x-fern-sdk-name": "cohere"}
USER: Final = {"role": "user", "content": "hi"}
CALL: Final = ToolCall.of("f", {"a": 1}, id="c1")


@st.composite
def texts(draw: st.DrawFn) -> Text:
    made = draw(pieces)
    length = len("".join(made))

    def citation(url: str | None, title: str | None, quote: str | None, ends: tuple[int, int] | None) -> Citation:
        start, end = sorted(ends) if ends else (None, None)
        named = title or (None if url or quote else "t")
        return Citation(url=url, title=named, quote=quote, start=start, end=end)

    ends = st.none() | st.tuples(st.integers(0, length), st.integers(0, length))
    optional = st.none() | names
    return Text(made, tuple(draw(st.lists(st.builds(citation, optional, optional, optional, ends), max_size=2))))


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """A reply that Cohere can carry: texts and thoughts, then calls; pieces may take turns, the plan before calls."""
    others: list[Block] = draw(st.lists(texts() | st.builds(Reasoning, pieces), max_size=3))
    blocks = (*others, *draw(text_calls))
    reply = Reply(
        blocks=blocks,
        finish_reason=draw(st.sampled_from(sorted(WIRE.finish_reasons))),
        usage=draw(st.none() | usages("cache_read")),
        id=draw(st.none() | names),
    )
    order = draw(st.permutations([index for index, block in enumerate(blocks) for _ in block.pieces]))
    first_seen = list(dict.fromkeys(order))
    return replace(reply, order=tuple(order)) if first_seen == sorted(first_seen) else reply


@LAW
@given(reply=replies())
def test_streams_are_read_back(reply: Reply) -> None:
    """A streamed reply decodes to itself, and its events are told apart by their bytes."""
    holds_streamed(WIRE, reply)


@LAW
@given(reply=replies())
def test_whole_bodies_are_read_back(reply: Reply) -> None:
    """A whole body decodes to the reply with each block in one piece."""
    holds_whole(WIRE, reply)


def events(*found: dict[str, Any]) -> bytes:
    return b"".join(f"event: {each.get('type')}\ndata: {json.dumps(each)}\n\n".encode() for each in found)


def of_frames(reply: Reply) -> list[dict[str, Any]]:
    return [json.loads(frame.data.split(b"data: ")[1]) for frame in WIRE.frames(reply)[:-1]]


def test_events_are_as_recorded() -> None:
    """Their order, their fields, and the end."""
    reply = Reply.of("Hel", "lo", id="i", usage=Usage(input_tokens=5, output_tokens=2, cache_read=1))
    counts = {"input_tokens": 5, "output_tokens": 2}
    assert of_frames(reply) == [
        {
            "id": "i",
            "type": "message-start",
            "delta": {
                "message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
            },
        },
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hel"}}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "lo"}}}},
        {"type": "content-end", "index": 0},
        {
            "type": "message-end",
            "delta": {
                "finish_reason": "COMPLETE",
                "usage": {"billed_units": counts, "tokens": counts, "cached_tokens": 1},
            },
        },
    ]
    assert WIRE.frames(reply)[-1].data == b"data: [DONE]\n\n"
    assert [frame.kinds for frame in WIRE.frames(reply)][-2:] == [("finish", "usage"), ("end",)]


def test_text_right_before_calls_is_their_plan() -> None:
    """It is no content, and its citations are of the plan; other text and thoughts are content."""
    plan = Text(("I will ", "call."), citations=(Citation(title="t", start=2, end=6),))
    reply = Reply(blocks=(Text(("a",)), Reasoning(("b",)), plan, CALL), finish_reason="tool_calls")
    message = json.loads(WIRE.whole(reply))["message"]
    assert message["content"] == [{"type": "text", "text": "a"}, {"type": "thinking", "thinking": "b"}]
    assert message["tool_plan"] == "I will call."
    [citation] = message["citations"]
    assert (citation["type"], citation["text"]) == ("PLAN", "will")
    kinds = [each["type"] for each in of_frames(reply)]
    assert kinds[7:12] == ["tool-plan-delta", "tool-plan-delta", "citation-start", "citation-end", "tool-call-start"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply.of(Refusal(("no",)), Media(mime_type="a/b", data="")), "cohere-chat has no place for Media, Refusal"),
        (Reply.of(CALL, "a"), "carries tool calls after all else; not tool call in 1 piece, text"),
        (Reply.of(Reasoning(("a",), signature="s")), "no place for a signature"),
        (Reply.of(ToolCall(name="f", signature="s")), "no place for a signature"),
        (Reply.of("a", usage=Usage(input_tokens=2, output_tokens=2, reasoning=1)), "counts neither"),
        (Reply.of("a", usage=Usage(input_tokens=2, output_tokens=2, cache_creation=1)), "counts neither"),
        (Reply.of("a", finish_reason="refusal"), "has no finish reason 'refusal'; it has stop, length"),
        (Reply(blocks=(Text(("a",)), ToolCall(name="f", pieces=("{}",))), order=(1, 0)), "begins the plan of tool"),
    ],
)
@pytest.mark.parametrize("method", ["frames", "whole"])
def test_what_cohere_has_no_place_for_is_unencodable(reply: Reply, words: str, method: str) -> None:
    """Streamed or whole, it refuses what it would lose, and says what."""
    with pytest.raises(Unencodable, match=words):
        getattr(WIRE, method)(reply)


def content(text: str, index: int = 0) -> dict[str, Any]:
    return {"type": "content-delta", "index": index, "delta": {"message": {"content": {"text": text}}}}


def citation(*sources: object, **fields: Any) -> dict[str, Any]:
    found = {"start": 0, "end": 1, "text": "a", "sources": list(sources), **fields}
    return {"type": "citation-start", "index": 0, "delta": {"message": {"citations": found}}}


def test_sources_of_every_kind_are_citations() -> None:
    """Documents by their usual fields, others and outputs of tools whole; older streams do not name the block."""
    found = WIRE.decode_stream(
        events(
            content("a"),
            citation(
                {"type": "document", "id": "d", "document": {"text": "q", "title": "t"}},
                {"type": "document", "id": "d", "document": {"data": "x"}},
                {"type": "tool", "id": "f:0", "tool_output": {"degrees": 3}},
            ),
        )
    )
    [text] = found.reply.blocks
    assert isinstance(text, Text)
    assert text.citations == (
        Citation(title="t", quote="q", start=0, end=1),
        Citation(quote='{"data":"x"}', start=0, end=1),
        Citation(quote='{"degrees":3}', start=0, end=1),
    )
    assert found.unknown == ()


@pytest.mark.parametrize(
    ("found", "unknown"),
    [
        ({"type": "event-added-later"}, "event 'event-added-later'"),
        ({"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "x"}}}}, "content 'x'"),
        ({"type": "message-end", "delta": {"finish_reason": "BORED"}}, "finish reason 'BORED'"),
        (citation(type="THINKING_CONTENT"), "citation of 'THINKING_CONTENT'"),
    ],
)
def test_what_is_not_understood_is_named(found: dict[str, Any], unknown: str) -> None:
    """Nothing is passed over in silence."""
    assert WIRE.decode_stream(events(found)).unknown == (unknown,)


def test_a_whole_body_names_what_is_unknown() -> None:
    """Of the answer, of the message and of its content."""
    body = {"id": "i", "new": 1, "message": {"content": [{"type": "x"}], "new": 2}}
    assert WIRE.decode_whole(json.dumps(body).encode()).unknown == ("key 'new'", "message key 'new'", "content 'x'")


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"data: 5\n\n",
        b": keep-alive\n\n",
        events(
            {"type": "content-delta", "delta": 5},
            {"type": "tool-call-start", "index": {}, "delta": {"message": {"tool_calls": []}}},
            content("a"),
            citation(5, {"document": {"url": 5}}, start="a", end={}),
            citation({"document": 5}, start=5, end=1),
            {"type": "message-end", "delta": {"finish_reason": 5, "usage": {"tokens": {"input_tokens": "x"}}}},
        ),
    ],
)
def test_decoding_never_fails(stream: bytes) -> None:
    """Whatever a server once sent."""
    assert WIRE.decode_stream(stream).error is None
    assert join(WIRE.label(WIRE.split(stream))) == stream
    WIRE.decode_whole(stream)


def test_errors_are_read_back() -> None:
    """An error in the middle, after what came before it; a body that is one; a reason alone."""
    found = WIRE.decode_stream(join((*WIRE.frames(Reply.of("a", "b"))[:3], WIRE.error_frame("Overloaded"))))
    assert (found.reply.text, found.reply.finish_reason, found.error) == ("a", "ERROR", "Overloaded")
    assert WIRE.decode_whole(WIRE.error(Refused(400, "no"))).error == "no"
    bare = WIRE.decode_stream(events({"type": "message-end", "delta": {"finish_reason": "ERROR"}}))
    assert (bare.error, bare.unknown) == ('{"finish_reason":"ERROR"}', ())


def asked(headers: Any = KEY, **body: Any) -> mockserver.Asked:
    found = WIRE.read(Request(path="/v2/chat", headers=headers, body=json.dumps(body).encode()))
    WIRE.check(found)
    return found


def test_a_request_is_understood() -> None:
    """Texts of either form, ids of calls and results, tools and stops."""
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "tool_plan": "p", "tool_calls": [{"id": "c1", "type": "function"}]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "document", "document": {"data": "r"}}]},
    ]
    tools = [{"type": "function", "function": {"name": "f"}}, {"type": "function"}]
    found = asked(model="m", messages=messages, tools=tools, stop_sequences=["x"], stream=True, temperature=1)
    assert found.messages == (
        Message("system", "Be brief."),
        Message("user", "ab"),
        Message("assistant", "", ("c1",)),
        Message("tool", "", (), ("c1",)),
    )
    assert (found.model, found.text, found.tools, found.stop, found.stream) == ("m", "ab", ("f", ""), ("x",), True)
    assert not asked(model="m", messages=[USER]).stream
    assert wire_for("/t/x/v2/chat") is WIRE


@pytest.mark.parametrize(
    ("body", "status", "words", "at"),
    [
        ({"messages": [USER]}, 400, "a model parameter is required for this endpoint.", "$.model"),
        ({"model": "m"}, 400, "messages must not be empty", "$.messages"),
        ({"model": "m", "messages": []}, 400, "messages must not be empty", "$.messages"),
        ({"foo": 1}, 422, "unknown field: parameter 'foo' is not a valid field. For proper usage", "$.foo"),
        (
            {"model": "m", "messages": [USER, {**USER, "tool_content": "a"}]},
            422,
            "parameter 'tool_content' is not",
            "$.messages[1].tool_content",
        ),
        (
            {"model": "m", "messages": [{"role": "ai", "content": "a"}]},
            400,
            "a role is one of system, user, assistant, tool",
            "$.messages[0].role",
        ),
        (
            {"model": "m", "messages": [{"role": "tool", "content": "a"}]},
            400,
            "has a tool_call_id",
            "$.messages[0].tool_call_id",
        ),
        ({"model": "m", "messages": [{"role": "user"}]}, 400, "role user has content", "$.messages[0].content"),
        (
            {"model": "m", "messages": [USER], "temperature": 1.1},
            400,
            "invalid request: temperature must be between 0 and 1.0 inclusive.",
            "$.temperature",
        ),
    ],
)
def test_what_cohere_does_not_accept_is_refused(body: dict[str, Any], status: int, words: str, at: str) -> None:
    """With the place of the fault."""
    with pytest.raises(Refused, match=words) as caught:
        asked(**body)
    assert (caught.value.status, caught.value.at) == (status, at)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer "}])
def test_a_missing_key_is_refused(headers: dict[str, str]) -> None:
    """In Cohere's words."""
    with pytest.raises(Refused, match="no api key supplied") as caught:
        asked(headers, model="m", messages=[USER])
    assert caught.value.status == 401


def test_the_calls_beside_the_main_one_are_answered() -> None:
    """Models and tokens; the calls of other providers are left to them."""

    def beside(method: str, path: str, body: object = None, **more: Any) -> Any:
        found = aside_for(Request(method=method, path=path, body=json.dumps(body).encode(), **more))
        return found and json.loads(join(found.frames))

    listed = beside("GET", "/v1/models", query={"endpoint": "chat", "default_only": "true"}, headers=KEY)
    assert "chat" in listed["models"][0]["default_endpoints"]
    assert beside("GET", "/v1/models/command-r", headers=SDK)["name"] == "command-r"
    assert beside("POST", "/v1/tokenize", {"text": "hello, world", "model": "m"}) == {
        "tokens": [0, 1],
        "token_strings": ["hello,", "world"],
        "meta": {"api_version": {"version": "1"}},
    }
    assert WIRE.aside(Request(method="GET", path="/v1/models/gpt-5", headers=KEY)) is None
    assert WIRE.aside(Request(method="GET", path="/v1/models", headers=KEY)) is None


def test_errors_are_worded_over_http() -> None:
    """With an id; the journal has the place of the fault."""
    with mockserver.serve(Reply.of("a")) as server:
        answer = ask(f"{server.url}/v2/chat", json={"messages": [USER]}, headers=KEY)
        broken = ask(f"{server.url}/v2/chat", content=b"{", headers=KEY)
    assert (answer.status_code, set(answer.json())) == (400, {"id", "message"})
    assert broken.json()["message"] == "invalid request: the body is no JSON object"
    assert server.exchanges[0].refused_at == "$.model"
