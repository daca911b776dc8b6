"""The neutral reply."""

from collections.abc import Callable
from typing import Any

import pytest

from mockserver import Reasoning, Refusal, Reply, Text, ToolCall, Usage

from .helpers import RICH

ANYTHING: Any = 5
"""A value whose type the annotations would not let through."""


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Text(()), ValueError, "Text has at least one piece"),
        (lambda: Reasoning(()), ValueError, "Reasoning has at least one piece"),
        (lambda: Refusal(()), ValueError, "Refusal has at least one piece"),
        (lambda: Text(("",)), ValueError, "Text is made of non-empty strings, not ''"),
        (lambda: Text(("a", ANYTHING)), ValueError, "Text is made of non-empty strings, not 5"),
        (lambda: ToolCall(pieces=("",), name="f"), ValueError, "ToolCall is made of non-empty strings, not ''"),
        (lambda: Text(("\ud83d",)), ValueError, r"half a surrogate pair, which is no Unicode: '\\ud83d'"),
        (lambda: Reasoning(("a",), signature=""), ValueError, "a signature is a non-empty string, or None"),
        (ToolCall, ValueError, "a tool call has an id and a name"),
        (lambda: ToolCall(name="f", id=""), ValueError, "a tool call has an id and a name"),
        (lambda: ToolCall.of("f", {"a": float("nan")}), ValueError, "not JSON compliant"),
        (lambda: ToolCall.of("f", {"a": {1}}), TypeError, "set is not JSON serializable"),
        (lambda: Reply(blocks=(ANYTHING,)), TypeError, "made of Text, Reasoning, .*, Media, not 5"),
        (lambda: Reply(finish_reason=""), ValueError, "a reply has a finish reason"),
        (
            lambda: Reply.of(ToolCall(name="f"), ToolCall(name="g")),
            ValueError,
            r"two tool calls of one reply have the same id: \['call_1', 'call_1'\]",
        ),
        (lambda: Usage(input_tokens=-1, output_tokens=0), ValueError, "input_tokens is a count of tokens, not -1"),
        (lambda: Usage(input_tokens=ANYTHING / 2, output_tokens=0), ValueError, "input_tokens is .*, not 2.5"),
        (lambda: Usage(input_tokens=0, output_tokens=True), ValueError, "output_tokens is a count of tokens, not True"),
        (lambda: Usage(input_tokens=0, output_tokens=0, reasoning=-1), ValueError, "reasoning is a count"),
        (
            lambda: Usage(input_tokens=3, output_tokens=0, cache_read=2, cache_creation=2),
            ValueError,
            "input_tokens inc",
        ),
        (
            lambda: Usage(input_tokens=3, output_tokens=1, reasoning=2),
            ValueError,
            "output_tokens includes the reasoning",
        ),
    ],
)
def test_what_is_not_right_is_said_when_it_is_made(
    make: Callable[[], object], error: type[Exception], words: str
) -> None:
    """Values are checked once, at construction, and the text names the fault."""
    with pytest.raises(error, match=words):
        make()


def test_usage_may_be_all_details() -> None:
    """Input may be all cached and output all reasoning; the total counts each token once."""
    usage = Usage(input_tokens=5, output_tokens=3, cache_read=2, cache_creation=3, reasoning=3)
    assert usage.total_tokens == 8


def test_a_string_stands_for_one_piece() -> None:
    """Where pieces are wanted, one string is one piece and not its characters."""
    pieces: Any = "abc"
    assert Text(pieces) == Text(("abc",))


def test_of_joins_strings_to_blocks() -> None:
    """Neighbouring strings are the pieces of one text block; other blocks end it."""
    call = ToolCall(name="f")
    reply = Reply.of("a", "b", call, "c", finish_reason="length")
    assert reply == Reply(blocks=(Text(("a", "b")), call, Text(("c",))), finish_reason="length")


def test_of_adds_strings_to_a_text_block_before_them() -> None:
    """A string after a `Text` is a further piece of it; a `Text` after a string is a block of its own."""
    assert Reply.of("x", Text(("a",)), "b").blocks == (Text(("x",)), Text(("a", "b")))
    assert Reply.of(Text(("a",)), Text(("b",))).blocks == (Text(("a",)), Text(("b",)))


def test_of_takes_many_pieces() -> None:
    """A hundred thousand strings are one block, in no time to speak of."""
    assert Reply.of(*["word "] * 100_000).piece_count == 100_000


def test_arguments_are_compact_json_in_pieces() -> None:
    """`ToolCall.of` cuts compact JSON, characters as they are, into pieces of the size asked for."""
    call = ToolCall.of("f", {"a": "ü", "b": [1, None]}, size=4)
    assert call.joined == '{"a":"ü","b":[1,null]}'
    assert [len(piece) for piece in call.pieces[:-1]] == [4] * (len(call.pieces) - 1)


def test_whole_joins_the_pieces_of_each_block() -> None:
    """`whole` changes pieces and nothing else; a call without argument text stays without."""
    reply = Reply.of(Reasoning(("a", "b"), signature="s"), "c", "d", ToolCall(name="f"), id="i", model="m", usage=None)
    assert reply.whole() == Reply(
        blocks=(Reasoning(("ab",), signature="s"), Text(("cd",)), ToolCall(name="f")), id="i", model="m", usage=None
    )


def test_parts_of_a_reply() -> None:
    """Text, tool calls and pieces are read off the blocks in order."""
    assert RICH.text == "Ün\u2028\u0085\U0001f420"
    assert [call.name for call in RICH.tool_calls] == ["get_weather", "get_time"]
    assert "".join(RICH.pieces) == "".join(block.joined for block in RICH.blocks)
    assert RICH.piece_count == len(tuple(RICH.pieces))


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (Reply.of("a", "b", "c"), "text in 3 pieces, finish, usage"),
        (Reply(usage=None), "no content, finish"),
        (Reply.of(Refusal(("no",)), finish_reason="length"), "refusal in 1 piece, finish 'length', usage"),
        (Reply.of(Reasoning(("a",)), "b", ToolCall(name="f")), "reasoning in 1 piece, text in 1 piece, tool call in 0"),
        (Reply.of(*(ToolCall(name="f", id=str(n)) for n in range(5))), "tool call in 0 pieces, 2 more blocks, finish"),
    ],
)
def test_describe_tells_what_is_in_it(reply: Reply, text: str) -> None:
    """A few words: each block with its pieces, why it ended, and whether tokens are counted."""
    assert text in reply.describe()
