"""Bedrock's Converse: what is written is read back, what was recorded is read and played, what is refused and why."""

import base64
import json
from collections.abc import Iterator, Mapping
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
    Refusal,
    Reply,
    Request,
    Server,
    ServerToolCall,
    ServerToolResult,
    Text,
    ToolCall,
    Turn,
    Unencodable,
    Usage,
)
from mockserver.frames import join
from mockserver.framings import eventstream
from mockserver.reply import Block, Citation
from mockserver.scripts.loader import load
from mockserver.wires import Decoded, Message, wire_for
from mockserver.wires.base import dumps
from mockserver.wires.bedrock import common as bedrock

from ..strategies import LAW, args, calls, names, pieces, texts

WIRE = WIRES["bedrock-converse"]
STREAMS = Path(__file__).parents[4] / "shared" / "streams"
RECORDED = sorted(STREAMS.glob("bedrock-converse-*.yaml"))
NEEDED = pytest.mark.skipif(not RECORDED, reason=f"no recordings in {STREAMS}")
COUNT = st.none() | st.integers(0, 2**20)
IMAGES = st.builds(
    Media,
    mime_type=st.sampled_from(["image/png", "image/webp"]),
    data=st.binary(min_size=1).map(lambda raw: base64.b64encode(raw).decode()),
)


@st.composite
def replies(draw: st.DrawFn, *, whole: bool = False) -> Reply:
    cited = st.builds(Citation, url=st.none() | names, title=names, quote=st.none() | texts)
    others: st.SearchStrategy[Block] = st.one_of(
        st.builds(Text, pieces, citations=st.lists(cited, max_size=2)),
        st.builds(Reasoning, pieces, signature=st.none() | texts),
        st.builds(Reasoning, st.just(()), signature=texts, redacted=st.booleans()),
        st.builds(ServerToolResult, call_id=names, kind=names, output=args.map(dumps)),
        IMAGES,
    )
    blocks: list[Block] = list(draw(st.lists(others, max_size=4)))
    for call in draw(calls(whole=whole)):
        is_server = draw(st.booleans())
        blocks.append(ServerToolCall(id=call.id, name=call.name, pieces=call.pieces) if is_server else call)
    read, created = draw(COUNT), draw(COUNT)
    usage = Usage(
        input_tokens=draw(st.integers(0, 2**40)) + (read or 0) + (created or 0),
        output_tokens=draw(st.integers(0, 2**40)),
        cache_read=read,
        cache_creation=created,
    )
    reason = draw(st.sampled_from(sorted(WIRE.finish_reasons)))
    return Reply(blocks=tuple(draw(st.permutations(blocks))), finish_reason=reason, usage=usage)


@LAW
@given(reply=replies())
def test_streams_are_read_back(reply: Reply) -> None:
    """A streamed reply decodes to itself, and its bytes, split and labelled, are the frames that were sent."""
    frames = WIRE.frames(reply)
    assert WIRE.decode_stream(join(frames)) == Decoded(reply)
    assert WIRE.label(WIRE.split(join(frames))) == frames


@LAW
@given(reply=replies(whole=True))
def test_whole_bodies_are_read_back(reply: Reply) -> None:
    """A whole body decodes to the reply with each block in one piece."""
    assert WIRE.decode_whole(WIRE.whole(reply)) == Decoded(reply.whole())


KEYS = (
    "contentBlockIndex", "delta", "start", "stopReason", "usage", "inputTokens", "text", "toolUse", "toolResult",
    "toolUseId", "input", "name", "json", "image", "format", "source", "bytes", "citation", "citations", "content",
    "location", "web", "url", "title", "sourceContent", "reasoningContent", "reasoningText", "redactedContent",
    "signature", "citationsContent", "output", "message", "status", "type",
)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet=st.characters(categories=["L", "Cs"]), max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=10,
)


def events_of(*events: tuple[str, object]) -> bytes:
    """A stream of events with payloads of any kind."""
    return b"".join(
        eventstream.encode(
            eventstream.Message({":event-type": name, ":message-type": "event"}, json.dumps(payload).encode())
        )
        for name, payload in events
    )


