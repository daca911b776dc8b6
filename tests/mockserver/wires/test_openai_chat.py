"""Chat Completions in all dialects: what is written is read back; recordings are read as far as it goes."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mockserver import (
    WIRES,
    Citation,
    Media,
    Reasoning,
    Refusal,
    Reply,
    ServerToolCall,
    Text,
    ToolCall,
    Unencodable,
    Usage,
)
from mockserver.frames import join
from mockserver.framings import sse
from mockserver.reply import Block
from mockserver.wires import Decoded, OpenAIChat
from mockserver.wires.chat.dialects import Dialect

from ..helpers import THREE
from ..strategies import LAW, names, pieces, texts
from . import fields

CHATS: Final = {name: wire for name, wire in WIRES.items() if isinstance(wire, OpenAIChat)}
CHAT: Final = CHATS["openai-chat"]
EACH: Final = pytest.mark.parametrize("wire", CHATS.values(), ids=CHATS)
FEW: Final = settings(LAW, max_examples=8)
"""For each of many dialects."""
_images: Final = st.builds(Media, mime_type=st.just("image/png"), data=st.sampled_from(["", "aGk=", "AAEC"]))
_one_piece: Final = st.lists(
    st.builds(ToolCall, pieces=st.lists(texts, max_size=1).map(tuple), id=names, name=names),
    max_size=3,
    unique_by=lambda call: call.id,
)


@st.composite
def _citations(draw: st.DrawFn, dialect: Dialect) -> Citation:
    start = draw(st.integers(0, 50))
    placed = dialect.citations == "annotations" and (not dialect.citation_quote or draw(st.booleans()))
    return Citation(
        url=draw(names),
        title=draw(st.just("") | names),
        quote=draw(st.none() | names) if dialect.citation_quote else None,
        start=start if placed else None,
        end=start + draw(st.integers(1, 9)) if placed else None,
    )


@st.composite
def _usages(draw: st.DrawFn, dialect: Dialect) -> Usage:
    # What a dialect always counts is never left out.
    always = [name for name, place in dialect.counts.items() if place in dialect.usage_more]
    counts = st.integers(0, 99)
    details = {name: draw(counts if name in always else st.none() | counts) for name in dialect.counts}
    cached = (details.get("cache_read") or 0) + (details.get("cache_creation") or 0)
    return Usage(
        input_tokens=cached + draw(st.integers(0, 99)),
        output_tokens=(details.get("reasoning") or 0) + draw(st.integers(0, 99)),
        **details,
    )


def _reasonings(dialect: Dialect) -> SearchStrategy[Block]:
    kinds = [st.builds(Reasoning, pieces)]
    if dialect.reasoning_details or dialect.reasoning == "thinking":
        kinds += [st.builds(Reasoning, pieces, signature=texts), st.builds(Reasoning, st.just(()), signature=texts)]
    if dialect.reasoning_details:
        kinds.append(st.builds(Reasoning, st.just(()), signature=texts, redacted=st.just(True)))  # noqa: FBT003
    return st.one_of(kinds)


def _calls(dialect: Dialect) -> SearchStrategy[list[ToolCall]]:
    if dialect.calls == "function_call":
        return fields.whole_calls.map(lambda calls: calls[:1])
    return _one_piece if dialect.whole_calls else fields.text_calls


@st.composite
def replies(draw: st.DrawFn, wire: OpenAIChat, *, whole: bool = False) -> Reply:
    """A reply that the dialect can carry; streamed, its blocks stand in any order and take turns."""
    dialect = wire.dialect
    cited = st.lists(_citations(dialect), max_size=2) if dialect.citations else st.just([])
    kinds: list[tuple[bool, SearchStrategy[Any]]] = [
        (bool(dialect.reasoning), _reasonings(dialect).map(lambda block: [block])),
        (True, st.builds(Text, pieces, citations=cited.map(tuple)).map(lambda block: [block])),
        (dialect.refusal, st.builds(Refusal, pieces).map(lambda block: [block])),
        (dialect.images, st.lists(_images, max_size=2)),
        (True, _calls(dialect)),
    ]
    groups = [draw(blocks) for has, blocks in kinds if has and draw(st.booleans())]
    blocks = [block for group in groups for block in group]
    reply = Reply(
        blocks=tuple(blocks if whole else draw(st.permutations(blocks))),
        finish_reason=draw(st.sampled_from(sorted(wire.finish_reasons))),
        usage=draw(st.none() | _usages(dialect)),
        id=draw(st.none() | names) if dialect.has_id else None,
        model=draw(st.none() | names),
    )
    plain = [index for index, block in enumerate(reply.blocks) for _ in block.pieces]
    order = draw(st.permutations(plain))
    first_seen = list(dict.fromkeys(order))
    return replace(reply, order=tuple(order)) if not whole and first_seen == sorted(first_seen) else reply


@EACH
@FEW
@given(data=st.data())
def test_streams_are_read_back(wire: OpenAIChat, data: st.DataObject) -> None:
    """A streamed reply decodes to itself, and its frames are told apart by their bytes."""
    fields.holds_streamed(wire, data.draw(replies(wire)))


@EACH
@FEW
@given(data=st.data())
def test_whole_bodies_are_read_back(wire: OpenAIChat, data: st.DataObject) -> None:
    """A whole body decodes to the reply with each block in one piece."""
    fields.holds_whole(wire, data.draw(replies(wire, whole=True)))


def chunks(wire: OpenAIChat, reply: Reply, *, usage: bool = True) -> list[dict[str, Any]]:
    """The chunks of a stream, without its terminator."""
    found = (event.data for event in sse.events(join(wire.frames(reply, usage=usage))))
    return [json.loads(data) for data in found if data != "[DONE]"]


@EACH
@pytest.mark.parametrize("asked", [True, False])
def test_usage_stands_where_the_provider_sends_it(wire: OpenAIChat, *, asked: bool) -> None:
    """Asked for or not: in a chunk of its own, in the one with the finish reason, or in each."""
    found = chunks(wire, THREE, usage=asked)
    counted = [number for number, chunk in enumerate(found) if chunk.get("usage") or "x_groq" in chunk]
    counted += [number for number, chunk in enumerate(found) for each in chunk["choices"] if each.get("usage")]
    last = len(found) - 1
    expected = list(range(last + 1)) if wire.dialect.usage == "every" else [last]
    assert counted == (expected if asked or wire.dialect.usage_always else [])
    assert (found[last]["choices"] == []) == (bool(counted) and wire.dialect.usage == "own")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("openai-chat", lambda chunk: chunk["usage"]),
        ("groq-chat", lambda chunk: chunk["x_groq"]["usage"]),
        ("groq-chat", lambda chunk: chunk["usage"]),
        ("moonshot-chat", lambda chunk: chunk["choices"][0]["usage"]),
    ],
)
def test_usage_has_a_place_in_its_chunk(name: str, place: Callable[[dict[str, Any]], Any]) -> None:
    """Groq counts in a field of its own too, Moonshot in the choice."""
    assert place(chunks(CHATS[name], THREE)[-1])["total_tokens"] == 18


def test_reasoning_tokens_are_no_completion_at_xai() -> None:
    """xAI counts reasoning beside the completion; the total includes both."""
    reply = replace(THREE, usage=Usage(input_tokens=5, output_tokens=9, reasoning=4))
    [counts] = [chunk["usage"] for chunk in chunks(CHATS["xai-chat"], reply) if chunk.get("usage")]
    assert (counts["completion_tokens"], counts["total_tokens"]) == (5, 14)
    [plain] = [chunk["usage"] for chunk in chunks(CHAT, reply) if chunk.get("usage")]
    assert (plain["completion_tokens"], plain["total_tokens"]) == (9, 14)


def test_deepseek_counts_cached_tokens_twice() -> None:
    """In OpenAI's place and in its own."""
    reply = replace(THREE, usage=Usage(input_tokens=5, output_tokens=9, cache_read=4))
    counts = chunks(CHATS["deepseek-chat"], reply)[-1]["usage"]
    assert (counts["prompt_tokens_details"]["cached_tokens"], counts["prompt_cache_hit_tokens"]) == (4, 4)


