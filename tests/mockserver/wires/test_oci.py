"""OCI Generative AI in the generic format: what is written is read back, what is asked is understood."""

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
    Delivery,
    Fault,
    Media,
    Reasoning,
    Refusal,
    Refused,
    Reply,
    Request,
    Text,
    ToolCall,
    Turn,
    Unencodable,
    Usage,
)
from mockserver.frames import join
from mockserver.framings import sse
from mockserver.wires import Message, wire_for

from ..helpers import ask
from ..strategies import LAW
from .fields import holds_streamed, holds_whole, replies, text_calls, usages

WIRE: Final = WIRES["oci"]
REPLIES: Final = replies(
    WIRE,
    Reasoning,
    Text,
    Refusal,
    ToolCall,
    calls=text_calls,
    usage=st.none() | usages("cache_read", "reasoning"),
    has_id=False,
)
PATH: Final = "/20231130/actions/chat"
KEY: Final = {"authorization": 'Signature version="1"'}
USER: Final = [{"role": "USER", "content": [{"type": "TEXT", "text": "hi"}]}]
CITED: Final = Text(("a", "b"), citations=(Citation(url="u", title="t", start=0, end=1), Citation(url="v")))


def body(**chat: Any) -> dict[str, Any]:
    return {
        "compartmentId": "ocid1.compartment",
        "servingMode": {"servingType": "ON_DEMAND", "modelId": "meta.llama"},
        "chatRequest": {"apiFormat": "GENERIC", "messages": USER, **chat},
    }


def asked(**fields: Any) -> mockserver.Asked:
    return WIRE.read(Request(path=PATH, headers=KEY, body=json.dumps({**body(), **fields}).encode()))


def takes_turns(reply: Reply) -> bool:
    calls = [move.index for move in reply.moves() if isinstance(move.block, ToolCall)]
    return calls != sorted(calls)


@LAW
@given(reply=REPLIES)
def test_streams_are_read_back(reply: Reply) -> None:
    """A streamed reply decodes to itself but for the model, which it does not name; calls cannot take turns."""
    if takes_turns(reply):
        with pytest.raises(Unencodable, match="does not say which call a piece belongs to"):
            WIRE.frames(reply)
        reply = replace(reply, order=None)
    holds_streamed(WIRE, replace(reply, model=None))


@LAW
@given(reply=REPLIES)
def test_whole_bodies_are_read_back(reply: Reply) -> None:
    """A whole body decodes to the reply with each block in one piece."""
    holds_whole(WIRE, reply)


def test_citations_are_read_back() -> None:
    """They stand in the annotations of a message; in a stream, after the text."""
    reply = Reply(blocks=(CITED,))
    holds_whole(WIRE, reply)
    holds_streamed(WIRE, reply)


def test_usage_is_left_out_of_a_stream_that_did_not_ask_for_it() -> None:
    """Without `isIncludeUsage` there is no usage."""
    assert [frame.kind for frame in WIRE.frames(Reply.of("a"), usage=False)] == ["piece", "finish"]
    assert [frame.kind for frame in WIRE.frames(Reply.of("a"))] == ["piece", "finish", "usage"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply.of(Media(mime_type="image/png", data="AAAA")), "oci has no place for Media"),
        (Reply(blocks=(Text(("a",), citations=(Citation(quote="q"),)),)), "no place for the words of a source"),
        (Reply.of("a", finish_reason="content_filter"), "oci has no finish reason 'content_filter'"),
        (Reply.of("a", usage=Usage(input_tokens=2, output_tokens=2, cache_creation=1)), "tokens written to a cache"),
    ],
)
@pytest.mark.parametrize("method", ["frames", "whole"])
def test_what_oci_has_no_place_for_is_unencodable(reply: Reply, words: str, method: str) -> None:
    """Streamed or whole, it refuses what it would lose, and says what."""
    with pytest.raises(Unencodable, match=words):
        getattr(WIRE, method)(reply)


@pytest.mark.parametrize(
    ("data", "unknown"),
    [
        ("nonsense", "data 'nonsense'"),
        ('{"new":1}', "event key 'new'"),
        ('{"message":{"new":1}}', "message key 'new'"),
        ('{"message":{"content":[{"type":"IMAGE"}]}}', "content 'IMAGE'"),
        ('{"finishReason":"bored"}', "finish reason 'bored'"),
        (
            '{"message":{"annotations":[{"urlCitation":{}}]}}',
            "annotation: a citation has a url, a title or a quote",
        ),
    ],
)
def test_what_is_not_understood_is_named(data: str, unknown: str) -> None:
    """Nothing is passed over in silence."""
    assert WIRE.decode_stream(sse.encode(data)).unknown == (unknown,)


