"""Workers AI by its own route: what is written is read back, what is asked is understood."""

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
from .fields import holds_streamed, holds_whole, replies

WIRE: Final = WIRES["cloudflare"]
PATH: Final = "/client/v4/accounts/acc/ai/run/@cf/meta/llama-3.1-8b-instruct"
KEY: Final = {"authorization": "Bearer t"}
USER: Final = [{"role": "user", "content": "hi"}]


def as_read(reply: Reply) -> Reply:
    """The reply with what the wire does not carry as its decoder fills it in: ids of calls, finish reason, model."""
    blocks = list(reply.blocks)
    for number, call in enumerate(reply.tool_calls, 1):
        blocks[blocks.index(call)] = replace(call, id=f"call_{number}")
    finish = "tool_calls" if reply.tool_calls else "stop"
    return replace(reply, blocks=tuple(blocks), order=None, finish_reason=finish, model=None)


REPLIES: Final = replies(WIRE, Text, ToolCall, has_id=False).map(as_read)


def asked(path: str = PATH, headers: dict[str, str] = KEY, **fields: Any) -> mockserver.Asked:
    return WIRE.read(Request(path=path, headers=headers, body=json.dumps(fields).encode()))


@LAW
@given(reply=REPLIES)
def test_streams_are_read_back(reply: Reply) -> None:
    """A streamed reply decodes to itself, and its frames are told apart by their bytes."""
    holds_streamed(WIRE, reply)


@LAW
@given(reply=REPLIES)
def test_whole_bodies_are_read_back(reply: Reply) -> None:
    """A whole body decodes to the reply with each block in one piece."""
    holds_whole(WIRE, reply)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply.of(Reasoning(("a",))), "cloudflare has no place for Reasoning"),
        (Reply.of("a", finish_reason="length"), "cloudflare has no finish reason 'length'"),
        (Reply.of("a", finish_reason="tool_calls"), "does not say why an answer ended"),
        (Reply.of(ToolCall(name="f"), finish_reason="stop"), "one with calls has the finish reason 'tool_calls'"),
        (Reply.of(ToolCall(name="f", pieces=("1",)), finish_reason="tool_calls"), "arguments of a call as an object"),
    ],
)
@pytest.mark.parametrize("method", ["frames", "whole"])
def test_what_workers_ai_has_no_place_for_is_unencodable(reply: Reply, words: str, method: str) -> None:
    """Streamed or whole, it refuses what it would lose, and says what."""
    with pytest.raises(Unencodable, match=words):
        getattr(WIRE, method)(reply)


def test_calls_come_at_once() -> None:
    """One frame has them all, with the number of the first of their pieces; so they cannot take turns with text."""
    calls = (ToolCall.of("f", {"a": 1}, id="call_1"), ToolCall.of("g", {}, id="call_2"))
    frames = WIRE.frames(Reply.of("a", "b", *calls, finish_reason="tool_calls"))
    assert [frame.piece for frame in frames] == [0, 1, 2, None, None]
    bare = WIRE.frames(Reply.of(ToolCall(name="f"), finish_reason="tool_calls", usage=None))
    assert [frame.kind for frame in bare] == ["start", "end"]
    blocks = (Text(("a", "b")), ToolCall.of("f", {}))
    with pytest.raises(Unencodable, match="sends all calls at once, after the text"):
        WIRE.frames(Reply(blocks=blocks, order=(0, 1, 0), finish_reason="tool_calls"))


def test_a_stream_without_its_end_is_unfinished() -> None:
    """`[DONE]` is all that tells that a stream is whole; what comes after it is not read."""
    frames = WIRE.frames(Reply.of("a", usage=None))
    assert WIRE.decode_stream(join(frames[:-1])).reply.finish_reason == "unfinished"
    after = WIRE.decode_stream(join((*frames, *WIRE.after_end(Reply()))))
    assert (after.reply.text, after.reply.finish_reason) == ("a", "stop")


