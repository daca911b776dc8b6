"""The OpenAI Responses wire: what it writes it reads back, in the order and the places that were recorded."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver import (
    WIRES,
    Citation,
    Media,
    Reasoning,
    Refusal,
    Reply,
    ServerToolCall,
    ServerToolResult,
    Text,
    ToolCall,
    Unencodable,
    Usage,
)
from mockserver.frames import Frame, join
from mockserver.framings import sse
from mockserver.reply import Block
from mockserver.wires import Decoded, recorded_wire, wire_for
from mockserver.wires.base import dumps

from ..strategies import LAW, args, names, pieces, texts

WIRE = WIRES["openai-responses"]
COUNTED = Usage(input_tokens=9, output_tokens=5, cache_read=2, cache_creation=1, reasoning=3)
RESULTS = ("web_search_call", "file_search_call", "code_interpreter_call", "mcp_list_tools", "mcp_call")


@st.composite
def citations(draw: st.DrawFn) -> Citation:
    start, end = sorted(draw(st.tuples(st.integers(0, 99), st.integers(0, 99))))
    return Citation(url=draw(names), title=draw(names), start=start, end=end)


@st.composite
def server_tools(draw: st.DrawFn, id: str) -> list[Block]:
    """A call of one of the tools that OpenAI runs, most with a result."""
    kind = draw(st.sampled_from(RESULTS))
    outputs: Any = st.lists(args, max_size=2)
    if kind == "web_search_call":
        typed = draw(st.sampled_from([{}, {"type": "open_page"}]))
        given = {**typed, **{key: value for key, value in draw(args).items() if key not in ("type", "sources")}}
        call = ServerToolCall(id=id, name="web_search", pieces=(dumps(given),))
    elif kind == "file_search_call":
        queries = dumps({"queries": draw(st.lists(texts, max_size=2))})
        call = ServerToolCall(id=id, name="file_search", pieces=(queries,))
    elif kind == "mcp_list_tools":
        call = ServerToolCall(id=id, name="mcp_list_tools", pieces=(dumps({"server_label": draw(names)}),))
    else:
        name = (
            "code_interpreter" if kind == "code_interpreter_call" else f"{draw(names).replace('/', '')}/{draw(names)}"
        )
        call = ServerToolCall(id=id, name=name, pieces=draw(st.lists(texts, max_size=3).map(tuple)))
    if kind == "mcp_call":
        outputs = texts | st.fixed_dictionaries({"error": args})
    if kind != "mcp_list_tools" and draw(st.booleans()):
        return [call]
    return [call, ServerToolResult(call_id=id, kind=kind, output=dumps(draw(outputs)))]


@st.composite
def groups(draw: st.DrawFn, id: str) -> list[Block]:
    """Blocks that belong together: one of any kind, or a call of a server's tool with its result."""
    seals = st.none() | texts
    mime_types = st.sampled_from(["image/png", "image/webp", "image/jpeg", "image/gif", "image/svg+xml"])
    single: st.SearchStrategy[Block] = st.one_of(
        st.builds(Text, pieces, citations=st.lists(citations(), max_size=2).map(tuple)),
        st.builds(Refusal, pieces),
        st.builds(Reasoning, pieces, signature=seals),
        st.builds(Reasoning, st.just(()), signature=texts),
        st.builds(ToolCall, st.lists(texts, max_size=3).map(tuple), id=st.just(id), name=names),
        st.builds(Media, mime_type=mime_types, data=st.binary(max_size=6).map(base64.b64encode).map(bytes.decode)),
    )
    return draw(server_tools(id) | single.map(lambda block: [block]))


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """A reply that the wire can carry, of which the pieces come in any order."""
    ids = draw(st.lists(names, max_size=4, unique=True))
    blocks = [block for id in ids for block in draw(groups(id))]
    calls = any(isinstance(block, ToolCall) for block in blocks)
    plain = [at for at, block in enumerate(blocks) for _ in block.pieces]
    details = st.integers(0, 2**20)
    counts = st.builds(
        lambda read, written, thought, more: Usage(
            input_tokens=read + written + more,
            output_tokens=thought + more,
            cache_read=read,
            cache_creation=written,
            reasoning=thought,
        ),
        *[details] * 4,
    )
    return Reply(
        blocks=tuple(blocks),
        finish_reason=draw(st.sampled_from(["tool_calls" if calls else "stop", "length", "content_filter"])),
        usage=draw(st.none() | counts),
        order=tuple(draw(st.permutations(plain))) if draw(st.booleans()) else None,
        id=draw(st.none() | names),
        model=draw(st.none() | names),
    )


def events(reply: Reply) -> list[dict[str, Any]]:
    return [json.loads(event.data) for event in sse.events(join(WIRE.frames(reply)))]