REASONING: Final = Reply.of(Reasoning(("a", "b")), "c")


@pytest.mark.parametrize(
    ("name", "deltas"),
    [
        ("openai-chat", [{"reasoning_content": "a"}, {"reasoning_content": "b"}]),
        ("groq-chat", [{"reasoning": "a"}, {"reasoning": "b"}]),
        ("huggingface-chat", [{"reasoning": "a"}, {"reasoning": "b"}]),
        (
            "mistral-chat",
            [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": t}]}]} for t in "ab"],
        ),
        (
            "openrouter-chat",
            [
                {
                    "role": "assistant",
                    "reasoning": t,
                    "reasoning_details": [{"type": "reasoning.text", "text": t, "index": 0}],
                }
                for t in "ab"
            ],
        ),
        (
            "snowflake-chat",
            [
                {"role": "assistant", "reasoning_details": [{"type": "reasoning.text", "text": t, "index": 0}]}
                for t in "ab"
            ],
        ),
    ],
)
def test_reasoning_has_a_place_in_each_dialect(name: str, deltas: list[dict[str, Any]]) -> None:
    """The deltas are those that the provider was recorded with, or documents."""
    found = [chunk["choices"][0]["delta"] for chunk in chunks(CHATS[name], REASONING) if chunk["choices"]]
    assert found[1:3] == deltas


@pytest.mark.parametrize(
    ("name", "delta"),
    [
        ("openai-chat", {"role": "assistant", "content": None, "refusal": None}),
        ("groq-chat", {"role": "assistant", "content": ""}),
        ("zai-chat", {"role": "assistant"}),
    ],
)
def test_an_answer_that_is_a_call_opens_as_the_providers_do(name: str, delta: dict[str, Any]) -> None:
    """What the first delta says of the content that is not there is the provider's own."""
    found = chunks(CHATS[name], Reply.of(ToolCall.of("get_time", {}, id="c1"), finish_reason="tool_calls"))
    assert found[0]["choices"][0]["delta"] == delta


@pytest.mark.parametrize("name", [name for name, wire in CHATS.items() if wire.dialect.whole_calls])
def test_calls_come_whole_where_the_provider_sends_them_so(name: str) -> None:
    """Id, name and all argument text stand in one chunk, which has the number of the call's first piece."""
    call = ToolCall.of("get_weather", {"city": "Zürich"}, id="c1", size=5)
    frames = CHATS[name].frames(Reply.of("a", call, finish_reason="tool_calls"))
    [frame] = [frame for frame in frames if frame.kind == "piece" and frame.piece]
    assert frame.piece == 1
    [decoded] = CHATS[name].decode_stream(frame.data).reply.tool_calls
    assert decoded == ToolCall(id="c1", name="get_weather", pieces=('{"city":"Zürich"}',))


def test_azure_tells_what_its_filters_found() -> None:
    """A first chunk without choices for the prompt, and results in each choice."""
    first, *others = chunks(CHATS["azure-chat"], THREE)
    assert (first["choices"], list(first["prompt_filter_results"][0])) == (
        [],
        ["prompt_index", "content_filter_results"],
    )
    assert all("content_filter_results" in choice for chunk in others for choice in chunk["choices"])
    assert CHATS["azure-chat"].frames(THREE)[0].kind == "noise"


def test_perplexity_repeats_what_it_said_and_found() -> None:
    """Each chunk has the message so far, its sources, and the usage so far."""
    cited = Text(("a", "b"), citations=(Citation(url="https://x.test/", title="X", quote="q"),))
    found = chunks(CHATS["perplexity-chat"], Reply(blocks=(cited,)))
    assert [chunk["choices"][0]["message"]["content"] for chunk in found] == ["", "a", "ab", "ab"]
    assert [chunk["usage"]["completion_tokens"] for chunk in found] == [0, 3, 7, 7]
    results = [{"title": "X", "url": "https://x.test/", "date": None, "snippet": "q"}]
    assert all(chunk["citations"] == ["https://x.test/"] and chunk["search_results"] == results for chunk in found)


@pytest.mark.parametrize("name", ["openai-chat", "openrouter-chat"])
def test_citations_are_annotations(name: str) -> None:
    """In a stream they come in a delta once the text is complete; in a body they stand at the message."""
    wire = CHATS[name]
    reply = Reply(blocks=(Text(("ab", "c"), citations=(Citation(url="u", title="t", start=0, end=2),)),))
    cited = {"url": "u", "title": "t", "start_index": 0, "end_index": 2}
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(wire, reply) if chunk["choices"]]
    assert deltas[3]["annotations"] == [{"type": "url_citation", "url_citation": cited}]
    assert json.loads(wire.whole(reply))["choices"][0]["message"]["annotations"] == deltas[3]["annotations"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("openai-chat", {"error": {"message": "no", "type": "server_error", "param": None, "code": None}}),
        ("mistral-chat", {"object": "error", "message": "no", "type": "server_error", "param": None, "code": None}),
        (
            "groq-chat",
            {"error": {"message": "no", "type": "internal_server_error", "status_code": 500}},
        ),
        ("gigachat-chat", {"status": 500, "message": "no"}),
    ],
)
def test_an_error_in_a_stream_is_in_the_providers_shape(name: str, data: dict[str, Any]) -> None:
    """Groq names the event; the others do not."""
    [event] = sse.events(CHATS[name].error_frame("no").data)
    assert (json.loads(event.data), event.name) == (data, "error" if name == "groq-chat" else None)


