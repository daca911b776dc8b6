"""Ollama's chat API: what is written is read back, what is asked is understood, what is wrong is refused."""

import base64
import hashlib
import json
from typing import Any, Final

import httpx
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
from mockserver.wires import Attached, Decoded, Message, wire_for

from ..helpers import ask
from ..strategies import LAW
from .fields import holds_streamed, holds_whole, replies

WIRE: Final = WIRES["ollama"]
PNG: Final = Media(mime_type="image/png", data=base64.b64encode(b"\x89PNG\r\n\x1a\n...").decode())
STARTS: Final = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF89a",
    "image/webp": b"RIFF\x01\x02\x03\x04WEBP",
}
MEDIA: Final = st.sampled_from(sorted(STARTS.items())).flatmap(
    lambda start: st.binary(max_size=9).map(
        lambda rest: Media(mime_type=start[0], data=base64.b64encode(start[1] + rest).decode())
    )
)
REPLIES: Final = replies(WIRE, Reasoning, Text, Media, ToolCall, media=MEDIA, has_id=False)
TOKENS: Final = Reply.of("a", model="m", usage=Usage(input_tokens=3, output_tokens=4))
USER: Final = [{"role": "user", "content": "hi"}]


def asked(**fields: Any) -> mockserver.Asked:
    return WIRE.read(Request(body=json.dumps(fields).encode()))


def lines(*found: object) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in found)


@LAW
@given(reply=REPLIES)
def test_streams_are_read_back(reply: Reply) -> None:
    """A streamed reply decodes to itself, and its lines are told apart by their bytes."""
    holds_streamed(WIRE, reply)


@LAW
@given(reply=REPLIES)
def test_whole_bodies_are_read_back(reply: Reply) -> None:
    """A whole body decodes to the reply with each block in one piece."""
    holds_whole(WIRE, reply)


def test_a_call_comes_whole_with_the_number_of_its_first_piece() -> None:
    """Pieces after it keep their numbers, so that points of a delivery stay where the reply has them."""
    call = ToolCall.of("f", {"city": "Paris"}, size=4)
    frames = WIRE.frames(Reply.of("a", call))
    assert [frame.piece for frame in frames] == [0, 1, None]
    taking_turns = Reply(blocks=(Text(("a", "b")), call), order=(0, *[1] * len(call.pieces), 0))
    assert [frame.piece for frame in WIRE.frames(taking_turns)] == [0, 1, 1 + len(call.pieces), None]


def test_lines_are_as_ollama_writes_them() -> None:
    """Characters that Go escapes are escaped, counts of 0 left out, and the last line says all that is left."""
    first, last = WIRE.frames(Reply.of("<\u2028>", model="m", usage=Usage(input_tokens=0, output_tokens=4)))
    assert b'"content":"\\u003c\\u2028\\u003e"' in first.data
    assert json.loads(first.data)["done"] is False
    assert "prompt_eval_count" not in json.loads(last.data)
    assert (json.loads(last.data)["eval_count"], last.kinds) == (4, ("finish", "usage", "end"))
    assert WIRE.frames(Reply.of("a", usage=None))[-1].kinds == ("finish", "end")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply.of(Refusal(("no",))), "ollama has no place for Refusal"),
        (Reply.of(Text(("a",)), Text(("b",))), "carries these blocks in this order: Reasoning, Text, Media"),
        (Reply.of("a", Reasoning(("b",))), "not text in 1 piece, reasoning in 1 piece"),
        (Reply.of(Reasoning(("a",), signature="s")), "no place for a signature"),
        (Reply(blocks=(Text(("a",), citations=(Citation(url="u"),)),)), "no place for citations"),
        (Reply.of(ToolCall(name="f", pieces=("[1]",))), "arguments of a call as an object, not '\\[1\\]'"),
        (Reply.of(ToolCall(name="f", pieces=('{"a',))), "arguments of a call as an object"),
        (Reply.of(Media(mime_type="image/png", data="AAAA")), "its data must begin as image/png does"),
        (Reply.of("a", finish_reason="tool_calls"), "ollama has no finish reason 'tool_calls'; it has stop"),
        (Reply.of("a", usage=Usage(input_tokens=2, output_tokens=2, cache_read=1)), "tokens read from a cache"),
        (Reply.of("a", usage=Usage(input_tokens=2, output_tokens=2, reasoning=1)), "reasoning tokens"),
    ],
)
@pytest.mark.parametrize("method", ["frames", "whole"])
def test_what_ollama_has_no_place_for_is_unencodable(reply: Reply, words: str, method: str) -> None:
    """Streamed or whole, it refuses what it would lose, and says what."""
    with pytest.raises(Unencodable, match=words):
        getattr(WIRE, method)(reply)


def test_no_argument_text_is_an_empty_object() -> None:
    """A call without argument text is sent with `{}`; its line opens a block and brings no piece."""
    frames = WIRE.frames(Reply.of(ToolCall(name="f"), model="m"))
    assert [frame.kind for frame in frames] == ["start", "finish"]
    [call] = WIRE.decode_stream(join(frames)).reply.tool_calls
    assert call.pieces == ("{}",)


