"""Snowflake Cortex inference: what is written is read back, what is asked is understood."""

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given

import mockserver
from mockserver import WIRES, Delivery, Fault, Reasoning, Refused, Reply, Request, Text, ToolCall, Turn, Unencodable
from mockserver.frames import join
from mockserver.framings import sse
from mockserver.wires import Message, wire_for

from ..helpers import ask
from ..strategies import LAW
from .fields import holds_streamed, holds_whole, replies, text_calls, usages

WIRE: Final = WIRES["snowflake"]
PATH: Final = "/api/v2/cortex/inference:complete"
KEY: Final = {"authorization": "Bearer t"}
USER: Final = [{"role": "user", "content": "hi"}]
ASKED: Final = {"model": "m-asked", "messages": USER}


def as_streamed(reply: Reply) -> Reply:
    """The reply as a stream can carry it: it does not say why it ended, and its calls do not take turns."""
    finish = "tool_calls" if reply.tool_calls else "stop"
    calls = [move.index for move in reply.moves() if isinstance(move.block, ToolCall)]
    return replace(reply, finish_reason=finish, order=reply.order if calls == sorted(calls) else None)


def asked(headers: dict[str, str] = KEY, **fields: Any) -> mockserver.Asked:
    return WIRE.read(Request(path=PATH, headers=headers, body=json.dumps({**ASKED, **fields}).encode()))


@LAW
@given(reply=replies(WIRE, Text, ToolCall, calls=text_calls, usage=usages()).map(as_streamed))
def test_streams_are_read_back(reply: Reply) -> None:
    """A streamed reply decodes to itself, and its frames are told apart by their bytes."""
    holds_streamed(WIRE, reply)


@LAW
@given(reply=replies(WIRE, Text, ToolCall))
def test_whole_bodies_are_read_back(reply: Reply) -> None:
    """A whole body decodes to the reply with each block in one piece."""
    holds_whole(WIRE, reply)


@pytest.mark.parametrize(
    ("method", "reply", "words"),
    [
        ("whole", Reply.of(Reasoning(("a",))), "snowflake has no place for Reasoning"),
        ("frames", Reply.of(Reasoning(("a",))), "snowflake has no place for Reasoning"),
        ("whole", Reply.of("a", finish_reason="pause"), "snowflake has no finish reason 'pause'; it has stop, length"),
        ("frames", Reply.of("a", finish_reason="length"), "a stream of snowflake does not say why it ended"),
        ("frames", Reply.of("a", usage=None), "every stream of snowflake ends with usage"),
        ("whole", Reply.of(ToolCall(name="f", pieces=("1",))), "arguments of a call as an object, not '1'"),
    ],
)
def test_what_snowflake_has_no_place_for_is_unencodable(method: str, reply: Reply, words: str) -> None:
    """It refuses what it would lose, and says what."""
    with pytest.raises(Unencodable, match=words):
        getattr(WIRE, method)(reply)


def test_calls_cannot_take_turns() -> None:
    """Pieces do not say which call they belong to."""
    calls = (ToolCall(id="a", name="f", pieces=("{", "}")), ToolCall(id="b", name="g", pieces=("{}",)))
    with pytest.raises(Unencodable, match="does not say which call a piece belongs to"):
        WIRE.frames(Reply(blocks=calls, order=(0, 1, 0), finish_reason="tool_calls"))


@pytest.mark.parametrize(
    ("data", "unknown"),
    [
        ("nonsense", "data 'nonsense'"),
        ('{"new":1}', "key 'new'"),
        ('{"choices":[{"delta":{"new":1}}]}', "delta key 'new'"),
    ],
)
def test_what_is_not_understood_is_named(data: str, unknown: str) -> None:
    """Nothing is passed over in silence."""
    assert WIRE.decode_stream(sse.encode(data)).unknown == (unknown,)


def test_what_a_body_holds_beside_is_named() -> None:
    """Parts of other kinds, and other reasons."""
    message = {"content_list": [{"type": "thinking"}]}
    found = WIRE.decode_whole(json.dumps({"choices": [{"message": message}], "finish_reason": "bored"}).encode())
    assert found.unknown == ("content 'thinking'", "finish reason 'bored'")