@LAW
@given(
    payloads=st.lists(
        st.tuples(st.sampled_from(["contentBlockStart", "contentBlockDelta", "messageStop", "metadata", "x"]), ANYTHING)
    ),
    rest=st.binary(max_size=20),
)
def test_nothing_that_was_ever_sent_stops_the_reading(payloads: list[tuple[str, Any]], rest: bytes) -> None:
    """Whatever stands in events and bodies, reading it gives a reply."""
    assert WIRE.decode_stream(events_of(*payloads) + rest).reply
    assert all(WIRE.decode_whole(json.dumps(payload).encode()).reply for _, payload in payloads)


def block(index: int, **start: object) -> tuple[str, object]:
    return "contentBlockStart", {"contentBlockIndex": index, "start": start}


def delta(index: int, **change: object) -> tuple[str, object]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": change}


CASES: list[tuple[tuple[tuple[str, object], ...], tuple[Block, ...], tuple[str, ...]]] = [
    ((("later", {}),), (), ("event 'later'",)),
    (
        (("messageStop", {"stopReason": "bored", "x": 1}),),
        (),
        ("key 'x' of event 'messageStop'", "stop reason 'bored'"),
    ),
    ((block(0, audio={}), delta(0, audio={})), (), ("content block 'audio'",)),
    ((delta(0, text="a"), delta(0, mood="b")), (Text(("a",)),), ("delta 'mood'",)),
    ((delta(0, reasoningContent={"text": "a", "mood": "b"}),), (Reasoning(("a",)),), ("reasoning 'mood'",)),
    (
        (delta(0, reasoningContent={"redactedContent": "/w=="}),),
        (Reasoning((), signature="/w==", redacted=True),),
        (),
    ),
    (
        (
            block(0, toolResult={"toolUseId": "a", "type": "t", "status": "error"}),
            delta(0, toolResult=[{"text": "no"}]),
        ),
        (ServerToolResult(call_id="a", kind="t", output='[{"text":"no"}]'),),
        ("status 'error' of t",),
    ),
    ((delta(0, toolResult=[{"json": 1}]),), (), ("tool result without an id",)),
    (
        (block(0, toolUse={"toolUseId": "a", "name": "f", "type": "robot"}), delta(0, toolUse={"input": "{}"})),
        (ToolCall(id="a", name="f", pieces=("{}",)),),
        ("tool use of type 'robot'",),
    ),
    ((block(0, image={"format": "png"}), delta(0, image={"error": {}})), (), ("image of format 'png'",)),
    (
        (delta(0, citation={"title": "T", "location": {"documentChar": {"start": 1}}}), delta(0, text="a")),
        (Text(("a",), (Citation(title="T"),)),),
        (),
    ),
    ((delta(0, citation={}), delta(0, text="a")), (Text(("a",)),), ("citation {}",)),
    ((("metadata", {"usage": {"inputTokens": 1, "x": 2}}),), (), ("count 'x'",)),
]


@pytest.mark.parametrize(("events", "blocks", "unknown"), CASES, ids=[str(number) for number in range(len(CASES))])
def test_what_a_reply_has_no_place_for_is_named(
    events: tuple[tuple[str, object], ...], blocks: tuple[Block, ...], unknown: tuple[str, ...]
) -> None:
    """The rest is read."""
    found = WIRE.decode_stream(events_of(*events))
    assert (found.reply.blocks, found.unknown) == (blocks, unknown)


def test_errors_have_words() -> None:
    """As a body, and as an exception in a stream; broken frames are named."""
    assert WIRE.decode_whole(b'{"message":"no"}').error == "no"
    stream = WIRE.frames(Reply.of("a"))[1].data + bedrock.exception("throttlingException", "no").data
    found = WIRE.decode_stream(stream)
    assert (found.reply.blocks, found.error) == ((Text(("a",)),), "no")
    [line] = WIRE.decode_stream(stream[:-1]).unknown
    assert line.startswith("event 'unreadable: the message has ")