def test_what_older_and_other_servers_send_is_read() -> None:
    """Calls without ids, a last line with content, and calls in the last line."""
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    found = WIRE.decode_stream(
        lines(
            {"model": "m", "message": {"role": "assistant", "content": "a"}},
            {"message": {"content": "b", "tool_calls": [call, call]}, "done": True, "done_reason": "stop"},
        )
    )
    assert found.unknown == ("tool call without an id", "tool call without an id")
    assert found.reply.text == "ab"
    assert [(made.name, made.joined) for made in found.reply.tool_calls] == [("f", '{"a":1}')] * 2
    assert (found.reply.finish_reason, found.reply.usage, found.reply.model) == ("stop", None, "m")


def test_a_last_line_with_content_is_a_piece_and_the_end() -> None:
    """Its label says all that it does."""
    [frame] = WIRE.label([lines({"message": {"content": "b"}, "done": True, "eval_count": 1})])
    assert frame.kinds == ("piece", "finish", "usage", "end")


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        (b"nonsense\n", "line b'nonsense\\n'"),
        (lines({"new": 1}), "key 'new'"),
        (lines({"message": {"role": "assistant", "new": 1}}), "message key 'new'"),
        (lines({"done": True, "done_reason": "bored"}), "done reason 'bored'"),
        (lines({"message": {"images": ["!"]}}), "image '!'"),
        (lines({"message": {"images": ["AAAA"]}}), "type of image 'AAAA'"),
    ],
)
def test_what_is_not_understood_is_named(line: bytes, unknown: str) -> None:
    """Nothing is passed over in silence."""
    assert WIRE.decode_stream(line).unknown == (unknown,)


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"[]\n", b'{"message":5}\n', b'{"message":{"tool_calls":[5,{"function":5}]}}\n', b'{"message":null'],
)
def test_decoding_never_fails(line: bytes) -> None:
    """Whatever a server once sent gives a reply."""
    assert WIRE.decode_stream(line).reply.finish_reason == "unfinished"
    assert WIRE.kind_of(line) in ("noise", "piece")


def test_an_error_line_is_read() -> None:
    """The words of the error are kept, and what came before them."""
    stream = join(WIRE.frames(TOKENS)[:1]) + WIRE.error_frame("out of fish").data
    found = WIRE.decode_stream(stream)
    assert (found.reply.text, found.error) == ("a", "out of fish")
    assert [frame.kind for frame in WIRE.label(WIRE.split(stream))] == ["piece", "error"]


def test_a_request_is_understood() -> None:
    """Roles, texts, calls and results by id or by name of the tool, tools, stops; it streams unless told not to."""
    call = {"id": "c1", "function": {"name": "f", "arguments": {}}}
    image = Attached("image", digest=hashlib.sha256(base64.b64decode(PNG.data)).hexdigest())
    found = asked(
        model="m",
        messages=[
            {"role": "System", "content": "Be brief."},
            {"role": "user", "content": "hi", "images": [PNG.data]},
            {"role": "assistant", "content": "", "tool_calls": [call, {"function": {"name": "g"}}]},
            {"role": "tool", "content": "1", "tool_call_id": "c1"},
            {"role": "tool", "content": "2", "tool_name": "g"},
        ],
        tools=[{"type": "function", "function": {"name": "f"}}, {"type": "function"}],
        options={"stop": ["x"]},
    )
    assert found.messages == (
        Message("system", "Be brief."),
        Message("user", "hi", attached=(image,)),
        Message("assistant", "", ("c1", "g")),
        Message("tool", "1", tool_results=("c1",)),
        Message("tool", "2", tool_results=("g",)),
    )
    assert (found.tools, found.stop, found.stream, found.text) == (("f", ""), ("x",), True, "hi")
    WIRE.check(found)


@pytest.mark.parametrize(("stream", "wanted"), [(None, True), (True, True), (False, False)])
def test_streaming_is_the_default(stream: object, wanted: bool) -> None:  # noqa: FBT001
    """Left out and null stream; `false` does not."""
    assert asked(model="m", stream=stream).stream is wanted
    assert asked(model="m").stream


def test_null_is_as_good_as_left_out() -> None:
    """Go's decoder takes null for any field."""
    names = ("messages", "tools", "options", "stream", "think", "top_logprobs", "format")
    WIRE.check(asked(model="m", **dict.fromkeys(names)))
    WIRE.check(asked(model="m", messages=[None, {"role": None, "content": None, "images": None, "tool_calls": None}]))


@pytest.mark.parametrize("think", [True, False, "high", "medium", "low", "max"])
def test_levels_of_thinking_are_accepted(think: object) -> None:
    """A boolean, or one of the levels."""
    WIRE.check(asked(model="m", messages=USER, think=think))


