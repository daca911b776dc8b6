"""Anthropic Messages and what carries them: what is written is read back, what was recorded is read, what is asked
beside it is answered.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mockserver
from mockserver import (
    WIRES,
    Media,
    Reasoning,
    Recording,
    Reply,
    Request,
    Server,
    ServerToolCall,
    ServerToolResult,
    Text,
    ToolCall,
    Unencodable,
    Usage,
)
from mockserver.frames import join
from mockserver.reply import Block, Citation
from mockserver.scripts.loader import load
from mockserver.wires import Decoded, wire_for
from mockserver.wires.base import dumps

from ..strategies import LAW, args, calls, names, pieces, texts

WIRE = WIRES["anthropic-messages"]
CARRIERS = ("anthropic-messages", "anthropic-messages-old", "anthropic-vertex", "bedrock-invoke")
EACH = pytest.mark.parametrize("name", CARRIERS)
STREAMS = Path(__file__).parents[4] / "shared" / "streams"
RECORDED = sorted(STREAMS.glob("anthropic-messages-*.yaml"))
COUNT = st.none() | st.integers(0, 2**20)


@st.composite
def blocks(draw: st.DrawFn, *, whole: bool) -> list[Block]:
    """Blocks of all kinds that a message has, in any order."""
    cited = st.builds(Citation, url=st.none() | names, title=st.none() | names, quote=texts)
    others: st.SearchStrategy[Block] = st.one_of(
        st.builds(Text, pieces, citations=st.lists(cited, max_size=2)),
        st.builds(Reasoning, pieces, signature=st.none() | texts),
        st.builds(Reasoning, st.just(()), signature=texts, redacted=st.booleans()),
        st.builds(
            ServerToolResult,
            call_id=names,
            kind=st.sampled_from(["web_search_tool_result", "mcp_tool_result"]),
            output=args.map(dumps),
        ),
    )
    found: list[Block] = list(draw(st.lists(others, max_size=4)))
    for call in draw(calls(whole=whole)):
        is_server = draw(st.booleans())
        found.append(ServerToolCall(id=call.id, name=call.name, pieces=call.pieces) if is_server else call)
    return list(draw(st.permutations(found)))


@st.composite
def replies(draw: st.DrawFn, name: str, *, whole: bool = False) -> Reply:
    read, created, thought = draw(COUNT), draw(COUNT), draw(COUNT) if name != "anthropic-messages-old" else None
    usage = Usage(
        input_tokens=draw(st.integers(0, 2**40)) + (read or 0) + (created or 0),
        output_tokens=draw(st.integers(0, 2**40)) + (thought or 0),
        cache_read=read,
        cache_creation=created,
        reasoning=thought,
    )
    return Reply(
        blocks=tuple(draw(blocks(whole=whole))),
        finish_reason=draw(st.sampled_from(sorted(WIRE.finish_reasons))),
        usage=usage,
        id=draw(st.none() | names),
        model=draw(st.none() | names),
    )


@EACH
@LAW
@given(data=st.data())
def test_streams_are_read_back(name: str, data: st.DataObject) -> None:
    """A streamed reply decodes to itself, and its bytes, split and labelled, are the frames that were sent."""
    reply, wire = data.draw(replies(name)), WIRES[name]
    frames = wire.frames(reply)
    assert wire.decode_stream(join(frames)) == Decoded(reply)
    assert wire.label(wire.split(join(frames))) == frames


@EACH
@LAW
@given(data=st.data())
def test_whole_bodies_are_read_back(name: str, data: st.DataObject) -> None:
    """A whole body decodes to the reply with each block in one piece."""
    reply, wire = data.draw(replies(name, whole=True)), WIRES[name]
    assert wire.decode_whole(wire.whole(reply)) == Decoded(reply.whole())


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet=st.characters(categories=["L", "Cs"]), max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "text", "id"]), inner),
    max_leaves=4,
)
KEYS = (
    "type", "index", "delta", "content_block", "message", "content", "usage", "error", "stop_reason", "text",
    "thinking", "signature", "data", "partial_json", "citation", "citations", "cited_text", "url", "id", "name",
    "input", "caller", "tool_use_id", "input_tokens", "output_tokens", "cache_read_input_tokens",
    "output_tokens_details",
)  # fmt: skip
TYPES = (
    "error", "message_start", "message_delta", "content_block_start", "content_block_delta", "text", "text_delta",
    "thinking", "thinking_delta", "signature_delta", "redacted_thinking", "tool_use", "input_json_delta",
    "citations_delta", "x_tool_result",
)  # fmt: skip
EVENTS = st.recursive(
    ANY, lambda inner: st.dictionaries(st.sampled_from(KEYS), inner | st.sampled_from(TYPES), max_size=5), max_leaves=8
)


@LAW
@given(events=st.lists(EVENTS, max_size=6), carrier=st.sampled_from(["anthropic-messages", "bedrock-invoke"]))
def test_nothing_that_was_ever_sent_stops_the_reading(events: list[Any], carrier: str) -> None:
    """Whatever JSON stands in events and bodies, reading it gives a reply."""
    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    assert WIRE.decode_stream(stream).reply
    assert WIRES[carrier].decode_stream(json.dumps(events).encode()).reply
    assert all(WIRE.decode_whole(json.dumps(event).encode()).reply for event in events)


def test_deltas_of_a_block_that_came_whole_do_no_harm() -> None:
    """What cannot follow a block is passed over."""
    events: list[dict[str, Any]] = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "redacted_thinking", "data": "s"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}},
    ]
    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    assert WIRE.decode_stream(stream).reply.blocks == (Reasoning((), signature="s", redacted=True),)


NO_PLACE: list[tuple[str, Block | Usage, str]] = [
    ("anthropic-messages", ToolCall(name="f", signature="s"), "no place for the signature of a tool call"),
    ("anthropic-messages", Media(mime_type="image/png", data=""), "no place for media"),
    ("anthropic-messages", ServerToolResult(call_id="a", kind="text", output="1"), "end in _tool_result, not 'text'"),
    ("anthropic-messages", Text(("a",), (Citation(url="u"),)), "each citation of anthropic-messages has a quote"),
    ("anthropic-messages", Text(("a",), (Citation(quote="q", start=0, end=1),)), "no place for the characters that"),
    ("anthropic-messages-old", Usage(input_tokens=1, output_tokens=1, reasoning=1), "no place for a count of reason"),
    ("bedrock-invoke", Media(mime_type="image/png", data=""), "bedrock-invoke has no place for media"),
]


@pytest.mark.parametrize(("name", "held", "words"), NO_PLACE, ids=[words for _, _, words in NO_PLACE])
def test_what_a_message_has_no_place_for_is_unencodable(name: str, held: Block | Usage, words: str) -> None:
    """Streamed or whole, the wire refuses what it would lose, and says what."""
    reply = Reply(usage=held) if isinstance(held, Usage) else Reply(blocks=(held,))
    for encode in (WIRES[name].frames, WIRES[name].whole):
        with pytest.raises(Unencodable, match=words):
            encode(reply)


def test_blocks_do_not_take_turns() -> None:
    """No page says that the events of two blocks may mix, and none was recorded; but they are read if they do."""
    reply = Reply(blocks=(Text(("a", "b")), Text(("c", "d"))), order=(0, 1, 0, 1))
    with pytest.raises(Unencodable, match="sends each block to its end before the next begins"):
        WIRE.frames(reply)
    frames = WIRE.frames(Reply(blocks=reply.blocks))
    [first, second] = [[frame for frame in frames if f'"index":{number}' in frame.data.decode()] for number in (0, 1)]
    mixed = [frames[0], *(frame for pair in zip(first, second, strict=True) for frame in pair), *frames[-2:]]
    assert WIRE.decode_stream(join(mixed)) == Decoded(reply)


def test_old_streams_count_the_input_at_their_start_alone() -> None:
    """Its end counts the output only, and both ways decode to the same usage."""
    reply = Reply.of("a", usage=Usage(input_tokens=9, output_tokens=3, cache_read=4))
    old, new = (WIRES[name].frames(reply) for name in ("anthropic-messages-old", "anthropic-messages"))
    assert b'"usage":{"output_tokens":3}' in old[-2].data
    assert b'"usage":{"input_tokens":5,"cache_read_input_tokens":4,"output_tokens":3}' in new[-2].data
    assert [frame.data for frame in old[:-2]] == [frame.data for frame in new[:-2]]


UNKNOWN = {
    "000": [],
    "004": ["server_name 'deepwiki' of mcp_tool_use"],
}
"""What recordings hold that a reply has no place for, by the number of the file; nothing where it is left out."""


@cache
def recorded(file: Path) -> Recording:
    [turn] = load(file)
    assert turn.recording
    return turn.recording


@pytest.mark.skipif(not RECORDED, reason=f"no recordings in {STREAMS}")
@pytest.mark.parametrize("file", RECORDED, ids=[file.stem[-3:] for file in RECORDED])
def test_recordings_are_understood(file: Path) -> None:
    """Nothing stays unknown but what is listed, and what was read can be sent again: it decodes to the same."""
    frames = recorded(file).frames
    found = WIRE.decode_stream(join(frames))
    assert list(found.unknown) == UNKNOWN.get(file.stem[-3:], [])
    again = WIRE.frames(found.reply)
    assert WIRE.decode_stream(join(again)) == Decoded(found.reply)
    assert [frame.piece for frame in again if frame.kind == "piece"] == [
        frame.piece for frame in frames if frame.kind == "piece"
    ]


@pytest.mark.skipif(not RECORDED, reason=f"no recordings in {STREAMS}")
def test_recordings_hold_every_kind_of_block() -> None:
    """Searches with cited texts, withheld reasoning, and tools of both sides are among them."""
    kinds: set[object] = set()
    for file in RECORDED:
        reply = WIRE.decode_stream(join(recorded(file).frames)).reply
        kinds |= {type(block) for block in reply.blocks}
        kinds |= {"cited" for block in reply.blocks if isinstance(block, Text) and block.citations}
        kinds |= {"redacted" for block in reply.blocks if isinstance(block, Reasoning) and block.redacted}
    assert kinds == {Text, Reasoning, ToolCall, ServerToolCall, ServerToolResult, "cited", "redacted"}


PATHS = {
    "/v1/messages": "anthropic-messages",
    "/anthropic/v1/messages": "anthropic-messages",
    "/anthropic-old/v1/messages": "anthropic-messages-old",
    "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x@1:rawPredict": "anthropic-vertex",
    "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x@1:streamRawPredict": "anthropic-vertex",
    "/model/anthropic.claude-x-v1:0/invoke": "bedrock-invoke",
    "/model/arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.x/invoke-with-response-stream": "bedrock-invoke",
}


@pytest.mark.parametrize(("path", "name"), PATHS.items())
def test_paths_belong_to_their_wires(path: str, name: str) -> None:
    """Each carrier has paths of its own, and finds the model in them where the body does not name it."""
    wire = wire_for(path)
    assert wire
    assert wire.name == name
    asked = wire.read(Request(path=path, body=b'{"model":"m","messages":[]}'))
    models = {
        "anthropic-vertex": "claude-x@1",
        "bedrock-invoke": path.removeprefix("/model/").rpartition("/")[0],
    }
    assert asked.model == models.get(name, "m")


@pytest.fixture
def server() -> Iterator[Server]:
    with mockserver.serve(Reply.of("a")) as running:
        yield running


def test_tokens_are_counted(server: Server) -> None:
    """The count grows with the request; it is no request for an answer."""
    headers = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
    counts = []
    for path in ("/v1/messages/count_tokens", "/v1/x/publishers/anthropic/models/count-tokens:rawPredict"):
        for text in ("a", "a" * 40):
            body = {"model": "m", "messages": [{"role": "user", "content": text}]}
            answer = httpx.post(server.url + path, json=body, headers=headers, verify=False)
            assert answer.status_code == 200
            counts.append(answer.json()["input_tokens"])
    assert counts[1] > counts[0] > 0
    assert counts[:2] == counts[2:]
    assert (len(server.asides), server.exchanges) == (4, ())


def test_models_are_listed_for_clients_of_this_api(server: Server) -> None:
    """A list of models, and one by its id, for requests that name a version of the API."""
    headers = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
    listed = httpx.get(f"{server.url}/v1/models", headers=headers, verify=False).json()
    one = httpx.get(f"{server.url}/v1/models/claude-x", headers=headers, verify=False).json()
    assert listed["data"][0]["type"] == one["type"] == "model"
    assert (one["id"], listed["has_more"]) == ("claude-x", False)


@pytest.mark.parametrize(
    ("method", "path", "status", "kind", "words"),
    [
        ("POST", "/v1/messages/x", 404, "not_found_error", "Not Found"),
        ("PUT", "/v1/messages", 405, "invalid_request_error", "Method Not Allowed"),
    ],
)
def test_what_there_is_not_is_refused(
    server: Server, method: str, path: str, status: int, kind: str, words: str
) -> None:
    """In Anthropic's words, with the id of the request."""
    headers = {"anthropic-version": "2023-06-01"}
    answer = httpx.request(method, server.url + path, headers=headers, verify=False)
    error = {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_mockserver"}
    assert (answer.status_code, answer.json(), answer.headers["request-id"]) == (status, error, "req_mockserver")
