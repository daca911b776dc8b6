"""Recordings that hold what the wire's own frames do not: read as far as they go, with a line for what is not."""

import json
from typing import Any

import pytest

from mockserver import WIRES, Reasoning, Reply, Text
from mockserver.wires import Decoded

MESSAGES = WIRES["anthropic-messages"]


def messages(*events: dict[str, Any]) -> Decoded:
    return MESSAGES.decode_stream(b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events))


def opened(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": fields}


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"type": "error", "error": {"type": "x", "message": "no"}}, "no"),
        ({"type": "error", "error": "no"}, '"no"'),
    ],
)
def test_errors_have_words(event: dict[str, Any], words: str) -> None:
    """In a stream and as a body, the provider's words, or all that there is."""
    assert MESSAGES.decode_stream(b"data: " + json.dumps(event).encode() + b"\n\n").error == words
    assert MESSAGES.decode_whole(json.dumps(event).encode()).error == words


def test_deltas_of_an_unknown_block_belong_to_it() -> None:
    """A block that a reply has no place for is named once, and its deltas are passed over."""
    found = messages(
        opened(0, type="compaction", content=""),
        delta(0, type="compaction_delta", content="so far"),
        opened(1, type="text", text=""),
        delta(1, type="text_delta", text="a"),
        delta(1, type="emphasis_delta"),
    )
    assert found.reply.blocks == (Text(("a",)),)
    assert found.unknown == ("content block 'compaction'", "delta 'emphasis_delta'")


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