def named(reply: Reply, type: str) -> list[dict[str, Any]]:
    return [event for event in events(reply) if event["type"] == type]


def items(reply: Reply) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(WIRE.whole(reply))["output"]
    return found


@LAW
@given(reply=replies())
def test_streams_are_read_back(reply: Reply) -> None:
    """A streamed reply decodes to itself, piece for piece in its order, with nothing that is not understood."""
    assert WIRE.decode_stream(join(WIRE.frames(reply))) == Decoded(reply)


@LAW
@given(reply=replies())
def test_whole_bodies_are_read_back(reply: Reply) -> None:
    """A whole body decodes to the reply with each block in one piece."""
    assert WIRE.decode_whole(WIRE.whole(reply)) == Decoded(reply.whole())


@LAW
@given(reply=replies())
def test_frames_are_told_apart_by_their_bytes(reply: Reply) -> None:
    """The bytes of a stream, split and labelled as a recording is, give the frames that were sent."""
    frames = WIRE.frames(reply)
    assert WIRE.label(sse.split(join(frames))) == frames
    assert [frame.piece for frame in frames if frame.kind == "piece"] == list(range(reply.piece_count))


@LAW
@given(reply=replies())
def test_the_last_event_holds_what_the_others_said(reply: Reply) -> None:
    """Numbers count the events, names are types, and items that are done are those of the response in the end."""
    frames = WIRE.frames(reply)
    found = events(reply)
    assert [event["sequence_number"] for event in found] == list(range(len(frames)))
    assert [event.name for event in sse.events(join(frames))] == [event["type"] for event in found]
    done = sorted(named(reply, "response.output_item.done"), key=lambda event: int(event["output_index"]))
    assert [event["item"] for event in done] == found[-1]["response"]["output"] == items(reply)
    assert [event["output_index"] for event in named(reply, "response.output_item.added")] == list(range(len(done)))


def test_the_order_of_events_is_the_recorded_one() -> None:
    """Each kind of item, from its beginning to its end."""
    cited = Citation(url="https://a.test", title="A", start=0, end=2)
    reply = Reply(
        blocks=(
            Reasoning(("a",)),
            Reasoning(("b",), signature="seal"),
            ServerToolCall.of("web_search", {"query": "q"}, id="ws_1", size=99),
            ServerToolCall(name="code_interpreter", id="ci_1", pieces=("x = 1",)),
            ServerToolResult(call_id="ci_1", kind="code_interpreter_call", output="[]"),
            Text(("Hi",), citations=(cited,)),
            Refusal(("no",)),
            ToolCall(name="f", pieces=("{}",)),
            Media(mime_type="image/png", data="aGk="),
        ),
        finish_reason="tool_calls",
    )
    assert [event["type"].removeprefix("response.") for event in events(reply)] == [
        "created", "in_progress", "output_item.added",
        "reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.done",
        "reasoning_summary_part.done", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done", "output_item.added",
        "web_search_call.in_progress", "web_search_call.searching", "web_search_call.completed", "output_item.done",
        "output_item.added", "code_interpreter_call.in_progress", "code_interpreter_call_code.delta",
        "code_interpreter_call_code.done", "code_interpreter_call.interpreting", "code_interpreter_call.completed",
        "output_item.done", "output_item.added", "content_part.added", "output_text.delta",
        "output_text.annotation.added", "output_text.done", "content_part.done", "content_part.added",
        "refusal.delta", "refusal.done", "content_part.done", "output_item.done", "output_item.added",
        "function_call_arguments.delta", "function_call_arguments.done", "output_item.done", "output_item.added",
        "image_generation_call.in_progress", "image_generation_call.generating", "image_generation_call.completed",
        "output_item.done", "completed",
    ]  # fmt: skip


def test_calls_may_take_turns() -> None:
    """With an order, the arguments of parallel calls come in turns, told apart by `output_index`."""
    calls = tuple(ToolCall(id=f"call_{name}", name=name, pieces=("{", "}")) for name in ("f", "g"))
    reply = Reply(blocks=calls, order=(0, 1, 0, 1), finish_reason="tool_calls")
    deltas = named(reply, "response.function_call_arguments.delta")
    assert [(event["output_index"], event["delta"]) for event in deltas] == [(0, "{"), (1, "{"), (0, "}"), (1, "}")]


def test_ids_of_items_come_from_the_id_of_the_response() -> None:
    """Each item has an id of its own; a call keeps its `call_id`, and a server's tool the id of its call."""
    found = items(
        Reply.of(
            Reasoning(("a",)), "b", ToolCall(name="f", id="call_x"), Media(mime_type="image/png", data=""),
            ServerToolCall(name="a/b", id="mcp_x"), id="resp_7", finish_reason="tool_calls",
        )
    )  # fmt: skip
    assert [item["id"] for item in found] == ["rs_7_0", "msg_7_1", "fc_7_2", "ig_7_3", "mcp_x"]
    assert found[2]["call_id"] == "call_x"