@EACH
def test_errors_are_read_back(wire: OpenAIChat) -> None:
    """In a stream, whatever their shape: what came before stays, and the words are there."""
    frames = (*wire.frames(THREE)[:-3], wire.error_frame("out of fish"))
    decoded = wire.decode_stream(join(frames))
    assert (decoded.error, decoded.unknown) == ("out of fish", ())
    assert decoded.reply.text.startswith("The moon is full ")
    assert wire.label([wire.error_frame("no").data])[0].kind == "error"


def test_openrouter_ends_an_error_with_a_finish_reason() -> None:
    """The chunk with the error is a chunk all the same."""
    [event] = sse.events(CHATS["openrouter-chat"].error_frame("Provider disconnected").data)
    found = json.loads(event.data)
    assert found["error"] == {"code": 502, "message": "Provider disconnected"}
    assert found["choices"][0]["finish_reason"] == "error"


@EACH
def test_comments_are_the_providers_own(wire: OpenAIChat) -> None:
    """A comment is noise, for reading and for labels."""
    [frame] = wire.contentless(THREE)["comment"].frames
    assert frame.data.startswith(f": {wire.dialect.comment or 'keep-alive'}\n".encode())
    assert wire.kind_of(frame.data) == "noise"
    assert wire.decode_stream(frame.data + join(wire.frames(THREE))).reply.text == THREE.text