_UNMARSHAL: Final = "json: cannot unmarshal"
_IN: Final = "into Go struct field ChatRequest."


@pytest.mark.parametrize(
    ("fields", "words", "at"),
    [
        ({"model": ""}, "model is required", "$.model"),
        ({"model": 5}, f"{_UNMARSHAL} number {_IN}model of type string", "$.model"),
        ({"stream": "yes"}, f"{_UNMARSHAL} string {_IN}stream of type bool", "$.stream"),
        ({"messages": "hi"}, f"{_UNMARSHAL} string {_IN}messages of type []api.Message", "$.messages"),
        ({"messages": ["hi"]}, f"{_UNMARSHAL} string {_IN}messages of type api.Message", "$.messages[0]"),
        (
            {"messages": [*USER, {"role": "user", "content": [{"type": "text", "text": "hi"}]}]},
            f"{_UNMARSHAL} array {_IN}messages.content of type string",
            "$.messages[1].content",
        ),
        ({"messages": [{"role": True}]}, f"{_UNMARSHAL} bool {_IN}messages.role of type string", "$.messages[0].role"),
        (
            {"messages": [{"role": "user", "images": ["data:image/png;base64,AAAA"]}]},
            "illegal base64 data at input byte 4",
            "$.messages[0].images[0]",
        ),
        (
            {"messages": [{"role": "user", "images": [{"url": "x"}]}]},
            f"{_UNMARSHAL} object {_IN}messages.images of type api.ImageData",
            "$.messages[0].images[0]",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]},
            f"{_UNMARSHAL} string {_IN}messages.tool_calls.function.arguments of type api.ToolCallFunctionArguments",
            "$.messages[0].tool_calls[0].function.arguments",
        ),
        ({"options": []}, f"{_UNMARSHAL} array {_IN}options of type map[string]interface {{}}", "$.options"),
        ({"think": "hard"}, 'invalid think value: "hard" (must be "high", "medium"', "$.think"),
        ({"think": 1}, "think must be a boolean or string", "$.think"),
        ({"top_logprobs": 21}, "top_logprobs must be between 0 and 20", "$.top_logprobs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_ollama_refuses_is_a_400_in_its_words(fields: dict[str, Any], words: str, at: str) -> None:
    """The refusal names the place in the request."""
    with pytest.raises(Refused) as caught:
        WIRE.check(asked(**{"model": "m", "messages": USER, **fields}))
    assert (caught.value.status, caught.value.at) == (400, at)
    assert caught.value.message.startswith(words)


def test_refusals_and_errors_have_one_field() -> None:
    """An HTTP error is `{"error": …}`; a request without a body, another path and another method have words too."""
    with mockserver.serve() as server:
        answers = [
            httpx.post(f"{server.url}/api/chat", content=b"", verify=False),
            httpx.get(f"{server.url}/api/chat", verify=False),
            httpx.get(f"{server.url}/api/none", headers={"user-agent": "ollama-python/0.6"}, verify=False),
        ]
        server.play(Refused(429, "too <many>"))
        answers.append(ask(f"{server.url}/api/chat", json={"model": "m", "messages": USER}))
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (400, {"error": "missing request body"}),
        (405, {"error": "405 method not allowed"}),
        (404, {"error": "404 page not found"}),
        (429, {"error": "too <many>"}),
    ]
    assert answers[3].headers["content-type"] == "application/json; charset=utf-8"
    assert answers[3].text == '{"error":"too \\u003cmany\\u003e"}'


def test_a_stream_is_played_over_a_socket() -> None:
    """The content type is Ollama's; a fault cuts where the reply says; without `stream` it streams."""
    fault = Delivery(fault=Fault("stop", before="end"))
    with mockserver.serve([Turn(reply=TOKENS), Turn(reply=TOKENS, delivery=fault)]) as server:
        answers = [ask(f"{server.url}/api/chat", json={"model": "m", "messages": USER}) for _ in range(2)]
    assert [answer.headers["content-type"] for answer in answers] == ["application/x-ndjson"] * 2
    assert [len(answer.text.splitlines()) for answer in answers] == [2, 1]
    assert WIRE.decode_stream(answers[0].content) == Decoded(TOKENS)


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [("GET", "/api/version", "version"), ("GET", "/api/tags", "models"), ("POST", "/api/show", "capabilities")],
)
def test_calls_beside_the_main_one_are_answered(method: str, path: str, key: str) -> None:
    """They use up no turn, and stand in the journal as asides."""
    with mockserver.serve() as server:
        answer = httpx.request(
            method, server.url + path, json={"model": "m"} if method == "POST" else None, verify=False
        )
        assert answer.json()[key]
        assert [each.path for each in server.asides] == [path]
    assert WIRE.aside(Request(method="DELETE", path=path)) is None


def test_its_path_is_its_own() -> None:
    """With any prefix in front; Ollama's OpenAI-compatible path is not its."""
    assert wire_for("/prefix/api/chat") is WIRE
    assert wire_for("/v1/chat/completions") is not WIRE