NO_PLACE: list[tuple[Reply, str]] = [
    (Reply.of(Refusal(("no",))), "no place for a refusal"),
    (Reply.of(ToolCall(name="f", signature="s")), "no place for the signature of a tool call"),
    (Reply.of(Media(mime_type="audio/wav", data="")), "images of types png, jpeg, gif, webp, not audio/wav"),
    (Reply(blocks=(Text(("a",), (Citation(url="u", start=0, end=1),)),)), "no place for the characters that"),
    (Reply(blocks=(Text(("a", "b")), Text(("c",))), order=(0, 1, 0)), "sends each block to its end before"),
    (Reply(usage=None), "every answer of bedrock-converse has usage"),
    (Reply(usage=Usage(input_tokens=1, output_tokens=1, reasoning=1)), "no place for a count of reasoning tokens"),
    (Reply(finish_reason="refusal"), "bedrock-converse has no finish reason 'refusal'"),
]


@pytest.mark.parametrize(("reply", "words"), NO_PLACE, ids=[words[:40] for _, words in NO_PLACE])
def test_what_the_wire_has_no_place_for_is_unencodable(reply: Reply, words: str) -> None:
    """Streamed or whole, the wire refuses what it would lose, and says what."""
    for encode in (WIRE.frames, WIRE.whole):
        with pytest.raises(Unencodable, match=words):
            encode(reply)


def test_whole_answers_carry_arguments_as_an_object() -> None:
    """A stream carries any argument text."""
    reply = Reply.of(ToolCall(name="f", pieces=("[1]",)))
    with pytest.raises(Unencodable, match="carries tool input as an object"):
        WIRE.whole(reply)
    assert WIRE.decode_stream(join(WIRE.frames(reply))).reply == reply


@cache
def recorded(file: Path) -> tuple[Turn, Recording]:
    [turn] = load(file)
    assert turn.recording
    return turn, turn.recording


PATH = "/model/us.x.m-v1:0/converse"
KEY = {"authorization": "Bearer k"}
HI = {"role": "user", "content": [{"text": "hi"}]}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mockserver.serve() as running:
        yield running


def ask(server: Server, body: Mapping[str, Any], headers: Mapping[str, str] = KEY, end: str = "") -> httpx.Response:
    return httpx.post(f"{server.url}{PATH}{end}", json=body, headers=headers, verify=False)


@NEEDED
@pytest.mark.parametrize("file", RECORDED, ids=[file.stem[-3:] for file in RECORDED])
def test_recordings_are_played_and_understood(server: Server, file: Path) -> None:
    """They leave byte for byte as recorded, nothing in them stays unknown, and what was read can be sent again."""
    turn, recording = recorded(file)
    server.play(turn)
    answer = ask(server, {"messages": [HI]}, end="-stream")
    assert (answer.status_code, answer.content) == (200, join(recording.frames))
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    found = WIRE.decode_stream(answer.content)
    assert (found.unknown, found.error) == ((), None)
    assert WIRE.decode_stream(join(WIRE.frames(found.reply))) == Decoded(found.reply)


def test_cassettes_may_hold_base64(server: Server, tmp_path: Path) -> None:
    """As vcrpy's serializers of other languages keep binary bodies."""
    body = join(WIRE.frames(Reply.of("a", "b")))
    response = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"content-type": ["application/vnd.amazon.eventstream"]},
        "body": {"base64_string": base64.b64encode(body).decode()},
    }
    request = {
        "method": "POST",
        "uri": f"https://bedrock-runtime.r.amazonaws.com{PATH}-stream",
        "body": "",
        "headers": {},
    }
    file = tmp_path / "cassette.yaml"
    file.write_text(json.dumps({"version": 1, "interactions": [{"request": request, "response": response}]}))
    server.play(file)
    answer = ask(server, {"messages": [HI]}, end="-stream")
    assert answer.content == body
    assert server.exchanges[0].frames == WIRE.frames(Reply.of("a", "b"))


