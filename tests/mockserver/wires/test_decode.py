"""Recordings that hold what the wire's own frames do not: read as far as they go, with a line for what is not."""

import json
from typing import Any

import pytest

from mockserver import WIRES, Reasoning, Reply, Text, ToolCall, Usage
from mockserver.wires import Decoded

CHAT, MESSAGES = WIRES["openai-chat"], WIRES["anthropic-messages"]


def chat(*deltas: dict[str, Any], **last: Any) -> Decoded:
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    ended = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], **last}
    return CHAT.decode_stream(b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in (*chunks, ended)))


def messages(*events: dict[str, Any]) -> Decoded:
    return MESSAGES.decode_stream(b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events))


def opened(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": fields}


def call(index: int, id: str | None, arguments: object = "{}") -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "id": id, "function": {"name": "f", "arguments": arguments}}]}


def test_content_in_parts_is_read_as_far_as_it_is_text() -> None:
    """Mistral sends lists of parts; parts of other kinds are named."""
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "a"}]
    assert chat({"content": parts}) == Decoded(Reply.of("a", usage=None), ("content part 'thinking'",))


def test_calls_without_ids_of_their_own_are_told_apart() -> None:
    """Missing and repeated ids become different ones, with a line each."""
    found = chat(call(0, None), call(1, None), call(2, "a"), call(3, "a"))
    assert [each.id for each in found.reply.tool_calls] == ["missing-0", "missing-1", "a", "a-3"]
    assert found.unknown == ("tool call without an id", "tool call without an id", "tool call id 'a' stands twice")


def test_arguments_may_be_an_object() -> None:
    """Some compatible servers send the object and not its text."""
    [found] = chat(call(0, "a", {"b": "ü"})).reply.tool_calls
    assert found == ToolCall(id="a", name="f", pieces=('{"b":"ü"}',))


def test_counts_that_contradict_each_other_are_named() -> None:
    """xAI's output does not include reasoning: the detail is left out, the rest stays."""
    counts = {"prompt_tokens": 3, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 9}}
    found = chat({"content": "a"}, usage=counts)
    assert found.reply.usage == Usage(input_tokens=3, output_tokens=2)
    assert found.unknown == (
        "usage: output_tokens includes the reasoning tokens, so it cannot be smaller than they are",
    )
    assert chat({"content": "a"}, usage={"prompt_tokens": -3, "completion_tokens": 2}).reply.usage is None


def test_unknown_keys_are_named_in_their_order() -> None:
    """Keys of chunks and deltas that the wire does not have."""
    found = chat({"content": "a", "channel": "x", "reasoning": "y", "token_id": None}, x_groq={})
    assert found.unknown == ("delta key 'channel'", "delta key 'reasoning'", "chunk key 'x_groq'")


@pytest.mark.parametrize(
    ("wire", "event", "words"),
    [
        (CHAT, {"error": {"message": "no"}}, "no"),
        (CHAT, {"error": {"code": 5}}, '{"code":5}'),
        (CHAT, {"error": "no"}, '"no"'),
        (MESSAGES, {"type": "error", "error": {"type": "x", "message": "no"}}, "no"),
        (MESSAGES, {"type": "error", "error": "no"}, '"no"'),
    ],
)
def test_errors_have_words(wire: Any, event: dict[str, Any], words: str) -> None:
    """In a stream and as a body, the provider's words, or all that there is."""
    assert wire.decode_stream(b"data: " + json.dumps(event).encode() + b"\n\n").error == words
    assert wire.decode_whole(json.dumps(event).encode()).error == words


def test_deltas_of_an_unknown_block_belong_to_it() -> None:
    """A server's own tool call is not one of ours: it is named once, and its argument text passed over."""
    found = messages(
        opened(0, type="server_tool_use", id="s1", name="web_search", input={}),
        delta(0, type="input_json_delta", partial_json='{"query":'),
        opened(1, type="text", text=""),
        delta(1, type="text_delta", text="a"),
        delta(1, type="citations_delta", citation={}),
    )
    assert found.reply.blocks == (Text(("a",)),)
    assert found.unknown == ("content block 'server_tool_use'", "delta 'citations_delta'")


def test_a_seal_on_reasoning_that_is_not_shown_is_kept() -> None:
    """A thinking block with a signature alone has no pieces."""
    found = messages(opened(0, type="thinking", thinking=""), delta(0, type="signature_delta", signature="s"))
    assert (found.reply.blocks, found.unknown) == ((Reasoning((), signature="s"),), ())


def test_opened_blocks_may_bring_content() -> None:
    """Compatible servers put the first text into the opening."""
    found = messages(opened(0, type="text", text="a"), delta(0, type="text_delta", text="b"), {"type": "ping"})
    assert found == Decoded(Reply.of("a", "b", usage=None, finish_reason="unfinished"))
    whole = {"content": [{"type": "thinking", "thinking": "a", "signature": "s"}], "stop_reason": "end_turn"}
    assert MESSAGES.decode_whole(json.dumps(whole).encode()).reply.blocks == (Reasoning(("a",), signature="s"),)


def test_later_events_are_named() -> None:
    """Events, blocks and stop reasons that were added since."""
    found = messages({"type": "message_delta", "delta": {"stop_reason": "bored"}, "usage": {}}, {"type": "new"})
    assert (found.reply.finish_reason, found.unknown) == ("bored", ("event 'new'", "stop reason 'bored'"))


@pytest.mark.parametrize(
    "event", [{"type": kind} for kind in ("content_block_start", "content_block_delta", "message_start")]
)
def test_events_without_their_fields_do_no_harm(event: dict[str, Any]) -> None:
    """What is missing is as good as empty, for reading and for labels."""
    assert messages(event).reply.blocks == ()
    assert MESSAGES.kind_of(b"data: " + json.dumps(event).encode() + b"\n\n") == "start"
