"""OpenAI Responses as others send them: recordings, and events that the wire's own frames do not have."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

import mockserver
from mockserver import (
    WIRES,
    Citation,
    Media,
    Reasoning,
    Recording,
    Refusal,
    Reply,
    ServerToolCall,
    ServerToolResult,
    Text,
    ToolCall,
    Turn,
    Usage,
)
from mockserver.scripts.loader import load
from mockserver.wires import Decoded

from ..helpers import ask

WIRE = WIRES["openai-responses"]
STREAMS: Final = Path(__file__).parents[4] / "shared" / "streams"
FILES: Final = sorted(STREAMS.glob("*-responses-*.yaml"))
_DEEPSEEK: Final = ("response key 'content_filters'",)
UNKNOWN: Final[dict[str, tuple[str, ...]]] = {
    "deepseek-responses-000": _DEEPSEEK,
    "deepseek-responses-001": _DEEPSEEK,
    "deepseek-responses-002": _DEEPSEEK,
    "openai-responses-000": ("output item 'tool_search_call'",),
    "openai-responses-003": ("output item 'tool_search_call'", "output item 'tool_search_output'"),
    "openai-responses-014": ("annotation 'container_file_citation'", "annotation 'container_file_citation'"),
    "openai-responses-017": ("output item 'compaction'",),
    "openai-responses-019": ("annotation 'file_citation'",),
    "openrouter-responses-000": ("response key 'output_text'",),
}
"""What of each recording is not understood, where it is anything."""
UNFINISHED: Final = "openai-responses-020"
"""A recording in which two items are never done: what they hold comes with the last event."""
CONTENTS: Final[dict[str, str]] = {
    "bedrock-mantle-responses-001": "reasoning in 0 pieces, tool call in 1 piece, finish 'tool_calls', usage",
    "deepseek-responses-000": "reasoning in 14 pieces, tool call in 9 pieces, finish 'tool_calls', usage",
    "openai-responses-011": "server tool call in 1 piece, server tool call in 1 piece, text in 4 pieces, finish, usage",
    "openai-responses-029": "reasoning in 86 pieces, reasoning in 100 pieces, reasoning in 101 pieces, 2 more blocks, "
    "finish, usage",
}
recorded = pytest.mark.skipif(not FILES, reason=f"no recordings in {STREAMS}")


@cache
def only(file: Path) -> Turn:
    [turn] = load(file)
    assert turn.when.wire == "openai-responses"
    return turn


def recording(file: Path) -> Recording:
    found = only(file).recording
    assert found
    return found


@recorded
@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_recordings_are_understood(file: Path) -> None:
    """Each decodes without an error; what is not understood is known, and frames bring the pieces of the reply."""
    frames = recording(file).frames
    found = WIRE.decode_stream(b"".join(frame.data for frame in frames))
    assert (found.error, found.unknown) == (None, UNKNOWN.get(file.stem, ()))
    assert found.reply.id
    assert found.reply.finish_reason == ("tool_calls" if found.reply.tool_calls else "stop")
    [last] = [frame for frame in frames if frame.kind == "finish"]
    assert last.also == ("usage", "end")
    pieces = sum(frame.kind == "piece" for frame in frames)
    assert found.reply.piece_count - pieces == (2 if file.stem == UNFINISHED else 0)
    if file.stem in CONTENTS:
        assert found.reply.describe() == CONTENTS[file.stem]


@recorded
def test_recordings_are_played_byte_for_byte() -> None:
    """What leaves over a socket is what was recorded."""
    asked = {"model": "m", "input": "hi", "stream": True}
    with mockserver.serve() as server:
        for file in FILES:
            server.play(only(file))
            answer = ask(f"{server.url}/v1/responses", json=asked, headers={"authorization": "Bearer k"})
            assert answer.content == b"".join(frame.data for frame in recording(file).frames)
        assert server.errors == []


@recorded
@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_recorded_replies_are_written_and_read_again(file: Path) -> None:
    """What was understood of a recording can be sent anew; only the count of tokens written to a cache is added."""
    found = WIRE.decode_stream(b"".join(frame.data for frame in recording(file).frames)).reply
    again = WIRE.decode_stream(b"".join(frame.data for frame in WIRE.frames(found))).reply
    assert (again.blocks, again.order, again.finish_reason, again.id) == (
        found.blocks,
        found.order,
        found.finish_reason,
        found.id,
    )
    assert found.usage
    assert again.usage
    assert again.usage.total_tokens == found.usage.total_tokens


def stream(*events: dict[str, Any], **response: Any) -> Decoded:
    ended = {"type": "response.completed", "response": {"status": "completed", **response}}
    return WIRE.decode_stream(b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in (*events, ended)))


def event(type: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{type}", **fields}


def whole(*items: dict[str, Any], **response: Any) -> Decoded:
    return WIRE.decode_whole(
        json.dumps({"object": "response", "status": "completed", "output": items, **response}).encode()
    )


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "id": "msg", "content": parts}


CITED: Final = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}


def test_text_of_reasoning_is_read_like_its_summary() -> None:
    """Models with open weights show their reasoning; the seal belongs to the last part."""
    item = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "s"}],
        "content": [{"type": "reasoning_text", "text": "r"}],
        "encrypted_content": "e",
    }
    expected = (Reasoning(("s",)), Reasoning(("r",), signature="e"))
    assert whole(item).reply.blocks == expected
    streamed = stream(
        event("output_item.added", item={"type": "reasoning", "summary": []}),
        event("reasoning_summary_text.delta", delta="s"),
        event("reasoning_text.delta", delta="r"),
        event("output_item.done", item=item),
    )
    assert streamed.reply.blocks == expected


def test_reasoning_that_holds_nothing_is_no_block() -> None:
    """Where nothing is asked to be included, items of reasoning are empty."""
    assert whole({"type": "reasoning", "summary": []}) == Decoded(Reply(usage=None))


@pytest.mark.parametrize("stage", ["done", "end"])
def test_what_did_not_stream_is_read_from_the_items(stage: str) -> None:
    """Texts, citations, calls and images, from items that are done or from the response in the end."""
    items = [
        message({"type": "output_text", "text": "a", "annotations": [CITED]}, {"type": "refusal", "refusal": "no"}),
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "code_interpreter_call", "id": "ci", "code": "1", "outputs": []},
        {"type": "image_generation_call", "id": "ig", "result": "aGk="},
    ]
    done = [event("output_item.done", item=item, output_index=at) for at, item in enumerate(items)]
    found = stream(*done) if stage == "done" else stream(output=items)
    assert found.unknown == ()
    assert found.reply.blocks == (
        Text(("a",), citations=(Citation(url="u", title="t", start=0, end=1),)),
        Refusal(("no",)),
        ToolCall(id="c", name="f", pieces=("{}",)),
        ServerToolCall(id="ci", name="code_interpreter", pieces=("1",)),
        ServerToolResult(call_id="ci", kind="code_interpreter_call", output="[]"),
        Media(mime_type="image/png", data="aGk="),
    )
    assert found.reply.finish_reason == "tool_calls"


def test_what_streamed_is_not_read_twice() -> None:
    """Items that are done repeat what came before."""
    found = stream(
        event("output_item.added", item=message()),
        event("output_text.delta", delta="a"),
        event("output_text.annotation.added", annotation=CITED),
        event("output_item.done", item=message({"type": "output_text", "text": "a", "annotations": [CITED]})),
        output=[message({"type": "output_text", "text": "a"})],
    )
    [block] = found.reply.blocks
    assert block == Text(("a",), citations=(Citation(url="u", title="t", start=0, end=1),))


def test_what_is_not_known_is_named() -> None:
    """Items, parts, annotations, events and keys; keys of each kind once."""
    text = {"type": "output_text", "text": "a", "annotations": [{"type": "file_path"}, {"type": "url_citation"}]}
    found = stream(
        event("output_item.added", item={"type": "custom_tool_call"}, output_index=0),
        event("custom_tool_call_input.delta", delta="x", output_index=0),
        event("output_item.done", item={"type": "custom_tool_call"}, output_index=0),
        event("output_item.done", item={**message(text, {"type": "poem"}), "mood": 1}, output_index=1),
        event("later", output_index=1, x_new=1),
        event("later", output_index=1, x_new=1),
        x_more=1,
    )
    assert found.reply.blocks == (Text(("a",)),)
    assert found.unknown == (
        "output item 'custom_tool_call'",
        "message key 'mood'",
        "annotation 'file_path'",
        "annotation: a citation has a url, a title or a quote",
        "content part 'poem'",
        "event key 'x_new'",
        "event 'response.later'",
        "event 'response.later'",
        "response key 'x_more'",
    )


@pytest.mark.parametrize(
    ("response", "reason", "unknown"),
    [
        (
            {"status": "incomplete", "incomplete_details": {"reason": "steered"}},
            "steered",
            ("incomplete reason 'steered'",),
        ),
        ({"status": "cancelled"}, "cancelled", ("status 'cancelled'",)),
        ({"status": None}, "unfinished", ()),
    ],
)
def test_other_ends_are_named(response: dict[str, Any], reason: str, unknown: tuple[str, ...]) -> None:
    """A reason that the wire has no neutral word for stays as it is."""
    found = whole(**response)
    assert (found.reply.finish_reason, found.unknown) == (reason, unknown)


@pytest.mark.parametrize(
    "error",
    [
        {"type": "error", "code": "server_error", "message": "no", "param": None, "sequence_number": 3},
        {"type": "error", "error": {"type": "tokens", "code": "rate_limit_exceeded", "message": "no"}},
        {"error": {"message": "no"}},
        {"type": "response.failed", "response": {"status": "failed", "error": {"code": "x", "message": "no"}}},
    ],
)
def test_errors_in_a_stream_have_words(error: dict[str, Any]) -> None:
    """As documented, as seen, and as servers send it that put the body of an HTTP error there."""
    data = b"data: " + json.dumps(error).encode() + b"\n\n"
    assert WIRE.decode_stream(data).error == "no"
    assert WIRE.kind_of(data) == "error"


def test_errors_as_bodies_have_words() -> None:
    """An HTTP error, and a response that failed."""
    assert WIRE.decode_whole(b'{"error":{"message":"no"}}').error == "no"
    assert whole(status="failed", error={"message": "no"}).error == "no"
    assert whole(status="failed", error={"code": 5}).error == '{"code":5}'


def test_usage_may_lack_its_details() -> None:
    """What a server does not count is `None`; what contradicts itself is named."""
    assert whole(usage={"input_tokens": 3, "output_tokens": 2}).reply.usage == Usage(input_tokens=3, output_tokens=2)
    counts = {"input_tokens": 3, "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 9}}
    assert whole(usage=counts).unknown == (
        "usage: output_tokens includes the reasoning tokens, so it cannot be smaller than they are",
    )


@pytest.mark.parametrize("output_format", ["png", "jpeg", "heic"])
def test_images_have_the_mime_type_of_their_format(output_format: str) -> None:
    """Also of formats that were added later."""
    found = whole({"type": "image_generation_call", "result": "", "output_format": output_format})
    assert found.reply.blocks == (Media(mime_type=f"image/{output_format}", data=""),)


def test_images_that_are_none_are_named() -> None:
    """Data that are no base64; a call that came to nothing has none."""
    assert whole({"type": "image_generation_call", "result": "?"}).unknown == ("image: the data of media are base64",)
    assert whole({"type": "image_generation_call", "status": "failed", "result": None}) == Decoded(Reply(usage=None))


ODD: Final[list[dict[str, Any]]] = [
    {"type": kind, **fields}
    for kind in (
        "response.created", "response.output_item.added", "response.output_item.done", "response.content_part.added",
        "response.output_text.delta", "response.function_call_arguments.delta",
        "response.output_text.annotation.added", "response.completed", "response.failed", "error",
    )
    for fields in ({}, dict.fromkeys(("item", "response", "part", "delta", "annotation", "output_index"), 5))
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_events_without_their_fields_do_no_harm(odd: dict[str, Any]) -> None:
    """What is missing or of another type is as good as empty, or JSON, for reading and for labels."""
    data = b"data: " + json.dumps(odd).encode() + b"\n\n"
    assert WIRE.decode_stream(data).reply
    assert WIRE.label([data])[0].data == data


def test_what_is_no_json_is_named() -> None:
    """`[DONE]`, which compatible servers send, ends a stream; other words are not understood."""
    assert WIRE.decode_stream(b"data: what\n\ndata: [DONE]\n\ndata: more\n\n").unknown == ("data 'what'",)
    assert [WIRE.kind_of(data) for data in (b"data: what\n\n", b"data: [DONE]\n\n", b": x\n\n")] == [
        "noise",
        "end",
        "noise",
    ]