@pytest.mark.parametrize("sent", [b"{", b"[]"])
def test_what_is_no_json_object_is_refused(server: Server, sent: bytes) -> None:
    """As a body that cannot be read."""
    answer = httpx.post(server.url + PATH, content=sent, headers=KEY, verify=False)
    assert (answer.status_code, answer.headers["x-amzn-errortype"].split(":")[0]) == (400, "SerializationException")


@NEEDED
def test_recordings_hold_every_kind_of_block() -> None:
    """Reasoning with a seal, withheld reasoning, tools of both sides and their results."""
    replies = [WIRE.decode_stream(join(recorded(file)[1].frames)).reply for file in RECORDED]
    blocks = [block for reply in replies for block in reply.blocks]
    assert {type(block) for block in blocks} == {Text, Reasoning, ToolCall, ServerToolCall, ServerToolResult}
    seals = [block for block in blocks if isinstance(block, Reasoning) and block.signature]
    assert {block.redacted for block in seals} == {False, True}
    assert all(block.signature and block.signature.startswith("E") for block in seals)


@pytest.mark.parametrize(
    ("path", "model", "stream"),
    [
        ("/model/us.x.m-v1:0/converse", "us.x.m-v1:0", False),
        ("/a/model/arn:aws:bedrock:r:1:inference-profile/us.x.m/converse-stream", None, True),
    ],
)
def test_a_request_is_understood(path: str, model: str | None, stream: bool) -> None:  # noqa: FBT001
    """Model and kind of answer from the path, the rest from the body."""
    wire = wire_for(path)
    assert wire is WIRE
    body = {
        "system": [{"text": "Be "}, {"text": "brief."}],
        "messages": [
            HI,
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t1", "name": "f", "input": {}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": []}}, {"text": "so?"}]},
        ],
        "toolConfig": {"tools": [{"toolSpec": {"name": "f"}}, {"cachePoint": {"type": "default"}}]},
        "inferenceConfig": {"stopSequences": ["x"]},
    }
    asked = WIRE.read(Request(path=path, body=json.dumps(body).encode()))
    assert asked.messages == (
        Message("system", "Be brief."),
        Message("user", "hi"),
        Message("assistant", "", ("t1",)),
        Message("user", "so?", tool_results=("t1",)),
    )
    assert (asked.model, asked.stream) == (model or "arn:aws:bedrock:r:1:inference-profile/us.x.m", stream)
    assert (asked.tools, asked.stop) == (("f", ""), ("x",))


def use(*ids: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"toolUse": {"toolUseId": id, "name": "f", "input": {}}} for id in ids]}


def results(*ids: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"toolResult": {"toolUseId": id, "content": []}} for id in ids]}


def limit(name: str, value: object, bound: str) -> str:
    return (
        f"1 validation error detected: Value '{value}' at 'inferenceConfig.{name}' failed to satisfy constraint: "
        f"Member must have value {bound}"
    )


TOOLS = {"toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}]}}
EMPTY = (
    "The content field in the Message object at messages.0 is empty. Add a ContentBlock object to the content field "
    "and try again."
)
START = "A conversation must start with a user message. Try again with a conversation that starts with a user message."
TURNS = (
    "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between "
    "user and assistant roles and try again."
)
BLANK = (
    "The text field in the ContentBlock object at messages.0.content.1 is blank. Add text to the text field, and try "
    "again."
)
NAME = (
    "1 validation error detected: Value 'a.b' at 'toolConfig.tools.1.member.toolSpec.name' failed to satisfy "
    "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"
)
MISSING = "Expected toolResult blocks at messages.2.content for the following Ids: t1, t2"
MORE = "The number of toolResult blocks at messages.2.content exceeds the number of toolUse blocks of previous turn."
CONFIG = "The toolConfig field must be defined when using toolUse and toolResult content blocks."
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"messages": "hi"}, "The value at 'messages' is not a list of structures.", "$.messages"),
    ({"messages": [{"role": "user", "content": []}]}, EMPTY, "$.messages[0].content"),
    ({"messages": [{"role": "assistant", "content": [{"text": "a"}]}]}, START, "$.messages[0].role"),
    ({"messages": [HI, HI]}, TURNS, "$.messages[1].role"),
    (
        {"messages": [{"role": "user", "content": [{"text": "a"}, {"text": " "}]}]},
        BLANK,
        "$.messages[0].content[1].text",
    ),
    ({"messages": [HI, use("t1", "t2"), HI], **TOOLS}, MISSING, "$.messages[2].content"),
    ({"messages": [HI, use("t1"), results("t1", "t2")], **TOOLS}, MORE, "$.messages[2].content"),
    ({"messages": [HI, use("t1"), results("t1")]}, CONFIG, "$.toolConfig"),
    (
        {"messages": [HI], "toolConfig": {"tools": [{"toolSpec": {"name": "a.b"}}]}},
        NAME,
        "$.toolConfig.tools[0].toolSpec.name",
    ),
    *(
        ({"messages": [HI], "inferenceConfig": {name: value}}, limit(name, value, bound), f"$.inferenceConfig.{name}")
        for name, value, bound in (
            ("temperature", 1.5, "less than or equal to 1"),
            ("topP", -1, "greater than or equal to 0"),
            ("maxTokens", 0, "greater than or equal to 1"),
        )
    ),
]