@pytest.mark.parametrize(
    "data", ["[]", '{"choices":[5]}', '{"choices":[{"delta":5}],"usage":5}', '{"choices":[{"delta":{"input":"x"}}]}']
)
def test_decoding_never_fails(data: str) -> None:
    """Whatever a server once sent gives a reply."""
    assert WIRE.decode_whole(data.encode()).reply.blocks == ()
    assert WIRE.decode_stream(sse.encode(data)).reply
    assert WIRE.kind_of(sse.encode(data))


def test_a_body_without_a_list_is_read() -> None:
    """Older answers have the text alone."""
    found = WIRE.decode_whole(b'{"choices":[{"message":{"content":"a"}}]}')
    assert (found.reply.text, found.unknown) == ("a", ())


def test_errors_are_read() -> None:
    """In a body, and in the middle of a stream."""
    stream = join(WIRE.frames(Reply.of("a"))[:1]) + WIRE.error_frame("out of fish").data
    assert (WIRE.decode_stream(stream).reply.text, WIRE.decode_stream(stream).error) == ("a", "out of fish")
    assert WIRE.decode_whole(WIRE.error(Refused(500, "no"))).error == "no"
    assert WIRE.decode_stream(sse.encode('{"error":{"message":"no"}}')).error == "no"
    assert [frame.kind for frame in WIRE.label(WIRE.split(stream))] == ["piece", "error"]


def test_a_request_is_understood() -> None:
    """Texts of either form, ids of calls and results, tools; streams unless told not to."""
    use = {"type": "tool_use", "tool_use": {"tool_use_id": "c1", "name": "f", "input": {}}}
    result = {"type": "tool_results", "tool_results": {"tool_use_id": "c1", "content": []}}
    found = asked(
        messages=[
            {"role": "user", "content_list": [{"type": "text", "text": "hi"}]},
            {"role": "assistant", "content_list": [use]},
            {"role": "user", "content_list": [result]},
        ],
        tools=[{"tool_spec": {"type": "generic", "name": "f"}}],
    )
    assert found.messages == (
        Message("user", "hi"),
        Message("assistant", "", ("c1",)),
        Message("user", "", tool_results=("c1",)),
    )
    assert (found.model, found.tools, found.stream) == ("m-asked", ("f",), True)
    assert not asked(stream=False).stream
    WIRE.check(found)


@pytest.mark.parametrize(
    ("found", "status", "at"),
    [(asked({}), 401, ""), (asked(messages=[]), 400, "$.messages"), (asked(model=""), 400, "$.model")],
)
def test_what_is_required_is_checked(found: mockserver.Asked, status: int, at: str) -> None:
    """A token, a model and messages."""
    with pytest.raises(Refused) as caught:
        WIRE.check(found)
    assert (caught.value.status, caught.value.at) == (status, at)


def test_it_is_played_over_a_socket() -> None:
    """Whole, streamed, an HTTP error in Snowflake's shape, and a fault in the middle."""
    reply = Reply.of("a", "b", id="i", model="m")
    cut = Turn(reply=reply, delivery=Delivery(fault=Fault("error", before=1, message="out of fish")))
    with mockserver.serve([reply, reply, Refused(429, "slow down"), cut]) as server:
        whole, stream, refused, broken = (
            ask(server.url + PATH, json={**ASKED, "stream": wanted}, headers=KEY)
            for wanted in (False, True, False, True)
        )
    assert WIRE.decode_whole(whole.content).reply == reply.whole()
    assert WIRE.decode_stream(stream.content).reply == reply
    assert (refused.status_code, refused.json()["message"], refused.json()["code"]) == (429, "slow down", "429")
    assert WIRE.decode_stream(broken.content).error == "out of fish"


def test_its_path_is_its_own() -> None:
    """In both spellings; the provider's OpenAI-compatible path is not its."""
    assert wire_for(f"/t{PATH}") is wire_for("/api/v2/cortex/inference/complete") is WIRE
    assert wire_for("/api/v2/cortex/v1/chat/completions") is not WIRE