@pytest.mark.parametrize(("data", "unknown"), [("nonsense", "data 'nonsense'"), ('{"choices":[]}', "key 'choices'")])
def test_what_is_not_understood_is_named(data: str, unknown: str) -> None:
    """Nothing is passed over in silence."""
    assert WIRE.decode_stream(sse.encode(data)).unknown == (unknown,)


@pytest.mark.parametrize("data", ["[]", '{"response":5}', '{"tool_calls":[5]}', '{"usage":5,"tool_calls":null}'])
def test_decoding_never_fails(data: str) -> None:
    """Whatever a server once sent gives a reply."""
    assert WIRE.decode_stream(sse.encode(data)).reply.finish_reason == "unfinished"
    assert WIRE.decode_whole(data.encode()).reply.blocks == ()
    assert WIRE.kind_of(sse.encode(data))


def test_arguments_as_text_and_ids_are_read() -> None:
    """Some models give the arguments as text, or an id."""
    call = {"id": "c", "name": "f", "arguments": '{"a": 1}'}
    [found] = WIRE.decode_stream(sse.encode(json.dumps({"tool_calls": [call]}))).reply.tool_calls
    assert (found.id, found.joined) == ("c", '{"a": 1}')


def test_a_request_is_understood() -> None:
    """The model stands in the path; a prompt is a message of the user; tools have either form."""
    found = asked(
        messages=[
            *USER,
            {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {}}]},
            {"role": "tool", "name": "f", "content": "r"},
        ],
        tools=[{"name": "f"}, {"type": "function", "function": {"name": "g"}}],
        stream=True,
    )
    assert found.messages == (
        Message("user", "hi"),
        Message("assistant", "", ("f",)),
        Message("tool", "r", tool_results=("f",)),
    )
    assert (found.model, found.tools, found.stream) == ("@cf/meta/llama-3.1-8b-instruct", ("f", "g"), True)
    WIRE.check(found)
    assert (asked(prompt="hi").text, asked(prompt="hi").stream) == ("hi", False)
    assert asked("/v1/acc/gateway/workers-ai/@cf/x", prompt="hi").model == "@cf/x"


def test_errors_have_the_codes_of_the_provider() -> None:
    """A body without a question, no key, and an error with a code of its own."""
    with mockserver.serve(Refused(429, "no more", kind="3036")) as server:
        url = server.url + PATH
        answers = [
            ask(url, headers=KEY),
            ask(url, headers=KEY, json={}),
            ask(url, headers={"authorization": ""}, json={"prompt": "hi"}),
            ask(url, headers=KEY, json={"prompt": "hi"}),
        ]
    assert [(answer.status_code, answer.json()["errors"][0]["code"]) for answer in answers] == [
        (400, 3003),
        (400, 5004),
        (401, 10000),
        (429, 3036),
    ]
    assert not answers[0].json()["success"]
    assert WIRE.decode_whole(answers[3].content).error == "no more"


def test_it_is_played_over_a_socket() -> None:
    """Whole, streamed, and broken off in the middle."""
    reply = Reply.of("a", "b", id="i", model="m")
    cut = Turn(reply=reply, delivery=Delivery(fault=Fault("error", before=1, message="out of fish")))
    with mockserver.serve([reply, reply, cut]) as server:
        whole, stream, broken = (
            ask(server.url + PATH, json={"messages": USER, "stream": wanted}, headers=KEY)
            for wanted in (False, True, True)
        )
    plain = replace(reply, id=None, model=None)
    assert WIRE.decode_whole(whole.content).reply == plain.whole()
    assert WIRE.decode_stream(stream.content).reply == plain
    found = WIRE.decode_stream(broken.content)
    assert (found.reply.text, found.error) == ("a", "out of fish")


def test_its_path_is_its_own() -> None:
    """The provider's OpenAI-compatible path is not."""
    assert wire_for(f"/t{PATH}") is WIRE
    assert wire_for("/client/v4/accounts/acc/ai/v1/chat/completions") is not WIRE