@pytest.mark.parametrize(("body", "words", "at"), REFUSED, ids=[words[:50] for _, words, _ in REFUSED])
def test_what_bedrock_refuses(server: Server, body: dict[str, Any], words: str, at: str) -> None:
    """A 400 in its words, with the kind of exception in a header; the journal says where the fault is."""
    server.play(Reply.of("a"))
    answer = ask(server, body)
    [exchange] = server.exchanges
    assert (answer.status_code, answer.json(), exchange.refused_at) == (400, {"message": words}, at)
    kind = "SerializationException" if body["messages"] == "hi" else "ValidationException"
    assert answer.headers["x-amzn-errortype"].split(":")[0] == kind
    assert server.errors == []


ACCEPTED: list[dict[str, Any]] = [
    {},
    {"messages": [HI], "inferenceConfig": {"temperature": 1, "maxTokens": 1, "topP": 0}, "x": 1},
    {"messages": [HI, use("t1", "t2"), results("t2", "t1")], **TOOLS},
    {"messages": [HI, {"role": "assistant", "content": [{"text": "So"}]}]},
    {"messages": [HI, {"role": "system", "content": [{"text": "Be brief."}]}, use("t1"), results("t1")], **TOOLS},
]


@pytest.mark.parametrize("body", ACCEPTED, ids=[str(number) for number in range(len(ACCEPTED))])
def test_what_bedrock_accepts(server: Server, body: dict[str, Any]) -> None:
    """Requests that are right, or of which it depends on the model whether they are."""
    server.play(Reply.of("a"))
    assert ask(server, body).status_code == 200


def test_a_request_without_a_key_is_a_403(server: Server) -> None:
    """Neither signed nor with a key."""
    answer = ask(server, {"messages": [HI]}, {})
    assert (answer.status_code, answer.json()) == (403, {"message": "Missing Authentication Token"})
    assert answer.headers["x-amzn-errortype"].startswith("MissingAuthenticationTokenException")


def test_tokens_are_counted(server: Server) -> None:
    """The count grows with the request; it is no request for an answer."""
    server.play(Reply.of("a"))
    path = f"{server.url}/model/m/count-tokens"
    [few, many] = [
        httpx.post(path, json={"input": {"converse": {"x": "a" * size}}}, headers=KEY, verify=False).json()
        for size in (4, 400)
    ]
    assert many["inputTokens"] - few["inputTokens"] == 99
    assert (len(server.asides), server.exchanges) == (2, ())


def test_an_operation_that_there_is_not_is_a_404(server: Server) -> None:
    """For requests that a client of AWS makes."""
    answer = httpx.post(f"{server.url}/model/m/dream", headers={**KEY, "x-amz-date": "20250101T000000Z"}, verify=False)
    assert (answer.status_code, answer.headers["x-amzn-errortype"].split(":")[0]) == (404, "UnknownOperationException")