@EACH
def test_noise_says_nothing(wire: OpenAIChat) -> None:
    """Frames without content change nothing of what is read, and what is after the end is not read."""
    frames = wire.frames(THREE)
    plain = wire.decode_stream(join(frames))
    for contentless in wire.contentless(THREE).values():
        noisy = wire.decode_stream(join((*frames[:2], *contentless.frames, *frames[2:])))
        assert (noisy.reply, noisy.error) == (plain.reply, None)
        assert set(noisy.unknown) <= {"chunk key 'x_added_later'"}
    assert wire.decode_stream(join((*frames, *wire.after_end(THREE)))) == plain


@EACH
def test_a_finish_reason_said_again_is_no_second_one(wire: OpenAIChat) -> None:
    """Repeated, it is labelled as what it is beside that: nothing."""
    frames = (*wire.frames(THREE)[:-1], wire.finish_again(THREE))
    kinds = [kind for frame in wire.label(frame.data for frame in frames) for kind in frame.kinds]
    assert kinds.count("finish") == 1
    assert wire.decode_stream(join(frames)).reply.finish_reason == "stop"


_CITED: Final = Citation(url="u", title="t", start=0, end=1)


def _cited(citation: Citation) -> Reply:
    return Reply(blocks=(Text(("a",), citations=(citation,)),))