def test_what_is_added_does_not_hold_the_whole_seal() -> None:
    """Encrypted content is complete only when the item is done, as recorded."""
    reply = Reply.of(Reasoning((), signature="sealed"))
    [added], [done] = (named(reply, f"response.output_item.{stage}") for stage in ("added", "done"))
    assert (added["item"]["encrypted_content"], done["item"]["encrypted_content"]) == ("sea", "sealed")


def test_deltas_are_padded() -> None:
    """Obfuscation fills a delta up to a multiple of 16 characters, as recorded."""
    deltas = named(Reply.of("a", "b" * 16, "c" * 20), "response.output_text.delta")
    assert [len(event["delta"] + event["obfuscation"]) for event in deltas] == [16, 16, 32]


@pytest.mark.parametrize(
    ("reason", "status", "details"),
    [
        ("stop", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_finish_reasons_are_a_status(reason: str, status: str, details: object) -> None:
    """What is cut off is incomplete, with the last message."""
    reply = Reply.of("a", finish_reason=reason)
    [*_, last] = events(reply)
    body = json.loads(WIRE.whole(reply))
    assert last["type"] == f"response.{status}"
    assert last["response"] == body
    assert (body["status"], body["incomplete_details"], body["output"][0]["status"]) == (status, details, status)
    [*_, frame] = WIRE.frames(reply)
    assert frame.kinds == ("finish", "usage", "end")


def test_a_response_may_fail() -> None:
    """The finish reason `failed` ends the stream in `response.failed`, with an error and without usage."""
    reply = Reply.of("a", finish_reason="failed", usage=None)
    frames = WIRE.frames(reply)
    found = WIRE.decode_stream(join(frames))
    assert (found.reply, found.unknown) == (reply, ())
    assert found.error == "The server had an error while processing your request."
    assert WIRE.decode_whole(WIRE.whole(reply)) == found
    assert frames[-1].kinds == ("error", "finish", "end")
    assert WIRE.label(sse.split(join(frames))) == frames


def test_usage_is_always_broken_down() -> None:
    """Counts that a reply leaves open are 0, since every response has them; one without usage has null."""
    counts = json.loads(WIRE.whole(Reply.of("a")))["usage"]
    assert counts["input_tokens_details"] == {"cache_write_tokens": 0, "cached_tokens": 0}
    assert counts["output_tokens_details"] == {"reasoning_tokens": 0}
    assert WIRE.decode_whole(WIRE.whole(Reply.of("a", usage=COUNTED))).reply.usage == COUNTED
    assert json.loads(WIRE.whole(Reply.of("a", usage=None)))["usage"] is None


def test_arguments_of_a_search_may_be_another_action() -> None:
    """A search has no type among its arguments; another action has its own; sources are the result."""
    search = ServerToolCall.of("web_search", {"query": "q"}, id="a", size=99)
    opened = ServerToolCall.of("web_search", {"type": "open_page", "url": "u"}, id="b", size=99)
    sources = ServerToolResult(call_id="a", kind="web_search_call", output='[{"type":"url","url":"u"}]')
    found = items(Reply.of(search, sources, opened))
    assert [item["action"] for item in found] == [
        {"type": "search", "query": "q", "sources": [{"type": "url", "url": "u"}]},
        {"type": "open_page", "url": "u"},
    ]


def test_an_mcp_call_may_fail() -> None:
    """Its error stands in the place of its output."""
    error = {"type": "http_error", "code": 500, "message": "no"}
    call = ServerToolCall(name="wiki/ask", id="mcp_1", pieces=("{}",))
    reply = Reply.of(call, ServerToolResult(call_id="mcp_1", kind="mcp_call", output=dumps({"error": error})))
    [item] = items(reply)
    assert (item["status"], item["error"], item["output"]) == ("failed", error, None)
    assert (item["server_label"], item["name"]) == ("wiki", "ask")
    assert named(reply, "response.mcp_call.failed")


def _result(kind: str, output: str = "[]") -> ServerToolResult:
    return ServerToolResult(call_id="c", kind=kind, output=output)


_SEARCH = ServerToolCall(name="web_search", id="c", pieces=('{"query":"q"}',))
_LIST = ServerToolCall(name="mcp_list_tools", id="c", pieces=('{"server_label":"l"}',))
_MCP = ServerToolCall(name="a/b", id="c")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply.of("a", finish_reason="tool_calls"), "without tool calls has the finish reason 'stop'"),
        (Reply.of(ToolCall(name="f")), "with tool calls has the finish reason 'tool_calls', not 'stop'"),
        (Reply.of("a", finish_reason="pause"), "openai-responses has no finish reason 'pause'; it has stop, "),
        (Reply.of("a", finish_reason="failed"), "a failed response of openai-responses has no usage"),
        (Reply.of(ToolCall(name="f", signature="s"), finish_reason="tool_calls"), "the signature of a tool call"),
        (Reply.of(Reasoning((), signature="s", redacted=True)), "does not tell redacted reasoning"),
        (Reply(blocks=(Text(("a",), citations=(Citation(url="u", title="t"),)),)), "a url, a title, start and end"),
        (Reply(blocks=(Text(("a",), citations=(Citation(quote="q", start=0, end=1),)),)), "and no quote"),
        (Reply.of(Media(mime_type="audio/wav", data="")), "carries media of image/png, .*, not audio/wav"),
        (Reply.of(ServerToolCall(name="search")), "has the tools web_search, .* and LABEL/TOOL, not 'search'"),
        (Reply.of(_result("web_search_call")), "follows its call at once; there is none of 'c'"),
        (Reply.of(_SEARCH, _result("file_search_call")), "of the kind 'web_search_call', not 'file_search_call'"),
        (Reply.of(_SEARCH, _result("web_search_call", "{}")), "no place for {} as the result of web_search"),
        (Reply.of(_LIST), "an mcp_list_tools has a result"),
        (Reply.of(_MCP, _result("mcp_call", "[]")), r"no place for \[\] as the result of a/b"),
        (Reply.of(_MCP, _result("mcp_call", '{"error":null}')), "the error of an MCP call is not null"),
        (Reply.of(replace(_SEARCH, pieces=("{", "}"))), "the arguments of web_search are a JSON object in one piece"),
        (Reply.of(replace(_SEARCH, pieces=("[1]",))), "the arguments of web_search are a JSON object in one piece"),
        (Reply.of(replace(_SEARCH, pieces=("{",))), "the arguments of web_search are a JSON object in one piece"),
        (Reply.of(replace(_SEARCH, pieces=('{"sources":[]}',))), "a web_search has its sources in its result"),
        (Reply.of(replace(_SEARCH, pieces=('{"type":"search"}',))), "and no type where it is a search"),
        (Reply.of(replace(_LIST, name="file_search")), "the arguments of file_search are a JSON object with queries"),
    ],
)  # fmt: skip
def test_what_the_wire_has_no_place_for_is_unencodable(reply: Reply, words: str) -> None:
    """Streamed or whole, the wire refuses what it would lose, and says what."""
    for encode in (WIRE.frames, WIRE.whole):
        with pytest.raises(Unencodable, match=words):
            encode(reply)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/responses",
        "/responses",
        "/openai/responses",
        "/openai/v1/responses",
        "/api/v1/responses",
        "/v1/responses/resp_1",
    ],
)
def test_paths_with_any_prefix_belong_to_the_wire(path: str) -> None:
    """Those of OpenAI, Azure, DeepSeek and OpenRouter."""
    assert wire_for(path) is WIRE