@pytest.mark.parametrize("data", ["[]", '{"message":5}', '{"message":{"toolCalls":[5],"content":[5]}}', '{"usage":5}'])
def test_decoding_never_fails(data: str) -> None:
    """Whatever a server once sent gives a reply."""
    assert WIRE.decode_stream(sse.encode(data)).reply.finish_reason == "unfinished"
    assert WIRE.decode_whole(data.encode()).reply.blocks == ()
    assert WIRE.kind_of(sse.encode(data))


def test_errors_are_read() -> None:
    """In a body, in the middle of a stream, and in the shape that compatible models behind OCI have."""
    stream = join(WIRE.frames(Reply.of("a"))[:1]) + WIRE.error_frame("out of fish").data
    assert (WIRE.decode_stream(stream).reply.text, WIRE.decode_stream(stream).error) == ("a", "out of fish")
    assert WIRE.decode_whole(WIRE.error(Refused(500, "no"))).error == "no"
    assert WIRE.decode_stream(sse.encode('{"error":{"message":"no"}}')).error == "no"
    assert [frame.kind for frame in WIRE.label(WIRE.split(stream))] == ["piece", "error"]


def test_a_request_is_understood() -> None:
    """Roles, texts, ids of calls and results, tools, stops, and whether usage is asked for."""
    call = {"id": "c1", "type": "FUNCTION", "name": "f", "arguments": "{}"}
    found = asked(
        **body(
            messages=[
                *USER,
                {"role": "ASSISTANT", "content": None, "toolCalls": [call]},
                {"role": "TOOL", "toolCallId": "c1", "content": [{"type": "TEXT", "text": "r"}]},
            ],
            tools=[{"type": "FUNCTION", "name": "f"}],
            stop=["x"],
            isStream=True,
            streamOptions={"isIncludeUsage": True},
        )
    )
    assert found.messages == (
        Message("user", "hi"),
        Message("assistant", "", ("c1",)),
        Message("tool", "r", tool_results=("c1",)),
    )
    assert (found.model, found.tools, found.stop) == ("meta.llama", ("f",), ("x",))
    assert found.stream
    assert found.stream_usage
    assert (asked().stream, asked().stream_usage, asked().text) == (False, False, "hi")
    WIRE.check(found)


def test_what_is_required_is_checked() -> None:
    """A signature, a compartment, a serving mode and a request; another format cannot be answered."""
    with pytest.raises(Refused) as unsigned:
        WIRE.check(WIRE.read(Request(path=PATH, body=json.dumps(body()).encode())))
    assert unsigned.value.status == 401
    for name in ("compartmentId", "servingMode", "chatRequest"):
        with pytest.raises(Refused) as caught:
            WIRE.check(asked(**{name: None}))
        assert (caught.value.status, caught.value.kind, caught.value.at) == (400, "MissingParameter", f"$.{name}")
    with pytest.raises(Refused, match="answers in the API format GENERIC, not 'COHERE'"):
        asked(**body(apiFormat="COHERE"))


def test_it_is_played_over_a_socket() -> None:
    """Whole, streamed, an HTTP error with the code for its status, and a fault in the middle."""
    reply = Reply.of("a", "b", id="i", model="m")
    cut = Turn(reply=reply, delivery=Delivery(fault=Fault("error", before=1, message="out of fish")))
    with mockserver.serve([reply, reply, Refused(429, "slow down"), cut]) as server:
        whole, stream, refused, broken = (
            ask(server.url + PATH, json=body(isStream=wanted), headers=KEY) for wanted in (False, True, False, True)
        )
    assert WIRE.decode_whole(whole.content).reply == replace(reply, id=None).whole()
    assert WIRE.decode_stream(stream.content).reply == replace(reply, id=None, model=None, usage=None)
    assert (refused.status_code, refused.json()) == (429, {"code": "TooManyRequests", "message": "slow down"})
    assert refused.headers["opc-request-id"]
    assert WIRE.decode_stream(broken.content).error == "out of fish"


def test_its_path_is_its_own() -> None:
    """With any prefix in front."""
    assert wire_for(f"/t{PATH}") is WIRE