@pytest.mark.parametrize("method", ["frames", "whole"])
@pytest.mark.parametrize(
    ("name", "reply", "words"),
    [
        (
            "openai-chat",
            Reply.of(Text(("a",)), Text(("b",))),
            "carries at most one reasoning, one text and one refusal",
        ),
        ("openai-chat", Reply.of(Reasoning(("a",), signature="s")), "has no place for the signature of reasoning"),
        (
            "mistral-chat",
            Reply.of(Reasoning((), signature="s", redacted=True)),
            "has no place for reasoning that is wi",
        ),
        ("openai-chat", Reply.of(ToolCall(name="f", signature="s")), "has no place for the signature of a call"),
        ("openai-chat", Reply.of(ServerToolCall(name="f")), "openai-chat has no place for ServerToolCall"),
        ("openai-chat", Reply.of(Media(mime_type="image/png", data="")), "openai-chat has no place for Media"),
        ("groq-chat", Reply.of(Refusal(("a",))), "groq-chat has no place for Refusal"),
        ("perplexity-chat", Reply.of(Reasoning(("a",))), "perplexity-chat has no place for Reasoning"),
        ("groq-chat", _cited(_CITED), "groq-chat has no place for citations"),
        ("openai-chat", _cited(Citation(url="u")), "carries citations with a url and a"),
        (
            "openai-chat",
            _cited(Citation(url="u", title="t")),
            "says which characters of the text",
        ),
        (
            "openai-chat",
            _cited(replace(_CITED, quote="q")),
            "no place for the words that a citation quotes",
        ),
        (
            "openrouter-chat",
            _cited(replace(_CITED, end=0)),
            "says which characters of the text",
        ),
        ("perplexity-chat", _cited(_CITED), "does not say which part of the text"),
        ("gigachat-chat", Reply.of(ToolCall(name="f"), ToolCall(name="g", id="c2")), "at most one call, not 2"),
        (
            "gigachat-chat",
            Reply.of(ToolCall(name="f", pieces=("[1]",))),
            "carries the arguments of a call as an object",
        ),
        ("gigachat-chat", Reply.of(ToolCall(name="f", pieces=("{",))), "carries the arguments of a call as an object"),
        (
            "groq-chat",
            Reply.of("a", usage=Usage(input_tokens=5, output_tokens=1, cache_creation=2)),
            "no place for a count of tokens written to a cache",
        ),
        ("mistral-chat", Reply.of("a", finish_reason="content_filter"), "has no finish reason 'content_filter'"),
    ],
)
def test_what_a_dialect_has_no_place_for_is_unencodable(name: str, reply: Reply, words: str, method: str) -> None:
    """Streamed or whole, the dialect refuses what it would lose, and says what."""
    encode: Callable[[Reply], Any] = getattr(CHATS[name], method)
    with pytest.raises(Unencodable, match=words):
        encode(reply)


@pytest.mark.parametrize("reply", [Reply.of("a", Reasoning(("b",))), Reply.of(ToolCall(name="f", pieces=("{}",)), "a")])
def test_the_order_of_blocks_is_said_by_streams_alone(reply: Reply) -> None:
    """A body has fields and no order; a stream gives the blocks as they come."""
    assert CHAT.decode_stream(join(CHAT.frames(reply))).reply == reply
    with pytest.raises(Unencodable, match="in this order, and tool calls after them; not "):
        CHAT.whole(reply)