@pytest.mark.parametrize("path", ["/v1/responses/input_tokens", "/v1/responses/resp_1/cancel", "/v1/myresponses"])
def test_other_paths_do_not(path: str) -> None:
    """Neither calls beside the main one nor words that end alike."""
    assert wire_for(path) is not WIRE


@pytest.mark.parametrize("host", ["api.openai.com", "bedrock-mantle.eu-west-1.api.aws", "me.openai.azure.com"])
def test_recordings_of_these_hosts_are_of_the_wire(host: str) -> None:
    """As recordings name them."""
    assert recorded_wire(host, "/openai/v1/responses") is WIRE


def _noise() -> Iterator[tuple[str, Frame]]:
    for name, each in WIRE.contentless(Reply.of("a", id="resp_1", model="m")).items():
        assert each.source
        yield from ((name, frame) for frame in each.frames)


@pytest.mark.parametrize(("name", "frame"), list(_noise()))
def test_noise_says_nothing(name: str, frame: Frame) -> None:
    """Wherever it stands, it changes no reply; what the wire does not know of it is named."""
    reply = Reply.of("a", "b", id="resp_1", model="m", usage=COUNTED)
    frames = WIRE.frames(reply)
    found = WIRE.decode_stream(join([each for sent in frames for each in (frame, sent)]))
    assert found.reply == reply
    assert bool(found.unknown) == name.startswith("unknown")
    assert frame.kind == WIRE.kind_of(frame.data) == "noise"


@pytest.mark.parametrize("reply", [Reply.of("a", usage=COUNTED), Reply.of(usage=COUNTED)])
def test_what_comes_after_the_end_is_not_read(reply: Reply) -> None:
    """The event that ends a stream is the last one that is read."""
    late = WIRE.after_end(reply)
    assert WIRE.kind_of(late[0].data) == "piece"
    assert WIRE.decode_stream(join((*WIRE.frames(reply), *late))) == Decoded(reply)
