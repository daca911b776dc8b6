"""The law that holds every wire honest: what it writes it reads back."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver import WIRES, Reasoning, Refusal, Reply, Text, ToolCall, Unencodable
from mockserver.frames import join
from mockserver.framings import sse
from mockserver.reply import FINISH_REASONS
from mockserver.wires import Decoded

from ..helpers import RICH, WIRE_NAMES
from ..strategies import LAW, replies

SHAPES = pytest.mark.parametrize("wire", WIRE_NAMES)


@SHAPES
@LAW
@given(data=st.data())
def test_streams_are_read_back(wire: str, data: st.DataObject) -> None:
    """A streamed reply decodes to itself, piece for piece, with nothing that is not understood."""
    reply = data.draw(replies(wire))
    frames = WIRES[wire].frames(reply)
    assert WIRES[wire].decode_stream(join(frames)) == Decoded(reply)


@SHAPES
@LAW
@given(data=st.data())
def test_whole_bodies_are_read_back(wire: str, data: st.DataObject) -> None:
    """A whole body decodes to the reply with each block in one piece."""
    reply = data.draw(replies(wire, whole=True))
    assert WIRES[wire].decode_whole(WIRES[wire].whole(reply)) == Decoded(reply.whole())


@SHAPES
@LAW
@given(data=st.data())
def test_frames_are_told_apart_by_their_bytes(wire: str, data: st.DataObject) -> None:
    """The bytes of a stream, split and labelled as a recording is, give the frames that were sent."""
    frames = WIRES[wire].frames(data.draw(replies(wire)))
    assert WIRES[wire].label(sse.split(join(frames))) == frames


@SHAPES
def test_pieces_are_numbered_in_the_order_of_the_reply(wire: str) -> None:
    """Frame by frame, the numbers of the pieces are those of `Reply.pieces`."""
    numbers = [frame.piece for frame in WIRES[wire].frames(RICH) if frame.kind == "piece"]
    assert numbers == list(range(len(tuple(RICH.pieces))))


@SHAPES
@pytest.mark.parametrize("reason", FINISH_REASONS)
def test_every_finish_reason_is_carried_or_refused(wire: str, reason: str) -> None:
    """A finish reason that the wire has is read back; for any other, the error lists those that it has."""
    reply = Reply.of("x", finish_reason=reason)
    if reason in WIRES[wire].finish_reasons:
        assert WIRES[wire].decode_stream(join(WIRES[wire].frames(reply))).reply.finish_reason == reason
    else:
        with pytest.raises(Unencodable, match=f"{wire} has no finish reason '{reason}'; it has stop, "):
            WIRES[wire].frames(reply)


_CHAT, _MESSAGES = WIRE_NAMES
_TWICE = Reply.of(Text(("a",)), Text(("b",)))
_SIGNED = Reply.of(Reasoning(("a",), signature="s"))
_REFUSAL = Reply.of(Refusal(("no",)))
_UNCOUNTED = Reply.of("a", usage=None)
_HALF = Reply.of(ToolCall(name="f", pieces=('{"a": ',)))
_LIST = Reply.of(ToolCall(name="f", pieces=("[1]",)))


@pytest.mark.parametrize(
    ("wire", "reply", "words"),
    [
        (_CHAT, _TWICE, "openai-chat carries at most one reasoning, one text and one refusal block"),
        (_CHAT, _SIGNED, "openai-chat has no place for the signature of reasoning"),
        (_MESSAGES, _REFUSAL, "anthropic-messages has no refusal block"),
        (_MESSAGES, _UNCOUNTED, "every message of anthropic-messages has usage"),
    ],
)
@pytest.mark.parametrize("method", ["frames", "whole"])
def test_what_a_wire_has_no_place_for_is_unencodable(wire: str, reply: Reply, words: str, method: str) -> None:
    """Streamed or whole, the wire refuses what it would lose, and says what."""
    encode: Callable[[Reply], Any] = getattr(WIRES[wire], method)
    with pytest.raises(Unencodable, match=words):
        encode(reply)


@pytest.mark.parametrize("reply", [_HALF, _LIST])
def test_whole_messages_carry_arguments_as_an_object(reply: Reply) -> None:
    """A whole Anthropic message has no place for argument text that is no JSON object; a stream has."""
    with pytest.raises(Unencodable, match="carries tool input as an object"):
        WIRES[_MESSAGES].whole(reply)
    assert WIRES[_MESSAGES].decode_stream(join(WIRES[_MESSAGES].frames(reply))).reply == reply


def test_whole_messages_give_a_call_without_argument_text_an_empty_object() -> None:
    """On Anthropic's wire, no argument text and ``{}`` are the same in a whole message."""
    wire = WIRES[_MESSAGES]
    [call] = wire.decode_whole(wire.whole(Reply.of(ToolCall(name="f")))).reply.tool_calls
    assert call.pieces == ("{}",)


def test_usage_is_left_out_of_a_chat_stream_that_did_not_ask_for_it() -> None:
    """Without `include_usage`, Chat Completions sends no usage frame and no `usage` key."""
    frames = WIRES[_CHAT].frames(RICH, usage=False)
    assert not any(frame.kind == "usage" or b'"usage"' in frame.data for frame in frames)