def test_parallel_calls_may_take_turns() -> None:
    """Pieces of two calls come in the order that the reply says."""
    calls = (ToolCall(id="a", name="f", pieces=("1", "2")), ToolCall(id="b", name="g", pieces=("3", "4")))
    reply = Reply(blocks=calls, order=(0, 1, 0, 1), finish_reason="tool_calls")
    pieces_of = [
        (call["index"], call["function"]["arguments"])
        for chunk in chunks(CHAT, reply)
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls", ())
        if call["function"]["arguments"]
    ]
    assert pieces_of == [(0, "1"), (1, "3"), (0, "2"), (1, "4")]
    assert CHAT.decode_stream(join(CHAT.frames(reply))).reply == reply


def recorded(*deltas: dict[str, Any], **last: Any) -> Decoded:
    """What is read of a stream of these deltas; `last`: what the chunk with the finish reason holds besides."""
    sent = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    ended = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], **last}
    return CHAT.decode_stream(b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in (*sent, ended)))


def call(index: int | None, id: str | None, arguments: object = "{}", name: str = "f") -> dict[str, Any]:
    place = {} if index is None else {"index": index}
    return {"tool_calls": [{**place, "id": id, "function": {"name": name, "arguments": arguments}}]}


def test_content_in_parts_is_read() -> None:
    """Mistral sends lists of parts; those of other kinds are named."""
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "x"}], "signature": "s"},
        {"type": "text", "text": "a"},
        {"type": "reference", "reference_ids": [1]},
    ]
    found = recorded({"content": parts})
    assert found.reply.blocks == (Reasoning(("x",), signature="s"), Text(("a",)))
    assert found.unknown == ("content part 'reference'",)


def test_calls_without_ids_of_their_own_are_told_apart() -> None:
    """Missing ids become different ones; an id that comes again under another index is said to."""
    found = recorded(call(0, None), call(1, None), call(2, "a"), call(3, "a"))
    assert [each.id for each in found.reply.tool_calls] == ["missing-0", "missing-1", "a", "a-3"]
    assert found.unknown == ("tool call without an id", "tool call without an id", "tool call id 'a' stands twice")


@pytest.mark.parametrize("index", [0, None])
def test_calls_of_other_ids_are_other_calls(index: int | None) -> None:
    """Some servers give each call the index 0, or none."""
    found = recorded(call(index, "a", '{"x":'), call(index, "b"))
    assert [(each.id, each.joined) for each in found.reply.tool_calls] == [("a", '{"x":'), ("b", "{}")]
    assert found.unknown == ()


def test_the_placeholder_of_a_fragment_is_no_id() -> None:
    """Mistral's hosted models send `"null"` as the id of what follows the first fragment."""
    found = recorded(call(0, "a", '{"x":'), call(0, "null", "1}", name=""))
    assert [(each.id, each.name, each.joined) for each in found.reply.tool_calls] == [("a", "f", '{"x":1}')]


@pytest.mark.parametrize(("sent", "text"), [({"b": "ü"}, '{"b":"ü"}'), ({}, "{}"), (None, ""), ([1], "[1]")])
def test_arguments_may_be_an_object(sent: object, text: str) -> None:
    """Some compatible servers send the object and not its text."""
    [found] = recorded(call(0, "a", sent)).reply.tool_calls
    assert found == ToolCall(id="a", name="f", pieces=(text,) if text else ())


def test_the_older_form_of_a_call_is_read() -> None:
    """`function_call` has no id; GigaChat's is that of the state."""
    function = {"name": "f", "arguments": {"a": 1}}
    [found] = recorded({"function_call": function, "functions_state_id": "s"}).reply.tool_calls
    assert found == ToolCall(id="s", name="f", pieces=('{"a":1}',))
    assert recorded({"function_call": function}).unknown == ("tool call without an id",)


@pytest.mark.parametrize(
    "place",
    [
        {"usage": {"prompt_tokens": 3, "completion_tokens": 2}},
        {"x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 2}}},
    ],
)
def test_usage_is_found_in_all_its_places(place: dict[str, Any]) -> None:
    """Beside the choices, or in a provider's own field."""
    found = recorded({"content": "a"}, **place)
    assert (found.reply.usage, found.unknown) == (Usage(input_tokens=3, output_tokens=2), ())


def test_counts_that_contradict_each_other_are_named() -> None:
    """The detail is left out, the rest stays; xAI's own counts do not contradict each other."""
    counts = {"prompt_tokens": 3, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 9}}
    found = recorded({"content": "a"}, usage=counts)
    assert found.reply.usage == Usage(input_tokens=3, output_tokens=2)
    assert found.unknown == (
        "usage: output_tokens includes the reasoning tokens, so it cannot be smaller than they are",
    )
    assert recorded({"content": "a"}, usage={"prompt_tokens": -3, "completion_tokens": 2}).reply.usage is None
    body = json.dumps({"choices": [], "usage": counts}).encode()
    assert CHATS["xai-chat"].decode_whole(body).reply.usage == Usage(input_tokens=3, output_tokens=11, reasoning=9)


def test_what_is_not_read_is_named_in_its_order() -> None:
    """Keys that hold something; those that hold nothing are passed over, as are labels and repetitions."""
    found = recorded(
        {"content": "a", "channel": "analysis", "audio": {"id": "x"}, "token_id": 5, "executed_tools": []},
        {"images": [{"image_url": {"url": "https://x.test/a.png"}}], "annotations": [{"type": "file_citation"}]},
        {"reasoning_details": [{"type": "reasoning.server_tool_call"}]},
        x_groq={"id": "r"},
        moderation={"flagged": False},
        prompt_token_ids=None,
    )
    assert found.unknown == (
        "delta key 'audio'",
        "annotation 'file_citation'",
        "image 'https://x.test/a.png'",
        "reasoning detail 'reasoning.server_tool_call'",
        "chunk key 'moderation'",
    )


def test_other_choices_are_named() -> None:
    """A reply is the first choice of an answer."""
    both = [{"index": number, "delta": {"content": str(number)}, "logprobs": {"content": [1]}} for number in (0, 1)]
    found = CHAT.decode_stream(b"data: " + json.dumps({"choices": both}).encode() + b"\n\n")
    assert (found.reply.text, found.unknown) == ("0", ("choice key 'logprobs'", "choice 1"))


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"error": {"message": "no"}}, "no"),
        ({"error": {"code": 5}}, '{"code":5}'),
        ({"error": "no"}, "no"),
        ({"object": "error", "message": "no"}, "no"),
        ({"detail": [{"msg": "no"}]}, "no"),
        ({"detail": [{"msg": "no"}, {"msg": "never"}]}, '[{"msg":"no"},{"msg":"never"}]'),
        ({"choices": [], "x_groq": {"error": "no"}}, "no"),
    ],
)
def test_errors_have_words(event: dict[str, Any], words: str) -> None:
    """In a stream and as a body, the provider's words, or all that there is."""
    assert CHAT.decode_stream(b"data: " + json.dumps(event).encode() + b"\n\n").error == words
    assert CHAT.decode_whole(json.dumps(event).encode()).error == words


_NAMES: Final = (
    "choices", "delta", "message", "content", "tool_calls", "function", "arguments", "index", "id", "usage", "error",
    "type", "reasoning_details", "annotations", "url_citation", "url", "images", "finish_reason", "search_results",
    "citations", "x_groq", "prompt_tokens", "function_call", "signature", "start_index",
)  # fmt: skip
_json: Final[SearchStrategy[Any]] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "a", "null", "reasoning.text", "url_citation"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(_NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@LAW
@given(value=_json)
def test_decoding_never_raises(value: object) -> None:
    """Whatever a server once sent is read as far as it goes, and has a kind."""
    body = json.dumps(value).encode()
    for wire in (CHAT, CHATS["perplexity-chat"]):
        assert wire.decode_whole(body).reply
        assert wire.decode_stream(b"data: " + body + b"\n\n").reply
        assert wire.kind_of(b"data: " + body + b"\n\n")


def test_what_is_no_json_is_named() -> None:
    """Data that cannot be read, and none at all."""
    assert CHAT.decode_stream(b"data: oops\n\n").unknown == ("data 'oops'",)
    assert CHAT.decode_whole(b"oops").reply.blocks == ()
